package reach

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/site"
)

const (
	// maxControllers and maxControllerAddresses bound what one look at a directory asks: no more controllers than have an
	// address, since one walk resolves maxTargets hosts of all SRV records.
	maxControllers         = 12
	maxControllerAddresses = 4
	// sessionKept is how long a connection is held that nobody uses.
	sessionKept = 15 * time.Minute
	// maxValues bounds what is kept of one object.
	maxValues = 64
	// publicKeyServices is where the configuration keeps authorities ([MS-WCCE] section 2.2.2.11).
	publicKeyServices = "CN=Public Key Services,CN=Services,"
)

// Directories reads what domain controllers publish, over one held connection for each controller. Probes
// share looks: at a whole directory those of one round, at a controller also those of other sites.
type Directories struct {
	guard       *Guard
	rounds      *rounds[*facts.Directory]
	controllers *rounds[facts.Controller]

	mu   sync.Mutex
	held map[string]*heldSession
}

// heldSession is a place for a connection; who has the turn may use it.
type heldSession struct {
	turn    chan struct{}
	session *session // nil while there is none
	used    time.Time
	backoff backoff
}

// NewDirectories returns a reader of directories; Close ends it.
func NewDirectories(g *Guard) *Directories {
	d := &Directories{guard: g, rounds: newRounds[*facts.Directory](), controllers: newRounds[facts.Controller](), held: map[string]*heldSession{}}
	d.controllers.inTurn = true
	return d
}

// Close ends what is under way and all held connections.
func (d *Directories) Close() {
	d.controllers.close()
	d.rounds.close()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, h := range d.held {
		if h.session != nil {
			h.session.close()
		}
	}
	clear(d.held)
}

// Read reads every controller of the phones' logon domain, as names tells which they are. It takes a part of
// what is left of the context's time; probes with the same timeout share a look.
func (d *Directories) Read(ctx context.Context, w Way, domains phone.Domains, access site.Directory,
	names *facts.Names, find phone.Find, due time.Time, timeout time.Duration) (*facts.Directory, error) {
	const share = 6 // of ten: what was found is judged in the rest, and certsrv asks the CA
	key := fmt.Sprint(w, domains, accessKey(access), timeout)
	return d.rounds.get(ctx, key, due, remaining(ctx)*share/10, func(ctx context.Context) *facts.Directory {
		d.dropIdle(time.Now())
		out := &facts.Directory{Names: names}
		var services []phone.Service
		out.Domain, services = domains.FindControllers(find)
		out.LeftOut = max(0, len(services)-maxControllers)
		services = services[:len(services)-out.LeftOut]
		out.Controllers = make([]facts.Controller, len(services))
		Parallel(len(services), func(i int) {
			c := &controller{way: w, host: services[i].Target, port: services[i].Port, access: access, guard: d.guard}
			out.Controllers[i] = d.controller(ctx, c, names, find(c.host, phone.A).Addresses, due)
		})
		return out
	})
}

func accessKey(a site.Directory) string {
	name := ""
	if a.Credential != nil {
		name = a.Credential.Name + " " + a.Credential.Username
	}
	return fmt.Sprint(a.Bind, name, a.RootFiles)
}

func (d *Directories) place(key string) *heldSession {
	d.mu.Lock()
	defer d.mu.Unlock()
	h := d.held[key]
	if h == nil {
		h = &heldSession{turn: make(chan struct{}, 1)}
		d.held[key] = h
	}
	h.used = time.Now()
	return h
}

// dropIdle closes the connections of controllers that are not read any more.
func (d *Directories) dropIdle(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key, h := range d.held {
		if now.Sub(h.used) < sessionKept {
			continue
		}
		select {
		case h.turn <- struct{}{}: // not given back: the place is gone
			if h.session != nil {
				h.session.close()
			}
			delete(d.held, key)
		default:
		}
	}
}

