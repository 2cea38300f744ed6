//go:build linux

package bed

import (
	"cmp"
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
	// Contact is where a redirect leads; several are parted by a comma.
	Contact string
	// BasicOnly offers a logon by Basic only.
	BasicOnly bool
	// Proxy asks for the logon as a proxy does, by 407.
	Proxy bool
	// TargetName is what it calls itself for the logon instead.
	TargetName string
	// Registers takes up who registers, without a logon: Bound tells whom.
	Registers bool
	// Trying says 100 first, and the rest 200 ms later.
	Trying bool
	// Silent answers nothing.
	Silent bool
	// Down has nothing answer behind the TLS.
	Down bool
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
loadmodule "cfgutils.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "xlog.so"
modparam("xlog", "prefix", "")
request_route {
`

const kamailioDate = `	append_to_reply("Date: $utimef(%a, %d %b %Y %H:%M:%S GMT)\r\n");
`

// kamailioChallenge is the healthy end of it: header, name, header, name, status.
const kamailioChallenge = `	append_to_reply("%[1]s: NTLM realm=\"SIP Communications Service\", targetname=\"%[2]s\", version=4\r\n");
	append_to_reply("%[1]s: Kerberos realm=\"SIP Communications Service\", targetname=\"sip/%[2]s\", version=4\r\n");
	sl_send_reply("%[3]d", "Unauthorized");
}
`

// boundMark begins the lines of its log about who registered: then whether a binding is there.
const boundMark = "bound "

// kamailioRegisters takes up who registers.
const kamailioRegisters = `	save("location");
	if (registered("location", "$tu")) { xlog("L_ERR", "` + boundMark + `yes $tu\n"); } else { xlog("L_ERR", "` + boundMark + `no $tu\n"); }
	exit;
`

func (b *Bed) newSIP() map[Host]*sipServer {
	servers := map[Host]*sipServer{}
	for _, host := range []Host{Pool, FrontEnd2, Edge} {
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
	if s.now.Trying {
		line(`sl_send_reply("100", "Trying"); usleep(200000);`)
	}
	text.WriteString(kamailioDate)
	if s.now.Agent != "" {
		line("if ($ua =~ %q) {", regexp.QuoteMeta(s.now.Agent))
	}
	if s.now.Diagnostic != 0 {
		line(`append_to_reply("ms-diagnostics: %d;reason=\"of the bed\";source=\"pool01.contoso.com\"\r\n");`, s.now.Diagnostic)
	}
	for contact := range strings.SplitSeq(s.now.Contact, ",") {
		if contact != "" {
			line(`append_to_reply("Contact: <sip:%s;transport=tls>\r\n");`, contact)
		}
	}
	switch {
	case s.now.Silent:
		line("exit;")
	case s.now.Registers:
		text.WriteString(kamailioRegisters)
	case s.now.BasicOnly:
		line(`append_to_reply("WWW-Authenticate: Basic realm=\"bed\"\r\n");`)
		line(`sl_send_reply("401", "Unauthorized"); exit;`)
	case s.now.Status != 0:
		line(`sl_send_reply("%d", "Of the bed"); exit;`, s.now.Status)
	}
	if s.now.Agent != "" {
		line("}")
	}
	header, status := "WWW-Authenticate", 401
	if s.now.Proxy {
		header, status = "Proxy-Authenticate", 407
	}
	_, _ = fmt.Fprintf(&text, kamailioChallenge, header, cmp.Or(s.now.TargetName, s.targetName()), status)
	return text.String()
}

// targetName is the name of the server that asks for the logon: an Access Edge hands on what the pool says.
func (s *sipServer) targetName() string {
	if s.host == Edge {
		return fullName(Pool)
	}
	return fullName(s.host)
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
	if err := s.bed.poll(ctx, changeTimeout, s.gone); err != nil || a.Down {
		return err
	}
	return s.start(ctx)
}

// gone waits for its workers, which hold the port a moment longer than itself.
func (s *sipServer) gone(ctx context.Context) error {
	if s.ready(ctx) == nil {
		return errors.New("its port is still open")
	}
	return nil
}

// Bound lists what a registrar that Registers said of those who did, the oldest first: "yes" or "no", whether a
// binding is there, and who.
func (b *Bed) Bound(host Host) ([]string, error) {
	s, ok := b.sip[host]
	if !ok {
		return nil, errors.New("bed: no registrar on " + string(host))
	}
	text, err := os.ReadFile(s.logFile())
	var list []string
	for line := range strings.Lines(string(text)) {
		if _, bound, ok := strings.Cut(strings.TrimSpace(line), boundMark); ok {
			list = append(list, bound)
		}
	}
	return list, err
}

// SetSIP lets Pool, FrontEnd2 or Edge answer in this way; a zero SIP heals it.
func (b *Bed) SetSIP(ctx context.Context, host Host, a SIP) error {
	s, ok := b.sip[host]
	if !ok {
		return errors.New("bed: no registrar on " + string(host))
	}
	return s.apply(ctx, a)
}
