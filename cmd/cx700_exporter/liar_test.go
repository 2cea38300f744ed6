//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// The servers of TestHostilePeers. Each talks as long as its peer stays.

// talk is what a server does with a connection, which is closed afterwards.
type talk func(net.Conn)

// reply is what a server does with a packet.
type reply func(packet []byte, send func([]byte))

// stage is where the servers of a test listen.
type stage struct {
	t        *testing.T
	wg       sync.WaitGroup
	identity tls.Certificate
	// trapped counts the connections to where nobody may be led.
	trapped atomic.Int32
}

// tcp starts a server and gives its address.
func (s *stage) tcp(do talk) string {
	s.t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	must(s.t, err)
	s.accept(listener, do)
	return listener.Addr().String()
}

func (s *stage) accept(listener net.Listener, do talk) {
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	s.t.Cleanup(func() {
		listener.Close()
		mu.Lock()
		defer mu.Unlock()
		for conn := range open {
			conn.Close()
		}
	})
	s.wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[conn] = true
			mu.Unlock()
			s.wg.Go(func() {
				do(conn)
				conn.Close()
				mu.Lock()
				defer mu.Unlock()
				delete(open, conn)
			})
		}
	})
}

// udp starts a server that answers packets, and talks on the same port by TCP where it is told how.
func (s *stage) udp(do reply, overTCP talk) string {
	s.t.Helper()
	for range 20 {
		packets, err := net.ListenPacket("udp4", "127.0.0.1:0")
		must(s.t, err)
		if overTCP != nil {
			listener, err := net.Listen("tcp4", packets.LocalAddr().String())
			if err != nil {
				packets.Close()
				continue
			}
			s.accept(listener, overTCP)
		}
		s.t.Cleanup(func() { packets.Close() })
		s.wg.Go(func() { answer(packets, do) })
		return packets.LocalAddr().String()
	}
	s.t.Fatal("no port is free for UDP and TCP")
	return ""
}

func answer(packets net.PacketConn, do reply) {
	buffer := make([]byte, 64<<10)
	for {
		n, from, err := packets.ReadFrom(buffer)
		if err != nil {
			return
		}
		do(buffer[:n], func(b []byte) { _, _ = packets.WriteTo(b, from) })
	}
}

// overTLS talks once TLS is made, of which it takes every version that there is.
func (s *stage) overTLS(do talk) talk {
	config := &tls.Config{
		Certificates: []tls.Certificate{s.identity}, MinVersion: tls.VersionTLS10,
		CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
	}
	return func(conn net.Conn) {
		secured := tls.Server(conn, config)
		if secured.Handshake() == nil {
			do(secured)
		}
	}
}

// selfSigned is a certificate that nobody trusts.
func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "liar.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// hears waits for the first bytes of a request.
func hears(conn net.Conn) bool {
	_, err := conn.Read(make([]byte, 16<<10))
	return err == nil
}

// silent never says a word.
func silent(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// breaks says something and hangs up.
func breaks(said string) talk {
	return func(conn net.Conn) {
		if hears(conn) {
			_, _ = io.WriteString(conn, said)
		}
	}
}

// drips says something, and then a byte every so often.
func drips(said string, b byte) talk {
	return func(conn net.Conn) {
		if !hears(conn) {
			return
		}
		_, err := io.WriteString(conn, said)
		for err == nil {
			time.Sleep(100 * time.Millisecond)
			_, err = conn.Write([]byte{b})
		}
	}
}

// floods says something, and then a piece again and again, as fast as it is taken.
func floods(said, piece string) talk {
	block := bytes.Repeat([]byte(piece), max(1, 32<<10/len(piece)))
	return func(conn net.Conn) {
		if !hears(conn) {
			return
		}
		_, err := io.WriteString(conn, said)
		for err == nil {
			_, err = conn.Write(block)
		}
	}
}

// serves answers requests one after the other.
func serves(handler http.HandlerFunc) talk {
	return func(conn net.Conn) {
		listener := &oneConnection{conn: conn, done: make(chan struct{})}
		server := &http.Server{Handler: handler, ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed || state == http.StateHijacked {
				listener.Close()
			}
		}}
		_ = server.Serve(listener)
	}
}

