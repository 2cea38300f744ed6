package lab

import (
	"net"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/cx700/cx700_exporter/internal/phone"
)

// The DHCP servers of a site.
const (
	firstDHCP = iota
	secondDHCP
	dhcpServers
)

type dhcpMode int

const (
	dhcpAnswers dhcpMode = iota
	dhcpMute
	dhcpBabbles
)

// dhcpState is what a DHCP server hands out; vendor is option 043 by vendor class.
type dhcpState struct {
	mode    dhcpMode
	options phone.DHCPOptions
	vendor  map[string][]byte
}

// healthyDHCP hands out all that the site file says.
func healthyDHCP(site int) dhcpState {
	at := func(host byte) []byte { return insideAddress(site, host).AsSlice() }
	return dhcpState{
		options: phone.DHCPOptions{
			phone.OptionDNSServers: append(at(5), at(6)...), phone.OptionDomain: []byte("contoso.com"),
			phone.OptionNTPServers: at(20), phone.OptionWINSServers: at(10), phone.OptionNodeType: {8},
			phone.OptionLeaseTime: {0, 0, 0x70, 0x80}, phone.OptionSIPServers: []byte("\x00\x06pool01\x07contoso\x03com\x00"),
		},
		vendor: map[string][]byte{
			phone.ClassPhone:        []byte("\x0a\x02\x00\x2a"),
			phone.ClassProvisioning: []byte("\x01\x0cMS-UC-Client\x02\x05https\x03\x12pool01.contoso.com\x04\x03443"),
		},
	}
}

// reply acknowledges an INFORM with the options it asks for (RFC 2131 section 4.3.5), nil when it stays mute.
func (s dhcpState) reply(server net.IP, packet []byte) []byte {
	request, err := dhcpv4.FromBytes(packet)
	if err != nil || request.MessageType() != dhcpv4.MessageTypeInform || s.mode == dhcpMute {
		return nil
	}
	if s.mode == dhcpBabbles {
		return []byte("HTTP/1.0 400 Bad Request\r\n\r\n")
	}
	answer, err := dhcpv4.NewReplyFromRequest(request, dhcpv4.WithMessageType(dhcpv4.MessageTypeAck),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(server)))
	if err != nil {
		return nil
	}
	give := func(code byte, value []byte) {
		if c := dhcpv4.GenericOptionCode(code); value != nil && request.IsOptionRequested(c) {
			answer.UpdateOption(dhcpv4.OptGeneric(c, value))
		}
	}
	for code, value := range s.options {
		give(code, value)
	}
	give(phone.OptionVendor, s.vendor[request.ClassIdentifier()])
	return answer.ToBytes()
}

func dhcpFaults() []fault {
	dhcp := func(name, text string, apply func(*state), reasons ...string) fault {
		return fault{Fault{Name: name, Network: "internal", Collector: "dhcp", Reasons: reasons, Text: text}, apply}
	}
	both := func(mode dhcpMode) func(*state) {
		return func(s *state) { s.dhcp[firstDHCP].mode, s.dhcp[secondDHCP].mode = mode, mode }
	}
	return []fault{
		dhcp("dhcp_silent", "both DHCP servers are silent", both(dhcpMute), "dhcp_server_silent", "dhcp_unanswered"),
		dhcp("dhcp_one_silent", "the second DHCP server is silent", func(s *state) { s.dhcp[secondDHCP].mode = dhcpMute }, "dhcp_server_silent"),
		dhcp("dhcp_garbage", "what answers at both DHCP servers is no DHCP", both(dhcpBabbles), "dhcp_server_malformed", "dhcp_unanswered"),
		dhcp("dhcp_no_dns", "option 006 is gone", withholds(phone.OptionDNSServers), "dhcp_dns_missing"),
		dhcp("dhcp_other_dns", "option 006 names another server", hands(phone.OptionDNSServers, "\xc0\x00\x02\x35"), "dhcp_dns_differs"),
		dhcp("dhcp_no_domain", "option 015 is gone", withholds(phone.OptionDomain), "dhcp_domain_missing"),
		dhcp("dhcp_netbios_domain", "option 015 holds a NetBIOS name", hands(phone.OptionDomain, "CONTOSO"), "dhcp_domain_netbios"),
		dhcp("dhcp_other_domain", "option 015 holds another domain", hands(phone.OptionDomain, "corp.contoso.com"), "dhcp_domain_differs"),
		dhcp("dhcp_search_text", "option 119 is there, as the guide has it", hands(phone.OptionSearch, "contoso.com;fabrikam.com"),
			"dhcp_search_text", "dhcp_not_in_site_file"),
		dhcp("dhcp_search_rfc3397", "option 119 is there, as RFC 3397 has it",
			hands(phone.OptionSearch, "\x07contoso\x03com\x00\x08fabrikam\xc0\x08"), "dhcp_search_rfc3397", "dhcp_not_in_site_file"),
		dhcp("dhcp_search_circle", "the names in option 119 point to each other", hands(phone.OptionSearch, "\x01a\xc0\x04\x01b\xc0\x00"),
			"dhcp_search_malformed"),
		dhcp("dhcp_no_wins", "option 044 is gone", withholds(phone.OptionWINSServers), "dhcp_wins_differs"),
		dhcp("dhcp_no_lync", "options 042, 043 and 120 are gone", withholds(phone.OptionNTPServers, phone.OptionVendor, phone.OptionSIPServers),
			"dhcp_ntp_differs", "dhcp_vendor_missing", "dhcp_sip_differs"),
		dhcp("dhcp_servers_differ", "the second DHCP server hands out another domain",
			func(s *state) { s.dhcp[secondDHCP].options[phone.OptionDomain] = []byte("fabrikam.com") },
			"dhcp_domain_differs", "dhcp_servers_differ"),
	}
}

// hands gives an option another value on both servers.
func hands(code byte, value string) func(*state) {
	return func(s *state) {
		for i := range s.dhcp {
			s.dhcp[i].options[code] = []byte(value)
		}
	}
}

// withholds takes options from both servers.
func withholds(codes ...byte) func(*state) {
	return func(s *state) {
		for i := range s.dhcp {
			for _, code := range codes {
				if delete(s.dhcp[i].options, code); code == phone.OptionVendor {
					s.dhcp[i].vendor = nil
				}
			}
		}
	}
}
