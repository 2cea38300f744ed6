package lab

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/miekg/dns"

	"github.com/cx700/cx700_exporter/internal/phone"
)

// sent sends a packet and returns what comes back; ok is false for silence.
func sent(t *testing.T, s *udpServer, packet []byte) (answer []byte, ok bool) {
	t.Helper()
	conn, err := net.Dial("udp", s.address.String())
	if err != nil {
		t.Error(err)
		return nil, false
	}
	defer conn.Close()
	if _, err := conn.Write(packet); err != nil {
		t.Error(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Error(err)
	}
	answer = make([]byte, udpSize)
	n, err := conn.Read(answer)
	var timeout net.Error
	if err != nil && (!errors.As(err, &timeout) || !timeout.Timeout()) {
		t.Error(err)
	}
	return answer[:n], err == nil
}

// inform is a question for all options of a phone.
func inform(t *testing.T, class string) *dhcpv4.DHCPv4 {
	t.Helper()
	packet, err := dhcpv4.NewInform(make(net.HardwareAddr, 6), net.IPv4(127, 0, 0, 1), dhcpv4.WithOption(dhcpv4.OptClassIdentifier(class)),
		dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionParameterRequestList, phone.AskedOptions())))
	if err != nil {
		t.Fatal(err)
	}
	return packet
}

// askDHCP lists the options that a vendor class gets, in hex, but for the server's identifier.
func askDHCP(t *testing.T, s *udpServer, class string) string {
	t.Helper()
	question := inform(t, class)
	raw, ok := sent(t, s, question.ToBytes())
	if !ok {
		return "silence"
	}
	answer, err := dhcpv4.FromBytes(raw)
	if err != nil {
		return "garbage"
	}
	if answer.TransactionID != question.TransactionID || answer.MessageType() != dhcpv4.MessageTypeAck {
		t.Errorf("an answer to something else: %s", answer)
	}
	var out strings.Builder
	for _, code := range slices.Sorted(maps.Keys(answer.Options)) {
		if code != phone.OptionServerID && code != dhcpv4.OptionDHCPMessageType.Code() {
			fmt.Fprintf(&out, "%d %x ", code, answer.Options[code])
		}
	}
	return out.String()
}

func TestDHCPGivesWhatIsAskedFor(t *testing.T) {
	server := net.IPv4(10, 70, 0, 2)
	question := inform(t, "")
	question.UpdateOption(dhcpv4.OptParameterRequestList(dhcpv4.OptionDomainName))
	answer, err := dhcpv4.FromBytes(healthyDHCP(0).reply(server, question.ToBytes()))
	if err != nil {
		t.Fatal(err)
	}
	if answer.DomainName() != "contoso.com" || answer.DNS() != nil || !answer.ServerIdentifier().Equal(server) {
		t.Error(answer.Summary())
	}
	for name, packet := range map[string][]byte{"none": nil, "garbage": []byte("x"), "its own answer": answer.ToBytes()} {
		if got := healthyDHCP(0).reply(server, packet); got != nil {
			t.Errorf("%s is answered: % x", name, got)
		}
	}
}

// askWINS says what the WINS server answers to the question for the controllers of CONTOSO.
func askWINS(t *testing.T, s *udpServer) string {
	t.Helper()
	question := new(dns.Msg).SetQuestion("EDEPEOFEEPFDEPCACACACACACACACABM.", dns.TypeNIMLOC)
	packet, err := question.Pack()
	if err != nil {
		t.Error(err)
	}
	raw, ok := sent(t, s, packet)
	if !ok {
		return "silence"
	}
	answer := new(dns.Msg)
	switch err := answer.Unpack(raw); {
	case err != nil || answer.Id != question.Id:
		return "garbage"
	case answer.Rcode != dns.RcodeSuccess:
		return dns.RcodeToString[answer.Rcode]
	default:
		return answer.Answer[0].(*dns.NIMLOC).Locator
	}
}