// oneConnection is a listener that gives one connection and ends with it.
type oneConnection struct {
	conn  net.Conn
	given bool
	once  sync.Once
	done  chan struct{}
}

func (l *oneConnection) Accept() (net.Conn, error) {
	if !l.given {
		l.given = true
		return l.conn, nil
	}
	<-l.done
	return nil, net.ErrClosed
}

func (l *oneConnection) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *oneConnection) Addr() net.Addr { return l.conn.LocalAddr() }

const (
	okHeader     = "HTTP/1.1 200 OK\r\n"
	gigabyteBody = okHeader + "Content-Type: text/xml\r\nContent-Length: 1073741824\r\n\r\n"
)

// redirects leads to a place, whatever is asked.
func redirects(to string) talk {
	return serves(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) })
}

// body answers every request with the same.
func body(content string) talk {
	return serves(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, content) })
}

// entityBomb is a document of a gigabyte to whom expands its entities.
func entityBomb() string {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\"?>\n<!DOCTYPE a [<!ENTITY a0 \"" + strings.Repeat("a", 100) + "\">\n")
	for i := 1; i < 8; i++ {
		fmt.Fprintf(&b, "<!ENTITY a%d \"%s\">\n", i, strings.Repeat(fmt.Sprintf("&a%d;", i-1), 10))
	}
	b.WriteString("]><a>&a7;</a>")
	return b.String()
}

// nested is a value in values in values, in BER.
func nested(levels int) string { return strings.Repeat("\x30\x80", levels) }

// ber is a value with a tag.
func ber(tag byte, parts ...string) string {
	content := strings.Join(parts, "")
	if len(content) < 1<<7 {
		return string([]byte{tag, byte(len(content))}) + content
	}
	return string(binary.BigEndian.AppendUint32([]byte{tag, 0x84}, uint32(len(content)))) + content
}

// ldapThen answers the first request, which is for the rootDSE, as a controller does, and every other one with what is said
// to it by the number of the message.
func ldapThen(do func(conn net.Conn, id byte)) talk {
	return func(conn net.Conn) {
		for buffer := make([]byte, 16<<10); ; {
			n, err := conn.Read(buffer)
			if err != nil || n < 5 {
				return
			}
			id := buffer[4]
			if !bytes.Contains(buffer[:n], []byte("supportedSASLMechanisms")) {
				do(conn, id)
				continue
			}
			_, _ = io.WriteString(conn, ldapEntry(id, "", "configurationNamingContext", "CN=Configuration,DC=contoso,DC=com"))
			_, _ = io.WriteString(conn, ldapResult(id, 0))
		}
	}
}

func ldapMessage(id byte, operation string) string {
	return ber(0x30, string([]byte{2, 1, id}), operation)
}

func ldapEntry(id byte, dn, attribute, value string) string {
	return ldapMessage(id, ber(0x64, ber(0x04, dn), ber(0x30, ber(0x30, ber(0x04, attribute), ber(0x31, ber(0x04, value))))))
}

// ldapReferral is a reference to go on with elsewhere (RFC 4511 section 4.5.3).
func ldapReferral(id byte, to string) string { return ldapMessage(id, ber(0x73, ber(0x04, to))) }

func ldapResult(id, code byte) string {
	return ldapMessage(id, ber(0x65, string([]byte{0x0a, 1, code}), ber(0x04), ber(0x04)))
}

// dnsReply answers a question with records, in which @ is its name.
func dnsReply(truncated bool, records ...string) reply {
	return func(packet []byte, send func([]byte)) { send(dnsAnswer(packet, truncated, records...)) }
}

func dnsAnswer(packet []byte, truncated bool, records ...string) []byte {
	q := new(dns.Msg)
	if q.Unpack(packet) != nil {
		return nil
	}
	m := new(dns.Msg).SetReply(q)
	m.Truncated, m.Compress = truncated, true
	for _, r := range records {
		rr, err := dns.NewRR(strings.ReplaceAll(r, "@", q.Question[0].Name))
		if err != nil {
			panic(err) // a fault of the test
		}
		m.Answer = append(m.Answer, rr)
	}
	out, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return out
}

