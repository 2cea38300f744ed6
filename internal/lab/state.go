package lab

import (
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// The resolvers of a site, and its clocks.
const (
	inside1 = iota
	inside2
	outside
	resolvers
)

const (
	insideClock = iota
	secondClock
	outsideClock
	clocks
)

// The front ends of a site's pool.
const (
	firstFrontEnd = iota
	secondFrontEnd
	frontEnds
)

// Exchange on either side.
const (
	mailInside = iota
	mailOutside
	mailServers
)

// The names of the guide's company.
const (
	sipName          = "sip.fabrikam.com."
	sipInternalSRV   = "_sipinternaltls._tcp.fabrikam.com."
	sipExternalSRV   = "_sip._tls.fabrikam.com."
	ntpSRV           = "_ntp._udp.fabrikam.com."
	autodiscoverName = "autodiscover.fabrikam.com."
	autodiscoverSRV  = "_autodiscover._tcp.fabrikam.com."
	reverseProxyName = "ocsrp.fabrikam.com."
	updateName       = "ucupdates-r2.contoso.com."
	poolName         = "pool01.contoso.com."
	frontEndName     = "fe02.contoso.com."
	ntpName          = "ntp01.contoso.com."
	controllerName   = "dc01.contoso.com."
	// The second has the address of the first, and is told apart by the name in TLS.
	secondControllerName = "dc02.contoso.com."
	controllerSRV        = "_ldap._tcp.dc._msdcs.contoso.com."
	caName               = "ca01.contoso.com."
	windowsTimeName      = "time.windows.com."
	dhcpDomain           = "contoso.com."
	sipDomain            = "fabrikam.com."
	root                 = "."

	sipTLSPort = 5061
	tlsPort    = 443
	ntpPort    = 123
	ldapPort   = 389
	ttl        = 60
)

// state is all that a site's servers answer. It is never changed once it is in use.
type state struct {
	resolvers [resolvers]resolverState
	clocks    [clocks]clockState
	dhcp      [dhcpServers]dhcpState
	wins      winsState
	directory directoryState
	certsrv   certsrvState
	updates   [frontEnds]updateState
	proxy     updateState
	mail      [mailServers]mailState
	pool      [frontEnds]poolState
	edge      poolState
	settings  settings
	// vantage breaks the lab's own references, which all sites share.
	vantage [vantages]vantageState
}

type resolverMode int

const (
	answers resolverMode = iota
	servfail
	refuses
	silent
	garbage
	truncatesForGood
	truncatesUDP
)

type resolverState struct {
	mode    resolverMode
	records map[string][]dns.RR // by name, in lower case with its trailing dot
	// wildcard is a zone in which every name without a record has an A record; empty without one.
	wildcard string
	// broken is a name for which it answers SERVFAIL; empty without one.
	broken string
}

type clockMode int

const (
	ticks clockMode = iota
	unsynchronised
	mute
	kisses
	babbles
)

type clockState struct {
	mode   clockMode
	offset time.Duration
}

// healthy is the guide's company as it should be (guide pages 24 and 25).
func healthy(site int) *state {
	at := func(host byte) netip.Addr { return insideAddress(site, host) }
	s := &state{directory: healthyDirectory(site), proxy: updateState{access: wantsNTLM, webTLS: webTLS{leaf: leafOfProxy}}, edge: poolState{leaf: leafOfEdge}}
	s.pool[secondFrontEnd].leaf = leafOfFrontEnd
	for i := range s.mail {
		s.mail[i] = mailState{account: mailAccount(site), webTLS: webTLS{leaf: leafOfMail}}
	}
	s.settings = healthySettings(site)
	for i := range s.dhcp {
		s.dhcp[i] = healthyDHCP(site)
	}
	s.wins.controllers = []netip.Addr{at(10)}
	for _, i := range []int{inside1, inside2} {
		s.resolvers[i].records = zone(
			a(sipName, at(81)), a(autodiscoverName, at(82)),
			srv(sipInternalSRV, sipTLSPort, poolName), srv(ntpSRV, ntpPort, ntpName),
			a(poolName, at(81)), a(frontEndName, at(83)), a(updateName, at(81)), a(ntpName, at(20)), a(windowsTimeName, at(20)),
			a(dhcpDomain, at(10)), a(controllerName, at(10)), srv(controllerSRV, ldapPort, controllerName), a(caName, at(15)),
		)
	}
	s.resolvers[outside].records = zone(
		a(sipName, outsideAddress(81)), a(autodiscoverName, outsideAddress(82)), a(reverseProxyName, outsideAddress(6)),
		srv(sipExternalSRV, tlsPort, sipName), srv(ntpSRV, ntpPort, windowsTimeName),
		a(windowsTimeName, outsideAddress(20)), a(updateName, outsideAddress(6)),
	)
	return s
}

// zone holds all that a resolver knows, by name: the company's two zones and what it needs of the rest.
func zone(records ...dns.RR) map[string][]dns.RR {
	out := map[string][]dns.RR{}
	for _, rr := range append(records, soa(root), soa(dhcpDomain), soa(sipDomain)) {
		out[rr.Header().Name] = append(out[rr.Header().Name], rr)
	}
	return out
}

func header(name string, t uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: t, Class: dns.ClassINET, Ttl: ttl}
}

func a(name string, address netip.Addr) dns.RR {
	return &dns.A{Hdr: header(name, dns.TypeA), A: net.IP(address.AsSlice())}
}

func srv(name string, port uint16, target string) dns.RR {
	return &dns.SRV{Hdr: header(name, dns.TypeSRV), Port: port, Target: target}
}

func soa(zone string) dns.RR {
	return &dns.SOA{
		Hdr: header(zone, dns.TypeSOA), Ns: "dc01.contoso.com.", Mbox: "hostmaster.contoso.com.",
		Serial: 1, Refresh: 3600, Retry: 600, Expire: 86400, Minttl: ttl,
	}
}
