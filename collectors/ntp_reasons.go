package collectors

// The ways in which time fails. What is wrong with one server only degrades, since a phone turns to its
// next source; where that leaves it without the right time, time_unavailable or time_off says so.
var (
	reasonTimeSourceMissing = &Reason{
		Name: "time_source_missing", Effect: Blocks,
		Means:   "neither SRV _ntp._udp.<SIP domain> nor time.windows.com leads to a time server",
		Screen:  "Cannot validate server certificate",
		Mend:    "create SRV _ntp._udp.<SIP domain> port 123 to a time server that phones can reach",
		AtPhone: "wait; it tries again by itself",
	}
	reasonTimeUnavailable = &Reason{
		Name: "time_unavailable", Effect: Blocks, Umbrella: true,
		Means:   "no time server in the phone's order gives time; without it the phone judges certificates by a wrong date",
		Screen:  "Cannot validate server certificate",
		Mend:    "start the time service that SRV _ntp._udp.<SIP domain> names, and open UDP 123 from the phones to it",
		AtPhone: "wait; power-cycle it if the date on its screen stays wrong",
	}
	reasonTimeOff = &Reason{
		Name: "time_off", Effect: Blocks,
		Means:   "the time server that phones use first is wrong by minutes; they take its time as it is",
		Screen:  "Cannot validate server certificate, or sign-in refused",
		Mend:    "set that server's clock right (check the exporter's own clock first: the offset is the server's clock less ours)",
		AtPhone: "power-cycle it, so that it takes the right time",
	}
	reasonTimeServerOff = &Reason{
		Name: "time_server_off", Effect: Degrades,
		Means:   "one of several addresses of a time source is wrong by minutes; some phones take its time",
		Screen:  "Cannot validate server certificate, on some phones",
		Mend:    "set that server's clock right, or take its address out of DNS",
		AtPhone: "power-cycle those that show the error",
	}
	reasonTimeNamesUnanswered = &Reason{
		Name: "time_names_unanswered", Effect: Blinds,
		Means:   "no resolver answers the names of the time sources, so it is not known whether they give time",
		Screen:  "Cannot validate server certificate, if it lasts",
		Mend:    "see what the dns collector says of the resolvers",
		AtPhone: "nothing",
	}
	reasonTimeSilent = &Reason{
		Name: "time_silent", Effect: Degrades,
		Means:   "a time server does not answer",
		Screen:  "nothing while another source gives time",
		Mend:    "look at the time service on that address and at the firewall for UDP 123",
		AtPhone: "nothing",
	}
	reasonTimeUnreachable = &Reason{
		Name: "time_unreachable", Effect: Degrades,
		Means:   "nothing listens on a time server's address, there is no route to it, or its name has no address",
		Screen:  "nothing while another source gives time",
		Mend:    "start the time service on that address, or point SRV _ntp._udp.<SIP domain> to one that runs",
		AtPhone: "nothing",
	}
	reasonTimeUnsynchronised = &Reason{
		Name: "time_unsynchronised", Effect: Degrades,
		Means:   "a time server answers that it has no valid time itself (leap indicator 3, stratum 0 or 16)",
		Screen:  "nothing while another source gives time",
		Mend:    "give that server a source: chronyc sources, or w32tm /query /status and w32tm /resync",
		AtPhone: "nothing",
	}
	reasonTimeKiss = &Reason{
		Name: "time_kiss", Effect: Degrades,
		Means:   "a time server sends kiss-o'-death: it refuses us (DENY, RSTR) or is asked too often (RATE)",
		Screen:  "nothing while another source gives time",
		Mend:    "allow the phones' networks and the exporter's on that server, or raise its rate limit",
		AtPhone: "nothing",
	}
	reasonTimeMalformed = &Reason{
		Name: "time_malformed", Effect: Degrades,
		Means:   "what comes back from a time server is no valid NTP answer",
		Screen:  "nothing while another source gives time",
		Mend:    "find what answers on that address and port",
		AtPhone: "nothing",
	}
)
