package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// ldapPatience is how long the tests wait for a directory, whose TLS takes a busy machine a while.
const ldapPatience = 3 * time.Second

func trustsLab(t testing.TB) *tls.Config {
	t.Helper()
	root, err := x509.ParseCertificate([]byte(rootCertificate))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(root)
	return &tls.Config{RootCAs: pool, ServerName: "dc01.contoso.com"}
}

// dialDC opens a connection to a controller: by ldap, by ldaps, or by ldap with StartTLS.
func dialDC(t *testing.T, c *controller, how string) (*ldap.Conn, error) {
	t.Helper()
	dialer := ldap.DialWithDialer(&net.Dialer{Timeout: ldapPatience})
	if how == "ldaps" {
		conn, err := ldap.DialURL("ldaps://"+c.secure.String(), dialer, ldap.DialWithTLSConfig(trustsLab(t)))
		if err == nil {
			conn.SetTimeout(ldapPatience)
		}
		return conn, err
	}
	conn, err := ldap.DialURL("ldap://"+c.address.String(), dialer)
	if err != nil {
		return nil, err
	}
	conn.SetTimeout(ldapPatience)
	if how == "StartTLS" {
		err = conn.StartTLS(trustsLab(t))
	}
	return conn, err
}

// searches are those of a directory collector.
func searches() map[string]*ldap.SearchRequest {
	subtree := func(base, filter string, attributes ...string) *ldap.SearchRequest {
		return &ldap.SearchRequest{BaseDN: base, Scope: ldap.ScopeWholeSubtree, Filter: filter, Attributes: attributes}
	}
	return map[string]*ldap.SearchRequest{
		"certificates": subtree(configurationDN, "(objectCategory=certificationAuthority)", "cn", "cACertificate"),
		"enrolment":    subtree(configurationDN, "(objectCategory=pKIEnrollmentService)", "dNSHostName"),
		"account": subtree(domainDN, "(|(sAMAccountName=cx700-probe)(userPrincipalName=cx700-probe@contoso.com))",
			"msDS-UserPasswordExpiryTimeComputed"),
	}
}

// tooMany entries are a result without an end.
const tooMany = 100

// collect runs a search, and gives it up when it does not end.
func collect(t *testing.T, conn *ldap.Conn, search *ldap.SearchRequest) (entries []*ldap.Entry, references []string, err error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result := conn.SearchAsync(ctx, search, 0)
	for result.Next() {
		if e := result.Entry(); e != nil {
			entries = append(entries, e)
		}
		if r := result.Referral(); r != "" {
			references = append(references, r)
		}
		if len(entries) > tooMany {
			return entries, references, errEndless
		}
	}
	return entries, references, result.Err()
}

var errEndless = errors.New("endless")

