//go:build linux

package bed

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

// bindServer is a BIND with its zones.
type bindServer struct {
	*server
	key     string
	zones   map[string]*zone
	refuses bool
}

func (b *Bed) newBind() map[Host]*bindServer {
	servers := make(map[Host]*bindServer)
	for _, host := range []Host{DNSInside, DNSInside2, DNSOutside} {
		s := &bindServer{server: b.newServer(host), zones: zonesOf(host)}
		s.command = func() (env, argv []string) {
			return nil, []string{"named", "-g", "-n", "1", "-c", s.file("named.conf")}
		}
		s.ready = s.settled
		servers[host] = s
	}
	return servers
}

// dnsServer finds the BIND of a host.
func (b *Bed) dnsServer(host Host) (*bindServer, error) {
	s, ok := b.bind[host]
	if !ok {
		return nil, fmt.Errorf("bed: %q is no BIND", host)
	}
	return s, nil
}

// zone finds the zone which holds a name; the root zone holds only itself.
func (s *bindServer) zone(name string) (*zone, error) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	for at := name; at != ""; _, at, _ = strings.Cut(at, ".") {
		if z, ok := s.zones[at]; ok {
			return z, nil
		}
	}
	if z, ok := s.zones["."]; ok && name == "" {
		return z, nil
	}
	return nil, fmt.Errorf("bed: %s: no zone for %q", s.host, name)
}

const namedOptions = `key control { algorithm hmac-sha256; secret "%[1]s"; };
controls { inet 127.0.0.1 port 953 allow { 127.0.0.1; } keys { control; }; };
options {
	directory "%[2]s";
	pid-file "%[2]s/named.pid";
	session-keyfile "%[2]s/session.key";
	listen-on { 127.0.0.1; %[3]s; };
	listen-on-v6 { none; };
	recursion yes;
	allow-query { %[4]s; };
	allow-query-cache { %[4]s; };
	allow-recursion { %[4]s; };
	dnssec-validation no;
	empty-zones-enable no;
	servfail-ttl 0;
};
`

const rndcConf = `key control { algorithm hmac-sha256; secret "%s"; };
options { default-key control; default-server 127.0.0.1; };
`

// write writes the configuration and all zone files.
func (s *bindServer) write() error {
	clients := "any"
	if s.refuses {
		clients = "none"
	}
	conf := fmt.Sprintf(namedOptions, s.key, s.dir, address(s.host), clients)
	for _, name := range slices.Sorted(maps.Keys(s.zones)) {
		conf += s.zones[name].clause()
	}
	files := map[string]string{
		"named.conf": conf,
		"rndc.conf":  fmt.Sprintf(rndcConf, s.key),
	}
	for _, z := range s.zones {
		if !z.forwarded() {
			files[z.file()] = z.text
		}
	}
	for name, text := range files {
		if err := os.WriteFile(s.file(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// first starts the server for the first time.
func (s *bindServer) first(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return err
	}
	s.key = base64.StdEncoding.EncodeToString(secret)
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	if err := s.write(); err != nil {
		return err
	}
	return s.start(ctx)
}

// rndc controls the running server.
func (s *bindServer) rndc(ctx context.Context, args ...string) error {
	_, err := s.bed.run(ctx, s.host, "rndc", append([]string{"-c", s.file("rndc.conf")}, args...)...)
	return err
}

// reachable tells whether the server can be told something.
func (s *bindServer) reachable() error {
	switch {
	case !s.running():
		return fmt.Errorf("bed: %s: the server does not run", s.host)
	case s.paused:
		return fmt.Errorf("bed: %s: the server is paused", s.host)
	}
	return nil
}

// reconfigure writes the configuration, lets the server read it, and waits
// until it behaves so.
func (s *bindServer) reconfigure(ctx context.Context) error {
	if err := s.reachable(); err != nil {
		return err
	}
	if err := s.write(); err != nil {
		return err
	}
	// A zone without its file is what ServFail wants, but an error to rndc:
	// how the server behaves afterwards is what counts.
	failure := s.rndc(ctx, "reconfig")
	if err := s.bed.poll(ctx, changeTimeout, s.settled); err != nil {
		return s.explain(errors.Join(failure, err))
	}
	return nil
}

// settled is one look whether every zone answers as it should.
func (s *bindServer) settled(ctx context.Context) error {
	for _, z := range s.zones {
		var err error
		switch {
		case s.refuses:
			err = s.bed.expect(ctx, s.host, z.name, "SOA", "REFUSED", "")
		case z.fails:
			err = s.bed.expect(ctx, s.host, z.name, "SOA", "SERVFAIL", "")
		case !z.forwarded():
			err = s.bed.expect(ctx, s.host, z.name, "SOA", "NOERROR", fmt.Sprintf(" %d ", z.serial))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var rcode = regexp.MustCompile(`status: ([A-Z]+),`)

// expect asks the host's name server from the monitor and compares the
// response code, and that the answer holds a text.
func (b *Bed) expect(ctx context.Context, host Host, name, recordType, code, text string) error {
	reply, err := b.run(ctx, Monitor, "dig", "@"+address(host), "+tries=1", "+time=2",
		"+noall", "+comments", "+answer", "-q", name, "-t", recordType)
	if err != nil {
		return err
	}
	got := rcode.FindStringSubmatch(reply)
	if got == nil || got[1] != code || !strings.Contains(reply, text) {
		return fmt.Errorf("%s %s: no %s %q in the reply:\n%s", name, recordType, code, text, reply)
	}
	return nil
}

// insideSeesDC is one look whether the inside servers reach the domain.
func (b *Bed) insideSeesDC(ctx context.Context) error {
	for _, host := range []Host{DNSInside, DNSInside2} {
		if err := b.expect(ctx, host, "pool01."+adZone, "A", "NOERROR", insideNet+"81"); err != nil {
			return errors.Join(err, b.flush(ctx))
		}
	}
	return nil
}

// flush lets the inside servers forget what they learned from the domain
// controller. Servers which are down or paused are left alone.
func (b *Bed) flush(ctx context.Context) error {
	var steps []func() error
	for _, host := range []Host{DNSInside, DNSInside2} {
		s := b.bind[host]
		steps = append(steps, func() error {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.reachable() != nil {
				return nil
			}
			return s.rndc(ctx, "flush")
		})
	}
	return together(steps)
}

// Refuse lets the name server answer everything with REFUSED.
func (b *Bed) Refuse(ctx context.Context, host Host) error {
	s, err := b.dnsServer(host)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuses = true
	return s.reconfigure(ctx)
}

// ServFail lets the name server answer SERVFAIL for the zone which holds the
// given name: the zone is configured, but its file is not there.
func (b *Bed) ServFail(ctx context.Context, host Host, zone string) error {
	s, err := b.dnsServer(host)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	z, err := s.zone(zone)
	if err != nil {
		return err
	}
	z.fails = true
	return s.reconfigure(ctx)
}

// HealDNS undoes Refuse, ServFail, Pause and Kill, and returns when the name
// server answers for its zones. Edited zones stay edited.
func (b *Bed) HealDNS(ctx context.Context, host Host) error {
	s, err := b.dnsServer(host)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuses = false
	for _, z := range s.zones {
		z.fails = false
	}
	s.kill()
	if err := s.write(); err != nil {
		return err
	}
	return s.start(ctx)
}
