package reach

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/labtest"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/site"
)

// startPackets answers each packet on loopback with others until the test ends; n counts from 1.
func startPackets(t testing.TB, answer func(n int, packet []byte) [][]byte) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		packet := make([]byte, leasePacket)
		for n := 1; ; n++ {
			size, from, err := conn.ReadFromUDPAddrPort(packet)
			if err != nil {
				return
			}
			for _, a := range answer(n, packet[:size]) {
				_, _ = conn.WriteToUDPAddrPort(a, from) // a client that has heard enough is gone
			}
		}
	})
	t.Cleanup(func() {
		conn.Close()
		wg.Wait()
	})
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// acknowledge answers an INFORM as a server does, changed.
func acknowledge(t testing.TB, packet []byte, more ...dhcpv4.Modifier) []byte {
	request, err := dhcpv4.FromBytes(packet)
	if err != nil {
		t.Error(err)
		return nil
	}
	answer, err := dhcpv4.NewReplyFromRequest(request, append([]dhcpv4.Modifier{dhcpv4.WithMessageType(dhcpv4.MessageTypeAck),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4(192, 168, 7, 2))), dhcpv4.WithOption(dhcpv4.OptDomainName("contoso.com"))}, more...)...)
	if err != nil {
		t.Error(err)
		return nil
	}
	return answer.ToBytes()
}

// lease asks one server, in so much time.
func lease(t testing.TB, server netip.AddrPort, budget time.Duration) []facts.LeaseAnswer {
	t.Helper()
	l := NewLeases()
	defer l.Close()
	got, err := l.Read(t.Context(), Way{}, site.DHCP{Servers: []netip.AddrPort{server}}, time.Now(), budget)
	if err != nil {
		t.Fatal(err)
	}
	return got.Answers
}

// TestTwoServersThatCallThemselvesTheSame are told apart by what they hand out; an answer that comes twice is one.
func TestTwoServersThatCallThemselvesTheSame(t *testing.T) {
	answer := func(domain string) facts.LeaseAnswer {
		return facts.LeaseAnswer{Server: netip.MustParseAddr("192.168.7.2"), Options: phone.DHCPOptions{phone.OptionDomain: []byte(domain)}}
	}
	for asked, want := range map[netip.Addr]int{{}: 2, netip.MustParseAddr("192.168.7.2"): 1} {
		a := leaseAsker{question: facts.Discover, server: asked}
		if err := a.prepare(phone.ClassPhone, dhcpv4.MessageTypeDiscover); err != nil {
			t.Fatal(err)
		}
		for _, domain := range []string{"contoso.com", "contoso.com", "fabrikam.com", "fabrikam.com"} {
			a.take(a.requests[0].packet.TransactionID, answer(domain))
		}
		if len(a.answers) != want {
			t.Errorf("asked %s: %+v", asked, a.answers)
		}
	}
}

