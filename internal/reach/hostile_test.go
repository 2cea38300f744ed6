package reach

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/client"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/site"
)

// tlv encodes a tag with its content, in DER.
func tlv(tag byte, parts ...[]byte) []byte {
	content := bytes.Join(parts, nil)
	n := len(content)
	if n < 1<<7 {
		return append([]byte{tag, byte(n)}, content...)
	}
	length := bytes.TrimLeft(binary.BigEndian.AppendUint32(nil, uint32(n)), "\x00")
	return append(append([]byte{tag, 0x80 | byte(len(length))}, length...), content...)
}

// krbError is a KRB-ERROR of a KDC (RFC 4120 section 5.9.1).
func krbError(code byte, text string, data []byte) []byte {
	general := func(s string) []byte { return tlv(0x1b, []byte(s)) }
	number := func(tag, n byte) []byte { return tlv(0xa0|tag, []byte{2, 1, n}) }
	service := tlv(0x30, number(0, 2), tlv(0xa1, tlv(0x30, general("krbtgt"), general("CONTOSO.COM"))))
	now := tlv(0xa4, tlv(0x18, []byte(time.Now().UTC().Format("20060102150405Z"))))
	return tlv(0x7e, tlv(0x30, number(0, 5), number(1, 30), now, number(5, 0), number(6, code),
		tlv(0xa9, general("CONTOSO.COM")), tlv(0xaa, service), tlv(0xab, general(text)), tlv(0xac, tlv(0x04, data))))
}

// wants is the METHOD-DATA of a KDC that wants a key of that type, hashed that often.
func wants(etype byte, iterations ...byte) []byte {
	entry := [][]byte{tlv(0xa0, []byte{2, 1, etype}), tlv(0xa1, tlv(0x1b, []byte("CONTOSO.COMreader")))}
	if iterations != nil {
		entry = append(entry, tlv(0xa2, tlv(0x04, iterations)))
	}
	info := tlv(0x30, tlv(0x30, entry...))
	return tlv(0x30, tlv(0x30, tlv(0xa1, []byte{2, 1, 19}), tlv(0xa2, tlv(0x04, info))))
}

// TestKDCsThatAskTooMuch are turned down before the library does what they ask.
func TestKDCsThatAskTooMuch(t *testing.T) {
	const preauthRequired, revoked, badIntegrity = 25, 18, 31
	for _, tt := range []struct {
		name   string
		answer []byte
		want   facts.ControllerProblem
		sent   int32
	}{
		{"RC4", krbError(preauthRequired, "", wants(23)), facts.KerberosRC4, 1},
		{"endless hashing", krbError(preauthRequired, "", wants(18, 0x20, 0, 0, 0)), facts.KerberosUnavailable, 1},
		{"no wish at all", krbError(preauthRequired, "", tlv(0x30, tlv(0x30, tlv(0xa1, []byte{2, 1, 19}), tlv(0xa2, tlv(0x04, tlv(0x30)))))),
			facts.KerberosUnavailable, 1},
		{"hostile text", krbError(revoked, "\x1b[2J"+strings.Repeat("A", 200_000), nil), facts.AccountRevoked, 1},
		{"an error of another kind", krbError(badIntegrity, "", nil), facts.CredentialRefused, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var sent atomic.Int32
			way := listen(t, func(conn net.Conn) {
				if _, err := readKDCMessage(conn); err == nil {
					sent.Add(1)
					conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(tt.answer))), tt.answer...))
				}
			})
			begin := time.Now()
			err := way.withKerberos(t.Context(), netip.MustParseAddr("192.0.2.10"), "reader@contoso.com", "", Secret{Password: planted},
				func(*client.Client) error { t.Error("logged on"); return nil })
			if kind := kindOf(t, err); kind != tt.want || sent.Load() != tt.sent {
				t.Errorf("%s after %d requests, want %s after %d: %v", kind, sent.Load(), tt.want, tt.sent, err)
			}
			if text := err.Error(); len(text) > 1000 || strings.Contains(text, "\x1b") {
				t.Errorf("%d bytes: %.100q", len(text), text)
			}
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

