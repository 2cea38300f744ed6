package phone

import (
	"net/netip"
	"slices"
	"testing"
)

// company is what the guide's DNS answers inside: Contoso's AD domain, Fabrikam's SIP domain.
type company map[string]Records

func (c company) find(name string, t RecordType) Records {
	r := c[name]
	if t == A {
		return Records{Addresses: r.Addresses}
	}
	return Records{Services: r.Services}
}

func addresses(list ...string) Records {
	var r Records
	for _, a := range list {
		r.Addresses = append(r.Addresses, netip.MustParseAddr(a))
	}
	return r
}

func services(list ...Service) Records { return Records{Services: list} }

func guide() (Domains, company) {
	return Domains{SIP: "fabrikam.com", SMTP: "fabrikam.com", DHCP: "contoso.com"}, company{
		"_sipinternaltls._tcp.fabrikam.com": services(Service{Target: "pool01.contoso.com", Port: 5061}),
		"pool01.contoso.com":                addresses("192.168.7.81"),
		"sip.fabrikam.com":                  addresses("192.168.7.81"),
		"_ntp._udp.fabrikam.com":            services(Service{Target: "ntp01.contoso.com", Port: 123}),
		"ntp01.contoso.com":                 addresses("192.168.7.20"),
		"time.windows.com":                  addresses("203.0.113.20"),
	}
}

func TestFirstUsableRegistrar(t *testing.T) {
	tests := []struct {
		name   string
		change func(company)
		strict bool
		order  RegistrarOrder
		want   string // host:port asked
		port   uint16
		asked  string
	}{
		{"SRV target outside the SIP domain is passed over", nil, true, TraceOrder, "sip.fabrikam.com", 5061, "sip.fabrikam.com"},
		{"lenient phone takes the SRV target", nil, false, TraceOrder, "pool01.contoso.com", 5061, "_sipinternaltls._tcp.fabrikam.com"},
		{"Lync order has no A names", nil, true, LyncOrder, "", 0, ""},
		{"SRV target without an address", func(c company) { delete(c, "pool01.contoso.com") }, false, HelpOrder, "sip.fabrikam.com", 5061, "sip.fabrikam.com"},
		{"nothing answers", func(c company) { clear(c) }, false, HelpOrder, "", 0, ""},
		{"concatenated name", func(c company) {
			clear(c)
			c["sipinternal.fabrikam.com.contoso.com"] = addresses("192.168.7.99")
		}, true, HelpOrder, "sipinternal.fabrikam.com", 5061, "sipinternal.fabrikam.com.contoso.com"},
		{"sipinternal comes before sip in the help order", func(c company) { c["sipinternal.fabrikam.com"] = addresses("192.168.7.82") },
			true, HelpOrder, "sipinternal.fabrikam.com", 5061, "sipinternal.fabrikam.com"},
		{"the trace never asks for sipinternal", func(c company) { c["sipinternal.fabrikam.com"] = addresses("192.168.7.82") },
			true, TraceOrder, "sip.fabrikam.com", 5061, "sip.fabrikam.com"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, c := guide()
			if tt.change != nil {
				tt.change(c)
			}
			e, ok := FirstUsable(d.Endpoints(tt.order, c.find), tt.strict)
			if ok != (tt.want != "") || e.Host != tt.want || e.Port != tt.port || e.Asked != tt.asked {
				t.Errorf("got %s:%d by %q (%v), want %s:%d by %q", e.Host, e.Port, e.Asked, ok, tt.want, tt.port, tt.asked)
			}
		})
	}
}

