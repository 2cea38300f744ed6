package reach

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"

	"github.com/cx700/cx700_exporter/internal/facts"
)

const (
	kdcPort = "88"
	// maxKDCMessage is far more than tickets with large authorization data take.
	maxKDCMessage = 256 << 10
)

// principal takes a username apart. A NetBIOS domain is no realm: the realm of the directory stands in.
func principal(username, directoryRealm string) (name, realm string) {
	if domain, user, ok := strings.Cut(username, `\`); ok {
		if strings.Contains(domain, ".") {
			return user, strings.ToUpper(domain)
		}
		return user, directoryRealm
	}
	user, domain, _ := strings.Cut(username, "@")
	return user, strings.ToUpper(domain)
}

// withKerberos logs on at a KDC and lets use have the client, for as long as the context goes on. The
// client is gone afterwards: nothing renews its tickets behind our back.
func (w Way) withKerberos(ctx context.Context, kdc netip.Addr, username, directoryRealm string, s Secret, use func(*client.Client) error) error {
	relay, err := startKDCRelay(ctx, w, kdc)
	if err != nil {
		return problem(facts.KerberosUnavailable, "no way to the KDC: %v", err)
	}
	defer func() { _ = relay.close() }() // what it met is told where it stopped the logon
	name, realm := principal(username, directoryRealm)
	krb5, err := kerberosConfig(realm, relay.address())
	if err != nil {
		return problem(facts.KerberosUnavailable, "realm %q: %v", realm, err)
	}
	c := client.NewWithPassword(name, realm, s.Password, krb5, client.DisablePAFXFAST(true))
	if s.Keytab != nil {
		c = client.NewWithKeytab(name, realm, s.Keytab, krb5, client.DisablePAFXFAST(true))
	}
	defer c.Destroy()
	if err := c.Login(); err != nil {
		return relay.explainLogin(err)
	}
	if err := use(c); err != nil {
		return relay.explain(err)
	}
	return nil
}

// kerberosConfig names one KDC by address, so that the library looks nothing up by itself.
func kerberosConfig(realm, kdc string) (*config.Config, error) {
	if strings.ContainsAny(realm, " \t\r\n{}=") || realm == "" {
		return nil, errors.New("not a realm's name")
	}
	const encryption = "aes256-cts-hmac-sha1-96 aes128-cts-hmac-sha1-96"
	return config.NewFromString(fmt.Sprintf(`[libdefaults]
default_realm = %[1]s
dns_lookup_kdc = false
dns_lookup_realm = false
udp_preference_limit = 1
default_tkt_enctypes = %[3]s
default_tgs_enctypes = %[3]s
permitted_enctypes = %[3]s
[realms]
%[1]s = {
 kdc = %[2]s
}
`, realm, kdc, encryption))
}

// kdcRelay stands between the Kerberos library and a KDC. The library dials by itself, without a context,
// and trusts the length that a KDC announces; the relay dials by connect_to and bounds time and size.
type kdcRelay struct {
	listener net.Listener
	cancel   context.CancelFunc
	done     chan error // one, when the relay has ended: what went wrong last
	last     error
	ended    bool
}

func startKDCRelay(ctx context.Context, w Way, kdc netip.Addr) (*kdcRelay, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	r := &kdcRelay{listener: listener, cancel: cancel, done: make(chan error, 1)}
	go func() {
		defer stop()
		var last error
		for {
			conn, err := listener.Accept()
			if err != nil {
				r.done <- last
				return
			}
			if err := relayOne(ctx, w, conn, net.JoinHostPort(kdc.String(), kdcPort)); err != nil {
				last = err
			}
		}
	}()
	return r, nil
}

func (r *kdcRelay) address() string { return r.listener.Addr().String() }

// close ends the relay and returns the last error that it met with the KDC.
func (r *kdcRelay) close() error {
	if !r.ended {
		r.cancel()
		r.last, r.ended = <-r.done, true
	}
	return r.last
}

// relayOne passes one request and its answer (RFC 4120 section 7.2.2).
func relayOne(ctx context.Context, w Way, conn net.Conn, kdc string) error {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	request, err := readKDCMessage(conn)
	if err != nil {
		return nil // somebody else's connection
	}
	out, err := w.Dial(ctx, "tcp", kdc)
	if err != nil {
		return err
	}
	defer out.Close()
	defer context.AfterFunc(ctx, func() { out.Close() })()
	if _, err := out.Write(request); err != nil {
		return err
	}
	answer, err := readKDCMessage(out)
	if err != nil {
		return err
	}
	if err := vetKDCMessage(answer[headLength:]); err != nil {
		return err
	}
	_, err = conn.Write(answer)
	return err
}

// headLength is that of the length before a message.
const headLength = 4

func readKDCMessage(r io.Reader) ([]byte, error) {
	var head [headLength]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxKDCMessage {
		return nil, fmt.Errorf("a message of %d bytes", size)
	}
	out := make([]byte, len(head)+int(size))
	copy(out, head[:])
	_, err := io.ReadFull(r, out[len(head):])
	return out, err
}

// kdcErrors tells what the library's texts mean; it keeps no codes (RFC 4120 section 7.5.9).
var kdcErrors = [...]struct {
	text string
	kind facts.ControllerProblem
}{
	{"KDC_ERR_PREAUTH_FAILED", facts.CredentialRefused},
	{"KDC_ERR_C_PRINCIPAL_UNKNOWN", facts.AccountUnknown},
	{"client password/keytab incorrect", facts.CredentialRefused},
	{"KDC_ERR_CLIENT_REVOKED", facts.AccountRevoked},
	{"KDC_ERR_NAME_EXP", facts.AccountExpired},
	{"KDC_ERR_KEY_EXPIRED", facts.PasswordExpired},
	{"KRB_AP_ERR_SKEW", facts.KerberosClock},
	{"KDC_ERR_S_PRINCIPAL_UNKNOWN", facts.KerberosPrincipal},
	{"matching key not found in keytab", facts.CredentialUnusable},
	{"wrong Token ID", facts.KerberosRC4},
	{"KDC_ERR_ETYPE_NOSUPP", facts.KerberosRC4},
}

// kdcTroubles are errors of a KDC that say nothing about the account. Any other, after a logon was sent,
// counts as a refusal: it would come again, and be counted, at each try.
var kdcTroubles = [...]string{
	"KRB_AP_ERR_SKEW", "KDC_ERR_SVC_UNAVAILABLE", "KRB_ERR_GENERIC", "KDC_ERR_ETYPE_NOSUPP", "KDC_ERR_WRONG_REALM",
	"KDC_ERR_S_PRINCIPAL_UNKNOWN", "KRB_ERR_RESPONSE_TOO_BIG",
}

// explainLogin turns an error of the first exchange with a KDC into a problem.
func (r *kdcRelay) explainLogin(err error) error {
	p := r.explain(err)
	text := err.Error()
	told := strings.Contains(text, "KRB Error: (")
	trouble := slices.ContainsFunc(kdcTroubles[:], func(t string) bool { return strings.Contains(text, t) })
	if p.Kind == facts.KerberosUnavailable && told && !trouble {
		p.Kind = facts.CredentialRefused
	}
	return p
}

// explain turns an error of the library into a problem.
func (r *kdcRelay) explain(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	last := r.close()
	if errors.As(last, &p) {
		return p
	}
	text := err.Error()
	for _, e := range kdcErrors {
		if strings.Contains(text, e.text) {
			return problem(e.kind, "Kerberos: %s", printable(text))
		}
	}
	if last != nil {
		return problem(facts.KerberosUnavailable, "the KDC on port %s: %v", kdcPort, last)
	}
	return problem(facts.KerberosUnavailable, "Kerberos: %s", printable(text))
}

// remaining is how long a context still goes on; at least a moment, since zero means for ever to go-ldap.
func remaining(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return time.Minute
	}
	return max(time.Until(deadline), time.Millisecond)
}