// entryOf is a search result with attributes of one value each.
func entryOf(id byte, dn string, attributes ...[2]string) []byte {
	var list [][]byte
	for _, a := range attributes {
		list = append(list, tlv(0x30, tlv(0x04, []byte(a[0])), tlv(0x31, tlv(0x04, []byte(a[1])))))
	}
	return tlv(0x30, []byte{2, 1, id}, tlv(0x64, tlv(0x04, []byte(dn)), tlv(0x30, list...)))
}

const publicKeys = ",CN=Public Key Services,CN=Services,CN=Configuration,DC=contoso,DC=com"

// answersLDAP plays a small controller that takes a while for each answer.
func answersLDAP(conn net.Conn, took time.Duration) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := conn.Read(buffer)
		if err != nil || n < 5 {
			return
		}
		request, id := buffer[:n], buffer[4]
		<-time.After(took)
		switch {
		case bytes.Contains(request, []byte("supportedSASLMechanisms")):
			conn.Write(entryOf(id, "", [2]string{"configurationNamingContext", "CN=Configuration,DC=contoso,DC=com"}))
		case bytes.Contains(request, []byte("cACertificate")):
			conn.Write(entryOf(id, "CN=A,CN=Certification Authorities"+publicKeys, [2]string{"cn", "A"}, [2]string{"cACertificate", "\x00"}))
		}
		conn.Write(done(id, 0))
	}
}

// TestManySitesShareOneLook lets 200 sites with resolvers of their own lead to one slow controller.
func TestManySitesShareOneLook(t *testing.T) {
	var connections atomic.Int32
	way := listen(t, func(conn net.Conn) {
		connections.Add(1)
		answersLDAP(conn, 20*time.Millisecond)
	})
	g, _ := guardOn(t, "")
	d := NewDirectories(g)
	defer d.Close()
	var wg sync.WaitGroup
	var unread atomic.Int32
	for i := range 200 {
		wg.Go(func() {
			w := way
			w.Resolvers = []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i), 1}), 53)}
			if c := readOne(t, d, w, site.Directory{}); !c.Read() {
				unread.Add(1)
				t.Logf("%s: %s", c.Problem, c.Detail)
			}
		})
	}
	wg.Wait()
	if unread.Load() > 0 || connections.Load() != 1 {
		t.Errorf("%d sites were not read, %d connections; want 0 and 1", unread.Load(), connections.Load())
	}
}

// TestImpatientProbeLeavesNoMark: a probe that waits for its turn in vain has begun a look that others share,
// and what they get must not say that it was delayed.
func TestImpatientProbeLeavesNoMark(t *testing.T) {
	asked := make(chan struct{}, 2)
	way := listen(t, func(conn net.Conn) {
		asked <- struct{}{}
		time.Sleep(400 * time.Millisecond)
		answersLDAP(conn, 0)
	})
	g, _ := guardOn(t, "")
	d := NewDirectories(g)
	defer d.Close()
	c := &controller{way: way, host: "dc01.contoso.com", port: 389, guard: g}
	look := func(patience time.Duration, due time.Time) facts.Controller {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		return d.controller(ctx, c, &facts.Names{}, []netip.Addr{netip.MustParseAddr("192.0.2.10")}, due)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { look(10*time.Second, time.Now()) })
	<-asked
	due := time.Now()
	if got := look(200*time.Millisecond, due); got.Problem != facts.Delayed {
		t.Errorf("the impatient: %q %s", got.Problem, got.Detail)
	}
	if got := look(10*time.Second, due); !got.Read() {
		t.Errorf("the patient: %q %s", got.Problem, got.Detail)
	}
}

// TestForgottenConnectionIsReplacedInTime holds a connection that a firewall forgets without a word.
func TestForgottenConnectionIsReplacedInTime(t *testing.T) {
	var forgotten atomic.Bool
	var connections atomic.Int32
	way := listen(t, func(conn net.Conn) {
		if connections.Add(1) > 1 {
			answersLDAP(conn, 0)
			return
		}
		client, server := net.Pipe()
		defer client.Close()
		go answersLDAP(server, 0)
		go io.Copy(client, conn)
		buffer := make([]byte, 64<<10)
		for {
			n, err := client.Read(buffer)
			if err != nil || forgotten.Load() {
				silence(conn)
				return
			}
			conn.Write(buffer[:n])
		}
	})
	g, _ := guardOn(t, "")
	d := NewDirectories(g)
	defer d.Close()
	for _, gone := range []bool{false, true, true} {
		forgotten.Store(gone)
		if c := readOne(t, d, way, site.Directory{}); !c.Read() {
			t.Errorf("forgotten %t: %s: %s", gone, c.Problem, c.Detail)
		}
	}
	if n := connections.Load(); n != 2 {
		t.Errorf("%d connections, want the one that was forgotten and its successor", n)
	}
}

