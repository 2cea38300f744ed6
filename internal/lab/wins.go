package lab

import (
	"encoding/hex"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"github.com/cx700/cx700_exporter/internal/phone"
)

type winsMode int

const (
	winsAnswers winsMode = iota
	winsMute
	winsBabbles
	winsRefuses
	winsForgets
)

// winsState is what the WINS server knows: where the domain's controllers are.
type winsState struct {
	mode        winsMode
	controllers []netip.Addr
}

// reply answers the question for the domain's controllers (RFC 1002 section 4.2.13), nil when it stays mute.
func (s winsState) reply(packet []byte) []byte {
	q := new(dns.Msg)
	if err := q.Unpack(packet); err != nil || q.Response || len(q.Question) != 1 || s.mode == winsMute {
		return nil
	}
	if s.mode == winsBabbles {
		return append(packet[:2:2], "HTTP/1.0 400 Bad Request\r\n\r\n"...) // with the question's number
	}
	answer := new(dns.Msg).SetReply(q)
	answer.Question = nil
	name := q.Question[0].Name
	switch {
	case s.mode == winsRefuses:
		answer.Rcode = dns.RcodeRefused
	case s.mode == winsForgets || !strings.EqualFold(name, phone.NetBIOSControllers("CONTOSO")+"."):
		answer.Rcode = dns.RcodeNameError
	default:
		const group = "\xe0\x00"
		var record string
		for _, a := range s.controllers {
			record += group + string(a.AsSlice())
		}
		// The library knows the type NB by another name.
		answer.Answer = []dns.RR{&dns.NIMLOC{Hdr: header(name, dns.TypeNIMLOC), Locator: hex.EncodeToString([]byte(record))}}
	}
	out, err := answer.Pack()
	if err != nil {
		return nil
	}
	return out
}

func winsFaults() []fault {
	wins := func(name, text string, mode winsMode, reasons ...string) fault {
		return fault{Fault{Name: name, Network: "internal", Collector: "wins", Reasons: reasons, Text: text},
			func(s *state) { s.wins.mode = mode }}
	}
	return []fault{
		wins("wins_silent", "the WINS server is silent", winsMute, "wins_silent"),
		wins("wins_garbage", "what answers at the WINS server is no WINS", winsBabbles, "wins_malformed"),
		wins("wins_refused", "the WINS server refuses", winsRefuses, "wins_refused"),
		wins("wins_forgets", "the WINS server has no record of the domain", winsForgets, "wins_name_guessed"),
		{Fault{Name: "wins_stale", Network: "internal", Collector: "wins", Reasons: []string{"wins_differs"},
			Text: "the WINS server names a domain controller that is gone as well"}, func(s *state) {
			s.wins.controllers = append(s.wins.controllers, netip.AddrFrom4([4]byte{192, 0, 2, 66}))
		}},
	}
}
