package reach

import (
	"context"
	"crypto/x509"
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
	// maxControllers and maxControllerAddresses bound what one look at a directory asks.
	maxControllers         = 16
	maxControllerAddresses = 4
	// sessionKept is how long a connection is held that nobody uses.
	sessionKept = 15 * time.Minute
	// maxValues bounds what is kept of one object.
	maxValues = 64
	// publicKeyServices is where the configuration keeps authorities ([MS-WCCE] section 2.2.2.11).
	publicKeyServices = "CN=Public Key Services,CN=Services,"
)

// Directories reads what domain controllers publish, once for all probes of a round, over one held
// connection for each controller.
type Directories struct {
	guard  *Guard
	rounds *rounds[*facts.Directory]

	mu   sync.Mutex
	held map[string]*heldSession
}

// heldSession is a place for a connection; who has the turn may use it.
type heldSession struct {
	turn    chan struct{}
	session *session // nil while there is none
	used    time.Time
}

// NewDirectories returns a reader of directories; Close ends it.
func NewDirectories(g *Guard) *Directories {
	return &Directories{guard: g, rounds: newRounds[*facts.Directory](), held: map[string]*heldSession{}}
}

// Close ends what is under way and all held connections.
func (d *Directories) Close() {
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
		services = services[:min(len(services), maxControllers)]
		out.Controllers = make([]facts.Controller, len(services))
		Parallel(len(services), func(i int) {
			c := &controller{way: w, host: services[i].Target, port: services[i].Port, access: access, guard: d.guard}
			out.Controllers[i] = d.readController(ctx, c, find(c.host, phone.A).Addresses)
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

func (d *Directories) readController(ctx context.Context, c *controller, addresses []netip.Addr) facts.Controller {
	out := facts.Controller{Host: c.host, Bind: string(c.access.Bind)}
	if out.Bind == "" {
		out.Bind = string(site.BindAnonymous)
	}
	if len(addresses) == 0 {
		out.Problem, out.Detail = facts.NoAddress, c.host+" has no address"
		return out
	}
	// Sites with other resolvers that lead to the same controller share its connection.
	h := d.place(fmt.Sprint(c.way.ConnectTo, c.host, c.port, addresses, accessKey(c.access)))
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		out.Problem, out.Detail = facts.ControllerSilent, "another probe of this controller took all the time"
		return out
	}
	err := c.greetAsPhone(ctx, addresses)
	if err == nil {
		err = c.onlyOurs(d.useSession(ctx, c, h, addresses, &out))
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
// dead: controllers end connections that are idle for long.
func (d *Directories) useSession(ctx context.Context, c *controller, h *heldSession, addresses []netip.Addr, out *facts.Controller) error {
	reused := h.session != nil
	for {
		if h.session == nil {
			s, err := c.open(ctx, addresses)
			if err != nil {
				return err
			}
			h.session = s
		}
		s := h.session
		out.Address, out.RootDSE = s.address, s.rootDSE
		err := s.readPublished(ctx, c, out)
		var p *Problem
		if err == nil || !errors.As(err, &p) || p.Kind == facts.SearchFailed {
			return err
		}
		s.close()
		h.session = nil
		if !reused || p.Kind == facts.SearchTooLarge || ctx.Err() != nil {
			return err
		}
		reused = false
	}
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
	if err == nil && len(entries) == 1 {
		out.PasswordExpires = fileTime(entries[0].GetAttributeValue(expiry))
	}
	c.guard.PasswordExpires(c.access.Credential.Name, out.PasswordExpires)
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
	certificate, err := x509.ParseCertificate(v)
	if err != nil {
		out.State, out.Detail = facts.Unparsable, printable(err.Error())
		return out
	}
	seen := facts.CertificateOf(certificate)
	out.State, out.Certificate = facts.Populated, &seen
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