// controller reads one controller, or shares the look of another site that leads to it by the same addresses.
func (d *Directories) controller(ctx context.Context, c *controller, names *facts.Names, addresses []netip.Addr, due time.Time) facts.Controller {
	out := facts.Controller{Host: c.host, Bind: string(cmp.Or(c.access.Bind, site.BindAnonymous))}
	credential := c.access.Credential
	switch {
	case len(addresses) == 0 && !settled(names, c.host):
		out.Problem, out.Detail = facts.AddressUnknown, "no resolver answers "+c.host
		return out
	case len(addresses) == 0:
		out.Problem, out.Detail = facts.NoAddress, c.host+" has no address"
		return out
	case credential != nil && !credential.Allows(c.host):
		out.Problem = facts.CredentialUnusable
		out.Detail = fmt.Sprintf("credential %s may not be sent to %s: its allowed_hosts do not name it", credential.Name, c.host)
		return out
	}
	addresses = slices.SortedFunc(slices.Values(addresses), netip.Addr.Compare)
	key := fmt.Sprint(c.way.ConnectTo, c.host, c.port, addresses, accessKey(c.access))
	found, err := d.controllers.get(ctx, key, due, remaining(ctx)*9/10, func(ctx context.Context) facts.Controller {
		return d.readController(ctx, c, key, addresses, out)
	})
	if err != nil { // the look may begin yet, with what it was given
		delayed := out
		delayed.Problem, delayed.Detail = facts.Delayed, "another probe of "+c.host+" took all the time"
		return delayed
	}
	return found
}

// settled tells whether some resolver said that a name has an address or has none.
func settled(names *facts.Names, host string) bool {
	return slices.ContainsFunc(names.Walks, func(w facts.Walk) bool {
		return slices.ContainsFunc(w.Lookups, func(l facts.Lookup) bool {
			return l.Name == host && l.Type == phone.A && l.Outcome.Settled()
		})
	})
}

func (d *Directories) readController(ctx context.Context, c *controller, key string, addresses []netip.Addr, out facts.Controller) facts.Controller {
	h := d.place(key)
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		out.Problem, out.Detail = facts.Delayed, "the connection to "+c.host+" is being closed"
		return out
	}
	err := c.greetAsPhone(ctx, addresses)
	if err == nil {
		err = c.onlyOurs(d.useSession(ctx, c, h, addresses, &out))
	}
	if out.TLS = c.shown; h.session != nil {
		out.TLS = h.session.shown
	}
	var p *Problem
	var denied *deniedError
	switch {
	case err == nil:
	case errors.As(err, &denied):
		out.Denied, out.Detail = true, denied.detail
	case errors.As(err, &p):
		out.Problem, out.Detail = p.Kind, p.Detail
	default:
		out.Problem, out.Detail = facts.SearchFailed, err.Error()
	}
	return out
}

// greetAsPhone reads the rootDSE on the port that phones use, where our own session is on another.
func (c *controller) greetAsPhone(ctx context.Context, addresses []netip.Addr) error {
	if c.access.Bind != site.BindLDAPS {
		return nil
	}
	plain := &controller{way: c.way, host: c.host, port: c.port}
	s, err := plain.open(ctx, addresses)
	if err != nil {
		return err
	}
	s.close()
	return nil
}

// onlyOurs keeps what is wrong with the port of LDAPS, which phones do not use, from being taken for the
// controller's failure.
func (c *controller) onlyOurs(err error) error {
	var p *Problem
	if c.access.Bind != site.BindLDAPS || !errors.As(err, &p) {
		return err
	}
	switch p.Kind {
	case facts.ControllerUnreachable, facts.ControllerSilent, facts.ControllerMalformed:
		return problem(facts.TLSFailed, "port %d answers phones, but %s", c.port, p.Detail)
	default:
		return err
	}
}

