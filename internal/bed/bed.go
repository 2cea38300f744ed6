//go:build linux

package bed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Host is one machine of the bed.
type Host string

// The machines of the bed. Monitor stands on both segments; DC2 is an address
// without a server behind it until AddSecondDC, and so are the DHCP servers
// until SetLease. Pool and FrontEnd2 are the pool's two front ends, of which
// Pool is the registrar, too; Edge is the one outside. WebOutside is what
// ReverseProxy publishes; Mail and MailOutside are Exchange's Client Access
// Server on either side.
const (
	Monitor      Host = "monitor"
	DC           Host = "dc01"
	DC2          Host = "dc02"
	CA           Host = "ca01"
	DHCP         Host = "dhcp"
	DHCP2        Host = "dhcp2"
	DNSInside    Host = "dns-in"
	DNSInside2   Host = "dns-in2"
	DNSOutside   Host = "dns-out"
	NTPInside    Host = "ntp-in"
	NTPOutside   Host = "ntp-out"
	Pool         Host = "pool01"
	Edge         Host = "edge"
	ReverseProxy Host = "rp"
	FrontEnd2    Host = "fe02"
	WebOutside   Host = "web-out"
	Mail         Host = "mail"
	MailOutside  Host = "mail-out"
)

const (
	// startTimeout bounds the start of one server.
	startTimeout = 30 * time.Second
	// changeTimeout bounds how long a change may take to be seen.
	changeTimeout = 10 * time.Second
	// longestDir keeps the servers' socket paths within the 107 bytes of a
	// Unix socket address.
	longestDir = 72
)

// starts counts the beds of this process, so that their names differ.
var starts struct {
	sync.Mutex
	count int
}

// Bed is a running set of servers.
type Bed struct {
	dir        string
	prefix     string
	spawner    *spawner
	cached     domain
	dc         *dcServer
	dc2        *dcServer
	web        *certsrvServer
	updates    map[Host]*updateServer
	proxy      *proxyServer
	bind       map[Host]*bindServer
	chrony     map[Host]*chronyServer
	exchange   map[Host]*exchangeServer
	registrars map[Host]*registrarServer
	sip        map[Host]*sipServer
	dhcp       map[Host]*dhcpServer
	close      func() error
}

// Missing lists what this machine lacks to start a bed; an empty list means
// that Start can be called.
func Missing() []string {
	var missing []string
	for _, tool := range []string{
		"apache2", "bash", "chronyc", "chronyd", "cp", "curl", "dhcpd", "dig", "dnsmasq", "gnutls-serv", "haproxy", "ip", "iptables", "kamailio", "ldbmodify",
		"ldbsearch", "named", "nsupdate", "openssl", "rndc", "samba", "samba-tool", "setpriv", "ss", "unshare",
	} {
		if !filepath.IsAbs(locate(tool)) {
			missing = append(missing, "program "+tool)
		}
	}
	if faketimeLibrary() == "" {
		missing = append(missing, "libfaketime")
	}
	if apacheModules() == "" {
		missing = append(missing, "Apache's mod_auth_gssapi")
	}
	if os.Geteuid() != 0 {
		return append(missing, "root")
	}
	if err := exec.Command(locate("unshare"), "--net", "--mount", "true").Run(); err != nil {
		missing = append(missing, "the right to make network namespaces")
	}
	return missing
}

// locate finds a program also where only root's search path leads; it
// returns the bare name if there is none.
func locate(tool string) string {
	if path, err := exec.LookPath(tool); err == nil {
		if path, err = filepath.Abs(path); err == nil {
			return path
		}
	}
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
		path, err := exec.LookPath(filepath.Join(dir, tool))
		if err == nil {
			return path
		}
	}
	return tool
}

