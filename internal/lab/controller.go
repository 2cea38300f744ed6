package lab

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// controller is a domain controller: LDAP on one port, and the same over TLS on another. The server is our
// own because that of github.com/jimlambrt/gldap waits at its end for every client to hang up, cannot send
// a search result reference, and does not say which free port it took.
type controller struct {
	address, secure netip.AddrPort
	ports           []*tcpServer
}

func startController(config *tls.Config, current func() *directoryState) (*controller, error) {
	c := &controller{}
	for _, port := range []struct {
		address *netip.AddrPort
		overTLS bool
	}{{&c.address, false}, {&c.secure, true}} {
		s, err := startTCP(func(conn net.Conn) {
			talk := &conversation{conn: conn, config: config, current: current}
			talk.run(port.overTLS)
		})
		if err != nil {
			return nil, errors.Join(err, c.close())
		}
		c.ports = append(c.ports, s)
		*port.address = s.address
	}
	return c, nil
}

func (c *controller) close() error {
	var errs []error
	for _, s := range c.ports {
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}

// secure is the TLS of a controller, by the name that the client asks for.
func (s *directoryState) secure(identity *identities, name string) (*tls.Config, error) {
	switch s.mode {
	case directoryDeaf:
		return nil, errors.New("the lab's fault")
	case directoryOtherName:
		return &tls.Config{Certificates: []tls.Certificate{identity.pool[leafOfProxy]}}, nil
	case directoryAnswers:
		if s.isSecond(name) {
			return identity.secondController, nil
		}
	}
	return identity.controller, nil
}

// isSecond tells whether a name in TLS is that of the second controller, while there is one.
func (s *directoryState) isSecond(name string) bool {
	return s.replica != nil && name+"." == secondControllerName
}

// maxRequest is far more than a request takes.
const maxRequest = 64 << 10

// conversation is one client's connection.
type conversation struct {
	conn    net.Conn
	in      *bufio.Reader
	config  *tls.Config
	current func() *directoryState
	bound   bool // the client has logged on
}

func (c *conversation) run(overTLS bool) {
	if c.current().mode == directorySilent {
		// No TLS handshake either.
		_, _ = io.Copy(io.Discard, c.conn)
		return
	}
	c.in = bufio.NewReader(c.conn)
	if overTLS {
		c.secure()
	}
	for {
		p, err := ber.ReadPacket(io.LimitReader(c.in, maxRequest))
		if err != nil || !c.answer(c.state(), p) {
			return
		}
	}
}

// state is what the controller holds to which the client turned.
func (c *conversation) state() *directoryState {
	s := c.current()
	over, ok := c.conn.(*tls.Conn)
	if !ok || !s.isSecond(over.ConnectionState().ServerName) {
		return s
	}
	second := *s
	second.configuration = *s.replica
	return &second
}

// secure goes on over TLS; its handshake comes with the next request.
func (c *conversation) secure() {
	c.conn = tls.Server(c.conn, c.config)
	c.in = bufio.NewReader(c.conn)
}

// answer answers one message and tells whether the conversation goes on.
func (c *conversation) answer(s *directoryState, p *ber.Packet) bool {
	id, op, ok := parseMessage(p)
	switch {
	case !ok || s.mode == directoryGone:
		return false
	case c.bound && s.refusal != "":
		// A held connection would hide until its next logon that the account is refused.
		return false
	case s.mode == directorySilent:
		return true
	case s.mode == directoryBabbles:
		// A length that BER forbids (X.690 section 8.1.3.5).
		_, _ = c.conn.Write([]byte{0x30, 0xff, 0xff, 0xff})
		return false
	}
	switch op.Tag {
	case ldap.ApplicationBindRequest:
		var result outcome
		result, c.bound = s.bind(op)
		return c.send(id, result.packet(ldap.ApplicationBindResponse))
	case ldap.ApplicationSearchRequest:
		return c.search(s, id, op)
	case ldap.ApplicationExtendedRequest:
		return c.extend(id, op)
	case ldap.ApplicationAbandonRequest:
		return true
	default: // unbind, and what no exporter sends
		return false
	}
}

func (c *conversation) send(id int64, op *ber.Packet) bool {
	_, err := c.conn.Write(message(id, op))
	return err == nil
}

func (c *conversation) extend(id int64, op *ber.Packet) bool {
	if len(op.Children) == 0 || content(op.Children[0]) != startTLS {
		result := outcome{code: ldap.LDAPResultProtocolError, diagnostic: "the lab knows no extended operation but StartTLS"}
		return c.send(id, result.packet(ldap.ApplicationExtendedResponse))
	}
	if !c.send(id, outcome{}.packet(ldap.ApplicationExtendedResponse)) {
		return false
	}
	c.secure()
	return true
}

func (c *conversation) search(s *directoryState, id int64, op *ber.Packet) bool {
	const done = ldap.ApplicationSearchResultDone
	q, ok := parseQuery(op)
	switch {
	case !ok:
		return false
	case q.base == "" && q.scope == ldap.ScopeBaseObject:
		return c.send(id, s.rootDSE.packet(q.attributes)) && c.send(id, outcome{}.packet(done))
	case !c.bound, s.mode == directoryDenies:
		return c.send(id, outcome{code: ldap.LDAPResultOperationsError, diagnostic: "000004DC: LdapErr: DSID-0C090A5C, comment: " +
			"In order to perform this operation a successful bind must be completed on the connection., data 0, v3839"}.packet(done))
	case s.mode == directoryRefers:
		return c.send(id, outcome{code: ldap.LDAPResultReferral, referral: referralTo(q.base)}.packet(done))
	}
	found, below, result := s.find(q)
	for again := true; again; again = len(found) > 0 && c.current().mode == directoryEndless {
		for _, e := range found {
			if !c.send(id, e.packet(q.attributes)) {
				return false
			}
		}
	}
	if below != "" && !c.send(id, reference(below)) {
		return false
	}
	return c.send(id, result.packet(done))
}

// bind judges a bind request (RFC 4511 section 4.2). One that succeeds without a password is no logon.
func (s *directoryState) bind(op *ber.Packet) (result outcome, loggedOn bool) {
	const simple = 0 // the tag of its choice
	if len(op.Children) < 3 {
		return outcome{code: ldap.LDAPResultProtocolError}, false
	}
	refused := func(code string) (outcome, bool) {
		return outcome{code: ldap.LDAPResultInvalidCredentials,
			diagnostic: "80090308: LdapErr: DSID-0C09042A, comment: AcceptSecurityContext error, data " + code + ", v3839"}, false
	}
	name, proof := content(op.Children[1]), op.Children[2]
	switch {
	case proof.Tag != simple:
		return outcome{code: ldap.LDAPResultAuthMethodNotSupported, diagnostic: "the lab has no Kerberos: bind with a password"}, false
	case content(proof) == "": // anonymous
		return outcome{}, false
	case !strings.EqualFold(name, s.account+accountDomain) || content(proof) != s.password:
		return refused(wrongPassword)
	case s.refusal != "":
		return refused(s.refusal)
	case s.mode == directoryBusy:
		return outcome{code: ldap.LDAPResultBusy}, false
	case s.mode == directoryWantsSigning:
		return outcome{code: ldap.LDAPResultStrongAuthRequired, diagnostic: "00002028: LdapErr: DSID-0C0901FC"}, false
	default:
		return outcome{}, true
	}
}
