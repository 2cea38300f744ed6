package lab

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// patience is how long the tests wait for an answer.
const patience = time.Second

// exchange asks a resolver and takes a question that does not fit into UDP to TCP.
func exchange(r *resolver, network, name, qtype string) (answer *dns.Msg, overTCP bool, err error) {
	q := new(dns.Msg).SetQuestion(name, dns.StringToType[qtype])
	client := dns.Client{Net: network, Timeout: patience}
	answer, _, err = client.Exchange(q, r.address.String())
	if err == nil && answer.Truncated && network == "udp" {
		client.Net = "tcp"
		answer, _, err = client.Exchange(q, r.address.String())
		return answer, true, err
	}
	return answer, network == "tcp", err
}

// ask says in one line what a client gets from a resolver.
func ask(t *testing.T, r *resolver, network, name, qtype string) string {
	t.Helper()
	answer, overTCP, err := exchange(r, network, name, qtype)
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return "silence"
	case err != nil && overTCP:
		return "no TCP"
	case err != nil:
		return "garbage"
	}
	var parts []string
	for _, rr := range answer.Answer {
		switch rr := rr.(type) {
		case *dns.A:
			parts = append(parts, rr.A.String())
		case *dns.SRV:
			parts = append(parts, fmt.Sprintf("%d %d %d %s", rr.Priority, rr.Weight, rr.Port, rr.Target))
		}
	}
	slices.Sort(parts)
	switch {
	case answer.Rcode != dns.RcodeSuccess:
		parts = []string{dns.RcodeToString[answer.Rcode]}
	case parts == nil:
		parts = []string{"NODATA"}
	}
	if overTCP && network == "udp" {
		parts = append(parts, "over TCP")
	}
	return cmp.Or(strings.Join(parts, " "), "nothing")
}

func TestHealthyNames(t *testing.T) {
	l := started(t, 2)
	r := l.offices[1].resolvers
	type row struct{ name, qtype, want string }
	insideRows := []row{
		{"sip.fabrikam.com.", "A", "10.70.1.81"},
		{"SIP.Fabrikam.com.", "A", "10.70.1.81"},
		{"autodiscover.fabrikam.com.", "A", "10.70.1.82"},
		{"_sipinternaltls._tcp.fabrikam.com.", "SRV", "0 0 5061 pool01.contoso.com."},
		{"_ntp._udp.fabrikam.com.", "SRV", "0 0 123 ntp01.contoso.com."},
		{"pool01.contoso.com.", "A", "10.70.1.81"},
		{"ucupdates-r2.contoso.com.", "A", "10.70.1.81"},
		{"ntp01.contoso.com.", "A", "10.70.1.20"},
		{"time.windows.com.", "A", "10.70.1.20"},
		{"contoso.com.", "A", "10.70.1.10"},
		{"dc01.contoso.com.", "A", "10.70.1.10"},
		{"_ldap._tcp.dc._msdcs.contoso.com.", "SRV", "0 0 389 dc01.contoso.com."},
		{"_ldap._tcp.dc._msdcs.fabrikam.com.", "SRV", "NXDOMAIN"},
		{"ca01.contoso.com.", "A", "10.70.1.15"},
		{"sip.fabrikam.com.", "SRV", "NODATA"},
		{"_tcp.fabrikam.com.", "A", "NODATA"},
		{"_sip._tls.fabrikam.com.", "SRV", "NXDOMAIN"},
		{"ocsrp.fabrikam.com.", "A", "NXDOMAIN"},
		{"sip.fabrikam.com.contoso.com.", "A", "NXDOMAIN"},
		{"made-up.contoso.com.", "A", "NXDOMAIN"},
		{"example.org.", "A", "NXDOMAIN"},
	}
	outsideRows := []row{
		{"sip.fabrikam.com.", "A", "203.0.113.81"},
		{"autodiscover.fabrikam.com.", "A", "203.0.113.82"},
		{"ocsrp.fabrikam.com.", "A", "203.0.113.6"},
		{"ucupdates-r2.contoso.com.", "A", "203.0.113.6"},
		{"_sip._tls.fabrikam.com.", "SRV", "0 0 443 sip.fabrikam.com."},
		{"_ntp._udp.fabrikam.com.", "SRV", "0 0 123 time.windows.com."},
		{"time.windows.com.", "A", "203.0.113.20"},
		{"_sipinternaltls._tcp.fabrikam.com.", "SRV", "NXDOMAIN"},
		{"dc01.contoso.com.", "A", "NXDOMAIN"},
		{"_ldap._tcp.dc._msdcs.contoso.com.", "SRV", "NXDOMAIN"},
		{"pool01.contoso.com.", "A", "NXDOMAIN"},
	}
	for i, rows := range [resolvers][]row{inside1: insideRows, inside2: insideRows, outside: outsideRows} {
		for _, c := range rows {
			for _, network := range []string{"udp", "tcp"} {
				if got := ask(t, r[i], network, c.name, c.qtype); got != c.want {
					t.Errorf("resolver %d, %s %s over %s: %q, want %q", i, c.qtype, c.name, network, got, c.want)
				}
			}
		}
	}
}

func TestNegativeAnswersNameTheirZone(t *testing.T) {
	l := started(t, 1)
	for name, want := range map[string]string{
		"made-up.contoso.com.":          "contoso.com.",
		"contoso.com.":                  "contoso.com.",
		"deep.down.below.fabrikam.com.": "fabrikam.com.",
		"sip.fabrikam.com.":             "fabrikam.com.",
		"example.org.":                  ".",
		".":                             ".",
	} {
		answer, _, err := exchange(l.offices[0].resolvers[inside1], "udp", name, "TXT")
		if err != nil {
			t.Fatal(err)
		}
		if len(answer.Ns) != 1 || answer.Ns[0].Header().Rrtype != dns.TypeSOA || answer.Ns[0].Header().Name != want {
			t.Errorf("TXT %s: authority %v, want the SOA of %s", name, answer.Ns, want)
		}
	}
}

// A header that promises a question without one once ended the whole process.
func TestHeaderWithoutQuestion(t *testing.T) {
	l := started(t, 1)
	r := l.offices[0].resolvers[inside1]
	conn, err := net.Dial("udp", r.address.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte{0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	reply := make([]byte, 512)
	if n, err := conn.Read(reply); err != nil || n < 4 || reply[3]&0xf != dns.RcodeFormatError {
		t.Errorf("reply % x, error %v, want FORMERR", reply[:n], err)
	}
	if got := ask(t, r, "udp", sipName, "A"); got != "10.70.0.81" {
		t.Errorf("afterwards the resolver answers %q", got)
	}
}
