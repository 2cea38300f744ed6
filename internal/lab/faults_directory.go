package lab

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/phone"
)

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
		blind(directory("ad_account_expired", "the account has expired", refusesAccount(accountExpired), "account_expired")),
		blind(directory("ad_account_locked", "the account is locked out", refusesAccount(accountLocked), "account_locked")),
		blind(directory("ad_password_expired", "the account's password has expired", refusesAccount(passwordExpired), "password_expired")),
		blind(directory("ad_bind_busy", "the controller is too busy for a logon", directoryIs(directoryBusy), "bind_failed")),
		blind(directory("ad_wants_signing", "the controller wants signing", directoryIs(directoryWantsSigning), "strong_auth_required")),
		blind(directory("ad_denied", "the account may search for nothing", directoryIs(directoryDenies), "search_denied")),
		blind(directory("dc_deaf", "the controller ends every TLS handshake", directoryIs(directoryDeaf), "tls_failed")),
		blind(directory("dc_wrong_name", "the controller's certificate is for another name", directoryIs(directoryOtherName), "tls_untrusted")),
		with(directory("dc_name_dropped", "A dc01 is gone", drops(controllerName), "dc_unresolved", "dcs_unavailable"),
			map[string][]string{"certsrv": {"certsrv_host_unknown"}, "dns": {"srv_target_unresolved"}}),
		blind(directory("dc_elsewhere", "the SRV record leads to a host that may not get the password", leadsToController("dc01.fabrikam.com."), "credential_unusable")),
		directory("dc_stranger", "a second controller shows the certificate of the first", alsoControllers(secondControllerName), "dc_not_read"),
		with(directory("dc_many", "DNS names too many controllers, most without an address", alsoControllers(gone(12)...), "dc_unresolved", "dcs_left_out"), map[string][]string{"dns": {"srv_target_unresolved"}}),
		directory("ad_ca_one_empty", "one of two roots is empty", publishesBroken, "ca_object_unusable"),
		directory("ad_aia_empty", "the cACertificate in CN=AIA holds the placeholder 0x00", emptiesAIA),
		directory("ad_replicating", "a second controller lacks an authority that the first has", func(s *state) {
			behind := s.directory.configuration
			s.directory.replica = &behind
			publishesBuiltIn(s, phone.Authorities()[:1])
			alsoControllers(secondControllerName)(s)
		}, "replicating"),
		directory("ad_password_ends", "the account's password ends in ten days: nothing is wrong yet", passwordEndsSoon),
		directory("ad_enrolment_hostless", "the pKIEnrollmentService names no host", hidesHost, "enrolment_host_missing"),
		blind(directory("ad_referral", "every search answers with a referral", directoryIs(directoryRefers), "search_failed")),
		blind(directory("ad_endless", "a search result never ends", directoryIs(directoryEndless), "search_too_large")),
	}
}

// publishesMany adds an object for each authority that phones have anyway.
func publishesMany(s *state) { publishesBuiltIn(s, phone.Authorities()) }

func publishesBuiltIn(s *state, authorities []phone.Authority) {
	for _, a := range authorities {
		e := authority(a.Name, "CN=Certification Authorities,"+keyServicesDN)
		e.attributes[caCertificate] = []string{string(a.Certificate.Raw)}
		s.directory.configuration.entries = append(s.directory.configuration.entries, e)
	}
}

// publishesBroken adds an object that holds nothing of use.
func publishesBroken(s *state) {
	e := authority("EmptyCA", "CN=Certification Authorities,"+keyServicesDN)
	e.attributes[caCertificate] = []string{placeholder}
	s.directory.configuration.entries = append(s.directory.configuration.entries, e)
}

func emptiesAIA(s *state) {
	for _, e := range s.directory.configuration.entries {
		if strings.HasSuffix(e.dn, ",CN=AIA,"+keyServicesDN) {
			e.attributes[caCertificate] = []string{placeholder}
		}
	}
}

func passwordEndsSoon(s *state) {
	for _, e := range s.directory.domain.entries {
		if _, has := e.attributes[passwordExpiry]; has {
			e.attributes[passwordExpiry] = []string{fileTime(time.Now().Add(endsIn))}
		}
	}
}

func hidesHost(s *state) {
	for _, e := range s.directory.configuration.entries {
		if slices.Contains(e.attributes["objectClass"], enrolClass) {
			delete(e.attributes, "dNSHostName")
		}
	}
}

// leadsToController gives the domain another controller in the stead of its own, at the same address.
func leadsToController(name string) func(*state) {
	return func(s *state) {
		drops(controllerSRV)(s)
		alsoControllers(name)(s)
	}
}

// alsoControllers adds controllers to the SRV record. Those whose names begin with dc have the address of dc01.
func alsoControllers(names ...string) func(*state) {
	return func(s *state) {
		for _, i := range []int{inside1, inside2} {
			for _, name := range names {
				s.resolvers[i].records[controllerSRV] = append(s.resolvers[i].records[controllerSRV], srv(controllerSRV, ldapPort, name))
			}
		}
		for _, name := range names {
			if strings.HasPrefix(name, "dc") {
				joins(name, controllerName)(s)
			}
		}
	}
}

// gone makes names of controllers that are no more, so short that they fit into a packet.
func gone(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("g%02d.contoso.com.", i))
	}
	return out
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
		return func(s *state) { s.certsrv.mode = mode }
	}
	troubled := func(t webTrouble) func(*state) { return func(s *state) { s.certsrv.trouble = t } }
	return append(webFaults("certsrv", "certsrv", "the CA's web server", troubled, "silent", "garbage", "403", "418", "500"),
		certsrv("certsrv_basic", "certsrv offers no logon that phones know", troubled(basicOnly()), "certsrv_no_windows_logon"),
		certsrv("ca_name_unanswered", "no resolver can say where ca01 is", failsFor(caName), "certsrv_names_unanswered"),
		certsrv("certsrv_404", "the CA's web server has no certsrv", does(certsrvMissing), "certsrv_not_found"),
		certsrv("certsrv_html", "certsrv answers with a page and status 200", does(certsrvPage), "certsrv_no_certificate"),
		certsrv("certsrv_down", "nothing listens at the CA's web server", moved(caName), "certsrv_unreachable"),
		certsrv("certsrv_anonymous", "certsrv hands the chain out without a logon", does(certsrvOpen), "certsrv_anonymous"),
		certsrv("certsrv_https", "certsrv redirects to https", does(certsrvMovesToTLS), "certsrv_https_only"),
		certsrv("ca_name_dropped", "A ca01 is gone", drops(caName), "certsrv_unresolved"))
}