// TestNamesCountInAnAnswer: what a controller sends is bounded on the wire, whatever it is made of.
func TestNamesCountInAnAnswer(t *testing.T) {
	var sent atomic.Int64
	way := listen(t, rootDSEThen(func(conn net.Conn) {
		big := entryOf(2, strings.Repeat("x", 3<<20))
		for {
			n, err := conn.Write(big)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	}))
	g, _ := guardOn(t, "")
	d := NewDirectories(g)
	defer d.Close()
	if c := readOneWithin(t, d, way, site.Directory{}, time.Minute); c.Problem != facts.SearchTooLarge {
		t.Errorf("%s: %s", c.Problem, c.Detail)
	}
	if n := sent.Load(); n > 2*maxAnswer {
		t.Errorf("%d bytes were taken, want about %d at most", n, maxAnswer)
	}
}

// TestHostileNamingContexts end up in no label, line or state file.
func TestHostileNamingContexts(t *testing.T) {
	for _, name := range []string{"\x1b[2J", "CN=" + strings.Repeat("x", 300) + ",DC=x", "no name", "CN=a\nb,DC=x"} {
		way := listen(t, says(append(entryOf(1, "", [2]string{"configurationNamingContext", name}), done(1, 0)...)))
		g, _ := guardOn(t, "")
		d := NewDirectories(g)
		if c := readOne(t, d, way, site.Directory{}); c.Problem != facts.ControllerMalformed || c.RootDSE.ConfigurationNC != "" {
			t.Errorf("%.20q: %s, kept as %.20q", name, c.Problem, c.RootDSE.ConfigurationNC)
		}
		d.Close()
	}
}

// TestNameThatNobodyAnswersIsNoFaultOfTheController looks at what resolvers said of its address.
func TestNameThatNobodyAnswersIsNoFaultOfTheController(t *testing.T) {
	g, _ := guardOn(t, "")
	d := NewDirectories(g)
	defer d.Close()
	find := func(name string, _ phone.RecordType) phone.Records {
		if strings.HasPrefix(name, "_ldap.") {
			return phone.Records{Services: []phone.Service{{Target: "dc01.contoso.com", Port: 389}}}
		}
		return phone.Records{}
	}
	for outcome, want := range map[facts.Outcome]facts.ControllerProblem{
		facts.ServFail: facts.AddressUnknown, facts.Timeout: facts.AddressUnknown, facts.NXDomain: facts.NoAddress,
	} {
		names := &facts.Names{Walks: []facts.Walk{{Lookups: []facts.Lookup{{Name: "dc01.contoso.com", Type: phone.A, Outcome: outcome}}}}}
		seen, err := d.Read(t.Context(), Way{}, phone.Domains{Logon: "contoso.com"}, site.Directory{}, names, find, time.Now(), time.Second)
		if err != nil || seen.Controllers[0].Problem != want {
			t.Errorf("%s: %+v, %v, want %s", outcome, seen.Controllers, err, want)
		}
	}
}

func TestLogonsThatComeToNothingAreSpacedOut(t *testing.T) {
	var b backoff
	now := time.Unix(0, 0)
	logons := 0
	const hours, round = 10, 30 * time.Second
	for range hours * 3600 / 30 {
		if b.rests(now) == nil {
			logons++
			b.note(now, problem(facts.StrongAuthRequired, "signing is wanted"))
		}
		now = now.Add(round)
	}
	if logons > hours+14 || logons < hours {
		t.Errorf("%d logons in %d hours", logons, hours)
	}
	if err := b.rests(now); kindOf(t, err) != facts.StrongAuthRequired {
		t.Errorf("while it rests: %v", err)
	}
	b.note(now, nil)
	if err := b.rests(now); err != nil {
		t.Errorf("after a reading: %v", err)
	}
	b.note(now, problem(facts.ControllerSilent, "no answer"))
	if err := b.rests(now); err != nil {
		t.Errorf("after no logon at all: %v", err)
	}
}