// dnsOverTCP answers a question by TCP with as many addresses as the length of an answer can be.
func dnsOverTCP(conn net.Conn) {
	buffer := make([]byte, 16<<10)
	n, err := conn.Read(buffer)
	if err != nil || n < 2 {
		return
	}
	const most = 64<<10 - 1
	var records []string
	for i := range 4090 { // of 16 bytes each
		records = append(records, fmt.Sprintf("@ 60 IN A 192.0.%d.%d", i>>8, i&0xff))
	}
	out := dnsAnswer(buffer[2:n], false, records...)
	if len(out) <= most && len(out) > most-1024 {
		_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...))
	}
}

// pointsToItself is an answer whose name is a pointer to that pointer.
func pointsToItself(packet []byte, send func([]byte)) {
	m := append([]byte{}, packet[:12]...)
	m[2], m[7] = 0x84, 1
	send(append(append(m, packet[12:]...), 0xc0, byte(len(packet)), 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1))
}

// echoes sends packets back as they came but for what is done to them, so many times.
func echoes(times int, change func([]byte) []byte) reply {
	return func(packet []byte, send func([]byte)) {
		out := change(append([]byte{}, packet...))
		for range times {
			send(out)
		}
	}
}

// largest is the largest packet that UDP takes, beginning with another.
func largest(packet []byte) []byte {
	return append(packet, make([]byte, 65507-len(packet))...)
}

// ntpAnswer is an answer of a time server (RFC 5905 section 7.3) with leap indicator, stratum and reference ID; its origin
// is the one asked for unless it lies about that, too.
func ntpAnswer(stratum byte, code string, rightOrigin bool) reply {
	return func(packet []byte, send func([]byte)) {
		if len(packet) < 48 {
			return
		}
		out := make([]byte, 48)
		out[0], out[1], out[2], out[3] = 0x24, stratum, 6, 0xec
		copy(out[12:16], code)
		now := binary.BigEndian.AppendUint32(nil, uint32(time.Now().Unix()+2208988800))
		for _, at := range []int{16, 32, 40} {
			copy(out[at:], now)
		}
		if rightOrigin {
			copy(out[24:32], packet[40:48])
		}
		send(out)
	}
}

// sipAnswer answers each request with a status and more headers.
func sipAnswer(status string, headers ...string) talk {
	return func(conn net.Conn) {
		buffer := make([]byte, 16<<10)
		for {
			n, err := conn.Read(buffer)
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, sipText(string(buffer[:n]), status, headers...))
		}
	}
}

// sipText is a response to a request, whose headers it repeats as RFC 3261 section 8.2.6.2 has it.
func sipText(request, status string, headers ...string) string {
	out := "SIP/2.0 " + status + "\r\n"
	for line := range strings.SplitSeq(request, "\r\n") {
		name, _, _ := strings.Cut(line, ":")
		switch strings.ToLower(name) {
		case "via", "from", "to", "call-id", "cseq":
			out += line + "\r\n"
		}
	}
	return out + strings.Join(append(headers, "Content-Length: 0"), "\r\n") + "\r\n\r\n"
}

// sipForEver answers each request with provisional responses and nothing else.
func sipForEver(conn net.Conn) {
	buffer := make([]byte, 16<<10)
	n, err := conn.Read(buffer)
	trying := sipText(string(buffer[:n]), "100 Trying")
	for err == nil {
		_, err = io.WriteString(conn, trying)
	}
}

// beside stands before a web server and lies about all but one of its pages.
func beside(server, page string, lie talk) talk {
	return func(conn net.Conn) {
		buffer := make([]byte, 16<<10)
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		heard := &heardBefore{Conn: conn, first: bytes.NewReader(buffer[:n])}
		if !bytes.Contains(buffer[:n], []byte(page)) {
			lie(heard)
			return
		}
		to, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", server)
		if err != nil {
			return
		}
		defer to.Close()
		go func() {
			_, _ = io.Copy(to, heard)
			to.Close()
		}()
		_, _ = io.Copy(conn, to)
	}
}

// heardBefore is a connection of which somebody has read the first bytes.
type heardBefore struct {
	net.Conn
	first *bytes.Reader
}

func (h *heardBefore) Read(b []byte) (int, error) {
	if h.first.Len() > 0 {
		return h.first.Read(b)
	}
	return h.Conn.Read(b)
}
