package reach

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/miekg/dns"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// sameAddresses compares addresses as values.
var sameAddresses = cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})

// patience is how long a question may take whose answer does not come.
const patience = 400 * time.Millisecond

func TestAsk(t *testing.T) {
	pool := phone.Records{Addresses: []netip.Addr{netip.MustParseAddr("192.168.7.20")}}
	const a = "sip.contoso.com. 60 IN A 192.168.7.20"
	for _, tt := range []struct {
		name     string
		udp, tcp reply
		kind     phone.RecordType
		want     facts.Lookup
	}{
		{"answered", answering(a), nil, phone.A, facts.Lookup{Outcome: facts.Answered, Records: pool}},
		{
			"SRV, in lower case and without the last dot",
			answering("sip.contoso.com. 60 IN SRV 1 2 5061 Pool01.Contoso.com.", "sip.contoso.com. 60 IN SRV 3 4 0 ."), nil, phone.SRV,
			facts.Lookup{Outcome: facts.Answered, Records: phone.Records{Services: []phone.Service{
				{Target: "pool01.contoso.com", Port: 5061, Priority: 1, Weight: 2}, {Target: "", Priority: 3, Weight: 4}}}},
		},
		{"an alias on the way", answering("sip.contoso.com. 60 IN CNAME pool.contoso.com.", "pool.contoso.com. 60 IN A 192.168.7.20"), nil, phone.A,
			facts.Lookup{Outcome: facts.Answered, Records: pool}},
		{"an alias that leads nowhere", answering("sip.contoso.com. 60 IN CNAME pool.contoso.com."), nil, phone.A, facts.Lookup{Outcome: facts.Empty}},
		{"records of another type", answering(a, "sip.contoso.com. 60 IN AAAA fd00::1"), nil, phone.SRV, facts.Lookup{Outcome: facts.Empty}},
		{"NXDOMAIN", code(dns.RcodeNameError), nil, phone.A, facts.Lookup{Outcome: facts.NXDomain}},
		{"empty", answering(), nil, phone.A, facts.Lookup{Outcome: facts.Empty}},
		{"SERVFAIL", code(dns.RcodeServerFailure), nil, phone.A, facts.Lookup{Outcome: facts.ServFail, Detail: "SERVFAIL"}},
		{"refused", code(dns.RcodeRefused), nil, phone.A, facts.Lookup{Outcome: facts.Refused, Detail: "REFUSED"}},
		{"not implemented", code(dns.RcodeNotImplemented), nil, phone.A, facts.Lookup{Outcome: facts.OtherCode, Detail: "NOTIMP"}},
		{"a code without a name", code(15), nil, phone.A, facts.Lookup{Outcome: facts.OtherCode, Detail: "response code 15"}},
		{"silence", mute, nil, phone.A, facts.Lookup{Outcome: facts.Timeout}},
		{"truncated, TCP works", truncated, answering(a), phone.A, facts.Lookup{Outcome: facts.Answered, Records: pool, OverTCP: true}},
		{"truncated in the middle of a record", truncatedInside, answering(a), phone.A, facts.Lookup{Outcome: facts.Answered, Records: pool, OverTCP: true}},
		{"truncated, TCP says NXDOMAIN", truncated, code(dns.RcodeNameError), phone.A, facts.Lookup{Outcome: facts.NXDomain, OverTCP: true}},
		{"truncated, no TCP", truncated, nil, phone.A, facts.Lookup{Outcome: facts.Truncated, OverTCP: true}},
		{"truncated, TCP silent", truncated, mute, phone.A, facts.Lookup{Outcome: facts.Truncated, OverTCP: true}},
		{"truncated, TCP broken", truncated, cut, phone.A, facts.Lookup{Outcome: facts.Truncated, OverTCP: true}},
		{"malformed", cut, nil, phone.A, facts.Lookup{Outcome: facts.Malformed}},
		{"the question itself", echo, nil, phone.A, facts.Lookup{Outcome: facts.Malformed, Detail: errNoResponse.Error()}},
		{"answer to another question", otherQuestion, nil, phone.A,
			facts.Lookup{Outcome: facts.Malformed, Detail: errOtherQuestion.Error()}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := startResolver(t, tt.udp, tt.tcp)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			got := Way{}.ask(ctx, server.AddrPort, "sip.contoso.com", tt.kind)
			if settled := got.Outcome.Settled(); settled == (got.Detail != "") {
				t.Errorf("settled %t with the detail %q; what is not settled should tell why", settled, got.Detail)
			}
			tt.want.Name, tt.want.Type, tt.want.Took = "sip.contoso.com", tt.kind, got.Took
			if tt.want.Detail == "" {
				tt.want.Detail = got.Detail // the system's words
			}
			if diff := cmp.Diff(tt.want, got, sameAddresses); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.Took <= 0 || got.Took > 2*patience {
				t.Errorf("took %s", got.Took)
			}
		})
	}
}

