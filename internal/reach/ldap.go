package reach

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
	"github.com/go-ldap/ldap/v3/gssapi"
	"github.com/jcmturner/gokrb5/v8/client"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/site"
)

const (
	ldapsPort = 636
	// maxLDAPMessage bounds one message of a server; go-ldap takes 2 GiB by itself.
	maxLDAPMessage = 4 << 20
	// maxEntries and maxAnswer bound the result of one search, maxAnswer in bytes on the wire.
	maxEntries = 1000
	maxAnswer  = 16 << 20
	// longestLogon bounds one logon, so that a controller that hangs does not keep the account from the others.
	longestLogon = 5 * time.Second
)

var boundLDAP = sync.OnceFunc(func() { ber.MaxPacketLengthBytes = maxLDAPMessage })

// session is a connection to a domain controller on which we have logged on.
type session struct {
	conn    *ldap.Conn
	noted   *notedConn
	address netip.AddrPort
	rootDSE facts.RootDSE
	// secret is what was logged on with.
	secret secretSum
	// shown is what the controller showed when TLS began; nil without TLS.
	shown *facts.Shown
}

// notedConn remembers what ended reading, since go-ldap keeps only a text of it, and reads no more than it
// was granted.
type notedConn struct {
	net.Conn
	last    atomic.Pointer[error]
	granted atomic.Int64
}

var errTooMuch = errors.New("more bytes than the answer may have")

func (c *notedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.granted.Add(-int64(n)) < 0 {
		n, err = 0, errTooMuch
	}
	if err != nil {
		c.last.Store(&err)
	}
	return n, err
}

// controller is how one domain controller is reached and logged on to.
type controller struct {
	way    Way
	host   string
	port   uint16
	access site.Directory
	guard  *Guard
	// shown is the last thing that the controller showed over TLS, also where we did not like it.
	shown *facts.Shown
}

