package collectors

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// explainDHCP writes what each server answers to each question, option by option, as read and as it came.
func explainDHCP(w io.Writer, _ *Target, seen *facts.Seen) {
	if seen.Lease == nil {
		return
	}
	for _, a := range seen.Lease.Answers {
		who := "server " + a.Server.String()
		if !a.Server.IsValid() {
			who = "all who hear a broadcast"
		}
		fmt.Fprintf(w, "%s\n  %s as %s\n", who, a.Question, cmp.Or(a.Class, "any class"))
		if a.Problem != "" {
			fmt.Fprintf(w, "        %s: %s\n", a.Problem, a.Detail)
			continue
		}
		fmt.Fprintf(w, "        answered  [%s]\n", a.Took.Round(10*time.Microsecond))
		if a.Offered.IsValid() {
			fmt.Fprintf(w, "        offers %s, which is left to expire\n", a.Offered)
		}
		for _, code := range phone.AskedOptions() {
			explainOption(w, a, code)
		}
		if _, there := a.Options[phone.OptionOverload]; there {
			explainOption(w, a, phone.OptionOverload)
		}
	}
}

// optionNames are those of Windows' DHCP console.
func optionNames() map[byte]string {
	return map[byte]string{
		phone.OptionDNSServers: "DNS servers", phone.OptionDomain: "DNS domain name", phone.OptionNTPServers: "NTP servers",
		phone.OptionVendor: "vendor specific", phone.OptionWINSServers: "WINS servers", phone.OptionNodeType: "WINS node type",
		phone.OptionLeaseTime: "lease", phone.OptionServerID: "server identifier", phone.OptionSearch: "DNS search list",
		phone.OptionSIPServers: "SIP servers", phone.OptionOverload: "option overload",
	}
}

func explainOption(w io.Writer, a facts.LeaseAnswer, code byte) {
	raw, there := a.Options[code]
	fmt.Fprintf(w, "    %03d %-17s ", code, optionNames()[code])
	if !there {
		fmt.Fprintln(w, "none")
		return
	}
	fmt.Fprintln(w, optionText(a.Options, code))
	const perLine, lines = 40, 16
	for i := 0; i < len(raw) && i < perLine*lines; i += perLine {
		fmt.Fprintf(w, "        %x\n", raw[i:min(i+perLine, len(raw))])
	}
}

// optionText is what an option says, shortened to what a line holds.
func optionText(o phone.DHCPOptions, code byte) string {
	var text string
	switch code {
	case phone.OptionDomain:
		text = fmt.Sprintf("%q", o[code])
	case phone.OptionSearch:
		form, names := o.Search()
		text = string(form) + ": " + strings.Join(names, " ")
	case phone.OptionSIPServers:
		names, err := o.SIPServers()
		text = orError(strings.Join(names, " "), err)
	case phone.OptionVendor:
		text = vendorText(o)
	case phone.OptionNodeType:
		text = fmt.Sprintf("%d (1 B, 2 P, 4 M, 8 H)", o[code])
	case phone.OptionOverload:
		text = fmt.Sprintf("%d (options also in 1 file, 2 sname, 3 both)", o[code])
	case phone.OptionLeaseTime:
		d, _ := o.LeaseTime()
		text = d.String()
	default:
		list, err := o.Addresses(code)
		text = orError(strings.Join(phone.AddressTexts(list), " "), err)
	}
	const widest = 72
	if len(text) > widest {
		text = strings.ToValidUTF8(text[:widest], "") + "…"
	}
	return text
}

func vendorText(o phone.DHCPOptions) string {
	subs, err := o.Vendor()
	var out []string
	for _, s := range subs {
		out = append(out, fmt.Sprintf("%d=%q", s.Code, s.Value))
	}
	return orError(strings.Join(out, " "), err)
}

func orError(text string, err error) string {
	if err != nil {
		return strings.TrimSpace(text + " unreadable: " + err.Error())
	}
	return text
}
