package lab

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// The naming contexts of Contoso's forest, and where its CAs are published.
const (
	domainDN        = "DC=contoso,DC=com"
	configurationDN = "CN=Configuration," + domainDN
	schemaDN        = "CN=Schema," + configurationDN
	servicesDN      = "CN=Services," + configurationDN
	keyServicesDN   = "CN=Public Key Services," + servicesDN
	usersDN         = "CN=Users," + domainDN
)

// The account of the lab's exporter at the first site. The password opens nothing but the lab, and is no
// secret.
const (
	accountName     = "cx700-probe"
	accountUPN      = accountName + accountDomain
	accountDomain   = "@contoso.com"
	accountPassword = "Contoso-lab-2007"
)

// accountOf is the exporter's account at a site. Each has its own, since each site has a directory of its own
// that may refuse it.
func accountOf(site int) string {
	if site == 0 {
		return accountName
	}
	return fmt.Sprintf("%s-%03d", accountName, site+1)
}

// The attributes that faults change, and the classes of objects.
const (
	caCertificate  = "cACertificate"
	passwordExpiry = "msDS-UserPasswordExpiryTimeComputed"
	caClass        = "certificationAuthority"
	enrolClass     = "pKIEnrollmentService"
)

// placeholder is what AD writes where its schema wants a value and there is none: seen with Samba in
// cACertificate and in both revocation lists of an emptied object.
const placeholder = "\x00"

// Codes of AcceptSecurityContext, by which AD says why it refuses a logon.
const (
	wrongPassword   = "52e"
	accountDisabled = "533"
	accountExpired  = "701"
	accountLocked   = "775"
	passwordExpired = "532"
)

type directoryMode int

const (
	directoryAnswers directoryMode = iota
	directoryGone
	directorySilent
	directoryBabbles
	directoryRefers
	directoryEndless
	directoryBusy
	directoryWantsSigning
	directoryDenies
	directoryDeaf
	directoryOtherName
)

// directoryState is what a domain controller holds and how it behaves.
type directoryState struct {
	mode directoryMode
	// refusal is the code with which the account's right password is refused; empty when it is taken.
	refusal string
	// account and password are those of the exporter.
	account       string
	password      string
	rootDSE       entry
	configuration partition
	domain        partition
	// replica is what the second controller holds in the stead of configuration; nil where there is none.
	replica *partition
}

// partition is a naming context, with the one below it to which its DC refers clients; empty without one.
type partition struct {
	dn, below string
	entries   []entry
}

// entry is an object of the directory. Its attributes are named as they are spelt in the schema.
type entry struct {
	dn         string
	attributes map[string][]string
}

// healthyDirectory is what a DC of Contoso holds: the root, published where AD CS publishes it.
func healthyDirectory(site int) directoryState {
	account := accountOf(site)
	return directoryState{
		account: account, password: accountPassword,
		rootDSE: entry{attributes: map[string][]string{
			"defaultNamingContext":       {domainDN},
			"rootDomainNamingContext":    {domainDN},
			"configurationNamingContext": {configurationDN},
			"schemaNamingContext":        {schemaDN},
			"namingContexts":             {domainDN, configurationDN, schemaDN},
			"dnsHostName":                {"dc01.contoso.com"},
			"supportedLDAPVersion":       {"3", "2"},
			"supportedSASLMechanisms":    {"GSSAPI", "GSS-SPNEGO"},
			"supportedExtension":         {startTLS},
		}},
		configuration: partition{dn: configurationDN, below: schemaDN, entries: []entry{
			object(configurationDN, "configuration", nil),
			object(servicesDN, "container", nil),
			object(keyServicesDN, "container", nil),
			object("CN=Certification Authorities,"+keyServicesDN, "container", nil),
			object("CN=AIA,"+keyServicesDN, "container", nil),
			object("CN=Enrollment Services,"+keyServicesDN, "container", nil),
			authority("ContosoCA", "CN=Certification Authorities,"+keyServicesDN),
			authority("ContosoCA", "CN=AIA,"+keyServicesDN),
			authority("NTAuthCertificates", keyServicesDN),
			object("CN=ContosoCA,CN=Enrollment Services,"+keyServicesDN, enrolClass, map[string][]string{
				"cn": {"ContosoCA"}, "dNSHostName": {"ca01.contoso.com"}, caCertificate: {rootCertificate},
			}),
		}},
		domain: partition{dn: domainDN, below: configurationDN, entries: []entry{
			object(domainDN, "domainDNS", nil),
			object(usersDN, "container", nil),
			object("CN="+account+","+usersDN, "user", map[string][]string{
				"cn": {account}, "sAMAccountName": {account}, "userPrincipalName": {account + accountDomain},
				passwordExpiry: {fileTime(time.Date(2049, 1, 1, 0, 0, 0, 0, time.UTC))},
			}),
		}},
	}
}

// object is an entry with the attributes that all have. AD keeps a DN as objectCategory and takes the
// class's name in filters; the lab keeps the name.
func object(dn, class string, attributes map[string][]string) entry {
	all := map[string][]string{
		"distinguishedName": {dn}, "objectClass": {"top", class}, "objectCategory": {class},
	}
	for name, values := range attributes {
		all[name] = values
	}
	return entry{dn, all}
}

func authority(cn, container string) entry {
	return object("CN="+cn+","+container, caClass, map[string][]string{
		"cn": {cn}, caCertificate: {rootCertificate},
		"authorityRevocationList": {placeholder}, "certificateRevocationList": {placeholder},
	})
}

// fileTime is a moment as AD writes it: tenths of microseconds since 1601 (MS-DTYP section 2.3.3).
func fileTime(t time.Time) string {
	const secondsTo1970 = 11644473600
	return strconv.FormatInt((t.Unix()+secondsTo1970)*1e7, 10)
}

// publish gives every object that has a cACertificate these values; without any it is hidden, as from
// an account that has no right to read it.
func publish(values ...string) func(*state) {
	return func(s *state) {
		for _, e := range s.directory.configuration.entries {
			if _, has := e.attributes[caCertificate]; !has {
				continue
			}
			if len(values) == 0 {
				delete(e.attributes, caCertificate)
				continue
			}
			e.attributes[caCertificate] = values
		}
	}
}

func directoryIs(mode directoryMode) func(*state) {
	return func(s *state) { s.directory.mode = mode }
}

func refusesAccount(code string) func(*state) {
	return func(s *state) { s.directory.refusal = code }
}

// dropsClass deletes the objects of a class.
func dropsClass(class string) func(*state) {
	return func(s *state) {
		c := &s.directory.configuration
		c.entries = slices.DeleteFunc(c.entries, func(e entry) bool {
			return slices.Contains(e.attributes["objectClass"], class)
		})
	}
}
