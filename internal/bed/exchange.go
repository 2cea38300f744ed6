//go:build linux

package bed

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// The places of Exchange, the same inside and outside.
const (
	autodiscoverName = "autodiscover.fabrikam.com"
	autodiscoverPath = "/autodiscover/autodiscover.xml"
	ewsPath          = "/EWS/Exchange.asmx"
)

// Exchange is how a Client Access Server answers: Mail inside or MailOutside.
// The zero value is a healthy one: TLS 1.0, NTLM, and an answer that names
// the web services in ASUrl, as Exchange 2007 does.
type Exchange struct {
	// Status is what Autodiscover answers instead, before any logon.
	Status int
	// Access is to whom it answers: Anonymous or BasicOnly.
	Access CertsrvAccess
	// Settings is what it tells somebody who logged on.
	Settings ExchangeSettings
	// EWSStatus is what the web services answer instead, before any logon.
	EWSStatus int
	// PlainRedirect has port 80 lead to HTTPS at this host, while
	// Autodiscover itself is not at its usual place by HTTPS.
	PlainRedirect string
	// WrongName gives the server a certificate for another host.
	WrongName bool
	// Chain is served instead: certificates in PEM, with the key of the first.
	Chain string
	// TLS12 lets it speak TLS 1.2 and newer only.
	TLS12 bool
}

// ExchangeSettings is what Autodiscover tells.
type ExchangeSettings string

// The settings. The zero value has ASUrl only.
const (
	// EWSURLToo has EwsUrl beside it, as later versions do.
	EWSURLToo ExchangeSettings = "ews"
	// NoWebServices names none.
	NoWebServices ExchangeSettings = "none"
	// ForeignWebServices names them at another company.
	ForeignWebServices ExchangeSettings = "foreign"
	// NoMailbox is an error: there is no such mailbox.
	NoMailbox ExchangeSettings = "error"
)

// body is the POX document, shaped as Microsoft's sample of it.
func (s ExchangeSettings) body() string {
	protocol := "<ASUrl>https://" + autodiscoverName + ewsPath + "</ASUrl>"
	switch s {
	case EWSURLToo:
		protocol += "<EwsUrl>https://" + autodiscoverName + ewsPath + "</EwsUrl>"
	case NoWebServices:
		protocol = ""
	case ForeignWebServices:
		protocol = "<ASUrl>https://mail.evil.example" + ewsPath + "</ASUrl>"
	case NoMailbox:
		return `<?xml version="1.0"?><Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006">` +
			`<Response><Error Time="06:22:03" Id="1"><ErrorCode>500</ErrorCode><Message>The e-mail address cannot be found.</Message>` +
			`<DebugData /></Error></Response></Autodiscover>`
	}
	return `<?xml version="1.0"?><Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006">` +
		`<Response xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"><Account>` +
		`<AccountType>email</AccountType><Action>settings</Action><Protocol><Type>EXCH</Type><Server>mbx01</Server>` + protocol +
		`</Protocol><Protocol><Type>EXPR</Type>` + protocol + `</Protocol></Account></Response></Autodiscover>`
}

// exchangeServer is an Apache that plays a Client Access Server.
type exchangeServer struct {
	*webServer
	now Exchange
}

func (b *Bed) newExchange() map[Host]*exchangeServer {
	servers := make(map[Host]*exchangeServer)
	for _, host := range []Host{Mail, MailOutside} {
		s := &exchangeServer{webServer: b.newWeb(host)}
		s.ready = func(ctx context.Context) error {
			return errors.Join(b.answersHTTP(ctx, host, "https"), b.answersHTTP(ctx, host, "http"))
		}
		servers[host] = s
	}
	return servers
}

// first starts the server for the first time.
func (s *exchangeServer) first(ctx context.Context) error {
	if err := s.prepare(""); err != nil {
		return err
	}
	return s.apply(ctx, Exchange{})
}

