package collectors

const (
	screenNoSignIn   = "Cannot sign in, or no update, on phones that ask that server"
	mendDHCPOption   = "on the DHCP server, Scope Options, Configure Options: "
	atPhoneNewLease  = "power-cycle it, so that it takes a new lease"
	mendLookAtServer = "start the DHCP service on that server (services.msc, DHCP Server), and open UDP 67 and 68 between it and the exporter"
)

// leaseReason makes a reason that concerns phones with a lease from a server; it is mended by another lease.
func leaseReason(name string, effect Effect, means, screen, mend string) *Reason {
	return &Reason{Name: name, Effect: effect, Means: means, Screen: screen, Mend: mend, AtPhone: atPhoneNewLease}
}

// The ways in which phones get no lease, or one that does not lead them on. What the site file says and what is
// handed out may differ because either is wrong; we probe by the site file, phones go by the lease.
var (
	reasonDHCPNoOffer = leaseReason("dhcp_no_offer", Blocks,
		"no DHCP server offers an address where the exporter stands: phones without a lease get none, and do not know any other address",
		"no network, after a restart or when its lease ends",
		"see that the scope is active and has addresses left; where servers serve known hardware addresses only, allow the exporter's, or take discover out")
	reasonDHCPDNSMissing = leaseReason("dhcp_dns_missing", Blocks,
		"no DHCP server hands out option 006: phones have no DNS server and find nothing",
		"Cannot sign in", mendDHCPOption+"006 DNS Servers, the phones' DNS servers")
	reasonDHCPDNSDiffers = leaseReason("dhcp_dns_differs", Degrades,
		"a DHCP server hands out other DNS servers, option 006, than the site file says: phones ask servers that are not watched",
		"whatever those servers lead to", mendDHCPOption+"006 DNS Servers; or write in dhcp.dns_servers what is meant")
	reasonDHCPDomainMissing = leaseReason("dhcp_domain_missing", Degrades,
		"no DHCP server hands out option 015: phones have no domain for ucupdates-r2, nor to append to the NetBIOS name of a logon",
		screenNoSignIn, mendDHCPOption+"015 DNS Domain Name, the DNS name of the AD domain")
	reasonDHCPDomainNetBIOS = leaseReason("dhcp_domain_netbios", Degrades,
		"option 015 holds a NetBIOS name; phones build DNS names of it (the guide calls it that, but uses the DNS name throughout)",
		screenNoSignIn, mendDHCPOption+"015 DNS Domain Name, the DNS name of the AD domain, such as contoso.com")
	reasonDHCPDomainDiffers = leaseReason("dhcp_domain_differs", Degrades,
		"a DHCP server hands out another domain, option 015, than the site file says: phones ask for names that are not watched",
		screenNoSignIn, mendDHCPOption+"015 DNS Domain Name; or write in dhcp.domain what is meant")
	reasonDHCPSearchMissing = leaseReason("dhcp_search_missing", Degrades,
		"no DHCP server hands out option 119, which the site file says: phones lack suffixes to find a domain controller with",
		"Cannot sign in, where users log on as DOMAIN\\user", mendDHCPOption+"119 DNS Search List, the suffixes with semicolons between them")
	reasonDHCPSearchMalformed = leaseReason("dhcp_search_malformed", Degrades,
		"option 119 is neither names with semicolons between them, as the guide has it, nor what RFC 3397 says",
		"Cannot sign in, where users log on as DOMAIN\\user", mendDHCPOption+"119 DNS Search List, such as contoso.com;dev.contoso.com")
	reasonDHCPSearchDiffers = leaseReason("dhcp_search_differs", Degrades,
		"a DHCP server hands out other suffixes, option 119, than the site file says: phones ask for names that are not watched",
		"Cannot sign in, where users log on as DOMAIN\\user", mendDHCPOption+"119 DNS Search List; or write in dhcp.search what is meant")
	reasonDHCPServersDiffer = leaseReason("dhcp_servers_differ", Degrades,
		"DHCP servers hand out different options: a phone gets those of the server that is quicker",
		"sign-in works on some phones, or some days", "give the scopes on all servers the same options; find out whose server it is if you do not know it")
	reasonDHCPServerSilent = &Reason{
		Name: "dhcp_server_silent", Effect: Degrades,
		Means:   "a DHCP server does not answer INFORM",
		Screen:  "nothing while another server answers, or until its lease ends",
		Mend:    mendLookAtServer + "; a few servers answer phones, but never INFORM: take those out of the site file",
		AtPhone: "nothing",
	}
	reasonDHCPServerUnreachable = &Reason{
		Name: "dhcp_server_unreachable", Effect: Degrades,
		Means:  "nothing listens on a DHCP server's address, or there is no route to it",
		Screen: "nothing while another server answers, or until its lease ends",
		Mend:   mendLookAtServer, AtPhone: "nothing",
	}
	reasonDHCPServerMalformed = &Reason{
		Name: "dhcp_server_malformed", Effect: Degrades,
		Means:  "what comes back from a DHCP server is no answer to the question",
		Screen: "nothing while another server answers, or until its lease ends",
		Mend:   "find what answers on that address and port", AtPhone: "nothing",
	}
)