// askDirectory says in a few words what a client that logs on over TLS gets from a search.
func askDirectory(t *testing.T, o *office, search *ldap.SearchRequest) string {
	t.Helper()
	conn, err := dialDC(t, o.controller, "ldaps")
	if err != nil {
		return inWords(err)
	}
	defer conn.Close()
	if err := conn.Bind(accountOf(o.index)+accountDomain, o.password); err != nil {
		return inWords(err)
	}
	entries, _, err := collect(t, conn, search)
	if err != nil {
		return inWords(err)
	}
	var parts []string
	for _, e := range entries {
		parts = append(parts, entryInWords(e))
	}
	if parts == nil {
		return "nothing"
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func entryInWords(e *ldap.Entry) string {
	for _, name := range []string{"dNSHostName", passwordExpiry} {
		if v := e.GetAttributeValue(name); v != "" {
			if name == passwordExpiry && v <= fileTime(time.Now().Add(endsIn)) {
				return "ends soon"
			}
			return v
		}
	}
	container, _, _ := strings.Cut(e.DN[strings.Index(e.DN, ",CN=")+len(",CN="):], ",")
	values := e.GetRawAttributeValues("cACertificate")
	if len(values) != 1 {
		return container + " hidden"
	}
	certificate, err := x509.ParseCertificate(values[0])
	switch {
	case len(values[0]) == 1:
		return container + " empty"
	case err != nil:
		return container + " unparsable"
	}
	return container + " " + certificate.Subject.CommonName
}

func inWords(err error) string {
	var timeout net.Error
	adCode := regexp.MustCompile(`data [0-9a-f]+, v3839`).FindString(err.Error())
	switch {
	case errors.Is(err, errEndless):
		return "endless"
	case adCode != "":
		return strings.TrimSuffix(adCode, ", v3839")
	case ldap.IsErrorWithCode(err, ldap.LDAPResultReferral):
		return "referral"
	case strings.Contains(err.Error(), "timed out") || errors.As(err, &timeout) && timeout.Timeout():
		return "silence"
	case strings.Contains(err.Error(), "invalid length byte"):
		return "garbage"
	case strings.Contains(err.Error(), "EOF") || strings.Contains(err.Error(), "connection"):
		return "closed"
	}
	return err.Error()
}

func TestHealthyDirectory(t *testing.T) {
	o := started(t, 1).offices[0]
	got := map[string]string{}
	for what, search := range searches() {
		got[what] = askDirectory(t, o, search)
	}
	want := map[string]string{
		"certificates": "AIA ContosoCA, Certification Authorities ContosoCA, Public Key Services ContosoCA",
		"enrolment":    "ca01.contoso.com",
		"account":      "141375456000000000",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRootDSE(t *testing.T) {
	c := started(t, 1).offices[0].controller
	for _, how := range []string{"ldap", "ldaps", "StartTLS"} {
		conn, err := dialDC(t, c, how)
		if err != nil {
			t.Fatalf("%s: %v", how, err)
		}
		defer conn.Close()
		entries, _, err := collect(t, conn, &ldap.SearchRequest{Scope: ldap.ScopeBaseObject, Filter: "(objectClass=*)",
			Attributes: []string{"defaultnamingcontext", "configurationNamingContext", "rootDomainNamingContext", "supportedSASLMechanisms",
				"supportedLDAPVersion", "dnsHostName"}})
		if err != nil || len(entries) != 1 {
			t.Fatalf("%s: %d entries, error %v", how, len(entries), err)
		}
		got := map[string][]string{}
		for _, a := range entries[0].Attributes {
			got[a.Name] = a.Values
		}
		want := map[string][]string{
			"defaultNamingContext":       {"DC=contoso,DC=com"},
			"configurationNamingContext": {"CN=Configuration,DC=contoso,DC=com"},
			"rootDomainNamingContext":    {"DC=contoso,DC=com"},
			"supportedSASLMechanisms":    {"GSSAPI", "GSS-SPNEGO"},
			"supportedLDAPVersion":       {"3", "2"},
			"dnsHostName":                {"dc01.contoso.com"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", how, diff)
		}
	}
}

func TestBind(t *testing.T) {
	c := started(t, 1).offices[0].controller
	const mustBind = "In order to perform this operation a successful bind must be completed"
	for _, step := range []struct {
		name     string
		log      func(*ldap.Conn) error
		bindCode uint16
		bindSays string
		search   string
	}{
		{name: "not at all", log: func(*ldap.Conn) error { return nil }, search: mustBind},
		{name: "anonymous", log: func(c *ldap.Conn) error { return c.UnauthenticatedBind("") }, search: mustBind},
		{name: "no password", log: func(c *ldap.Conn) error { return c.UnauthenticatedBind(accountUPN) }, search: mustBind},
		{name: "right", log: func(c *ldap.Conn) error { return c.Bind("CX700-probe@contoso.com", accountPassword) }},
		{
			name: "wrong password", log: func(c *ldap.Conn) error { return c.Bind(accountUPN, "wrong") }, search: mustBind,
			bindCode: 49, bindSays: "80090308: LdapErr: DSID-0C09042A, comment: AcceptSecurityContext error, data 52e, v3839",
		},
		{
			name: "wrong name", log: func(c *ldap.Conn) error { return c.Bind("jens@contoso.com", accountPassword) }, search: mustBind,
			bindCode: 49, bindSays: "data 52e",
		},
		{name: "another mechanism", log: func(c *ldap.Conn) error { return c.ExternalBind() }, search: mustBind, bindCode: 7, bindSays: "no Kerberos"},
		{
			name: "wrong after right", search: mustBind, bindCode: 49, bindSays: "data 52e",
			log: func(c *ldap.Conn) error {
				return errors.Join(c.Bind(accountUPN, accountPassword), c.Bind(accountUPN, "wrong"))
			},
		},
	} {
		t.Run(step.name, func(t *testing.T) {
			conn, err := dialDC(t, c, "ldaps")
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			err = step.log(conn)
			var refused *ldap.Error
			if errors.As(err, &refused) != (step.bindCode != 0) ||
				refused != nil && (refused.ResultCode != step.bindCode || !strings.Contains(err.Error(), step.bindSays)) {
				t.Errorf("bind: %v, want %d %q", err, step.bindCode, step.bindSays)
			}
			_, _, err = collect(t, conn, searches()["enrolment"])
			switch {
			case step.search == "" && err != nil:
				t.Errorf("search: %v", err)
			case step.search != "" && (!ldap.IsErrorWithCode(err, ldap.LDAPResultOperationsError) || !strings.Contains(err.Error(), step.search)):
				t.Errorf("search: %v, want 1 %q", err, step.search)
			}
		})
	}
}

func TestSearch(t *testing.T) {
	c := started(t, 1).offices[0].controller
	conn, err := dialDC(t, c, "StartTLS")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Bind(accountUPN, accountPassword); err != nil {
		t.Fatal(err)
	}
	const base, one, sub = ldap.ScopeBaseObject, ldap.ScopeSingleLevel, ldap.ScopeWholeSubtree
	toSchema := []string{"ldap://contoso.com/CN=Schema,CN=Configuration,DC=contoso,DC=com"}
	toConfiguration := []string{"ldap://contoso.com/CN=Configuration,DC=contoso,DC=com"}
	for _, s := range []struct {
		base       string
		scope      int
		filter     string
		want       int
		references []string
	}{
		{configurationDN, sub, "(objectClass=*)", 10, toSchema},
		{"cn=configuration, dc=Contoso, dc=COM", sub, "(objectClass=*)", 10, toSchema},
		{servicesDN, sub, "(objectCategory=CertificationAuthority)", 3, nil},
		{keyServicesDN, one, "(objectClass=certificationAuthority)", 1, nil},
		{"CN=AIA," + keyServicesDN, one, "(objectClass=*)", 1, nil},
		{"CN=NTAuthCertificates," + keyServicesDN, base, "(objectClass=*)", 1, nil},
		{configurationDN, base, "(objectClass=*)", 1, nil},
		{servicesDN, sub, "(!(objectClass=container))", 4, nil},
		{servicesDN, sub, "(&(cn=ContosoCA)(objectClass=certificationAuthority))", 2, nil},
		{servicesDN, sub, "(cn=Contoso*)", 0, nil},
		{servicesDN, sub, "(userPrincipalName=*)", 0, nil},
		{domainDN, sub, "(userPrincipalName=*)", 1, toConfiguration},
		{domainDN, sub, "(cACertificate=*)", 0, toConfiguration},
		{domainDN, one, "(objectClass=*)", 1, nil},
	} {
		request := &ldap.SearchRequest{BaseDN: s.base, Scope: s.scope, Filter: s.filter, Attributes: []string{"cn"}}
		entries, references, err := collect(t, conn, request)
		if err != nil || len(entries) != s.want || !slices.Equal(references, s.references) {
			t.Errorf("%s, scope %d, %s: %d entries, want %d; references %q; error %v",
				s.base, s.scope, s.filter, len(entries), s.want, references, err)
		}
	}
	for dn, code := range map[string]uint16{
		"CN=Elsewhere," + configurationDN: ldap.LDAPResultNoSuchObject,
		"DC=fabrikam,DC=com":              ldap.LDAPResultNoSuchObject,
		"no name":                         ldap.LDAPResultInvalidDNSyntax,
	} {
		if _, _, err := collect(t, conn, &ldap.SearchRequest{BaseDN: dn, Scope: sub, Filter: "(objectClass=*)"}); !ldap.IsErrorWithCode(err, code) {
			t.Errorf("%s: %v, want code %d", dn, err, code)
		}
	}
}

func TestAttributes(t *testing.T) {
	c := started(t, 1).offices[0].controller
	conn, err := dialDC(t, c, "ldaps")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Bind(accountUPN, accountPassword); err != nil {
		t.Fatal(err)
	}
	all := []string{"authorityRevocationList", "cACertificate", "certificateRevocationList", "cn", "distinguishedName",
		"objectCategory", "objectClass"}
	for _, step := range []struct{ wanted, want []string }{
		{nil, all},
		{[]string{"*"}, all},
		{[]string{"CACERTIFICATE", "cn", "cn"}, []string{"cACertificate", "cn"}},
		{[]string{"cACertificate;binary", "dNSHostName"}, nil},
		{[]string{"1.1"}, nil},
	} {
		entries, _, err := collect(t, conn, &ldap.SearchRequest{BaseDN: "CN=ContosoCA,CN=AIA," + keyServicesDN,
			Scope: ldap.ScopeBaseObject, Filter: "(objectClass=*)", Attributes: step.wanted})
		if err != nil || len(entries) != 1 {
			t.Fatalf("%d entries, error %v", len(entries), err)
		}
		var got []string
		for _, a := range entries[0].Attributes {
			got = append(got, a.Name)
		}
		if !slices.Equal(got, step.want) {
			t.Errorf("asked for %q: %q, want %q", step.wanted, got, step.want)
		}
	}
}

// A held connection must show a fault as soon as a new one does.
func TestHeldConnection(t *testing.T) {
	for fault, want := range map[string]string{
		"dc_down": "closed", "dc_garbage": "garbage", "dc_silent": "silence", "ad_bind_refused": "closed",
		"ad_referral": "referral", "ad_endless": "endless",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			l := started(t, 1)
			conn, err := dialDC(t, l.offices[0].controller, "ldaps")
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.Bind(accountUPN, accountPassword); err != nil {
				t.Fatal(err)
			}
			if err := l.Set(fault); err != nil {
				t.Fatal(err)
			}
			if _, _, err := collect(t, conn, searches()["enrolment"]); err == nil || inWords(err) != want {
				t.Errorf("%v, want %s", err, want)
			}
		})
	}
}

// A result without an end ends with its client, and with the lab.
func TestEndlessResultEnds(t *testing.T) {
	existing := goleak.IgnoreCurrent()
	for _, clientFirst := range []bool{true, false} {
		l, err := Start(1)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Set("ad_endless"); err != nil {
			t.Fatal(err)
		}
		conn, err := dialDC(t, l.offices[0].controller, "ldaps")
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Bind(accountUPN, accountPassword); err != nil {
			t.Fatal(err)
		}
		if _, _, err := collect(t, conn, searches()["certificates"]); !errors.Is(err, errEndless) {
			t.Errorf("the search ended: %v", err)
		}
		if clientFirst {
			conn.Close()
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		conn.Close()
	}
	goleak.VerifyNone(t, existing)
}

// FuzzAnswer gives a controller's parsers what they were never meant to get.
func FuzzAnswer(f *testing.F) {
	for _, op := range []*ber.Packet{
		operation(ldap.ApplicationBindRequest, octets("3"), octets(accountUPN), octets(accountPassword)),
		operation(ldap.ApplicationSearchRequest),
		operation(ldap.ApplicationExtendedRequest, octets(startTLS)),
	} {
		f.Add(message(1, op))
	}
	filter, err := ldap.CompileFilter("(&(objectClass=*)(!(|(cn=a)(cn=b*))))")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(message(1, searchRequest(keyServicesDN, ldap.ScopeWholeSubtree, filter)))
	s := healthyDirectory(0)
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ber.DecodePacketErr(data)
		if err != nil {
			return
		}
		_, op, ok := parseMessage(p)
		if !ok {
			return
		}
		if result, loggedOn := s.bind(op); loggedOn && result.code != ldap.LDAPResultSuccess {
			t.Errorf("logged on with code %d", result.code)
		}
		if q, ok := parseQuery(op); ok {
			if found, _, result := s.find(q); len(found) > 0 && result.code != ldap.LDAPResultSuccess {
				t.Errorf("%d entries with code %d", len(found), result.code)
			}
		}
	})
}

// searchRequest is a search for all attributes, with the limits and options that the lab does not heed.
func searchRequest(base string, scope int64, filter *ber.Packet) *ber.Packet {
	enumerated := func(v int64) *ber.Packet {
		return ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, v, "")
	}
	zero := ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, int64(0), "")
	typesOnly := ber.NewBoolean(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, false, "")
	return operation(ldap.ApplicationSearchRequest, octets(base), enumerated(scope), enumerated(0), zero, zero, typesOnly, filter, sequence())
}

// What is no LDAP ends the connection and nothing else.
func TestNoLDAP(t *testing.T) {
	o := started(t, 1).offices[0]
	c := o.controller
	for _, bytes := range [][]byte{
		[]byte("GET / HTTP/1.1\r\n\r\n"),
		{0x30, 0xff},
		{0x30, 0x00},
		{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 0x02},
		message(1, operation(ldap.ApplicationBindRequest)),
		message(1, operation(ldap.ApplicationSearchRequest)),
		message(1, operation(ldap.ApplicationExtendedRequest)),
		message(1, operation(ldap.ApplicationAddRequest)),
	} {
		conn, err := net.Dial("tcp", c.address.String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(ldapPatience)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(bytes); err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		var timeout net.Error
		for err = nil; err == nil; {
			_, err = conn.Read(make([]byte, 512))
		}
		if errors.As(err, &timeout) && timeout.Timeout() {
			t.Errorf("% x: the connection stays", bytes)
		}
	}
	if got := askDirectory(t, o, searches()["enrolment"]); got != "ca01.contoso.com" {
		t.Errorf("afterwards: %q", got)
	}
}