// The order of the trace is the one recorded from a real phone, guide pages 18 and 19.
func TestCandidatesOfTheTrace(t *testing.T) {
	d, _ := guide()
	var got []string
	for _, c := range d.Candidates(TraceOrder) {
		got = append(got, string(c.Type)+" "+c.Name)
	}
	want := []string{
		"SRV _sipinternaltls._tcp.fabrikam.com", "SRV _sipinternal._tcp.fabrikam.com",
		"SRV _sip._tls.fabrikam.com", "SRV _sip._tcp.fabrikam.com", "A sip.fabrikam.com", "A sip.fabrikam.com",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// Whatever an order asks for must be among the questions, or a walk would not know the answer.
func TestQuestionsCoverAllOrders(t *testing.T) {
	d, _ := guide()
	questions := d.Questions()
	asked := func(name string, rt RecordType) bool {
		return slices.ContainsFunc(questions, func(q Question) bool { return q.Name == name && q.Type == rt })
	}
	for _, order := range RegistrarOrders() {
		for _, c := range d.Candidates(order) {
			if !asked(c.Name, c.Type) {
				t.Errorf("order %s asks %s %s, which is no question", order, c.Type, c.Name)
			}
		}
	}
	for _, order := range TimeOrders() {
		d.TimeSources(order, func(name string, rt RecordType) Records {
			if !asked(name, rt) && !asked(name[:max(0, len(name)-len(".contoso.com"))], rt) {
				t.Errorf("order %s asks %s %s, which is no question", order, rt, name)
			}
			return Records{}
		})
	}
}

func TestRequired(t *testing.T) {
	d, _ := guide()
	d.ReverseProxy = "ocsrp.fabrikam.com"
	old, _ := FindFirmware("1.0.199.123")
	tests := []struct {
		name   string
		inside bool
		inUse  []Firmware
		want   []string
	}{
		{"inside", true, KnownFirmware(), []string{"_sipinternaltls._tcp.fabrikam.com", "sip.fabrikam.com",
			"_ntp._udp.fabrikam.com", "ucupdates-r2.contoso.com", "autodiscover.fabrikam.com"}},
		{"outside", false, KnownFirmware(), []string{"_sip._tls.fabrikam.com", "sip.fabrikam.com",
			"_ntp._udp.fabrikam.com", "ucupdates-r2.contoso.com", "autodiscover.fabrikam.com", "ocsrp.fabrikam.com"}},
		{"release 199 does not ask for the update name", true, []Firmware{old}, []string{"_sipinternaltls._tcp.fabrikam.com",
			"sip.fabrikam.com", "_ntp._udp.fabrikam.com", "autodiscover.fabrikam.com"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, q := range d.Required(tt.inside, tt.inUse) {
				got = append(got, q.Name)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestTimeSources(t *testing.T) {
	tests := []struct {
		name   string
		order  TimeOrder
		change func(company)
		want   []string
	}{
		{"newer releases take the SRV record first", SRVFirst, nil, []string{"ntp01.contoso.com", "time.windows.com"}},
		{"release 199 takes time.windows.com first", WindowsFirst, nil, []string{"time.windows.com", "ntp01.contoso.com"}},
		{"time.windows.com with the DHCP suffix", WindowsFirst, func(c company) {
			c["time.windows.com.contoso.com"] = c["time.windows.com"]
			delete(c, "time.windows.com")
		}, []string{"time.windows.com.contoso.com", "ntp01.contoso.com"}},
		{"by priority, then weight", SRVFirst, func(c company) {
			delete(c, "time.windows.com")
			c["_ntp._udp.fabrikam.com"] = services(Service{Target: "c", Port: 123, Priority: 10},
				Service{Target: "b", Port: 123, Weight: 1}, Service{Target: "a", Port: 123, Weight: 5})
		}, []string{"a", "b", "c"}},
		{"none", SRVFirst, func(c company) { clear(c) }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, c := guide()
			if tt.change != nil {
				tt.change(c)
			}
			var got []string
			for _, s := range d.TimeSources(tt.order, c.find) {
				got = append(got, s.Host)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSuffixes(t *testing.T) {
	d := Domains{DHCP: "contoso.com", Search: []string{"fabrikam.dk", "contoso.com", "dk"}}
	if got, want := d.Suffixes(), []string{"contoso.com", "fabrikam.dk", "dk"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWithin(t *testing.T) {
	for host, want := range map[string]bool{
		"fabrikam.com": true, "sip.fabrikam.com": true, "notfabrikam.com": false, "pool01.contoso.com": false,
	} {
		if got := Within(host, "fabrikam.com"); got != want {
			t.Errorf("%s: got %v", host, got)
		}
	}
}

func TestQuestionsAreAskedOnce(t *testing.T) {
	for _, d := range []Domains{
		{SIP: "fabrikam.com", SMTP: "fabrikam.com", DHCP: "fabrikam.com", ReverseProxy: "ucupdates-r2.fabrikam.com"},
		{SIP: "fabrikam.com", SMTP: "contoso.com", DHCP: "contoso.com", ReverseProxy: "sip.fabrikam.com"},
		{SIP: "fabrikam.com", DHCP: "contoso.com", ReverseProxy: "ucupdates-r2.contoso.com"},
	} {
		seen := map[Question]bool{}
		for _, q := range d.Questions() {
			key := Question{Name: q.Name, Type: q.Type}
			if seen[key] {
				t.Errorf("%+v: %s %s is asked twice", d, q.Type, q.Name)
			}
			seen[key] = true
		}
		if !seen[Question{Name: d.ReverseProxy, Type: A}] {
			t.Errorf("%+v: the reverse proxy is not asked for", d)
		}
	}
}