// What a CX700 does without, or of which is not known what it makes.
var (
	reasonDHCPSearchText = noting("dhcp_search_text",
		"option 119 is text, as the guide has it: phones read it, but clients that go by RFC 3397 do not",
		"nothing", "nothing for the phones; other clients need a scope or a policy of their own")
	reasonDHCPSearchRFC = noting("dhcp_search_rfc3397",
		"option 119 is as RFC 3397 has it; whether a CX700 reads that is not known",
		"nothing, or Cannot sign in where users log on as DOMAIN\\user", "where such a logon fails, write it as text, as on page 3 of the guide")
	reasonDHCPWINSDiffers = noting("dhcp_wins_differs",
		"DHCP servers hand out other WINS servers, option 044, than the site file says, none, or what cannot be read",
		"nothing, or a domain controller that is not watched", mendDHCPOption+"044 WINS/NBNS Servers; or write in dhcp.wins_servers what is meant")
	reasonDHCPTimeDiffers = noting("dhcp_ntp_differs",
		"DHCP servers hand out other time servers, option 042, than the site file says, none, or what cannot be read; a CX700 does not use them",
		"nothing", mendDHCPOption+"042 NTP Servers; or write in dhcp.ntp_servers what is meant")
	reasonDHCPSIPDiffers = noting("dhcp_sip_differs",
		"DHCP servers hand out other registrars, option 120, than the site file says, none, or what cannot be read; a CX700 signs in without",
		"nothing", "run DHCPUtil on the DHCP server; or write in dhcp.sip_servers what is meant")
	reasonDHCPVendorMissing = noting("dhcp_vendor_missing",
		"DHCP servers hand out option 043 for other vendor classes than the site file says, or one that cannot be read; a CX700 signs in without, but CPE-OCPHONE may hold its VLAN",
		"nothing, or it stays in the wrong VLAN", "add the vendor class and its option 043 (DHCPUtil and DHCPConfigScript.bat); or write in dhcp.vendor_classes what is meant")
	reasonDHCPServerUnexpected = noting("dhcp_server_unexpected",
		"a DHCP server that the site file does not name answers a broadcast as well, and phones take leases from it; it may be another address of a known one",
		"nothing while it hands out the same", "find out whose it is; write it in networks.internal.dhcp.servers, or switch it off")
	reasonDHCPUnsaid = noting("dhcp_not_in_site_file",
		"a DHCP server hands out search suffixes or WINS servers of which the site file says nothing: they are not probed by",
		"nothing", "write them in dhcp.search and dhcp.wins_servers")
)

// The ways in which only our own look is stopped.
var (
	reasonDHCPUnanswered = blinding("dhcp_unanswered",
		"no DHCP server answers INFORM; whether phones get a lease is not known, since they ask otherwise",
		mendLookAtServer+"; write discover: true to ask as phones do")
	reasonDHCPNotPermitted = &Reason{
		Name: "dhcp_not_permitted", Effect: NotWatched,
		Means:   "the exporter lacks the privilege to ask DHCP servers: port 68 for INFORM, raw sockets for DISCOVER",
		Screen:  "nothing: this concerns the exporter only",
		Mend:    "give it CAP_NET_BIND_SERVICE, for discover CAP_NET_RAW (docs/security.md), or take networks.internal.dhcp out",
		AtPhone: "nothing",
	}
	reasonDHCPNotAsked = blinding("dhcp_not_asked",
		"the exporter could not ask: the interface is not there or has no address, or another program holds port 68",
		"see what was seen; name another interface, or stop the other program")
)

func dhcpReasons() []*Reason {
	return []*Reason{
		reasonDHCPNoOffer, reasonDHCPDNSMissing, reasonDHCPDNSDiffers, reasonDHCPDomainMissing, reasonDHCPDomainNetBIOS,
		reasonDHCPDomainDiffers, reasonDHCPSearchMissing, reasonDHCPSearchMalformed, reasonDHCPSearchDiffers,
		reasonDHCPServersDiffer, reasonDHCPServerSilent, reasonDHCPServerUnreachable, reasonDHCPServerMalformed,
		reasonDHCPSearchText, reasonDHCPSearchRFC, reasonDHCPWINSDiffers, reasonDHCPTimeDiffers, reasonDHCPSIPDiffers,
		reasonDHCPVendorMissing, reasonDHCPServerUnexpected, reasonDHCPUnsaid, reasonDHCPUnanswered, reasonDHCPNotPermitted, reasonDHCPNotAsked,
	}
}
