package lab

import (
	"net/netip"

	"github.com/cx700/cx700_exporter/internal/phone"
)

// siteFileFaults are those of the site file, and of servers that it names and that are gone: a server of the lab has its
// port for as long as the lab runs.
func siteFileFaults() []fault {
	file := func(name, collector, text string, apply func(*state), reasons ...string) fault {
		return fault{Fault{Name: name, Network: "internal", Collector: collector, Reasons: reasons, Text: text}, apply}
	}
	outside := func(name, text string, apply func(*state), reason string) fault {
		files := map[string][]string{"firmware": {reason}, "firmware_download": {reason}}
		return fault{Fault{Name: name, Network: "external", Collector: "update", Reasons: []string{reason}, Also: files, Text: text}, func(s *state) {
			s.settings.updateAccount = true
			apply(s)
		}}
	}
	nobody := netip.AddrFrom4([4]byte{192, 0, 2, 13})
	searches := func(list string) func(*state) { return func(s *state) { s.settings.search = list } }
	return []fault{
		file("dns_one_gone", "dns", "a resolver that the site file names is gone", func(s *state) {
			s.settings.resolvers = append(s.settings.resolvers, nobody)
		}, "resolver_unreachable"),
		file("dhcp_one_gone", "dhcp", "one of the DHCP servers that the site file names is gone", func(s *state) {
			s.settings.dhcpServers = append(s.settings.dhcpServers, nobody)
		}, "dhcp_server_unreachable"),
		file("dhcp_nowhere", "dhcp", "the site file has DHCP asked on an interface that is not there", func(s *state) {
			s.settings.dhcpInterface = "cx700-none"
		}, "dhcp_not_asked"),
		file("dhcp_no_search", "dhcp", "option 119, which the site file says, is not there", searches("contoso.com, fabrikam.com"), "dhcp_search_missing"),
		file("dhcp_other_search", "dhcp", "option 119 holds other suffixes than the site file says", func(s *state) {
			searches("contoso.com, fabrikam.com")(s)
			hands(phone.OptionSearch, "contoso.com;corp.contoso.com")(s)
		}, "dhcp_search_differs", "dhcp_search_text"),
		file("wins_one_gone", "wins", "a WINS server, which DHCP hands out as well, is gone", func(s *state) {
			s.settings.winsServers = append(s.settings.winsServers, nobody)
			for i := range s.dhcp {
				s.dhcp[i].options[phone.OptionWINSServers] = append(s.dhcp[i].options[phone.OptionWINSServers], nobody.AsSlice()...)
			}
		}, "wins_unreachable"),
		with(file("wins_no_domain", "wins", "the WINS server does not know CONTOSO, as users log on", func(s *state) {
			s.settings.logon = `CONTOSO\user`
			searches("com")(s)
			hands(phone.OptionSearch, "com")(s)
			s.wins.mode = winsForgets
		}, "wins_name_missing"), map[string][]string{"dhcp": {"dhcp_search_text"}}),
		with(file("no_account", "directory", "the site file has no account for Active Directory", func(s *state) { s.settings.noAccount = true },
			"roots_not_watched"), map[string][]string{"certsrv": {"certsrv_not_watched"}}),
		outside("update_parted", "what is before the reverse proxy parts the requests of a logon", func(*state) {}, "update_logon_failed"),
		outside("update_foreign", "the reverse proxy's CA is none of the site file's", func(s *state) {
			s.proxy.leaf = leafOfForeignProxy
		}, "update_untrusted"),
	}
}