// TestInform meets servers of every kind, which call themselves 192.168.7.2; each is asked for both vendor classes.
func TestInform(t *testing.T) {
	const short, fine = 200 * time.Millisecond, "INFORM 127.0.0.1 contoso.com"
	ack := func(packet []byte) []byte { return acknowledge(t, packet) }
	for _, tt := range []struct {
		name   string
		answer func(n int, packet []byte) [][]byte
		want   []string // of each class
	}{
		{"answers", func(_ int, p []byte) [][]byte { return [][]byte{ack(p)} }, []string{fine, fine}},
		{"answers twice", func(_ int, p []byte) [][]byte { return [][]byte{ack(p), ack(p)} }, []string{fine, fine}},
		{"the first packets are lost", func(n int, p []byte) [][]byte {
			if n <= 2 {
				return nil
			}
			return [][]byte{ack(p)}
		}, []string{fine, fine}},
		{"silent", func(int, []byte) [][]byte { return nil }, []string{"silent", "silent"}},
		{"babbles", func(int, []byte) [][]byte { return [][]byte{[]byte("HTTP/1.0 400 Bad Request\r\n\r\n")} }, []string{"malformed", "malformed"}},
		{"babbles, then answers", func(_ int, p []byte) [][]byte { return [][]byte{{0}, ack(p)} }, []string{fine, fine}},
		{"refuses", func(_ int, p []byte) [][]byte {
			return [][]byte{acknowledge(t, p, dhcpv4.WithMessageType(dhcpv4.MessageTypeNak))}
		}, []string{"malformed", "malformed"}},
		{"sends the question back", func(_ int, p []byte) [][]byte { return [][]byte{p} }, []string{"malformed", "malformed"}},
		{"answers somebody else", func(_ int, p []byte) [][]byte {
			return [][]byte{acknowledge(t, p, dhcpv4.WithTransactionID(dhcpv4.TransactionID{}))}
		}, []string{"silent", "silent"}},
		{"an option longer than the packet", func(_ int, p []byte) [][]byte { return [][]byte{append(ack(p)[:240], 119, 255, 1)} }, []string{"malformed", "malformed"}},
		{"only option bytes without an end", func(_ int, p []byte) [][]byte {
			return [][]byte{append(ack(p)[:240], bytes.Repeat([]byte{119, 1, 0}, 400)...)}
		}, []string{"malformed", "malformed"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			budget := 10 * time.Second
			if !slices.Contains(tt.want, fine) {
				budget = short
			}
			if tt.name == "the first packets are lost" {
				budget = time.Second
			}
			var got, classes []string
			for _, a := range lease(t, startPackets(t, tt.answer), budget) {
				text := string(a.Problem)
				if text == "" {
					text = string(a.Question) + " " + a.Server.String() + " " + a.Options.Domain()
				}
				got, classes = append(got, text), append(classes, a.Class)
			}
			slices.Sort(classes)
			if diff := cmp.Diff(tt.want, got) + cmp.Diff([]string{phone.ClassPhone, phone.ClassProvisioning}, classes); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestInformAsksForAll: a server sends nothing that is not in the list, and puts options elsewhere where it
// takes a packet for small.
func TestInformAsksForAll(t *testing.T) {
	asked := make(chan *dhcpv4.DHCPv4, 8)
	server := startPackets(t, func(_ int, packet []byte) [][]byte {
		request, err := dhcpv4.FromBytes(packet)
		if err != nil {
			t.Error(err)
		}
		asked <- request
		return [][]byte{acknowledge(t, packet)}
	})
	lease(t, server, 10*time.Second)
	if len(asked) != len(phone.VendorClasses()) {
		t.Errorf("%d questions", len(asked))
	}
	for range len(asked) {
		q := <-asked
		for _, code := range []dhcpv4.OptionCode{dhcpv4.OptionDomainNameServer, dhcpv4.OptionDomainName, dhcpv4.OptionNTPServers,
			dhcpv4.OptionVendorSpecificInformation, dhcpv4.OptionNetBIOSOverTCPIPNameServer, dhcpv4.OptionNetBIOSOverTCPIPNodeType,
			dhcpv4.OptionDNSDomainSearchList, dhcpv4.GenericOptionCode(120)} {
			if !slices.Contains(q.Options[dhcpv4.OptionParameterRequestList.Code()], code.Code()) {
				t.Errorf("%s is not asked for", code)
			}
		}
		size, err := q.MaxMessageSize()
		if q.MessageType() != dhcpv4.MessageTypeInform || !q.ClientIPAddr.Equal(net.IPv4(127, 0, 0, 1)) || err != nil || size < 1000 {
			t.Errorf("%d %v\n%s", size, err, q.Summary())
		}
	}
}

func TestInformWhereNothingListens(t *testing.T) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	closed := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	conn.Close()
	for _, a := range lease(t, closed, time.Second) {
		if a.Problem != facts.LeaseUnreachable && a.Problem != facts.LeaseSilent { // not every system tells
			t.Errorf("%+v", a)
		}
	}
}

// TestFloodOfLeases: a server that never stops sending costs no more than the time for it.
func TestFloodOfLeases(t *testing.T) {
	flood := make([][]byte, 5000)
	for i := range flood {
		flood[i] = bytes.Repeat([]byte{1}, 1400)
	}
	server := startPackets(t, func(int, []byte) [][]byte { return flood })
	begin := time.Now()
	if got := lease(t, server, 200*time.Millisecond); len(got) != 2 || got[0].Problem != facts.LeaseMalformed {
		t.Errorf("%d answers, the first %+v", len(got), got[0])
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("it took %s", took)
	}
}

// TestLeasesOfOneServerAreAskedInTurn: both would hear the answers on one port.
func TestLeasesOfOneServerAreAskedInTurn(t *testing.T) {
	server := startPackets(t, func(_ int, packet []byte) [][]byte { return [][]byte{acknowledge(t, packet)} })
	l := NewLeases()
	defer l.Close()
	Parallel(8, func(i int) {
		got, err := l.Read(t.Context(), Way{}, site.DHCP{Servers: []netip.AddrPort{server}}, time.Now().Add(time.Duration(i)*time.Minute), 10*time.Second)
		if err != nil || len(got.Answers) != 2 || got.Answers[0].Problem != "" {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestLeasesWithoutAnInterface(t *testing.T) {
	l := NewLeases()
	defer l.Close()
	got, err := l.Read(t.Context(), Way{}, site.DHCP{Interface: "none such", Discover: true}, time.Now(), time.Second)
	if err != nil || len(got.Answers) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, a := range got.Answers {
		if a.Problem != facts.LeaseNotAsked || a.Detail == "" || a.Server.IsValid() {
			t.Errorf("%+v", a)
		}
	}
}

func TestLeasesEndWithTheExporter(t *testing.T) {
	asked := make(chan bool, 8)
	server := startPackets(t, func(int, []byte) [][]byte { asked <- true; return nil })
	l := NewLeases()
	ended := make(chan error, 1)
	go func() {
		_, err := l.Read(context.WithoutCancel(t.Context()), Way{}, site.DHCP{Servers: []netip.AddrPort{server}}, time.Now(), time.Minute)
		ended <- err
	}()
	<-asked
	l.Close()
	if err := <-ended; err == nil {
		t.Error("what was cut off is taken for an answer")
	}
}

// TestReadLease keeps what a broadcast brings: the offered address, and who sent it where the answer does not say.
func TestReadLease(t *testing.T) {
	packet, err := dhcpv4.New(dhcpv4.WithMessageType(dhcpv4.MessageTypeOffer), dhcpv4.WithYourIP(net.IPv4(192, 168, 7, 101)), dhcpv4.WithOption(dhcpv4.OptDomainName("contoso.com")))
	if err != nil {
		t.Fatal(err)
	}
	packet.OpCode = dhcpv4.OpcodeBootReply
	from := &net.UDPAddr{IP: net.IPv4(192, 168, 7, 3), Port: 67}
	xid, got, err := readLease(packet.ToBytes(), from, facts.Discover)
	if err != nil || xid != packet.TransactionID || got.Server.String() != "192.168.7.3" || got.Offered.String() != "192.168.7.101" || got.Options.Domain() != "contoso.com" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, got, err := readLease(packet.ToBytes(), from, facts.Inform); err == nil {
		t.Errorf("an offer in answer to INFORM: %+v", got)
	}
}

// overloaded is an answer with option 052, and bytes in the fields sname and file.
func overloaded(t testing.TB, says byte, options, file, sname string) []byte {
	t.Helper()
	packet, err := dhcpv4.New(dhcpv4.WithMessageType(dhcpv4.MessageTypeAck))
	if err != nil {
		t.Fatal(err)
	}
	packet.OpCode = dhcpv4.OpcodeBootReply
	raw := append(packet.ToBytes()[:240], "\x35\x01\x05\x34\x01"+string(says)+options+"\xff"...)
	copy(raw[snameField:fileField], sname)
	copy(raw[fileField:fieldsEnd], file)
	return raw
}

// TestReadLeaseOverloaded follows option 052 into file and sname, and nowhere else (RFC 2131 section 4.1, RFC 3396).
func TestReadLeaseOverloaded(t *testing.T) {
	const domain, dns, end = "\x0f\x0bcontoso.com", "\x06\x04\xc0\xa8\x07\x05", "\xff"
	for _, tt := range []struct {
		name                 string
		says                 byte
		options, file, sname string
		want                 string
	}{
		{"both", 3, "", domain + end, dns + end, "contoso.com [192.168.7.5]"},
		{"file", 1, "", domain + end, dns + end, "contoso.com []"},
		{"sname", 2, "", domain + end, dns + end, " [192.168.7.5]"},
		{"without an end", 3, "", domain, dns, "contoso.com [192.168.7.5]"},
		{"nothing after the end", 3, "", end + domain, end + dns, " []"},
		{"a server's name and a file to boot", 0, dns, "pxelinux.0", "dhcp01", " [192.168.7.5]"},
		{"a number that says nothing", 4, dns, domain + end, domain + end, " [192.168.7.5]"},
		{"a part in each", 3, "\x0f\x04cont", "\x0f\x03oso" + end, "\x0f\x04.com" + end, "contoso.com []"},
		{"052 again in file", 1, "", "\x34\x01\x02" + domain + end, dns + end, "contoso.com []"},
		{"no end, as ISC dhcpd leaves a field that is full", 1, dns + "\x0f\x04cont", "\x0f\x07oso.com" + end, "", "contoso.com [192.168.7.5]"},
		{"longer than file", 1, dns, "\x0f\xffcontoso.com", "", "no DHCP answer"},
		{"longer than sname", 2, dns, "", "\x0f\x40contoso.com", "no DHCP answer"},
	} {
		raw := overloaded(t, tt.says, tt.options, tt.file, tt.sname)
		if strings.HasPrefix(tt.name, "no end") {
			raw = raw[:len(raw)-1]
		}
		_, got, err := readLease(raw, &net.UDPAddr{IP: net.IPv4(192, 168, 7, 3)}, facts.Inform)
		list, _ := got.Options.Addresses(phone.OptionDNSServers)
		text := fmt.Sprint(got.Options.Domain(), " ", phone.AddressTexts(list))
		if err != nil {
			text = errNoDHCP.Error()
		}
		if text != tt.want || err != nil && got.Options != nil {
			t.Errorf("%s: %q, want %q: %v", tt.name, text, tt.want, err)
		}
	}
}

func FuzzReadLease(f *testing.F) {
	packet, err := dhcpv4.New(dhcpv4.WithMessageType(dhcpv4.MessageTypeAck))
	if err != nil {
		f.Fatal(err)
	}
	packet.OpCode = dhcpv4.OpcodeBootReply
	whole := packet.ToBytes()
	f.Add(whole)
	f.Add(whole[:239])
	f.Add(append(whole[:240:240], 53, 1, 5, 119, 255, 1))
	f.Add(append(whole[:240:240], 53, 1, 5, 54, 4, 192, 168, 7, 2, 119, 2, 0xc0, 0, 255))
	f.Add(overloaded(f, 3, "", "\x0f\x0bcontoso.com\xff", "\x77\x02\xc0\x00\xff"))
	f.Add(overloaded(f, 3, "\x77\x04abcd", "\x77\x7e"+strings.Repeat("x", 126), "\x77\x3e"+strings.Repeat("x", 62)))
	f.Add(overloaded(f, 1, "", "\x34\x01\x03\x77\xff", "\x06\xff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, got, err := readLease(raw, &net.UDPAddr{IP: net.IPv4(192, 168, 7, 3)}, facts.Inform)
		size := 0
		for _, value := range got.Options {
			size += len(value)
		}
		if (err == nil) != (got.Options != nil) || err == nil && !got.Server.Is4() || size > len(raw) {
			t.Errorf("%+v, %v", got, err)
		}
		got.Options.Search()
	})
}

// BenchmarkProbeDHCP asks the lab's two servers, in another process, for both vendor classes. CPU of the probe
// only; time with the servers'.
func BenchmarkProbeDHCP(b *testing.B) {
	network := labtest.Start(b).Networks[0]
	l := NewLeases()
	defer l.Close()
	b.ReportAllocs()
	for b.Loop() {
		got, err := l.Read(b.Context(), Way{ConnectTo: network.ConnectTo}, network.DHCP, time.Now(), time.Second)
		if err != nil || len(got.Answers) != 4 || got.Answers[0].Problem != "" {
			b.Fatalf("%+v, %v", got, err)
		}
	}
}