// useSession reads over the held connection, and over a new one when there is none or it turns out to be
// dead: controllers end connections that are idle for long, and firewalls forget them. One that was logged on with
// another secret than the credential has now is ended.
func (d *Directories) useSession(ctx context.Context, c *controller, h *heldSession, addresses []netip.Addr, out *facts.Controller) error {
	if credential := c.access.Credential; h.session != nil && credential != nil && h.session.secret.replaced(credential) {
		h.session.close()
		h.session, h.backoff = nil, backoff{}
	}
	if h.session != nil {
		const share = 3 // a dead connection must leave time for a new one
		short, cancel := context.WithTimeout(ctx, remaining(ctx)/share)
		defer cancel()
		if err := h.read(short, c, out); h.session != nil || ctx.Err() != nil {
			return err
		}
	}
	if err := h.backoff.rests(time.Now()); err != nil {
		return err
	}
	s, err := c.open(ctx, addresses)
	if err == nil {
		h.session = s
		err = h.read(ctx, c, out)
	}
	if c.access.Credential != nil {
		h.backoff.note(time.Now(), err)
	}
	return err
}

// read reads what the controller publishes; a connection that cannot be used any more is closed.
func (h *heldSession) read(ctx context.Context, c *controller, out *facts.Controller) error {
	s := h.session
	out.Address, out.RootDSE = s.address, s.rootDSE
	err := s.readPublished(ctx, c, out)
	var p *Problem
	if errors.As(err, &p) && p.Kind != facts.SearchFailed {
		s.close()
		h.session = nil
	}
	return err
}

// readPublished searches the configuration as a phone does: by category, from its root on.
func (s *session) readPublished(ctx context.Context, c *controller, out *facts.Controller) error {
	configuration := s.rootDSE.ConfigurationNC
	authorities, err := s.search(ctx, configuration, ldap.ScopeWholeSubtree, "(objectCategory=certificationAuthority)", "cn", "cACertificate")
	if err != nil {
		return err
	}
	services, err := s.search(ctx, configuration, ldap.ScopeWholeSubtree, "(objectCategory=pKIEnrollmentService)", "cn", "dNSHostName")
	if err != nil {
		return err
	}
	out.Authorities, out.Services = nil, nil
	for _, e := range authorities {
		out.Authorities = append(out.Authorities, authorityOf(e))
	}
	order := append(facts.Containers(), facts.OtherContainer)
	slices.SortStableFunc(out.Authorities, func(a, b facts.AuthorityObject) int {
		return slices.Index(order, a.Container) - slices.Index(order, b.Container)
	})
	for _, e := range services {
		out.Services = append(out.Services, facts.EnrolmentService{
			DN: printable(e.DN), Name: printable(e.GetAttributeValue("cn")), Host: hostOf(e.GetAttributeValue("dNSHostName")),
		})
	}
	if err := s.proveNothingHidden(ctx, c, out); err != nil {
		return err
	}
	return s.readPasswordExpiry(ctx, c, out)
}

// proveNothingHidden tells an empty result from one of a client that is shown nothing: who may see the
// container of the roots may see that there are none in it.
func (s *session) proveNothingHidden(ctx context.Context, c *controller, out *facts.Controller) error {
	if slices.ContainsFunc(out.Authorities, func(a facts.AuthorityObject) bool { return a.Container == facts.CertificationAuthorities }) {
		return nil
	}
	if c.access.Credential == nil {
		return &deniedError{fmt.Sprintf("%s: an anonymous search shows no authorities, which proves nothing", s.address)}
	}
	container := "CN=Certification Authorities," + publicKeyServices + s.rootDSE.ConfigurationNC
	entries, err := s.search(ctx, container, ldap.ScopeBaseObject, "(objectClass=*)", "cn")
	if errors.Is(err, errNoSuchObject) || err == nil && len(entries) == 0 {
		return &deniedError{fmt.Sprintf("%s: the account is not shown %s", s.address, container)}
	}
	return err
}

