//go:build linux

package bed

import (
	"context"
	"fmt"
	"strings"
	"time"
)

const (
	// OfferedVersion is the firmware that a healthy update service offers.
	OfferedVersion = "1.0.522.101"
	// UpdateServerVersion is ServerVersion and ServiceVersion of its answer.
	UpdateServerVersion = "3.5.6907.0"
	// SlowRate is how fast ImageSlow sends, in bytes per second.
	SlowRate = 200 << 10
)

// proxyName is the reverse proxy's name outside.
const proxyName = "ocsrp.fabrikam.com"

// Update is how a host answers for the update service: a front end (Pool or
// FrontEnd2), or ReverseProxy with WebOutside behind it. The zero value is a
// healthy one: it offers OfferedVersion, inside to everybody and outside to
// those who log on by NTLM.
type Update struct {
	Answer UpdateAnswer
	// Status is what the request handler answers instead, before any logon:
	// 403, 404 or 500.
	Status int
	// Version is offered, and served, instead of OfferedVersion.
	Version string
	// BlankBaseURL and BlankExternalBaseURL leave the elements empty, as
	// when WMI was never filled in (guide, step 25).
	BlankBaseURL, BlankExternalBaseURL bool
	// Clock is by how much CurrentTime is wrong.
	Clock time.Duration
	Image ImageAnswer
	// Access is to whom the outside answers: Anonymous means everybody and
	// BasicOnly those who log on by Basic. Inside it has no effect.
	Access CertsrvAccess
	// Ports leaves one of the ports of a front end closed.
	Ports UpdatePorts
	// Published leaves one half of the service unpublished at the reverse
	// proxy, which then answers 403 for it.
	Published UpdatePublished
	// TLS12 lets the reverse proxy speak TLS 1.2 and newer only, with a
	// certificate signed with SHA-256 instead of SHA-1. The front ends always
	// speak TLS 1.0 only, by RSA key exchange.
	TLS12 bool
}

// UpdateAnswer is what the request handler answers for ucdevice.upx.
type UpdateAnswer string

// The answers. The zero value offers a version (CONTRACT.md section 1.5).
const (
	// NoUpdate is healthy, too: NumOfFiles is 0.
	NoUpdate UpdateAnswer = "none"
	// EntityBomb is XML whose entities would expand to gigabytes.
	EntityBomb UpdateAnswer = "bomb"
	// UpdateHTML is a page with status 200.
	UpdateHTML UpdateAnswer = "html"
	// RedirectCircle leads to a second path, and that one back.
	RedirectCircle UpdateAnswer = "circle"
	// RedirectElsewhere leads to the path /elsewhere of another host: of the
	// other front end, or of WebOutside without TLS.
	RedirectElsewhere UpdateAnswer = "elsewhere"
)

// ImageAnswer is what is served as CPE.nbt of the offered version.
type ImageAnswer string

// The answers. The zero value is ImageFile.
const (
	// ImageMissing is status 404.
	ImageMissing ImageAnswer = "missing"
	// ImageCut is a shorter file, CutImageSize, with the right length.
	ImageCut ImageAnswer = "cut"
	// ImageCutOff announces ImageSize, sends CutImageSize and then closes
	// the connection. HEAD and ranges find ImageFile.
	ImageCutOff ImageAnswer = "cut-off"
	// ImageChanged is OtherImageFile.
	ImageChanged ImageAnswer = "changed"
	// ImageSlow is sent at SlowRate.
	ImageSlow ImageAnswer = "slow"
	// ImageElsewhere is a redirection as that of RedirectElsewhere.
	ImageElsewhere ImageAnswer = "elsewhere"
)

// UpdatePorts is on which ports a front end listens.
type UpdatePorts string

// The ports. The zero value is both.
const (
	OnlyTLS   UpdatePorts = "443"
	OnlyPlain UpdatePorts = "80"
)

// UpdatePublished is what the reverse proxy lets through.
type UpdatePublished string

// The halves. The zero value is both.
const (
	OnlyHandler UpdatePublished = "RequestHandlerExt"
	OnlyFiles   UpdatePublished = "DeviceUpdateFiles_Ext"
)

func (u Update) version() string {
	if u.Version == "" {
		return OfferedVersion
	}
	return u.Version
}

// folder is where the version's files are below the store.
func (u Update) folder() string {
	return "/UCPhone/Polycom/CX700/A/ENU/" + u.version() + "/CPE"
}