// open connects to the first address that lets us, reads the rootDSE and logs on.
func (c *controller) open(ctx context.Context, addresses []netip.Addr) (*session, error) {
	boundLDAP()
	roots, err := ReadRoots(c.access.RootFiles)
	if err != nil {
		return nil, problem(facts.CredentialUnusable, "the roots of directory.roots cannot be read: %v", err)
	}
	var s *session
	for _, a := range addresses[:min(len(addresses), maxControllerAddresses)] {
		if s, err = c.connect(ctx, a, roots); err == nil || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	if err = c.begin(ctx, s, roots); err != nil {
		s.close()
		return nil, err
	}
	s.shown = c.shown
	return s, nil
}

// connect opens the connection, with TLS where the bind wants it from the start.
func (c *controller) connect(ctx context.Context, a netip.Addr, roots []*x509.Certificate) (*session, error) {
	address := netip.AddrPortFrom(a, c.port)
	if c.access.Bind == site.BindLDAPS {
		address = netip.AddrPortFrom(a, ldapsPort)
	}
	raw, err := c.way.Dial(ctx, "tcp", address.String(), c.host)
	if err != nil {
		return nil, dialProblem(address, err)
	}
	noted := &notedConn{Conn: raw}
	noted.granted.Store(maxAnswer) // for TLS and the logon
	s := &session{noted: noted, address: address}
	if c.access.Bind == site.BindLDAPS {
		secured := tls.Client(noted, c.verified(address, roots))
		err := secured.HandshakeContext(ctx)
		c.noteUnverified(address, err)
		if err != nil {
			raw.Close()
			return nil, tlsProblem(address, err)
		}
		s.conn = ldap.NewConn(secured, true)
	} else {
		s.conn = ldap.NewConn(noted, false)
	}
	s.conn.SetTimeout(remaining(ctx))
	s.conn.Start()
	return s, nil
}

// startTLS turns TLS on. The controller has answered on this connection, so what fails is TLS.
func (s *session) startTLS(config *tls.Config) error {
	err := s.conn.StartTLS(config)
	if err == nil {
		return nil
	}
	if p := tlsProblem(s.address, err); p.Kind == facts.TLSUntrusted {
		return p
	}
	return problem(facts.TLSFailed, "%s: StartTLS: %s", s.address, printable(err.Error()))
}

func dialProblem(address netip.AddrPort, err error) *Problem {
	if TimedOut(err) {
		return problem(facts.ControllerSilent, "%s: %v", address, err)
	}
	return problem(facts.ControllerUnreachable, "%s: %v", address, err)
}

func tlsProblem(address netip.AddrPort, err error) *Problem {
	text := err.Error()
	switch {
	case strings.Contains(text, untrustedMark), strings.Contains(text, "x509: "):
		return problem(facts.TLSUntrusted, "%s: %s", address, printable(text))
	case TimedOut(err):
		return problem(facts.ControllerSilent, "%s: TLS: %v", address, err)
	default:
		return problem(facts.TLSFailed, "%s: TLS: %s", address, printable(text))
	}
}

// begin reads the rootDSE, turns TLS on where the bind wants it now, logs on, and lets the connection live
// on without a deadline.
func (c *controller) begin(ctx context.Context, s *session, roots []*x509.Certificate) error {
	if err := s.readRootDSE(ctx); err != nil {
		return err
	}
	if c.access.Bind == site.BindStartTLS {
		if err := s.startTLS(c.verified(s.address, roots)); err != nil {
			return err
		}
		if err := s.readRootDSE(ctx); err != nil { // what was said before TLS could be anybody's word
			return err
		}
	}
	if err := c.logon(ctx, s); err != nil {
		return err
	}
	return s.noted.SetDeadline(time.Time{})
}

func (c *controller) logon(ctx context.Context, s *session) error {
	if c.access.Credential == nil {
		return nil // LDAP begins anonymous (RFC 4513 section 5.1)
	}
	return c.guard.Use(ctx, c.access.Credential, c.host, func(secret Secret) error {
		ctx, cancel := context.WithTimeout(ctx, longestLogon)
		defer cancel()
		s.secret = secret.sum
		s.conn.SetTimeout(remaining(ctx))
		if c.access.Bind != site.BindKerberos {
			return s.bindProblem(s.conn.Bind(c.access.Credential.Username, secret.Password))
		}
		return c.way.withKerberos(ctx, s.address.Addr(), c.access.Credential.Username, realmOf(s.rootDSE.DefaultNC), secret,
			func(k *client.Client) error {
				err := s.conn.GSSAPIBind(&gssapi.Client{Client: k}, "ldap/"+c.host, "")
				if result := new(ldap.Error); errors.As(err, &result) {
					return s.bindProblem(err)
				}
				return err
			})
	})
}

// realmOf makes CONTOSO.COM of DC=contoso,DC=com.
func realmOf(dn string) string {
	parsed, err := ldap.ParseDN(dn)
	if err != nil {
		return ""
	}
	var labels []string
	for _, rdn := range parsed.RDNs {
		if a := rdn.Attributes[0]; strings.EqualFold(a.Type, "DC") {
			labels = append(labels, a.Value)
		}
	}
	return strings.ToUpper(strings.Join(labels, "."))
}

func (s *session) close() {
	s.conn.SetTimeout(time.Second)
	_ = s.conn.Close() // it is not used any more
}

// adData is AD's sub-code in the diagnostic message of a refused bind.
var adData = regexp.MustCompile(`data ([0-9a-fA-F]+)`)

// bindCodes are the sub-codes that AD tells (Windows error codes in hex).
var bindCodes = map[string]facts.ControllerProblem{
	"525": facts.CredentialRefused, "52e": facts.CredentialRefused, "530": facts.CredentialRefused, "531": facts.CredentialRefused,
	"532": facts.PasswordExpired, "773": facts.PasswordExpired, "533": facts.AccountDisabled,
	"701": facts.AccountExpired, "775": facts.AccountLocked,
}

func (s *session) bindProblem(err error) error {
	result := new(ldap.Error)
	if err == nil || !errors.As(err, &result) {
		return err
	}
	switch result.ResultCode {
	case ldap.LDAPResultInvalidCredentials:
		kind := facts.CredentialRefused
		if m := adData.FindStringSubmatch(err.Error()); m != nil {
			if k, known := bindCodes[strings.ToLower(m[1])]; known {
				kind = k
			}
		}
		return problem(kind, "%s: %s", s.address, printable(err.Error()))
	case ldap.LDAPResultStrongAuthRequired, ldap.LDAPResultConfidentialityRequired:
		return problem(facts.StrongAuthRequired, "%s: %s", s.address, printable(err.Error()))
	}
	if result.ResultCode >= ldap.ErrorNetwork {
		return s.networkProblem(err)
	}
	return problem(facts.BindFailed, "%s: %s", s.address, printable(err.Error()))
}

// networkProblem tells what happened to a connection on which no usable answer came.
func (s *session) networkProblem(err error) *Problem {
	var cause error
	if last := s.noted.last.Load(); last != nil {
		cause = *last
	}
	switch {
	case errors.Is(cause, errTooMuch):
		return problem(facts.SearchTooLarge, "%s: it sent more than %d MiB for one answer", s.address, maxAnswer>>20)
	case cause != nil && TimedOut(cause), strings.Contains(err.Error(), "timed out"), TimedOut(err):
		return problem(facts.ControllerSilent, "%s: no answer in time", s.address)
	case errors.Is(cause, io.EOF), errors.Is(cause, syscall.ECONNRESET):
		return problem(facts.ControllerMalformed, "%s: it closed the connection", s.address)
	case cause != nil && Unreachable(cause):
		return problem(facts.ControllerUnreachable, "%s: %v", s.address, cause)
	default:
		return problem(facts.ControllerMalformed, "%s: %s", s.address, printable(err.Error()))
	}
}

// printable shortens a server's text and takes out what would disturb a terminal or a log.
func printable(text string) string {
	const longest = 300
	text = strings.Map(func(r rune) rune {
		if r == '\ufffd' || !strconv.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	return text
}

// cleanName tells whether a distinguished name can be a label value and a line of text.
func cleanName(dn string) bool {
	const longest = 256
	return len(dn) <= longest && printable(dn) == dn
}

func (s *session) readRootDSE(ctx context.Context) error {
	entries, err := s.search(ctx, "", ldap.ScopeBaseObject, "(objectClass=*)",
		"configurationNamingContext", "defaultNamingContext", "dnsHostName", "supportedSASLMechanisms")
	if err != nil {
		return err
	}
	if len(entries) != 1 {
		return problem(facts.ControllerMalformed, "%s: no rootDSE", s.address)
	}
	e := entries[0]
	s.rootDSE = facts.RootDSE{
		ConfigurationNC: e.GetAttributeValue("configurationNamingContext"),
		DefaultNC:       e.GetAttributeValue("defaultNamingContext"),
		DNSHostName:     e.GetAttributeValue("dnsHostName"),
		Mechanisms:      e.GetAttributeValues("supportedSASLMechanisms"),
	}
	if dn, err := ldap.ParseDN(s.rootDSE.ConfigurationNC); err != nil || len(dn.RDNs) < 2 || !cleanName(s.rootDSE.ConfigurationNC) {
		return problem(facts.ControllerMalformed, "%s: its rootDSE names no usable configurationNamingContext: it is no domain controller", s.address)
	}
	return nil
}

// deniedError is the answer of a server that does not let us search.
type deniedError struct{ detail string }

func (e *deniedError) Error() string { return e.detail }

// search returns the entries of a result, referrals left out. A result beyond our bounds, or none in time,
// is a *Problem, after which the session must not be used again.
func (s *session) search(ctx context.Context, base string, scope int, filter string, attributes ...string) ([]*ldap.Entry, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.conn.SetTimeout(remaining(ctx))
	s.noted.granted.Store(maxAnswer)
	request := ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases, 0, 0, false, filter, attributes, nil)
	results := s.conn.SearchAsync(ctx, request, 0)
	var out []*ldap.Entry
	count := 0
	for results.Next() {
		if e := results.Entry(); e != nil { // else a referral to another naming context
			out = append(out, e)
		}
		if count++; count > maxEntries {
			return nil, problem(facts.SearchTooLarge, "%s: the search below %q gave more than %d entries", s.address, base, maxEntries)
		}
	}
	err := results.Err()
	switch {
	case err != nil:
		return nil, s.searchProblem(err)
	case ctx.Err() != nil:
		return nil, problem(facts.ControllerSilent, "%s: no answer in time", s.address)
	case s.conn.IsClosing():
		return nil, s.networkProblem(errors.New("the connection ended"))
	}
	return out, nil
}

func (s *session) searchProblem(err error) error {
	result := new(ldap.Error)
	if !errors.As(err, &result) {
		return s.networkProblem(err)
	}
	switch result.ResultCode {
	case ldap.LDAPResultOperationsError, ldap.LDAPResultInsufficientAccessRights:
		return &deniedError{fmt.Sprintf("%s: %s", s.address, printable(err.Error()))}
	case ldap.LDAPResultNoSuchObject:
		return errNoSuchObject
	}
	if result.ResultCode >= ldap.ErrorNetwork {
		return s.networkProblem(err)
	}
	return problem(facts.SearchFailed, "%s: %s", s.address, printable(err.Error()))
}

var errNoSuchObject = errors.New("no such object, or no right to see it")
