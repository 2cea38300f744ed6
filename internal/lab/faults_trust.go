package lab

// trustFaults are certificates with which nothing is wrong but for what phones hold: no collector finds a reason.
func trustFaults() []fault {
	return []fault{
		{Fault{Name: "exchange_other_ca", Network: "internal", Collector: "exchange",
			Text: "Exchange's certificate is of a CA unknown to phones"},
			func(s *state) { s.mail[mailInside].leaf = leafOfForeignMail }},
		{Fault{Name: "update_other_ca_outside", Network: "external", Collector: "update",
			Text: "the reverse proxy's certificate is of a CA unknown to phones"},
			func(s *state) { s.proxy.leaf = leafOfForeignProxy }},
	}
}
