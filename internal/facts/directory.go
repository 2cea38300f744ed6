package facts

import (
	"crypto/x509"
	"net/netip"
	"time"
)

// Directory is what the domain controllers of the phones' logon domain showed.
type Directory struct {
	// Names is the walk by which the controllers were found.
	Names *Names
	// Domain is the one in which a phone finds its controllers; empty when none answers.
	Domain string
	// Controllers in the order in which a phone tries them; LeftOut more were not looked at.
	Controllers []Controller
	LeftOut     int
}

// Forest is the configuration naming context of the first controller that could be read; empty when none was.
func (d *Directory) Forest() string {
	for i := range d.Controllers {
		if d.Controllers[i].Read() {
			return d.Controllers[i].RootDSE.ConfigurationNC
		}
	}
	return ""
}

// ControllerProblem is what kept us from reading a domain controller.
type ControllerProblem string

// The problems of domain controllers. Those from BindFailed on concern our own logon and not a phone's.
const (
	// NoAddress: the name in the SRV record has no address.
	NoAddress ControllerProblem = "no_address"
	// ControllerUnreachable: nothing listens on the address, or there is no route to it.
	ControllerUnreachable ControllerProblem = "unreachable"
	// ControllerSilent: no answer in time.
	ControllerSilent ControllerProblem = "silent"
	// ControllerMalformed: what answers speaks no LDAP, or closes the connection.
	ControllerMalformed ControllerProblem = "malformed"
	// SearchFailed: the controller answered a search with an error.
	SearchFailed ControllerProblem = "search_failed"
	// SearchTooLarge: the result of a search went beyond what we take.
	SearchTooLarge ControllerProblem = "search_too_large"
	// BindFailed: the controller answered our bind with an error that has no reason of its own.
	BindFailed ControllerProblem = "bind_failed"
	// TLSUntrusted: the certificate of the controller leads to no configured root, or has another name.
	TLSUntrusted ControllerProblem = "tls_untrusted"
	// TLSFailed: no TLS connection could be made.
	TLSFailed ControllerProblem = "tls_failed"
	// StrongAuthRequired: the controller wants signing or TLS for this kind of bind (LDAP result 8).
	StrongAuthRequired ControllerProblem = "strong_auth_required"
	// KerberosRC4: the session key is RC4, with which we cannot bind.
	KerberosRC4 ControllerProblem = "kerberos_rc4"
	// KerberosPrincipal: the KDC does not know the service's name.
	KerberosPrincipal ControllerProblem = "kerberos_principal_unknown"
	// KerberosClock: the KDC finds our clock too far off.
	KerberosClock ControllerProblem = "kerberos_clock_skew"
	// KerberosUnavailable: the KDC could not be talked to, or answered something else.
	KerberosUnavailable ControllerProblem = "kerberos_unavailable"
	// AddressUnknown: no resolver answers the controller's name.
	AddressUnknown ControllerProblem = "address_unknown"
	// Delayed: another probe took all the time for this controller or for the credential.
	Delayed ControllerProblem = "delayed"
	// AccountUnknown: there is no account of that name (sub-code 525).
	AccountUnknown ControllerProblem = "account_unknown"
	// CredentialRefused: the account's password is wrong, or its name (sub-code 52e tells neither).
	CredentialRefused ControllerProblem = "credential_refused"
	// AccountDisabled: sub-code 533.
	AccountDisabled ControllerProblem = "account_disabled"
	// AccountLocked: sub-code 775.
	AccountLocked ControllerProblem = "account_locked"
	// AccountExpired: sub-code 701.
	AccountExpired ControllerProblem = "account_expired"
	// AccountRevoked: disabled, locked out or expired; Kerberos does not tell which.
	AccountRevoked ControllerProblem = "account_revoked"
	// PasswordExpired: sub-codes 532 and 773.
	PasswordExpired ControllerProblem = "password_expired"
	// CredentialUnusable: the secret cannot be read, or may not be sent to this host.
	CredentialUnusable ControllerProblem = "credential_unusable"
)

