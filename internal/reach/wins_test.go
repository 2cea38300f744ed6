package reach

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/labtest"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// record is an answer of WINS: without the question, as RFC 1002 has it.
func record(name, locator string, code int) reply {
	return func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		m.Question, m.Rcode = nil, code
		if name == "" {
			name = q.Question[0].Name
		}
		if locator != "" {
			m.Answer = []dns.RR{&dns.NIMLOC{Hdr: dns.RR_Header{Name: name, Rrtype: typeNB, Class: dns.ClassINET}, Locator: locator}}
		}
		_ = w.WriteMsg(m)
	}
}

func TestAskWINS(t *testing.T) {
	label := phone.NetBIOSControllers("CONTOSO")
	for _, tt := range []struct {
		name  string
		reply reply
		want  string
	}{
		{"two controllers", record("", "e000c0a8070ae000c0a8070b", 0), "answered 192.168.7.10 192.168.7.11"},
		{"the name in small letters", record(strings.ToLower(label)+".", "0000c0a8070a", 0), "answered 192.168.7.10"},
		{"another name", record("other.", "e000c0a8070a", 0), "empty "},
		{"no address", record("", "", 0), "empty "},
		{"half an address", record("", "e000c0a8", 0), "malformed "},
		{"unknown name", record("", "", dns.RcodeNameError), "nxdomain "},
		{"refused", record("", "", dns.RcodeRefused), "refused "},
		{"failure", record("", "", dns.RcodeServerFailure), "servfail "},
		{"active error", record("", "", dns.RcodeYXDomain), "other_code "},
		{"more than anybody has", record("", strings.Repeat("e000c0a8070a", 200), 0), "answered " + strings.TrimSpace(strings.Repeat("192.168.7.10 ", maxRecords))},
		{"silent", func(dns.ResponseWriter, *dns.Msg) {}, "timeout "},
		{"garbage", func(w dns.ResponseWriter, q *dns.Msg) { _, _ = w.Write([]byte{byte(q.Id >> 8), byte(q.Id), 0xff}) }, "malformed "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := startResolver(t, tt.reply, nil)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			s := Way{}.AskWINS(ctx, r.AddrPort, label)
			if got := string(s.Outcome) + " " + strings.Join(phone.AddressTexts(s.Addresses), " "); got != tt.want || s.Address != r.AddrPort {
				t.Errorf("%s, want %s (%s)", got, tt.want, s.Detail)
			}
		})
	}
}

func TestAskWINSWhereNothingListens(t *testing.T) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	closed := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if s := (Way{}).AskWINS(ctx, closed, "X"); s.Outcome != facts.Unreachable && s.Outcome != facts.Timeout { // not every system tells
		t.Errorf("%+v", s)
	}
}

func FuzzReadWINS(f *testing.F) {
	const name = "EDEPEOFEEPFDEPCACACACACACACACABM."
	m := &dns.Msg{MsgHdr: dns.MsgHdr{Response: true}, Answer: []dns.RR{&dns.NIMLOC{Hdr: dns.RR_Header{Name: name, Rrtype: typeNB, Class: 1}, Locator: "e000c0a8070a"}}}
	packet, err := m.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packet)
	f.Add(packet[:len(packet)-3])
	f.Add([]byte("\x00\x00\x84\x00\x00\x00\x00\x01\x00\x00\x00\x00\xc0\x0c\x00\x20\x00\x01\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := new(dns.Msg)
		if m.Unpack(raw) != nil {
			return
		}
		var s facts.WINSServer
		readWINS(&s, m, name)
		if s.Outcome == "" || len(s.Addresses) > maxRecords || (s.Outcome == facts.Answered) != (s.Addresses != nil) && s.Outcome != facts.Malformed {
			t.Errorf("%+v", s)
		}
	})
}

// BenchmarkProbeWINS asks the lab's server, in another process. CPU of the probe only; time with the server's.
func BenchmarkProbeWINS(b *testing.B) {
	place := labtest.Start(b)
	way := Way{ConnectTo: place.Networks[0].ConnectTo}
	label := phone.NetBIOSControllers("CONTOSO")
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		if s := way.AskWINS(ctx, place.Lease.WINSServers[0], label); s.Outcome != facts.Answered {
			b.Fatal(s.Outcome, s.Detail)
		}
	}
}
