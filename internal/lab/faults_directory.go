package lab

import "github.com/cx700/cx700_exporter/internal/phone"

func directoryFaults() []fault {
	directory := func(name, text string, apply func(*state), reasons ...string) fault {
		return fault{Fault{Name: name, Network: "internal", Collector: "directory", Reasons: reasons, Text: text}, apply}
	}
	// Where the CA's name cannot be had from AD, nobody knows whom to ask for certsrv.
	blind := func(f fault) fault {
		return with(f, map[string][]string{"certsrv": {"certsrv_host_unknown"}})
	}
	return []fault{
		directory("ad_ca_empty", "every cACertificate holds the placeholder 0x00", publish(placeholder), "root_empty"),
		directory("ad_ca_garbage", "every cACertificate holds half a certificate",
			publish(rootCertificate[:len(rootCertificate)/2]), "root_unparsable"),
		directory("ad_ca_hidden", "the account has no right to read cACertificate", publish(), "root_hidden"),
		directory("ad_ca_wrong", "another CA's root is published", publish(otherRootCertificate)),
		directory("ad_ca_many", "the phone's own authorities are published too: nothing is wrong", publishesMany),
		directory("ad_ca_gone", "no certificationAuthority object is left", dropsClass(caClass), "root_missing"),
		directory("ad_no_enrolment", "no pKIEnrollmentService object is left", dropsClass(enrolClass), "enrolment_missing"),
		with(directory("dc_down", "nothing listens where DNS says the controller is", controllerDown,
			"dc_unreachable", "dcs_unavailable"), map[string][]string{"certsrv": {"certsrv_host_unknown"}, "wins": {"wins_differs"}}),
		blind(directory("dc_silent", "the domain controller is silent", directoryIs(directorySilent), "dc_silent", "dcs_unavailable")),
		blind(directory("dc_garbage", "what answers at the domain controller is no LDAP",
			directoryIs(directoryBabbles), "dc_malformed", "dcs_unavailable")),
		blind(directory("dc_srv_dropped", "SRV _ldap._tcp.dc._msdcs is gone", drops(controllerSRV), "dc_not_found")),
		directory("ad_domain_a_dropped", "the AD domain itself has no A record", dropsAddress(dhcpDomain), "domain_a_missing"),
		blind(directory("ad_bind_refused", "the account's password is refused", refusesAccount(wrongPassword), "credential_refused")),
		blind(directory("ad_account_disabled", "the account is disabled", refusesAccount(accountDisabled), "account_disabled")),
		blind(directory("ad_referral", "every search answers with a referral", directoryIs(directoryRefers), "search_failed")),
		blind(directory("ad_endless", "a search result never ends", directoryIs(directoryEndless), "search_too_large")),
	}
}

// publishesMany adds an object for each authority that phones have anyway.
func publishesMany(s *state) {
	for _, a := range phone.Authorities() {
		e := authority(a.Name, "CN=Certification Authorities,"+keyServicesDN)
		e.attributes[caCertificate] = []string{string(a.Certificate.Raw)}
		s.directory.configuration.entries = append(s.directory.configuration.entries, e)
	}
}

// controllerDown also ends the connections that clients hold.
func controllerDown(s *state) {
	moved(controllerName, dhcpDomain)(s)
	s.directory.mode = directoryGone
}

func certsrvFaults() []fault {
	certsrv := func(name, text string, apply func(*state), reasons ...string) fault {
		return fault{Fault{Name: name, Network: "internal", Collector: "certsrv", Reasons: reasons, Text: text}, apply}
	}
	does := func(mode certsrvMode) func(*state) {
		return func(s *state) { s.certsrv = mode }
	}
	return []fault{
		certsrv("certsrv_404", "the CA's web server has no certsrv", does(certsrvMissing), "certsrv_not_found"),
		certsrv("certsrv_html", "certsrv answers with a page and status 200", does(certsrvPage), "certsrv_no_certificate"),
		certsrv("certsrv_down", "nothing listens at the CA's web server", moved(caName), "certsrv_unreachable"),
		certsrv("certsrv_anonymous", "certsrv hands the chain out without a logon", does(certsrvOpen), "certsrv_anonymous"),
		certsrv("certsrv_https", "certsrv redirects to https", does(certsrvMovesToTLS), "certsrv_https_only"),
		certsrv("ca_name_dropped", "A ca01 is gone", drops(caName), "certsrv_unresolved"),
	}
}