// entityBomb is XML whose last entity would expand to three billion bytes.
func entityBomb() string {
	var text strings.Builder
	text.WriteString("<?xml version=\"1.0\"?>\n<!DOCTYPE Response [\n<!ENTITY e0 \"lol\">\n")
	for i := 1; i <= 9; i++ {
		ten := strings.Repeat(fmt.Sprintf("&e%d;", i-1), 10)
		_, _ = fmt.Fprintf(&text, "<!ENTITY e%d \"%s\">\n", i, ten)
	}
	text.WriteString("]>\n<Response><NumOfFiles>&e9;</NumOfFiles></Response>\n")
	return text.String()
}

// nowMark stands for CurrentTime, which is written with each answer.
const nowMark = "@NOW@"

// body is what the request handler answers. The name of the element around
// an offer is not known; the rest is as the guide prints it.
func (u Update) body() string {
	switch u.Answer {
	case EntityBomb:
		return entityBomb()
	case UpdateHTML:
		return "<html><body>Under construction.</body></html>\r\n"
	}
	files, offer := 0, ""
	if u.Answer != NoUpdate {
		files = 1
		base := "http://" + fullName(Pool) + "/DeviceUpdateFiles_Int" + u.folder()
		if u.BlankBaseURL {
			base = ""
		}
		external := "https://" + proxyName + "/DeviceUpdateFiles_Ext" + u.folder()
		if u.BlankExternalBaseURL {
			external = ""
		}
		offer = "<File><FileName>CPE.nbt</FileName><SignatureFileName>CPE.cat</SignatureFileName>" +
			"<DescriptFile>CPE_desc.xml</DescriptFile><BaseURL>" + base + "</BaseURL>" +
			"<ExternalBaseURL>" + external + "</ExternalBaseURL></File>"
	}
	return fmt.Sprintf("<?xml version=\"1.0\" ?><Response><NumOfFiles>%d</NumOfFiles>%s<CurrentTime>%s</CurrentTime>"+
		"<ServerVersion>%s</ServerVersion><ServiceVersion>%[4]s</ServiceVersion></Response>",
		files, offer, nowMark, UpdateServerVersion)
}

// contentType is the type of the body.
func (u Update) contentType() string {
	if u.Answer == UpdateHTML {
		return "text/html"
	}
	return "text/xml"
}

// SetUpdate lets a host answer in this way; a zero Update heals it, also
// after Pause and Kill.
func (b *Bed) SetUpdate(ctx context.Context, host Host, u Update) error {
	switch host {
	case Pool, FrontEnd2:
		return b.updates[host].apply(ctx, u)
	case ReverseProxy:
		return together([]func() error{
			func() error { return b.proxy.apply(ctx, u) },
			func() error { return b.updates[WebOutside].apply(ctx, u) },
		})
	}
	return fmt.Errorf("bed: %q has no update service", host)
}

// RestoreUpdate heals the update service on all hosts.
func (b *Bed) RestoreUpdate(ctx context.Context) error {
	var steps []func() error
	for _, host := range []Host{Pool, FrontEnd2, ReverseProxy} {
		steps = append(steps, func() error { return b.SetUpdate(ctx, host, Update{}) })
	}
	return together(steps)
}

// RequestsTo lists what a web server (CA, Pool, FrontEnd2, ReverseProxy or
// WebOutside) was asked, in order: request line, status, and the scheme of
// the credentials or "-". A request is listed just after its answer has been
// sent. Those for "/" are left out: the bed asks for it itself. What
// ReverseProxy let through, WebOutside lists again.
func (b *Bed) RequestsTo(host Host) ([]string, error) {
	switch host {
	case CA:
		return b.web.requests()
	case ReverseProxy:
		return b.proxy.requests()
	}
	if s, ok := b.updates[host]; ok {
		return s.requests()
	}
	if s, ok := b.exchange[host]; ok {
		return s.requests()
	}
	return nil, fmt.Errorf("bed: %q has no web server", host)
}

// Posted lists the bodies of all POST requests that the request handler on
// Pool, FrontEnd2 or WebOutside got, in order. One of more than 64 KiB is
// listed empty.
func (b *Bed) Posted(host Host) ([]string, error) {
	s, ok := b.updates[host]
	if !ok {
		return nil, fmt.Errorf("bed: %q has no update service", host)
	}
	return s.posted()
}
