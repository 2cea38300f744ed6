//go:build linux

package bed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// SIP is how a registrar answers a REGISTER without credentials, once the TLS
// of SetRegistrar has come about. The zero value is a healthy one: 401 with
// NTLM and Kerberos, as Office Communications Server 2007 R2 answers.
type SIP struct {
	// Status is answered instead, with its ms-diagnostics where it has one.
	Status     int
	Diagnostic int
	// Agent makes the above the answer to those only whose User-Agent holds
	// it; others get the healthy one.
	Agent string
	// Contact is where a redirect leads.
	Contact string
	// BasicOnly offers a logon by Basic only.
	BasicOnly bool
	// Silent answers nothing.
	Silent bool
	// Clock is by how many seconds Date is wrong.
	Clock int
}

// sipServer is a Kamailio that plays a registrar's SIP behind its TLS.
type sipServer struct {
	*server
	now SIP
}

// kamailioHead begins its configuration.
const kamailioHead = `#!KAMAILIO
children=1
tcp_children=2
log_stderror=yes
debug=0
server_header="Server: RTC/3.5"
listen=tcp:127.0.0.1:5060
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
request_route {
	append_to_reply("Date: $utimef(%a, %d %b %Y %H:%M:%S GMT)\r\n");
`

// kamailioChallenge is the healthy end of it.
const kamailioChallenge = `	append_to_reply("WWW-Authenticate: NTLM realm=\"SIP Communications Service\", targetname=\"pool01.contoso.com\", version=4\r\n");
	append_to_reply("WWW-Authenticate: Kerberos realm=\"SIP Communications Service\", targetname=\"sip/pool01.contoso.com\", version=4\r\n");
	sl_send_reply("401", "Unauthorized");
}
`

func (b *Bed) newSIP() map[Host]*sipServer {
	servers := map[Host]*sipServer{}
	for _, host := range []Host{Pool, Edge} {
		s := &sipServer{server: b.newServer(host)}
		s.dir = filepath.Join(b.dir, string(host)+"-sip")
		s.command = func() (env, argv []string) {
			if s.now.Clock != 0 {
				env = []string{"LD_PRELOAD=" + faketimeLibrary(), fmt.Sprintf("FAKETIME=%+ds", s.now.Clock)}
			}
			return env, []string{locate("kamailio"), "-DD", "-E", "-f", s.file("kamailio.cfg"), "-Y", s.dir}
		}
		s.ready = func(ctx context.Context) error {
			_, err := b.run(ctx, host, "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/5060")
			return err
		}
		servers[host] = s
	}
	return servers
}

// first starts the server for the first time.
func (s *sipServer) first(ctx context.Context) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	return s.apply(ctx, SIP{})
}

// config is Kamailio's configuration for the answer.
func (s *sipServer) config() string {
	var text strings.Builder
	line := func(format string, values ...any) { _, _ = fmt.Fprintf(&text, "\t"+format+"\n", values...) }
	text.WriteString(kamailioHead)
	if s.now.Agent != "" {
		line("if ($ua =~ %q) {", regexp.QuoteMeta(s.now.Agent))
	}
	if s.now.Diagnostic != 0 {
		line(`append_to_reply("ms-diagnostics: %d;reason=\"of the bed\";source=\"pool01.contoso.com\"\r\n");`, s.now.Diagnostic)
	}
	if s.now.Contact != "" {
		line(`append_to_reply("Contact: <sip:%s;transport=tls>\r\n");`, s.now.Contact)
	}
	switch {
	case s.now.Silent:
		line("exit;")
	case s.now.BasicOnly:
		line(`append_to_reply("WWW-Authenticate: Basic realm=\"bed\"\r\n");`)
		line(`sl_send_reply("401", "Unauthorized"); exit;`)
	case s.now.Status != 0:
		line(`sl_send_reply("%d", "Of the bed"); exit;`, s.now.Status)
	}
	if s.now.Agent != "" {
		line("}")
	}
	text.WriteString(kamailioChallenge)
	return text.String()
}

// apply restarts the server with the given answer, unless it answers so.
func (s *sipServer) apply(ctx context.Context, a SIP) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running() && !s.paused && s.now == a {
		return nil
	}
	s.now = a
	if err := s.write(map[string]string{"kamailio.cfg": s.config()}); err != nil {
		return err
	}
	s.kill()
	return s.start(ctx)
}

// SetSIP lets Pool or Edge answer in this way; a zero SIP heals it.
func (b *Bed) SetSIP(ctx context.Context, host Host, a SIP) error {
	s, ok := b.sip[host]
	if !ok {
		return errors.New("bed: no registrar on " + string(host))
	}
	return s.apply(ctx, a)
}
