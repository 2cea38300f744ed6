// Package lab plays the guide's company on loopback: Contoso's resolvers and time servers, inside and
// outside, its DHCP and WINS servers, its domain controller, its CA's web pages, its pool and Access Edge, Exchange, and
// the update service, also behind the reverse proxy, speaking real protocols on real sockets, with faults to set and heal while it runs. It is
// for demonstrations and fast tests; it is no proof that real servers behave like it.
package lab

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
)

// MaxSites is how many sites with servers of their own a lab may have; each takes 23 sockets, and the lab eight more.
// MaxShops is how many it may have without.
const (
	MaxSites = 1000
	MaxShops = 4000
)

// Lab is a running company.
type Lab struct {
	// Shops is how many small sites the site file names besides: each has a DHCP server of its own, played by the
	// headquarters', and all else from the headquarters. Set it before SiteFile.
	Shops int

	offices    []*office
	references [vantages]references
	folder     string // for the files that the site file names
	closing    sync.Once
	closed     error // what closing met
}

// office is one site with its own servers and its own truth.
type office struct {
	name  string
	index int

	mu     sync.Mutex
	active map[string]bool // faults by name
	state  atomic.Pointer[state]

	resolvers  [resolvers]*resolver
	clocks     [clocks]*udpServer
	dhcp       [dhcpServers]*udpServer
	wins       *udpServer
	controller *controller
	certsrv    *webServer
	frontEnds  [frontEnds]*webServer
	proxy      *webServer
	mail       [mailServers]*webServer
	pool       [frontEnds]*tcpServer
	edge       *tcpServer

	// passwordFile holds the password of the exporter's account; passwords counts those it has had before.
	password     string
	passwordFile string
	passwords    int
}

// Start starts a company with n sites. Close ends it.
func Start(n int) (*Lab, error) {
	if n < 1 || n > MaxSites {
		return nil, fmt.Errorf("a lab with %d sites: write 1 to %d", n, MaxSites)
	}
	ofController, errController := tls.X509KeyPair(controllerCertificate, controllerKey)
	ofSecond, errSecond := tls.X509KeyPair(secondControllerCertificate, secondControllerKey)
	leaves, errLeaves := loadLeaves()
	if err := errors.Join(errController, errSecond, errLeaves); err != nil {
		return nil, err
	}
	secure := &identities{
		controller:       &tls.Config{Certificates: []tls.Certificate{ofController}},
		secondController: &tls.Config{Certificates: []tls.Certificate{ofSecond}},
		pool:             &leaves,
	}
	folder, err := os.MkdirTemp("", "cx700-lab-")
	if err != nil {
		return nil, err
	}
	l := &Lab{folder: folder}
	if err := l.writeFiles(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	for i := range n {
		o := &office{name: fmt.Sprintf("branch-%03d", i+1), index: i, active: map[string]bool{}, password: accountPassword}
		if i == 0 {
			o.name = "headquarters"
		}
		o.passwordFile = filepath.Join(folder, o.name+".password")
		l.offices = append(l.offices, o)
		if err := errors.Join(o.writePassword(), o.rebuild(), o.start(secure)); err != nil {
			if errors.Is(err, syscall.EMFILE) {
				err = fmt.Errorf("too many open files for %d sites, each of which takes 23; raise the limit (ulimit -n), or use --shops", n)
			}
			return nil, errors.Join(fmt.Errorf("site %s: %w", o.name, err), l.Close())
		}
	}
	if err := l.startReferences(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// identities are the certificates of a lab's servers, and their keys.
type identities struct {
	controller, secondController *tls.Config
	pool                         *[poolLeaves]tls.Certificate
}

func (o *office) start(secure *identities) (err error) {
	for i := range o.resolvers {
		if o.resolvers[i], err = startResolver(func() *resolverState { return &o.state.Load().resolvers[i] }); err != nil {
			return err
		}
	}
	for i := range o.clocks {
		if o.clocks[i], err = startClock(func() clockState { return o.state.Load().clocks[i] }); err != nil {
			return err
		}
	}
	for i := range o.dhcp {
		server := net.IP(insideAddress(o.index, byte(2+i)).AsSlice())
		if o.dhcp[i], err = startUDP(func(packet []byte) []byte { return o.state.Load().dhcp[i].reply(server, packet) }); err != nil {
			return err
		}
	}
	if o.wins, err = startUDP(func(packet []byte) []byte { return o.state.Load().wins.reply(packet) }); err != nil {
		return err
	}
	ofController := &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		return o.state.Load().directory.secure(secure, hello.ServerName)
	}}
	if o.controller, err = startController(ofController, func() *directoryState { return &o.state.Load().directory }); err != nil {
		return err
	}
	o.certsrv, err = startWeb(nil, func(w http.ResponseWriter, r *http.Request) { o.state.Load().certsrv.answer(w, r) })
	if err != nil {
		return err
	}
	for i := range o.frontEnds {
		o.frontEnds[i], err = startWeb(nil, func(w http.ResponseWriter, r *http.Request) { o.state.Load().updates[i].answer(w, r) })
		if err != nil {
			return err
		}
	}
	for i := range o.pool {
		if o.pool[i], err = startPool(secure.pool, func() poolState { return o.state.Load().pool[i] }); err != nil {
			return err
		}
	}
	if o.edge, err = startPool(secure.pool, func() poolState { return o.state.Load().edge }); err != nil {
		return err
	}
	for i := range o.mail {
		config := &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return o.state.Load().mail[i].secure(secure.pool)
		}}
		o.mail[i], err = startWeb(config, func(w http.ResponseWriter, r *http.Request) { o.state.Load().mail[i].answer(w, r) })
		if err != nil {
			return err
		}
	}
	proxy := &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return o.state.Load().proxy.secure(secure.pool) }}
	o.proxy, err = startWeb(proxy, func(w http.ResponseWriter, r *http.Request) { o.state.Load().proxy.answer(w, r) })
	return err
}

