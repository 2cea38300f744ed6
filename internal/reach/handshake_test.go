package reach

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"io"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/cryptobyte"

	"github.com/cx700/cx700_exporter/internal/facts"
)

const (
	poolHost = "sip.fabrikam.com"

	recordAlert, recordHandshake                           = 21, 22
	messageClientHello, messageServerHello                 = 1, 2
	messageCertificate, messageServerHelloDone             = 11, 14
	extensionServerName, extensionSupportedVersions uint16 = 0, 43
)

var poolAddress = netip.MustParseAddrPort("192.0.2.81:5061")

// hello is what a ClientHello offers (RFC 2246 section 7.4.1.2, RFC 8446 section 4.2.1).
type hello struct {
	Version  uint16
	Suites   []uint16
	Versions []uint16
	Name     string
}

// readHello reads a ClientHello off the wire.
func readHello(t *testing.T, conn net.Conn) (out hello) {
	header := make([]byte, 5)
	if _, err := io.ReadFull(conn, header); err != nil {
		t.Error(err)
		return out
	}
	body := make([]byte, binary.BigEndian.Uint16(header[3:]))
	if _, err := io.ReadFull(conn, body); err != nil {
		t.Error(err)
		return out
	}
	s := cryptobyte.String(body)
	var kind uint8
	var message, random, session, suites, compressions, extensions cryptobyte.String
	if header[0] != recordHandshake || !s.ReadUint8(&kind) || kind != messageClientHello || !s.ReadUint24LengthPrefixed(&message) ||
		!message.ReadUint16(&out.Version) || !message.ReadBytes((*[]byte)(&random), 32) || !message.ReadUint8LengthPrefixed(&session) ||
		!message.ReadUint16LengthPrefixed(&suites) || !message.ReadUint8LengthPrefixed(&compressions) ||
		!message.ReadUint16LengthPrefixed(&extensions) {
		t.Errorf("no ClientHello: %x", body)
		return out
	}
	out.Suites = numbers(suites)
	for !extensions.Empty() {
		var extension uint16
		var data, list, name cryptobyte.String
		if !extensions.ReadUint16(&extension) || !extensions.ReadUint16LengthPrefixed(&data) {
			t.Errorf("bad extensions: %x", extensions)
			return out
		}
		switch extension {
		case extensionSupportedVersions:
			data.ReadUint8LengthPrefixed(&list)
			out.Versions = numbers(list)
		case extensionServerName:
			data.ReadUint16LengthPrefixed(&list)
			list.Skip(1)
			list.ReadUint16LengthPrefixed(&name)
			out.Name = string(name)
		}
	}
	return out
}

func numbers(s cryptobyte.String) (out []uint16) {
	var n uint16
	for s.ReadUint16(&n) {
		out = append(out, n)
	}
	return out
}

// TestOffersOnTheWire holds both offers to what they are said to be: a Go that takes some of it away fails here.
func TestOffersOnTheWire(t *testing.T) {
	var mu sync.Mutex
	var seen []hello
	way := listen(t, func(conn net.Conn) {
		h := readHello(t, conn)
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, h)
	})
	way.Handshakes(t.Context(), poolAddress, []string{poolHost})
	mu.Lock()
	defer mu.Unlock()
	if len(seen) != 2 {
		t.Fatalf("%d offers were made, want 2", len(seen))
	}
	slices.SortFunc(seen, func(a, b hello) int { return int(a.Version) - int(b.Version) })
	slices.Sort(seen[0].Suites)
	phone := hello{Version: 0x0301, Suites: []uint16{0x0005, 0x000a, 0x002f, 0x0035}, Versions: []uint16{0x0301}}
	if diff := cmp.Diff(phone, seen[0]); diff != "" {
		t.Errorf("the phone's offer (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]uint16{0x0304, 0x0303}, seen[1].Versions); diff != "" || seen[1].Name != poolHost {
		t.Errorf("a modern offer to %q (-want +got):\n%s", seen[1].Name, diff)
	}
	for _, s := range []uint16{0x1301, 0xc02f, 0xc02b, 0x009c, 0x002f} {
		if !slices.Contains(seen[1].Suites, s) {
			t.Errorf("a modern offer without the suite %s", tls.CipherSuiteName(s))
		}
	}
}

