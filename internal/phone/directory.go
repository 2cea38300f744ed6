package phone

import (
	"slices"
	"strings"
)

// srvController is the SRV record of a domain's controllers, less the domain (guide page 42).
const srvController = "_ldap._tcp.dc._msdcs."

// LogonDomains lists the domains in which a phone looks for a domain controller, in its order and with
// the repetitions of the guide's example (page 42): a DNS name is taken as it is; a NetBIOS name is
// tried bare, then with the domain of DHCP option 015, then with each suffix of option 119 appended.
func (d Domains) LogonDomains() []string {
	switch {
	case d.Logon == "":
		return nil
	case strings.Contains(d.Logon, "."):
		return []string{d.Logon}
	}
	out := []string{d.Logon}
	for _, suffix := range append([]string{d.DHCP}, d.Search...) {
		if suffix != "" {
			out = append(out, d.Logon+"."+suffix)
		}
	}
	return out
}

// ControllerService is the name of the SRV record that leads to a domain's controllers.
func ControllerService(domain string) string { return srvController + domain }

// directoryQuestions lists the SRV records of LogonDomains and the A records of those domains, each once.
// The phone asks for the A record of its AD domain before it fetches a certificate (guide page 19, step 14).
func (d Domains) directoryQuestions() []Question {
	var out []Question
	for _, domain := range d.LogonDomains() {
		srv := Question{ControllerService(domain), SRV, ForDirectory, false}
		if !slices.Contains(out, srv) {
			out = append(out, srv, Question{domain, A, ForDirectory, false})
		}
	}
	return out
}

// FindControllers follows LogonDomains up to the first domain that has controllers. It returns that
// domain, empty when there is none, and its controllers in the order of RFC 2782.
func (d Domains) FindControllers(find Find) (domain string, controllers []Service) {
	for _, domain := range d.LogonDomains() {
		if services := find(ControllerService(domain), SRV).Services; len(services) > 0 {
			return domain, ByPriority(services)
		}
	}
	return "", nil
}