// Close stops every server, waits for it, and removes the files that the site file names. Closing again does nothing more.
func (l *Lab) Close() error {
	l.closing.Do(func() {
		var errs []error
		for _, o := range l.offices {
			errs = append(errs, o.close())
		}
		for i := range l.references {
			errs = append(errs, l.references[i].close())
		}
		l.closed = errors.Join(append(errs, os.RemoveAll(l.folder))...)
	})
	return l.closed
}

func (o *office) close() error {
	var errs []error
	for _, r := range o.resolvers {
		if r != nil {
			errs = append(errs, r.close())
		}
	}
	for _, s := range append(append(o.clocks[:], o.dhcp[:]...), o.wins) {
		if s != nil {
			errs = append(errs, s.close())
		}
	}
	if o.controller != nil {
		errs = append(errs, o.controller.close())
	}
	for _, p := range append(o.pool[:], o.edge) {
		if p != nil {
			errs = append(errs, p.close())
		}
	}
	for _, w := range append(o.frontEnds[:], o.certsrv, o.proxy, o.mail[mailInside], o.mail[mailOutside]) {
		if w != nil {
			errs = append(errs, w.close())
		}
	}
	return errors.Join(errs...)
}

// Sites returns the names of the sites.
func (l *Lab) Sites() []string {
	var out []string
	for _, o := range l.offices {
		out = append(out, o.name)
	}
	return out
}

// rebuild computes what the servers answer from the active faults. It takes effect with the next packet.
func (o *office) rebuild() error {
	s := healthy(o.index)
	for _, f := range faultTable() {
		if o.active[f.Name] {
			f.apply(s)
		}
	}
	before := o.state.Load()
	mended := before != nil && before.directory.refusal != "" && s.directory.refusal == ""
	if mended { // whoever mends the account gives it a new password, so that the exporter tries it again
		o.passwords++
		o.password = fmt.Sprintf("%s-%d", accountPassword, o.passwords)
	}
	s.directory.password = o.password
	o.state.Store(s)
	if mended {
		return o.writePassword()
	}
	return nil
}

// Set switches a fault on: NAME at every site, SITE:NAME at one.
func (l *Lab) Set(spec string) error { return l.change(spec, true) }

// Heal switches a fault off: NAME at every site, SITE:NAME at one.
func (l *Lab) Heal(spec string) error { return l.change(spec, false) }

// HealAll switches every fault off.
func (l *Lab) HealAll() error {
	var errs []error
	for _, o := range l.offices {
		o.mu.Lock()
		clear(o.active)
		errs = append(errs, o.rebuild())
		o.mu.Unlock()
	}
	return errors.Join(errs...)
}

func (l *Lab) change(spec string, on bool) error {
	offices, name, err := l.find(spec)
	if err != nil {
		return err
	}
	var errs []error
	for _, o := range offices {
		o.mu.Lock()
		if on {
			o.active[name] = true
		} else {
			delete(o.active, name)
		}
		errs = append(errs, o.rebuild())
		o.mu.Unlock()
	}
	return errors.Join(errs...)
}

// Active lists the faults that are on, as SITE:NAME.
func (l *Lab) Active() []string {
	var out []string
	for _, o := range l.offices {
		o.mu.Lock()
		for name := range o.active {
			out = append(out, o.name+":"+name)
		}
		o.mu.Unlock()
	}
	slices.Sort(out)
	return out
}