// certified makes a server's certificate with a key of its own.
func certified(t testing.TB, bits int) tls.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0x7f), Subject: pkix.Name{CommonName: poolHost}, DNSNames: []string{poolHost},
		NotBefore: time.Date(2007, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2009, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	if bits < 600 { // SHA-512 does not fit
		template.SignatureAlgorithm = x509.SHA256WithRSA
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// negative gives a certificate a negative serial number; its signature does not fit any more.
func negative(c tls.Certificate) tls.Certificate {
	serial := []byte{2, 1, 0x7f}
	c.Certificate = [][]byte{bytes.Replace(c.Certificate[0], serial, []byte{2, 1, 0xff}, 1)}
	return c
}

// served answers with a server of crypto/tls.
func served(config *tls.Config) func(net.Conn) {
	return func(conn net.Conn) {
		server := tls.Server(conn, config)
		if server.Handshake() == nil {
			io.Copy(io.Discard, server)
		}
	}
}

func versions(c tls.Certificate, low, high uint16, suites ...uint16) func(net.Conn) {
	return served(&tls.Config{Certificates: []tls.Certificate{c}, MinVersion: low, MaxVersion: high, CipherSuites: suites})
}

// handshakeMessage is one in a record of TLS 1.0.
func handshakeMessage(kind byte, body []byte) []byte {
	out := append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
	out[0] = kind
	return append([]byte{recordHandshake, 3, 1, byte(len(out) >> 8), byte(len(out))}, out...)
}

func serverHello(version, suite uint16) []byte {
	body := append(binary.BigEndian.AppendUint16(nil, version), make([]byte, 32)...)
	body = binary.BigEndian.AppendUint16(append(body, 0), suite)
	return handshakeMessage(messageServerHello, append(body, 0))
}

// certificateMessage holds one certificate.
func certificateMessage(certificates ...[]byte) []byte {
	length := func(n int) []byte { return []byte{byte(n >> 16), byte(n >> 8), byte(n)} }
	var list []byte
	for _, der := range certificates {
		list = slices.Concat(list, length(len(der)), der)
	}
	return handshakeMessage(messageCertificate, slices.Concat(length(len(list)), list))
}

// writes answers a ClientHello with bytes, and reads on until the client is gone.
func writes(parts ...[]byte) func(net.Conn) {
	return func(conn net.Conn) {
		conn.Read(make([]byte, 1<<10))
		conn.Write(slices.Concat(parts...))
		io.Copy(io.Discard, conn)
	}
}

// thenCloses answers a ClientHello with bytes and closes.
func thenCloses(parts ...[]byte) func(net.Conn) {
	return func(conn net.Conn) {
		conn.Read(make([]byte, 1<<10))
		conn.Write(slices.Concat(parts...))
	}
}

// resets answers a ClientHello with a reset.
func resets(conn net.Conn) {
	conn.Read(make([]byte, 1<<10))
	conn.(*net.TCPConn).SetLinger(0)
}

// TestHandshakeProblems tells the ways apart in which a handshake ends. Certificates are kept, also expired ones.
func TestHandshakeProblems(t *testing.T) {
	c, weak := certified(t, 1024), certified(t, 512)
	const any10, any13, aes = tls.VersionTLS10, tls.VersionTLS13, tls.TLS_RSA_WITH_AES_128_CBC_SHA
	type want struct {
		Problem        facts.HandshakeProblem
		Version, Suite string
		Served         int
	}
	ok := func(version, suite string) want { return want{Version: version, Suite: suite, Served: 1} }
	refused := want{Problem: facts.HandshakeRefused}
	for _, tt := range []struct {
		name       string
		serve      func(net.Conn)
		old, today want
	}{
		{"everything", versions(c, any10, any13, aes, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
			ok("TLS 1.0", "TLS_RSA_WITH_AES_128_CBC_SHA"), ok("TLS 1.3", "TLS_AES_128_GCM_SHA256")},
		{"TLS 1.0 with AES", versions(c, any10, any10, aes), ok("TLS 1.0", "TLS_RSA_WITH_AES_128_CBC_SHA"), refused},
		{"TLS 1.0 with 3DES", versions(c, any10, any10, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA), ok("TLS 1.0", "TLS_RSA_WITH_3DES_EDE_CBC_SHA"), refused},
		{"TLS 1.0 with RC4", versions(c, any10, any10, tls.TLS_RSA_WITH_RC4_128_SHA), ok("TLS 1.0", "TLS_RSA_WITH_RC4_128_SHA"), refused},
		{"TLS 1.0 with ECDHE", versions(c, any10, any10, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA), refused, refused},
		{"TLS 1.2 with RSA key exchange", versions(c, tls.VersionTLS12, tls.VersionTLS12, aes), refused, ok("TLS 1.2", "TLS_RSA_WITH_AES_128_CBC_SHA")},
		{"TLS 1.3", versions(c, any13, any13), refused, ok("TLS 1.3", "TLS_AES_128_GCM_SHA256")},
		{"a key of 512 bits", versions(weak, any10, any10, aes), ok("TLS 1.0", "TLS_RSA_WITH_AES_128_CBC_SHA"), refused},
		{"a negative serial number", versions(negative(c), any10, any10, aes), ok("TLS 1.0", "TLS_RSA_WITH_AES_128_CBC_SHA"), refused},
		{"wants a certificate", served(&tls.Config{Certificates: []tls.Certificate{c}, MinVersion: any10, MaxVersion: any10,
			CipherSuites: []uint16{aes}, ClientAuth: tls.RequireAnyClientCert}),
			want{facts.HandshakeRefused, "TLS 1.0", "TLS_RSA_WITH_AES_128_CBC_SHA", 1}, refused},
		{"closes", thenCloses(), want{Problem: facts.HandshakeClosed}, want{Problem: facts.HandshakeClosed}},
		{"resets", resets, want{Problem: facts.HandshakeClosed}, want{Problem: facts.HandshakeClosed}},
		{"closes half-way", thenCloses(serverHello(any10, aes)[:40]), want{Problem: facts.HandshakeClosed}, want{Problem: facts.HandshakeClosed}},
		{"serves and closes", thenCloses(serverHello(any10, aes), certificateMessage(c.Certificate[0]), handshakeMessage(messageServerHelloDone, nil)),
			want{facts.HandshakeClosed, "TLS 1.0", "TLS_RSA_WITH_AES_128_CBC_SHA", 1}, refused},
		{"says goodbye", thenCloses([]byte{recordAlert, 3, 1, 0, 2, 1, 0}), want{Problem: facts.HandshakeClosed}, want{Problem: facts.HandshakeClosed}},
		{"HTTP", writes([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")), want{Problem: facts.HandshakeNoTLS}, want{Problem: facts.HandshakeNoTLS}},
		{"SSL 3.0", writes(serverHello(0x0300, aes)), want{Problem: facts.HandshakeRefused, Version: facts.SSL30},
			want{Problem: facts.HandshakeRefused, Version: facts.SSL30}},
		{"a suite that nobody offered", writes(serverHello(any10, 0x0004)), refused, refused},
		{"no certificate", writes(serverHello(any10, aes), certificateMessage([]byte("garbage")), handshakeMessage(messageServerHelloDone, nil)),
			want{facts.HandshakeBadCertificate, "TLS 1.0", "TLS_RSA_WITH_AES_128_CBC_SHA", 0}, refused},
		{"a good certificate before garbage", writes(serverHello(any10, aes), certificateMessage(c.Certificate[0], []byte("garbage")),
			handshakeMessage(messageServerHelloDone, nil)),
			want{facts.HandshakeBadCertificate, "TLS 1.0", "TLS_RSA_WITH_AES_128_CBC_SHA", 1}, refused},
		{"garbage before a good certificate", writes(serverHello(any10, aes), certificateMessage([]byte("garbage"), c.Certificate[0]),
			handshakeMessage(messageServerHelloDone, nil)),
			want{facts.HandshakeBadCertificate, "TLS 1.0", "TLS_RSA_WITH_AES_128_CBC_SHA", 0}, refused},
		{"a message out of turn", writes(handshakeMessage(messageServerHelloDone, nil)), want{Problem: facts.HandshakeMalformed}, want{Problem: facts.HandshakeMalformed}},
		{"another version in the middle", writes(serverHello(any10, aes), []byte{recordHandshake, 3, 3, 0, 1, 0}),
			want{Problem: facts.HandshakeMalformed}, refused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			old, today := listen(t, tt.serve).Handshakes(t.Context(), poolAddress, []string{poolHost})
			for offer, h := range map[string]facts.Handshake{"phone": old, "modern": today} {
				expected := map[string]want{"phone": tt.old, "modern": tt.today}[offer]
				got := want{h.Problem, h.Version, h.Suite, len(h.Served)}
				if diff := cmp.Diff(expected, got); diff != "" {
					t.Errorf("%s, %s (-want +got):\n%s", offer, h.Detail, diff)
				}
				if (h.Problem == "") != (h.Detail == "") || h.Took <= 0 {
					t.Errorf("%s: problem %q, detail %q, took %s", offer, h.Problem, h.Detail, h.Took)
				}
			}
		})
	}
}

func TestHandshakeUnreachable(t *testing.T) {
	way := listen(t, func(net.Conn) {})
	way.ConnectTo[0].ToPort = "1"
	old, today := way.Handshakes(t.Context(), poolAddress, []string{poolHost})
	if old.Problem != facts.HandshakeUnreachable || today.Problem != facts.HandshakeUnreachable {
		t.Errorf("%q and %q: %s", old.Problem, today.Problem, old.Detail)
	}
}

// hostilePeer is a server that does what none should, and what a handshake with it is called.
type hostilePeer struct {
	name  string
	serve func(net.Conn)
	want  facts.HandshakeProblem
}

func hostilePeers() []hostilePeer {
	drip := func(conn net.Conn) {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for _, b := range serverHello(tls.VersionTLS10, tls.TLS_RSA_WITH_AES_128_CBC_SHA) {
			<-tick.C
			if _, err := conn.Write([]byte{b}); err != nil {
				return
			}
		}
	}
	endless := func(piece []byte) func(net.Conn) {
		return func(conn net.Conn) {
			for sent := 0; sent < 1<<30; sent += len(piece) {
				if _, err := conn.Write(piece); err != nil {
					return
				}
			}
		}
	}
	huge := append([]byte{recordHandshake, 3, 1, 0x40, 0, messageServerHello, 0xff, 0xff, 0xff}, make([]byte, 0x4000-4)...)
	return []hostilePeer{
		{"says nothing", func(conn net.Conn) { io.Copy(io.Discard, conn) }, facts.HandshakeSilent},
		{"a byte a second", drip, facts.HandshakeSilent},
		{"a gigabyte of one message", endless(huge), facts.HandshakeMalformed},
		{"a gigabyte of warnings", endless([]byte{recordAlert, 3, 1, 0, 2, 1, 112}), facts.HandshakeMalformed},
		{"a gigabyte of nothing", endless([]byte{recordHandshake, 3, 1, 0, 0}), facts.HandshakeMalformed},
	}
}

// TestHostileHandshakesEnd holds handshakes with hostile peers to their time limit: both connections are closed then,
// which the peers tell. That no goroutine is left is for TestMain to see.
func TestHostileHandshakesEnd(t *testing.T) {
	for _, tt := range hostilePeers() {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ended := make(chan struct{}, 2)
			way := listen(t, func(conn net.Conn) {
				tt.serve(conn)
				ended <- struct{}{}
			})
			begin := time.Now()
			old, today := way.Handshakes(t.Context(), poolAddress, []string{poolHost})
			if took := time.Since(begin); took > handshakeTimeout+2*time.Second {
				t.Errorf("took %s", took)
			}
			if old.Problem != tt.want || today.Problem != tt.want {
				t.Errorf("%q and %q, want %q: %s", old.Problem, today.Problem, tt.want, old.Detail)
			}
			limit := time.NewTimer(5 * time.Second)
			defer limit.Stop()
			for range 2 {
				select {
				case <-ended:
				case <-limit.C:
					t.Fatal("a connection is still open")
				}
			}
		})
	}
}

// FuzzOverhear reads what a server said of which crypto/tls made nothing.
func FuzzOverhear(f *testing.F) {
	f.Add(slices.Concat(serverHello(tls.VersionTLS10, tls.TLS_RSA_WITH_AES_128_CBC_SHA), certificateMessage([]byte("garbage"))))
	f.Add([]byte{recordHandshake, 3, 1, 0, 4, messageCertificate, 0, 0, 0})
	f.Fuzz(func(t *testing.T, heard []byte) {
		var h facts.Handshake
		(&overhearing{heard: heard}).recover(&h)
		if len(h.Served) > maxShown {
			t.Errorf("%d certificates", len(h.Served))
		}
	})
}
