package collectors

// The ways in which the exporter's own place fails. None is a phone's trouble.
var (
	reasonVantageLost = &Reason{
		Name: "vantage_lost", Effect: Blinds,
		Means:   "none of the exporter's references answers, no name and no time server: its own network is gone, and what it sees is no phone's trouble",
		Screen:  "nothing: this concerns the exporter's own network only",
		Mend:    "look at the network of the exporter's machine: its card, route and firewall; or write references into vantage that it can reach",
		AtPhone: "nothing",
	}
	reasonVantageClockOff = &Reason{
		Name: "vantage_clock_off", Effect: Blinds,
		Means:   "most of the exporter's time references find its own clock wrong by minutes, so that it judges offsets and certificates wrongly",
		Screen:  "nothing: this concerns the exporter's own clock only",
		Mend:    "set the clock of the exporter's machine right: chronyc tracking and chronyc makestep, or w32tm /resync",
		AtPhone: "nothing",
	}
	reasonVantageSilent = noting("vantage_reference_silent",
		"one of the exporter's references does not answer, or gives no time; the others still tell of its own network and clock",
		"nothing: this concerns the exporter only",
		"see what was seen, and write references into vantage that always answer")
	reasonVantageReferenceOff = noting("vantage_reference_off",
		"a time reference finds the exporter's clock wrong by minutes, but most do not: it is itself wrong, or there are too few to tell",
		"nothing: this concerns the exporter only",
		"see which one is off; take it out of vantage, or add one more to tell which is right")
)