func TestAskWhereNothingListens(t *testing.T) {
	packets, listener := samePort(t)
	address := packets.LocalAddr().(*net.UDPAddr).AddrPort()
	packets.Close()
	listener.Close()
	if got := (Way{}).ask(t.Context(), address, "sip.contoso.com", phone.A); got.Outcome != facts.Unreachable || got.Detail == "" {
		t.Errorf("%s (%s), want %s", got.Outcome, got.Detail, facts.Unreachable)
	}
}

// TestLostPacketIsNoFinding drops the first packet only.
func TestLostPacketIsNoFinding(t *testing.T) {
	dropped := make(chan struct{}, 1)
	server := startResolver(t, func(w dns.ResponseWriter, q *dns.Msg) {
		select {
		case dropped <- struct{}{}:
		default:
			answering("sip.contoso.com. 60 IN A 192.168.7.20")(w, q)
		}
	}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	got := Way{}.ask(ctx, server.AddrPort, "sip.contoso.com", phone.A)
	if got.Outcome != facts.Answered || len(server.questions()) != 2 {
		t.Errorf("%s after %d packets, want %s after 2", got.Outcome, len(server.questions()), facts.Answered)
	}
}

func TestRecordsAreBounded(t *testing.T) {
	server := startResolver(t, truncated, answering(manyAddresses(3*maxRecords)...))
	got := Way{}.ask(t.Context(), server.AddrPort, "sip.contoso.com", phone.A)
	if got.Outcome != facts.Answered || len(got.Addresses) != maxRecords {
		t.Errorf("%s with %d addresses, want %d", got.Outcome, len(got.Addresses), maxRecords)
	}
}

// TestPhoneAsksPlainly: the phone's resolver knows neither EDNS nor the cookie that comes with it.
func TestPhoneAsksPlainly(t *testing.T) {
	seen := make(chan *dns.Msg, 1)
	server := startResolver(t, func(w dns.ResponseWriter, q *dns.Msg) {
		seen <- q
		code(dns.RcodeNameError)(w, q)
	}, nil)
	Way{}.ask(t.Context(), server.AddrPort, "sip.contoso.com", phone.A)
	if q := <-seen; q.IsEdns0() != nil || !q.RecursionDesired || len(q.Question) != 1 {
		t.Errorf("asked:\n%s", q)
	}
}

// FuzzAnswer reads any bytes as an answer.
func FuzzAnswer(f *testing.F) {
	q := question("sip.contoso.com", phone.A)
	for _, lines := range [][]string{nil, manyAddresses(maxRecords + 1), {
		"sip.contoso.com. 60 IN CNAME pool.contoso.com.", "pool.contoso.com. 60 IN A 192.168.7.20",
		"_sip._tls.contoso.com. 60 IN SRV 0 0 443 .", `_sip._tls.contoso.com. 60 IN SRV 0 0 443 a\.b\000.contoso.com.`,
	}} {
		m := new(dns.Msg).SetReply(q)
		for _, line := range lines {
			rr, err := dns.NewRR(line)
			if err != nil {
				f.Fatal(err)
			}
			m.Answer = append(m.Answer, rr)
		}
		packed, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed)
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		answer := new(dns.Msg)
		if answer.Unpack(packed) != nil {
			return
		}
		for _, kind := range []phone.RecordType{phone.A, phone.SRV} {
			l := facts.Lookup{Type: kind}
			read(&l, answer)
			if l.Outcome == "" || len(l.Addresses) > maxRecords || len(l.Services) > maxRecords {
				t.Errorf("outcome %q with %d addresses and %d services", l.Outcome, len(l.Addresses), len(l.Services))
			}
			if (l.Outcome == facts.Answered) == l.None() {
				t.Errorf("outcome %s with %v", l.Outcome, l.Records)
			}
			if kind == phone.A && l.Services != nil || kind == phone.SRV && l.Addresses != nil {
				t.Errorf("asked for %s, got %v", kind, l.Records)
			}
		}
	})
}