// apply restarts the server with the given answer, unless it answers so.
func (s *exchangeServer) apply(ctx context.Context, e Exchange) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running() && !s.paused && s.now == e {
		return nil
	}
	s.now = e
	err := s.write(map[string]string{
		"answer.lua":  fmt.Sprintf(handlerScript, s.file("posted"), "text/xml", 0, e.Settings.body()),
		"pages/ews":   "<html><body>You have created a service.</body></html>\r\n",
		"pages/start": "<html><body>Under construction.</body></html>\r\n",
		"chain.pem":   e.Chain,
	})
	if err != nil {
		return err
	}
	host := s.host
	if e.WrongName {
		host = FrontEnd2
	}
	certificates := filepath.Join(string(s.bed.cached), certificatesDir)
	tls := fmt.Sprintf(oldTLS, filepath.Join(certificates, keyFile(host)), filepath.Join(certificates, leafFile(host, false)))
	if e.Chain != "" {
		tls = fmt.Sprintf(oldTLS, s.file("chain.pem"), s.file("chain.pem"))
	}
	if e.TLS12 {
		tls = strings.Replace(tls, "SSLProtocol TLSv1\nSSLCipherSuite AES128-SHA:AES256-SHA", "SSLProtocol TLSv1.2\nSSLCipherSuite HIGH", 1)
	}
	conf := fmt.Sprintf(updateModules, apacheModules()) +
		fmt.Sprintf("Listen %[1]s:443\n<VirtualHost %[1]s:443>\n%[2]s%[3]s</VirtualHost>\n", address(s.host), tls, s.site()) +
		fmt.Sprintf("Listen %[1]s:80\n<VirtualHost %[1]s:80>\n%[2]s</VirtualHost>\n", address(s.host), s.plain())
	if err := s.configure(autodiscoverName, conf); err != nil {
		return err
	}
	s.kill()
	return s.start(ctx)
}

// site is what port 443 answers.
func (s *exchangeServer) site() string {
	var text strings.Builder
	line := func(format string, values ...any) { _, _ = fmt.Fprintf(&text, format+"\n", values...) }
	line("ServerName %s\nRewriteEngine On", autodiscoverName)
	if s.now.Status != 0 {
		line("RewriteRule %s - [R=%d]", matching(autodiscoverPath), s.now.Status)
	}
	if s.now.PlainRedirect != "" {
		line("RewriteCond %%{HTTP_HOST} !=%s\nRewriteRule %s - [R=404]", s.now.PlainRedirect, matching(autodiscoverPath))
	}
	if s.now.EWSStatus != 0 {
		line("RewriteRule %s - [R=%d]", matching(ewsPath), s.now.EWSStatus)
	}
	line("AliasMatch %s %s", matching(autodiscoverPath), s.file("answer.lua"))
	line("AliasMatch %s %s", matching(ewsPath), s.file("pages/ews"))
	line("<Files *.lua>\nSetHandler lua-script\n</Files>")
	line("<Location />\n%s</Location>", s.access())
	return text.String()
}

func (s *exchangeServer) access() string {
	switch s.now.Access {
	case Anonymous:
		return "Require all granted\n"
	case BasicOnly:
		return fmt.Sprintf(basicLogon, s.dir)
	default:
		return ntlmLogon
	}
}

// plain is what port 80 answers: a page, or the redirect.
func (s *exchangeServer) plain() string {
	text := "ServerName " + autodiscoverName + "\nRewriteEngine On\n"
	if s.now.PlainRedirect != "" {
		text += fmt.Sprintf("RewriteRule %s https://%s%s [R=302,L]\n", matching(autodiscoverPath), s.now.PlainRedirect, autodiscoverPath)
	}
	return text + "<Location />\nRequire all granted\n</Location>\n"
}

// SetExchange lets Mail or MailOutside answer in this way; a zero Exchange
// heals it, also after Pause and Kill.
func (b *Bed) SetExchange(ctx context.Context, host Host, e Exchange) error {
	s, ok := b.exchange[host]
	if !ok {
		return fmt.Errorf("bed: %q has no Exchange", host)
	}
	return s.apply(ctx, e)
}

// RestoreExchange heals Exchange inside and outside.
func (b *Bed) RestoreExchange(ctx context.Context) error {
	return errors.Join(b.SetExchange(ctx, Mail, Exchange{}), b.SetExchange(ctx, MailOutside, Exchange{}))
}