// readPasswordExpiry asks AD when the probing account's own password ends. That it is not told is no
// finding.
func (s *session) readPasswordExpiry(ctx context.Context, c *controller, out *facts.Controller) error {
	if c.access.Credential == nil || s.rootDSE.DefaultNC == "" {
		return nil
	}
	const expiry = "msDS-UserPasswordExpiryTimeComputed"
	name, _ := principal(c.access.Credential.Username, "")
	filter := fmt.Sprintf("(|(userPrincipalName=%s)(sAMAccountName=%s))",
		ldap.EscapeFilter(c.access.Credential.Username), ldap.EscapeFilter(name))
	entries, err := s.search(ctx, s.rootDSE.DefaultNC, ldap.ScopeWholeSubtree, filter, expiry)
	var p *Problem
	if errors.As(err, &p) && p.Kind != facts.SearchFailed {
		return err
	}
	if err == nil && len(entries) == 1 { // a controller of another domain does not know the account
		out.PasswordExpires = fileTime(entries[0].GetAttributeValue(expiry))
		c.guard.PasswordExpires(c.access.Credential.Name, out.PasswordExpires)
	}
	return nil
}

// fileTime reads a Windows FILETIME, 100 ns since 1601; zero when it says never ([MS-ADTS] 3.1.1.4.5.41).
func fileTime(text string) time.Time {
	const (
		never      = 1<<63 - 1
		toUnix     = 11644473600 // seconds from 1601 to 1970
		perSecond  = 1e7
		nanosecond = 100
	)
	ticks, err := strconv.ParseInt(text, 10, 64)
	if err != nil || ticks <= 0 || ticks == never {
		return time.Time{}
	}
	return time.Unix(ticks/perSecond-toUnix, ticks%perSecond*nanosecond).UTC()
}

// hostOf cleans a host name out of the directory.
func hostOf(value string) string {
	return printable(strings.ToLower(strings.TrimSuffix(strings.TrimSpace(value), ".")))
}

func authorityOf(e *ldap.Entry) facts.AuthorityObject {
	o := facts.AuthorityObject{DN: printable(e.DN), Name: printable(e.GetAttributeValue("cn")), Container: containerOf(e.DN)}
	values := e.GetRawAttributeValues("cACertificate")
	if values == nil {
		values = e.GetRawAttributeValues("caCertificate") // as some servers spell it
	}
	for _, v := range values[:min(len(values), maxValues)] {
		o.Values = append(o.Values, publishedValue(v))
	}
	if len(values) == 0 {
		o.Values = []facts.PublishedValue{{State: facts.HiddenValue}}
	}
	return o
}

func publishedValue(v []byte) facts.PublishedValue {
	out := facts.PublishedValue{Size: len(v), State: facts.EmptyValue}
	if len(v) <= 1 {
		return out
	}
	certificate, err := ParseCertificate(v)
	if err != nil {
		out.State, out.Detail = facts.Unparsable, printable(err.Error())
		return out
	}
	seen := facts.CertificateOf(certificate)
	out.State, out.Certificate, out.X509 = facts.Populated, &seen, certificate
	return out
}

// containerOf tells where an object lies from its name.
func containerOf(dn string) facts.Container {
	parsed, err := ldap.ParseDN(dn)
	if err != nil || len(parsed.RDNs) < 3 {
		return facts.OtherContainer
	}
	at := func(i int, cn string) bool {
		a := parsed.RDNs[i].Attributes[0]
		return strings.EqualFold(a.Type, "CN") && strings.EqualFold(a.Value, cn)
	}
	const services = "Public Key Services"
	switch {
	case at(1, "Certification Authorities") && at(2, services):
		return facts.CertificationAuthorities
	case at(1, "AIA") && at(2, services):
		return facts.AIA
	case at(0, "NTAuthCertificates") && at(1, services):
		return facts.NTAuth
	default:
		return facts.OtherContainer
	}
}
