package collectors

import "github.com/cx700/cx700_exporter/internal/phone"

// The ways in which names fail. The resolver reasons are causes and only degrade by themselves, since a
// phone turns to its next resolver; where that leaves it without a registrar, registrar_unresolved says so.
var (
	reasonRegistrarNotFound = &Reason{
		Name: "registrar_not_found", Effect: Blocks,
		Means:   "no name in the phone's sign-in order leads to a server",
		Screen:  "Cannot sign in; the phone keeps trying",
		Mend:    "create SRV _sipinternaltls._tcp (inside) or _sip._tls (outside) and A sip in the SIP domain's zone",
		AtPhone: "wait; it tries again by itself",
	}
	reasonRegistrarUnresolved = &Reason{
		Name: "registrar_unresolved", Effect: Blocks, Umbrella: true,
		Means:   "no resolver answers the names of the sign-in order",
		Screen:  "Cannot sign in; the phone keeps trying",
		Mend:    "bring the resolvers of DHCP option 006 back, or correct that option",
		AtPhone: "power-cycle it if option 006 was changed, else wait",
	}
	reasonRegistrarByWildcard = &Reason{
		Name: "registrar_by_wildcard", Effect: Blinds,
		Means:   "only a wildcard record answers for the registrar: whether the pool is behind it cannot be told from DNS",
		Screen:  "Cannot connect to the server, unless the wildcard leads to the pool",
		Mend:    "create A sip.<SIP domain> with the pool's address instead of relying on the wildcard",
		AtPhone: "wait; it tries again by itself",
	}
	reasonRegistrarUnknown = &Reason{
		Name: "registrar_unknown", Effect: Blinds,
		Means:   "it is not known whether phones find a registrar: the resolvers refuse our questions, did not get them in time, or our own machine has no route to them",
		Screen:  "nothing, if the resolvers answer phones; else Cannot sign in",
		Mend:    "allow queries from the exporter's network on those DNS servers (access lists may let phones ask), or see why they are slow",
		AtPhone: "nothing",
	}
	reasonSRVOutside = &Reason{
		Name: "srv_outside_sip_domain", Effect: Blocks,
		Means:   "the SRV target lies outside the SIP domain, which the phone passes over, and nothing else is left",
		Screen:  "Cannot connect to the server",
		Mend:    "create A sip.<SIP domain> with the pool's address, and give the pool's certificate that name",
		AtPhone: "wait; it tries again by itself",
	}
	reasonSRVMissing = &Reason{
		Name: "srv_missing", Effect: Degrades,
		Means:   "the SRV record of the guide's DNS table is missing; phones go on to the next name of their order",
		Screen:  "nothing, or a slow sign-in",
		Mend:    "create SRV _sipinternaltls._tcp port 5061 to the pool (inside) or _sip._tls port 443 to the Access Edge (outside)",
		AtPhone: "nothing",
	}
	reasonSRVTargetUnresolved = &Reason{
		Name: "srv_target_unresolved", Effect: Degrades,
		Means:   "an SRV record points to a name that has no address",
		Screen:  "nothing, or a slow sign-in",
		Mend:    "create the A record of the target, or point the SRV record to a server that exists",
		AtPhone: "nothing",
	}
	reasonSIPAMissing = &Reason{
		Name: "sip_a_missing", Effect: Degrades,
		Means:   "A sip.<SIP domain> is missing, to which phones turn when the SRV record does not serve them",
		Screen:  "nothing while the SRV record serves",
		Mend:    "create A sip.<SIP domain> with the address of the pool (inside) or of the Access Edge (outside)",
		AtPhone: "nothing",
	}
	reasonTimeSRVMissing = &Reason{
		Name: "time_srv_missing", Effect: Degrades,
		Means:   "SRV _ntp._udp.<SIP domain> is missing; phones fall back to time.windows.com",
		Screen:  "nothing while time.windows.com can be reached, else a certificate error",
		Mend:    "create SRV _ntp._udp.<SIP domain> port 123 to a time server that phones can reach",
		AtPhone: "nothing",
	}
	reasonUpdateNameMissing = &Reason{
		Name: "update_name_missing", Effect: Degrades,
		Means:   "A ucupdates-r2.<DHCP domain> is missing; phones on which nobody ever signed in do not update",
		Screen:  "Last Update Status: (0x2ee7/0x0)",
		Mend:    "create A ucupdates-r2.<DHCP domain> with the address of the pool (inside) or of the reverse proxy (outside)",
		AtPhone: "nothing; it asks again after a restart and each 24 hours",
	}
	reasonAutodiscoverMissing = &Reason{
		Name: "autodiscover_missing", Effect: Degrades,
		Means:   "A autodiscover.<SMTP domain> is missing; the phone knows neither SRV nor SCP for Exchange",
		Screen:  "Connection to Microsoft Exchange is unavailable",
		Mend:    "create A autodiscover.<SMTP domain> with the address of the Client Access Server, or set smtp_domain: none",
		AtPhone: "nothing", HardReset: phone.ResetExchange,
	}
	reasonReverseProxyMissing = &Reason{
		Name: "reverse_proxy_missing", Effect: Degrades,
		Means:   "the reverse proxy's name has no address outside; remote phones cannot fetch updates",
		Screen:  "Last Update Status: (0x2ee7/0x0)",
		Mend:    "create the A record of the reverse proxy in the external zone",
		AtPhone: "nothing", HardReset: phone.ResetUpdate,
	}
	reasonResolversDisagree = &Reason{
		Name: "resolvers_disagree", Effect: Degrades,
		Means:   "the resolvers give different answers, so phones end up in different places",
		Screen:  "nothing, or some phones fail and others do not",
		Mend:    "compare the zone's serial on all DNS servers and mend the transfer, or the record that differs",
		AtPhone: "nothing",
	}
	reasonWildcardZone = noting("wildcard_zone",
		"the zone has a wildcard record: names that nobody created get an answer",
		"nothing as long as the real names answer first", "remove the wildcard record if nothing needs it")
	reasonWildcardMisdirects = &Reason{
		Name: "wildcard_misdirects", Effect: Degrades,
		Means:   "a wildcard record answers a concatenated name before the real registrar's turn, and leads phones astray",
		Screen:  "a slow sign-in, or Cannot connect to the server",
		Mend:    "remove the wildcard from the DHCP domain's zone, or create the names it stands in for",
		AtPhone: "wait; it tries again by itself",
	}
	reasonResolverTimeout = &Reason{
		Name: "resolver_timeout", Effect: Degrades,
		Means:   "a resolver does not answer",
		Screen:  "slow sign-in; none when no other resolver answers",
		Mend:    "look at the DNS service on that address and at the firewall for UDP 53 and TCP 53",
		AtPhone: "nothing",
	}
	reasonResolverUnreachable = &Reason{
		Name: "resolver_unreachable", Effect: Degrades,
		Means:   "nothing listens on a resolver's address, or there is no route to it",
		Screen:  "slow sign-in; none when no other resolver answers",
		Mend:    "start the DNS service on that address, or correct DHCP option 006",
		AtPhone: "nothing",
	}
	reasonResolverNoRoute = noting("resolver_no_route",
		"the exporter's own machine has no route to a resolver: it is not known what phones get from it", onlyOurProbe,
		"see that machine's network (ip route get ADDRESS); give the exporter a place from which the phones' networks are reached")
	reasonResolverServfail = &Reason{
		Name: "resolver_servfail", Effect: Degrades,
		Means:   "a resolver answers SERVFAIL: it cannot reach the zone's own servers, or cannot load the zone",
		Screen:  "slow sign-in; none when no other resolver answers",
		Mend:    "look at the DNS server's log for the zone named; for the AD zone, at the domain controllers' DNS",
		AtPhone: "nothing",
	}
	reasonResolverRefused = &Reason{
		Name: "resolver_refused", Effect: Degrades,
		Means:   "a resolver refuses to answer, us at least: an access list or a closed recursion",
		Screen:  "slow sign-in; none when no other resolver answers",
		Mend:    "allow queries from the phones' networks, and from the exporter's, on that DNS server",
		AtPhone: "nothing",
	}
	reasonResolverMalformed = &Reason{
		Name: "resolver_malformed", Effect: Degrades,
		Means:   "what comes back from a resolver is no usable DNS answer",
		Screen:  "slow sign-in; none when no other resolver answers",
		Mend:    "find what answers on that address: a captive portal, a middlebox or another service",
		AtPhone: "nothing",
	}
	reasonResolverSlow = &Reason{
		Name: "resolver_slow", Effect: Degrades,
		Means:   "a resolver answers so slowly that the phone's questions do not end in time",
		Screen:  "slow sign-in",
		Mend:    "look at the load of that DNS server and at where it forwards to; or raise the collector's timeout",
		AtPhone: "nothing",
	}
	reasonResolverTruncated = &Reason{
		Name: "resolver_truncated", Effect: Degrades,
		Means:   "a resolver's answer does not fit into UDP, and TCP port 53 does not bring the rest",
		Screen:  "slow sign-in; none when no other resolver answers",
		Mend:    "open TCP 53 to that resolver, or make the answer shorter",
		AtPhone: "nothing",
	}
)