// ControllerProblems lists every problem.
func ControllerProblems() []ControllerProblem {
	return []ControllerProblem{
		NoAddress, ControllerUnreachable, ControllerSilent, ControllerMalformed, SearchFailed, SearchTooLarge, BindFailed,
		TLSUntrusted, TLSFailed, StrongAuthRequired, KerberosRC4, KerberosPrincipal, KerberosClock, KerberosUnavailable,
		AddressUnknown, Delayed, AccountUnknown, CredentialRefused, AccountDisabled, AccountLocked, AccountExpired, AccountRevoked, PasswordExpired, CredentialUnusable,
	}
}

// Controller is one domain controller.
type Controller struct {
	Host string
	// Address is where we connected to; not valid when there was none.
	Address netip.AddrPort
	Bind    string
	// Problem is empty when the controller could be read; Detail says more.
	Problem ControllerProblem
	Detail  string
	RootDSE RootDSE
	// TLS is what it showed when our connection began, whatever we thought of it; nil without TLS, which phones do not
	// use here either.
	TLS *Shown
	// Denied tells that the search gave no answer we may judge by: anonymous clients are refused or
	// shown nothing. Why is in Detail.
	Denied      bool
	Authorities []AuthorityObject
	Services    []EnrolmentService
	// PasswordExpires is when the probing account's password ends; zero when AD does not show it or it
	// never does.
	PasswordExpires time.Time
}

// Read tells whether what the controller publishes is known.
func (c *Controller) Read() bool { return c.Problem == "" && !c.Denied }

// RootDSE is what a controller says of itself to everybody (RFC 4512 section 5.1).
type RootDSE struct {
	// ConfigurationNC is the naming context of the forest's configuration, named after its root domain.
	ConfigurationNC string
	DefaultNC       string
	DNSHostName     string
	Mechanisms      []string
}

// Container is where in the configuration an authority's object lies. All three hold objects of the class
// certificationAuthority; which of them a phone searches is not known (CONTRACT 2.2).
type Container string

// The containers below CN=Public Key Services,CN=Services in the configuration.
const (
	CertificationAuthorities Container = "certification_authorities"
	AIA                      Container = "aia"
	NTAuth                   Container = "ntauth"
	OtherContainer           Container = "other"
)

// Containers lists the three that are expected.
func Containers() []Container { return []Container{CertificationAuthorities, AIA, NTAuth} }

// PublishState is what a value of cACertificate turned out to be.
type PublishState string

// The states of a published certificate.
const (
	// Populated: a certificate.
	Populated PublishState = "populated"
	// EmptyValue: no or one byte, the placeholder 0x00 that keeps the mandatory attribute there.
	EmptyValue PublishState = "empty"
	// HiddenValue: the attribute is not shown. It is mandatory, so we have no right to read it.
	HiddenValue PublishState = "hidden"
	// Unparsable: bytes that are no certificate.
	Unparsable PublishState = "unparsable"
)

// PublishStates lists the states of a published certificate.
func PublishStates() []PublishState {
	return []PublishState{Populated, EmptyValue, HiddenValue, Unparsable}
}

// AuthorityObject is one object of the class certificationAuthority.
type AuthorityObject struct {
	DN        string
	Name      string
	Container Container
	// Values of cACertificate; one with the state HiddenValue when the attribute is not shown.
	Values []PublishedValue
}

// PublishedValue is one value of cACertificate.
type PublishedValue struct {
	State PublishState
	// Size in bytes.
	Size int
	// Certificate is set when the state is Populated.
	Certificate *Certificate
	// X509 is the same certificate, to verify with.
	X509 *x509.Certificate
	// Detail says why a value is unparsable.
	Detail string
}

// EnrolmentService is one object of the class pKIEnrollmentService: an enterprise CA.
type EnrolmentService struct {
	DN   string
	Name string
	// Host is the attribute dNSHostName; empty when it is missing.
	Host string
}
