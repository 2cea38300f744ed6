//go:build linux

package bed

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// Logon is one attempt to log on that a domain controller saw.
type Logon struct {
	// Account is the name as the client gave it.
	Account string
	// Service is "LDAP" or "Kerberos KDC". Kerberos logs on at both: at the
	// KDC for the first ticket, then at LDAP with a ticket for it.
	Service string
	// Status is the outcome, such as NT_STATUS_WRONG_PASSWORD.
	Status string
}

// OK tells whether the logon succeeded.
func (l Logon) OK() bool {
	return l.Status == "NT_STATUS_OK"
}

// logonEvent is the part of Samba's audit record that is used here. LDAP
// with a Kerberos ticket leaves an authorisation only, all else an
// authentication and then perhaps an authorisation.
type logonEvent struct {
	Type           string
	Authentication struct {
		Status             string
		ServiceDescription string
		ClientAccount      string
	}
	Authorization struct {
		ServiceDescription string
		AuthType           string
		Account            string
	}
}

// Logons lists all logons that the domain controller on the host saw since
// it was started first, in order.
func (b *Bed) Logons(host Host) ([]Logon, error) {
	s, err := b.domainController(host)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(s.logFile())
	if err != nil {
		return nil, err
	}
	var list []Logon
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, `{"timestamp":`) {
			continue
		}
		var e logonEvent
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			return nil, fmt.Errorf("bed: %s: %w in %q", host, err, line)
		}
		switch authorised := e.Authorization; {
		case e.Type == "Authentication":
			list = append(list, Logon{
				Account: e.Authentication.ClientAccount,
				Service: e.Authentication.ServiceDescription,
				Status:  e.Authentication.Status,
			})
		case authorised.AuthType == "krb5" && authorised.ServiceDescription == "LDAP":
			list = append(list, Logon{Account: authorised.Account, Service: "LDAP", Status: "NT_STATUS_OK"})
		}
	}
	return list, nil
}
