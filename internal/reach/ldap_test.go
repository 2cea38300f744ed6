package reach

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/site"
)

// listen serves each connection to a free port with a function, until the test ends. It returns a way on
// which every host and port lead there.
func listen(t testing.TB, serve func(net.Conn)) Way {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				defer context.AfterFunc(ctx, func() { conn.Close() })()
				serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		cancel()
		l.Close()
		wg.Wait()
	})
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return Way{ConnectTo: []site.ConnectTo{{ToHost: host, ToPort: port}}}
}

// message is an LDAP message with an operation (RFC 4511 section 4.1.1); all lengths are short.
func message(id byte, operation byte, content ...byte) []byte {
	op := append([]byte{operation, byte(len(content))}, content...)
	body := append([]byte{0x02, 1, id}, op...)
	return append([]byte{0x30, byte(len(body))}, body...)
}

// entry is a search result with one attribute of one value.
func entry(id byte, name, value string) []byte {
	octets := func(tag byte, s string) []byte { return append([]byte{tag, byte(len(s))}, s...) }
	wrap := func(tag byte, parts ...[]byte) []byte {
		content := bytes.Join(parts, nil)
		return append([]byte{tag, byte(len(content))}, content...)
	}
	attribute := wrap(0x30, octets(0x04, name), wrap(0x31, octets(0x04, value)))
	return message(id, 0x64, bytes.Join([][]byte{octets(0x04, ""), wrap(0x30, attribute)}, nil)...)
}

// done ends a search with a result code.
func done(id, code byte) []byte { return message(id, 0x65, 0x0a, 1, code, 0x04, 0, 0x04, 0) }

// rootDSEThen answers the search for the rootDSE and then does what is given.
func rootDSEThen(next func(net.Conn)) func(net.Conn) {
	return func(conn net.Conn) {
		request := make([]byte, 4096)
		if _, err := conn.Read(request); err != nil {
			return
		}
		conn.Write(entry(1, "configurationNamingContext", "CN=Configuration,DC=contoso,DC=com"))
		conn.Write(done(1, 0))
		if _, err := conn.Read(request); err == nil {
			next(conn)
		}
	}
}

func silence(conn net.Conn) { io.Copy(io.Discard, conn) }

// says answers the first request.
func says(b []byte) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := conn.Read(make([]byte, 4096)); err == nil {
			conn.Write(b)
			silence(conn)
		}
	}
}

// answers writes at once, in a state in which a request has been read.
func answers(b []byte) func(net.Conn) {
	return func(conn net.Conn) {
		conn.Write(b)
		silence(conn)
	}
}

// TestHostileControllers meets servers that are no domain controllers, or bad ones. Every look ends in
// time, and with the reason that says it.
func TestHostileControllers(t *testing.T) {
	endless := func(conn net.Conn) {
		chunk := bytes.Repeat(entry(2, "cn", strings.Repeat("x", 60)), 100)
		for {
			if _, err := conn.Write(chunk); err != nil {
				return
			}
		}
	}
	tests := []struct {
		name   string
		serve  func(net.Conn)
		want   facts.ControllerProblem
		denied bool
	}{
		{"silent", silence, facts.ControllerSilent, false},
		{"closes", func(net.Conn) {}, facts.ControllerMalformed, false},
		{"HTTP", func(conn net.Conn) { conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) }, facts.ControllerMalformed, false},
		{"a message of 2 GiB", says([]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff}), facts.ControllerMalformed, false},
		{"no rootDSE", says(done(1, 0)), facts.ControllerMalformed, false},
		{"another naming context", says(append(entry(1, "defaultNamingContext", "DC=x"), done(1, 0)...)), facts.ControllerMalformed, false},
		{"silent after the rootDSE", rootDSEThen(silence), facts.ControllerSilent, false},
		{"closes after the rootDSE", rootDSEThen(func(net.Conn) {}), facts.ControllerMalformed, false},
		{"refers", rootDSEThen(answers(done(2, 10))), facts.SearchFailed, false},
		{"operations error", rootDSEThen(answers(done(2, 1))), "", true},
		{"insufficient access", rootDSEThen(answers(done(2, 50))), "", true},
		{"endless result", rootDSEThen(endless), facts.SearchTooLarge, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			way := listen(t, tt.serve)
			g, _ := guardOn(t, "")
			d := NewDirectories(g)
			defer d.Close()
			c := readOne(t, d, way, site.Directory{})
			if c.Problem != tt.want || c.Denied != tt.denied {
				t.Errorf("problem %q (%s), denied %t; want %q, %t", c.Problem, c.Detail, c.Denied, tt.want, tt.denied)
			}
			if c.Read() {
				t.Error("taken for readable")
			}
		})
	}
}

// readOne reads the one controller of contoso.com within two seconds.
func readOne(t *testing.T, d *Directories, way Way, access site.Directory) facts.Controller {
	t.Helper()
	return readOneWithin(t, d, way, access, 2*time.Second)
}

