package reach

import (
	"context"
	"encoding/hex"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/cx700/cx700_exporter/internal/facts"
)

// typeNB is the record of a NetBIOS name (RFC 1002 section 4.2.1.3). Its packets are those of DNS, whose
// library knows the number by another name.
const typeNB = dns.TypeNIMLOC

// AskWINS asks a WINS server for the addresses of a NetBIOS name, which is given as a question has it.
func (w Way) AskWINS(ctx context.Context, server netip.AddrPort, label string) facts.WINSServer {
	started := time.Now()
	s := facts.WINSServer{Address: server}
	m := new(dns.Msg).SetQuestion(label+".", typeNB)
	var answer *dns.Msg
	var err error
	for range attempts {
		answer, err = w.converse(ctx, "udp", server, m)
		if err == nil || classify(err) != facts.Timeout || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		s.Outcome, s.Detail = classify(err), err.Error()
	} else {
		readWINS(&s, answer, m.Question[0].Name)
	}
	s.Took = time.Since(started)
	return s
}

// readWINS takes the addresses out of an answer: each comes after two bytes of flags (RFC 1002 section 4.2.13).
func readWINS(s *facts.WINSServer, answer *dns.Msg, name string) {
	const flags, entry = 2, 6
	var l facts.Lookup
	read(&l, answer)
	s.Outcome, s.Detail = l.Outcome, l.Detail
	if s.Outcome != facts.Empty {
		return
	}
	for _, rr := range answer.Answer {
		nb, ok := rr.(*dns.NIMLOC)
		if !ok || !strings.EqualFold(nb.Hdr.Name, name) {
			continue
		}
		raw, err := hex.DecodeString(nb.Locator)
		if err != nil || len(raw) == 0 || len(raw)%entry != 0 {
			s.Outcome, s.Detail = facts.Malformed, "the record is not a whole number of addresses"
			return
		}
		for ; len(raw) > 0 && len(s.Addresses) < maxRecords; raw = raw[entry:] {
			s.Addresses = append(s.Addresses, netip.AddrFrom4([4]byte(raw[flags:entry])))
		}
		s.Outcome = facts.Answered
	}
}