// Start makes the namespaces and starts all servers, and returns when every
// one of them answers. The servers keep their files and logs in dir. What
// beds of dead processes left behind is removed first.
func Start(ctx context.Context, dir string) (*Bed, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if len(dir) > longestDir {
		return nil, fmt.Errorf("bed: %s is too long for Unix sockets: %d characters, at most %d", dir, len(dir), longestDir)
	}
	number, err := nextNumber(ctx)
	if err != nil {
		return nil, err
	}
	b := &Bed{
		dir:     dir,
		prefix:  fmt.Sprintf("cx%dn%d-", os.Getpid(), number),
		spawner: newSpawner(),
	}
	b.close = sync.OnceValue(b.shutdown)
	b.dc, b.dc2 = b.newDC(DC), b.newDC(DC2)
	b.web = &certsrvServer{b.newWeb(CA)}
	b.updates, b.proxy = b.newUpdates(), b.newProxy()
	b.exchange = b.newExchange()
	b.registrars = b.newRegistrars()
	b.sip = b.newSIP()
	b.bind = b.newBind()
	b.chrony = b.newChrony()
	b.dhcp = b.newDHCP()
	if err := b.bringUp(ctx); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// nextNumber gives a new bed its number after removing what was left behind.
func nextNumber(ctx context.Context) (int, error) {
	starts.Lock()
	defer starts.Unlock()
	if err := removeStale(ctx, starts.count == 0); err != nil {
		return 0, err
	}
	starts.count++
	return starts.count, nil
}

// bringUp does the fallible part of Start.
func (b *Bed) bringUp(ctx context.Context) error {
	if err := b.makeNetwork(ctx); err != nil {
		return err
	}
	if err := errors.Join(b.writeKerberosConfig(), b.writeOpenSSLConfig()); err != nil {
		return err
	}
	var err error
	if b.cached, err = provisioned(ctx); err != nil {
		return err
	}
	if err := makeImages(); err != nil {
		return err
	}
	steps := []func() error{
		func() error { return b.startDC(ctx) },
		func() error { return b.web.first(ctx) },
		func() error { return b.proxy.first(ctx) },
	}
	for _, s := range b.updates {
		steps = append(steps, func() error { return s.first(ctx) })
	}
	for _, s := range b.exchange {
		steps = append(steps, func() error { return s.first(ctx) })
	}
	for _, s := range b.sip {
		steps = append(steps, func() error { return s.first(ctx) })
	}
	for _, s := range b.registrars {
		steps = append(steps, func() error { return s.first(ctx) })
	}
	for _, s := range b.bind {
		steps = append(steps, func() error { return s.first(ctx) })
	}
	for _, s := range b.chrony {
		steps = append(steps, func() error { return s.apply(ctx, healthy) })
	}
	if err := together(steps); err != nil {
		return err
	}
	return b.poll(ctx, changeTimeout, b.insideSeesDC)
}

// together runs the steps at the same time and joins their errors.
func together(steps []func() error) error {
	failures := make([]error, len(steps))
	var group sync.WaitGroup
	for i, step := range steps {
		group.Go(func() { failures[i] = step() })
	}
	group.Wait()
	return errors.Join(failures...)
}

// Close kills everything that runs in the bed's namespaces, removes them and
// returns what could not be removed. Calling it again does nothing.
func (b *Bed) Close() error {
	return b.close()
}

// shutdown is Close's only run. It must work after the caller's context has
// ended, so it has a time limit of its own.
func (b *Bed) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for _, s := range b.servers() {
		s.mu.Lock()
		s.kill()
		s.mu.Unlock()
	}
	err := removeNamespaces(ctx, func(name string) bool { return strings.HasPrefix(name, b.prefix) })
	b.spawner.close()
	return err
}

// servers lists every host that runs a server.
func (b *Bed) servers() []*server {
	list := []*server{b.dc.server, b.dc2.server, b.web.server, b.proxy.server}
	for _, s := range b.updates {
		list = append(list, s.server)
	}
	for _, s := range b.exchange {
		list = append(list, s.server)
	}
	for _, s := range b.sip {
		list = append(list, s.server)
	}
	for _, s := range b.registrars {
		list = append(list, s.server)
	}
	for _, s := range b.bind {
		list = append(list, s.server)
	}
	for _, s := range b.chrony {
		list = append(list, s.server)
	}
	for _, s := range b.dhcp {
		list = append(list, s.server)
	}
	return list
}

// server finds the server of a host.
func (b *Bed) server(host Host) (*server, error) {
	list := b.servers()
	i := slices.IndexFunc(list, func(s *server) bool { return s.host == host })
	if i < 0 {
		return nil, fmt.Errorf("bed: no server runs on %q", host)
	}
	return list[i], nil
}

// Command prepares a program to run on the host. Whatever it leaves running
// there is killed by Close. Only the network is the host's own: the program
// sees the machine's files, and so its resolv.conf too.
func (b *Bed) Command(ctx context.Context, host Host, name string, args ...string) *exec.Cmd {
	full := append([]string{"netns", "exec", b.namespace(host), locate(name)}, args...)
	return exec.CommandContext(ctx, locate("ip"), full...)
}

// run executes a program on the host and returns what it printed.
func (b *Bed) run(ctx context.Context, host Host, name string, args ...string) (string, error) {
	return output(b.Command(ctx, host, name, args...))
}

// output runs a command; its error holds what the command complained about.
func output(cmd *exec.Cmd) (string, error) {
	var out, complaint strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(complaint.String()))
	}
	return out.String(), nil
}

// Get fetches a URL from the host and returns the body; a status of 400 or
// more is an error. The URL needs an address: see Command.
func (b *Bed) Get(ctx context.Context, host Host, url string) (string, error) {
	return b.run(ctx, host, "curl", "-sS", "--fail", "--noproxy", "*", url)
}

// poll repeats a check until it succeeds; at the limit it returns the
// check's last error.
func (b *Bed) poll(ctx context.Context, limit time.Duration, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || last == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("bed: %w: %w", ctx.Err(), last)
		case <-tick.C:
		}
	}
}