func readOneWithin(t *testing.T, d *Directories, way Way, access site.Directory, timeout time.Duration) facts.Controller {
	t.Helper()
	find := func(name string, _ phone.RecordType) phone.Records {
		if strings.HasPrefix(name, "_ldap.") {
			return phone.Records{Services: []phone.Service{{Target: "dc01.contoso.com", Port: 389}}}
		}
		return phone.Records{Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10")}}
	}
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	seen, err := d.Read(ctx, way, phone.Domains{Logon: "contoso.com"}, access, &facts.Names{}, find, time.Now(), timeout)
	if err != nil {
		t.Fatal(err)
	}
	if len(seen.Controllers) != 1 || seen.Domain != "contoso.com" {
		t.Fatalf("%+v", seen)
	}
	return seen.Controllers[0]
}

// TestPasswordIsNotSentInTheClear offers a controller without TLS to each kind of bind that needs it.
func TestPasswordIsNotSentInTheClear(t *testing.T) {
	for _, bind := range []site.BindKind{site.BindLDAPS, site.BindStartTLS} {
		var mu sync.Mutex
		var heard bytes.Buffer
		way := listen(t, func(conn net.Conn) {
			buffer := make([]byte, 4096)
			for id := byte(1); ; id++ {
				n, err := conn.Read(buffer)
				mu.Lock()
				heard.Write(buffer[:n])
				mu.Unlock()
				if err != nil {
					return
				}
				if id == 1 {
					conn.Write(entry(id, "configurationNamingContext", "CN=Configuration,DC=contoso,DC=com"))
				}
				conn.Write(done(id, 0))
			}
		})
		g, _ := guardOn(t, "")
		d := NewDirectories(g)
		c := readOne(t, d, way, site.Directory{Bind: bind, Credential: testCredential(t, planted)})
		d.Close()
		if c.Problem == "" || c.Denied {
			t.Errorf("%s: a controller without TLS was read", bind)
		}
		mu.Lock()
		if heard.Len() == 0 || strings.Contains(heard.String(), planted) {
			t.Errorf("%s: heard %q", bind, heard.String())
		}
		mu.Unlock()
	}
}

func TestPrincipal(t *testing.T) {
	for username, want := range map[string][2]string{
		"probe@contoso.com":  {"probe", "CONTOSO.COM"},
		`CONTOSO\probe`:      {"probe", "FOREST.EXAMPLE"},
		`contoso.com\probe`:  {"probe", "CONTOSO.COM"},
		"cx700$@contoso.com": {"cx700$", "CONTOSO.COM"},
	} {
		if name, realm := principal(username, "FOREST.EXAMPLE"); name != want[0] || realm != want[1] {
			t.Errorf("%s: %s %s, want %v", username, name, realm, want)
		}
	}
	for dn, want := range map[string]string{
		"DC=contoso,DC=com": "CONTOSO.COM", "OU=x,dc=Ad,dc=contoso,dc=com": "AD.CONTOSO.COM", "": "", "nonsense": "",
	} {
		if got := realmOf(dn); got != want {
			t.Errorf("%q: %q, want %q", dn, got, want)
		}
	}
}

func TestFileTime(t *testing.T) {
	for text, want := range map[string]time.Time{
		"133497504000000000":  time.Date(2024, 1, 15, 0, 0, 0, 0, time.UTC),
		"9223372036854775807": {}, "0": {}, "-1": {}, "": {}, "soon": {},
	} {
		if got := fileTime(text); !got.Equal(want) {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestContainers(t *testing.T) {
	const keys = ",CN=Public Key Services,CN=Services,CN=Configuration,DC=contoso,DC=com"
	for dn, want := range map[string]facts.Container{
		"CN=ContosoCA,CN=Certification Authorities" + keys: facts.CertificationAuthorities,
		"cn=ContosoCA,cn=certification authorities" + keys: facts.CertificationAuthorities,
		"CN=ContosoCA,CN=AIA" + keys:                       facts.AIA,
		"CN=NTAuthCertificates" + keys:                     facts.NTAuth,
		"CN=ContosoCA,CN=Elsewhere" + keys:                 facts.OtherContainer,
		"CN=AIA":                                           facts.OtherContainer,
		"=":                                                facts.OtherContainer,
	} {
		if got := containerOf(dn); got != want {
			t.Errorf("%s: %s, want %s", dn, got, want)
		}
	}
}

func TestPublishedValues(t *testing.T) {
	authority := phone.Authorities()[0].Certificate.Raw
	for name, tt := range map[string]struct {
		value []byte
		want  facts.PublishState
	}{
		"nothing": {nil, facts.EmptyValue}, "placeholder": {[]byte{0}, facts.EmptyValue}, "another byte": {[]byte{0x30}, facts.EmptyValue},
		"two bytes": {[]byte{0, 0}, facts.Unparsable}, "text": {[]byte("garbage"), facts.Unparsable},
		"cut off": {authority[:len(authority)-1], facts.Unparsable}, "a certificate": {authority, facts.Populated},
	} {
		got := publishedValue(tt.value)
		if got.State != tt.want || (got.Certificate != nil) != (tt.want == facts.Populated) || got.Size != len(tt.value) {
			t.Errorf("%s: %+v, want %s", name, got, tt.want)
		}
	}
}
