package lab

// trustFaults are certificates with which nothing is wrong but for what phones hold. A collector finds a reason only where
// the exporter's own account is not sent there.
func trustFaults() []fault {
	return []fault{
		{Fault{Name: "exchange_other_ca", Network: "internal", Collector: "exchange", Reasons: []string{"exchange_untrusted"},
			Text: "Exchange's certificate is of a CA unknown to phones"},
			func(s *state) { s.mail[mailInside].leaf = leafOfForeignMail }},
		{Fault{Name: "update_other_ca_outside", Network: "external", Collector: "update",
			Text: "the reverse proxy's certificate is of a CA unknown to phones"},
			func(s *state) { s.proxy.leaf = leafOfForeignProxy }},
		{Fault{Name: "pool_wildcard", Network: "internal", Collector: "pool",
			Text: "the pool's certificate has its names by a wildcard only"},
			func(s *state) { s.pool[firstFrontEnd].leaf = leafWildcard }},
		{Fault{Name: "pool_sha2", Network: "internal", Collector: "pool",
			Text: "the pool's certificate is signed with SHA-256"},
			func(s *state) { s.pool[firstFrontEnd].leaf = leafSHA2 }},
		{Fault{Name: "rollover_ahead", Network: "internal", Collector: "directory",
			Text: "another CA's root is published beside the pool's"},
			func(s *state) {
				e := authority("AnotherContosoCA", "CN=Certification Authorities,"+keyServicesDN)
				e.attributes[caCertificate] = []string{otherRootCertificate}
				s.directory.configuration.entries = append(s.directory.configuration.entries, e)
			}},
		{Fault{Name: "rollover", Network: "internal", Collector: "directory",
			Text: "another CA's root is published, and the pool is of that CA"},
			func(s *state) {
				publish(otherRootCertificate)(s)
				s.pool[firstFrontEnd].leaf = leafOfForeignPool
			}},
	}
}
