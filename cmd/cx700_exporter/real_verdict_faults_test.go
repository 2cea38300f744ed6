//go:build linux

package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cx700/cx700_exporter/internal/bed"
)

// verdictFault is something that is done to real servers. What comes of it is in testdata/real_verdicts.txt.
type verdictFault struct {
	name      string
	set, heal func(context.Context) error
	// long keeps it out of the default suite.
	long bool
}

type change = func(context.Context) error

// all does one change after the other, whatever comes of each.
func all(changes ...change) change {
	return func(ctx context.Context) error {
		var errs []error
		for _, c := range changes {
			errs = append(errs, c(ctx))
		}
		return errors.Join(errs...)
	}
}

// on binds what is done to a bed.
func (c *verdictRig) on(do func(context.Context, *bed.Bed) error) change {
	return func(ctx context.Context) error { return do(ctx, c.Bed) }
}

// verdictFaults lists the faults in the order of the phone's walk.
func (c *verdictRig) verdictFaults(t *testing.T) []verdictFault {
	var out []verdictFault
	for _, some := range [][]verdictFault{
		c.leaseVerdicts(), c.clockVerdicts(), c.nameVerdicts(), c.handshakeVerdicts(), c.directoryVerdicts(t), c.chainVerdicts(t),
		c.sipVerdicts(), c.besideVerdicts(),
	} {
		out = append(out, some...)
	}
	return out
}

// leaseVerdicts are other options than the site file has.
func (c *verdictRig) leaseVerdicts() []verdictFault {
	hands := func(edit func(*bed.Lease)) change {
		return func(ctx context.Context) error { return c.SetLease(ctx, bed.DHCP, changed(edit)) }
	}
	heal := hands(func(*bed.Lease) {})
	return []verdictFault{
		{"no option 006", hands(func(l *bed.Lease) { l.DNSServers = "" }), heal, false},
		{"another option 015", hands(func(l *bed.Lease) { l.Domain = "fabrikam.com" }), heal, true},
	}
}

// clockVerdicts are time servers that are silent, wrong or gone.
func (c *verdictRig) clockVerdicts() []verdictFault {
	heal := func(h bed.Host) change { return func(ctx context.Context) error { return c.HealNTP(ctx, h) } }
	inside, outside := heal(bed.NTPInside), heal(bed.NTPOutside)
	ahead := func(h bed.Host) change {
		return func(ctx context.Context) error { return c.SkewClock(ctx, h, 7*time.Minute) }
	}
	// elsewhere lets time.windows.com inside lead to the time server outside, which the other one's faults leave alone.
	elsewhere := c.on(edits("time.windows.com", insideResolvers, "192.168.7.20", "203.0.113.20"))
	dropped := bed.Packets{Host: bed.NTPInside, Protocol: "udp", Port: 123}
	return []verdictFault{
		{"clock ahead", ahead(bed.NTPInside), inside, true},
		{"clock ahead, time.windows.com good", all(elsewhere, ahead(bed.NTPInside)), all(c.on(restore), inside), false},
		{"clock gone, time.windows.com good", all(elsewhere, func(context.Context) error { return c.Kill(bed.NTPInside) }),
			all(c.on(restore), inside), true},
		{"clock silent", c.drops(dropped), c.through(bed.NTPInside), true},
		{"clock unsynchronised", func(ctx context.Context) error { return c.Unsynchronise(ctx, bed.NTPInside) }, inside, true},
		{"clock ahead outside", ahead(bed.NTPOutside), outside, true},
		{"both clocks ahead", all(ahead(bed.NTPInside), ahead(bed.NTPOutside)), all(inside, outside), true},
	}
}

func (c *verdictRig) drops(p bed.Packets) change {
	return func(ctx context.Context) error { return c.DropPackets(ctx, p) }
}

func (c *verdictRig) rejects(p bed.Packets) change {
	return func(ctx context.Context) error { return c.RejectPackets(ctx, p) }
}

func (c *verdictRig) through(h bed.Host) change {
	return func(ctx context.Context) error { return c.HealPackets(ctx, h) }
}

// nameVerdicts are records that are missing or wrong, and resolvers that do not serve.
func (c *verdictRig) nameVerdicts() []verdictFault {
	zone := func(pairs ...string) change { return c.on(edits("fabrikam.com", insideResolvers, pairs...)) }
	heal := c.on(restore)
	first := insideResolvers[:1]
	const srv, sip = "\n_sipinternaltls.", "\nsip\t"
	wildcard := func(do func(string) func(context.Context, *bed.Bed) error) change { return c.on(do("*")) }
	return []verdictFault{
		{"SRV dropped", zone(srv, "\nx"), heal, false},
		{"sip dropped", zone(sip, "\nx\t"), heal, true},
		{"registrar names gone", zone(srv, "\nx", sip, "\nx\t"), heal, true},
		{"one resolver lies", c.on(edits("fabrikam.com", insideResolvers[1:], "192.168.7.81", "192.168.7.66")), heal, true},
		{"one resolver gone", c.on(each(first, kill)), c.on(each(first, healDNS)), true},
		{"one resolver silent", c.drops(bed.Packets{Host: bed.DNSInside, Protocol: "udp", Port: 53}), c.through(bed.DNSInside), true},
		{"all resolvers gone", c.on(each(insideResolvers, kill)), c.on(each(insideResolvers, healDNS)), true},
		{"all resolvers refuse", c.on(each(insideResolvers, refuse)), c.on(each(insideResolvers, healDNS)), true},
		{"wildcard in the DHCP domain", wildcard(addsAD), wildcard(deletesAD), true},
		{"the exporter's own cards", c.cards("down"), c.cards("up"), true},
		{"SRV dropped outside", c.on(edits("fabrikam.com", outsideResolvers, "\n_sip._tls", "\nx")), heal, true},
	}
}

func (c *verdictRig) cards(state string) change {
	return func(ctx context.Context) error {
		var errs []error
		for _, card := range []string{"eth0", "eth1"} {
			errs = append(errs, c.Command(ctx, bed.Monitor, "ip", "link", "set", card, state).Run())
		}
		return errors.Join(errs...)
	}
}

// handshakeVerdicts are registrars with which phones come to no connection.
func (c *verdictRig) handshakeVerdicts() []verdictFault {
	fault := func(name string, h bed.Host, way bed.Registrar, long bool) verdictFault {
		set := func(r bed.Registrar) change {
			return func(ctx context.Context) error { return c.SetRegistrar(ctx, h, r) }
		}
		return verdictFault{name, set(way), set(""), long}
	}
	second := c.on(edits("fabrikam.com", insideResolvers, "sip\tIN A\t192.168.7.81", "sip\tIN A\t192.168.7.81\nsip\tIN A\t192.168.7.82"))
	return []verdictFault{
		fault("pool hardened", bed.Pool, bed.TLS12, false),
		fault("pool refuses", bed.Pool, bed.Closed, true),
		fault("pool hangs", bed.Pool, bed.Hangs, true),
		fault("pool closes half-way", bed.Pool, bed.ClosesHalf, true),
		fault("pool speaks plain text", bed.Pool, bed.SpeaksPlain, true),
		fault("edge hardened", bed.Edge, bed.TLS12, true),
		fault("edge refuses", bed.Edge, bed.Closed, true),
		{"one of two front ends dead", second, c.on(restore), false},
	}
}

// directoryVerdicts are domain controllers that do not answer, and what Active Directory and the CA hand out.
func (c *verdictRig) directoryVerdicts(t *testing.T) []verdictFault {
	heal := all(c.RestoreDirectory, func(ctx context.Context) error { return c.publish(ctx, c.roots(t)...) })
	healCA := func(ctx context.Context) error { return c.SetCertsrv(ctx, bed.Certsrv{}) }
	caDown := func(context.Context) error { return c.Kill(bed.CA) }
	empty := func(ctx context.Context) error { return c.publish(ctx, []byte{0}) }
	other, err := c.OtherRoot()
	must(t, err)
	stranger := func(objects ...bed.Object) change {
		return func(ctx context.Context) error {
			var errs []error
			for _, o := range objects {
				errs = append(errs, c.SetCACertificates(ctx, bed.DC, o, other))
			}
			return errors.Join(errs...)
		}
	}
	ldap := func(h bed.Host, do func(bed.Packets) change) change {
		return all(do(bed.Packets{Host: h, Protocol: "tcp", Port: 636}), do(bed.Packets{Host: h, Protocol: "tcp", Port: 389}))
	}
	const locator, domain = "_ldap._tcp.dc._msdcs", "contoso.com"
	return []verdictFault{
		{"LDAP refused", ldap(bed.DC, c.rejects), c.through(bed.DC), false},
		{"LDAP silent", ldap(bed.DC, c.drops), c.through(bed.DC), true},
		{"one of two domain controllers gone", all(c.AddSecondDC, ldap(bed.DC2, c.rejects)), all(c.through(bed.DC2), c.RemoveSecondDC), true},
		{"domain controller killed", c.on(each([]bed.Host{bed.DC}, kill)), c.on(each([]bed.Host{bed.DC}, restart)), true},
		{"locator dropped", func(ctx context.Context) error { return c.DeleteADRecord(ctx, locator, "SRV", "") },
			func(ctx context.Context) error {
				return c.AddADRecord(ctx, locator, "SRV", "0 100 389 dc01.contoso.com.")
			}, true},
		{"domain without address", func(ctx context.Context) error { return c.DeleteADRecord(ctx, domain, "A", "") },
			func(ctx context.Context) error { return c.AddADRecord(ctx, domain, "A", "192.168.7.10") }, true},
		{"roots emptied", empty, heal, false},
		{"roots emptied, CA down", all(empty, caDown), all(heal, healCA), false},
		{"another root published", stranger(bed.PublishedRoot, bed.PublishedAIA, bed.NTAuth), heal, true},
		{"another root published, AIA as before", stranger(bed.PublishedRoot), heal, true},
		{"roots hidden", func(ctx context.Context) error { return c.HideCACertificates(ctx, bed.DC, bed.PublishedRoot) }, heal, true},
		{"CA down", caDown, healCA, true},
		{"CA leads to HTTPS", func(ctx context.Context) error { return c.SetCertsrv(ctx, bed.Certsrv{Access: bed.RedirectToTLS}) }, healCA, true},
		{"CA takes Basic only", func(ctx context.Context) error { return c.SetCertsrv(ctx, bed.Certsrv{Access: bed.BasicOnly}) }, healCA, true},
		{"CA not in DNS", func(ctx context.Context) error { return c.DeleteADRecord(ctx, "ca01", "A", "") },
			func(ctx context.Context) error { return c.AddADRecord(ctx, "ca01", "A", "192.168.7.15") }, true},
	}
}

// chainVerdicts are certificates of the pool, and a roll-over of the root.
func (c *verdictRig) chainVerdicts(t *testing.T) []verdictFault {
	const host = "sip.fabrikam.com"
	leaf := func(issuer *x509.Certificate, edits ...func(*x509.Certificate)) *x509.Certificate {
		return c.ca.issue(host, issuer, append([]func(*x509.Certificate){names(host, "pool01.contoso.com")}, edits...)...)
	}
	called := func(name string) *x509.Certificate {
		return leaf(c.root, names(name), func(t *x509.Certificate) { t.Subject.CommonName = name })
	}
	serves := func(chain string) change {
		return func(ctx context.Context) error { return c.SetRegistrarChain(ctx, bed.Pool, chain) }
	}
	fault := func(name string, long bool, chain ...*x509.Certificate) verdictFault {
		return verdictFault{name, serves(c.ca.served(chain...)), serves(""), long}
	}
	between, next := c.ca.issue("Company Issuing", c.root, authority), c.ca.issue("Next Root", nil, authority)
	large := &company{t: c.ca.t, key: c.ca.key, leafKey: rsaKey(c.ca.t, 4096)}
	big := large.issue(host, c.root, names(host, "pool01.contoso.com"))
	publishes := func(roots ...[]byte) change {
		return func(ctx context.Context) error { return c.publish(ctx, roots...) }
	}
	before := c.roots(t)
	return []verdictFault{
		fault("good from the second root", true, leaf(c.root)),
		fault("expired", true, leaf(c.root, ended)),
		fault("SHA-256", false, leaf(c.root, signed(x509.SHA256WithRSA))),
		fault("another name", true, called("pool99.fabrikam.com")),
		fault("wildcard", true, called("*.fabrikam.com")),
		fault("incomplete", true, leaf(between)),
		{"4096 bits", serves(large.served(big)), serves(""), true},
		// One after the other: between its looks the program cannot tell which came first.
		{"rolled over", all(publishes(append(before, next.Raw)...), c.until("the new root is seen", rootsSeen(len(before)+1)), serves(c.ca.served(leaf(next)))),
			all(serves(""), c.until("the old certificate is seen", nobodyBlocked), publishes(before...)), false},
	}
}

// until waits for what a scrape is to show.
func (c *verdictRig) until(what string, shows func(scrape string) bool) change {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, slack)
		defer cancel()
		for {
			scrape, err := c.Get(ctx, bed.Monitor, c.e.url+"/metrics")
			if err == nil && shows(scrape) {
				return nil
			}
			if ctx.Err() != nil {
				return fmt.Errorf("%s: %w", what, errors.Join(ctx.Err(), err))
			}
		}
	}
}

func rootsSeen(n int) func(scrape string) bool {
	return func(scrape string) bool {
		const one = `cx700_ad_ca_certificate_not_after_timestamp_seconds{container="certification_authorities"`
		return strings.Count(scrape, one) == n
	}
}

func nobodyBlocked(scrape string) bool {
	return !strings.Contains(scrape, "cx700_signin_blocked_info{")
}

// sipVerdicts are answers of registrars to a sign-in.
func (c *verdictRig) sipVerdicts() []verdictFault {
	fault := func(name string, h bed.Host, answer bed.SIP, long bool) verdictFault {
		set := func(a bed.SIP) change { return func(ctx context.Context) error { return c.SetSIP(ctx, h, a) } }
		return verdictFault{name, set(answer), set(bed.SIP{}), long}
	}
	return []verdictFault{
		fault("release declined", bed.Pool, bed.SIP{Status: 403, Diagnostic: 17002, Agent: "CPE/1.0.199.123"}, false),
		fault("503", bed.Pool, bed.SIP{Status: 503}, true),
		fault("403", bed.Pool, bed.SIP{Status: 403}, true),
		fault("led nowhere", bed.Pool, bed.SIP{Status: 302, Contact: "gone.fabrikam.com:5061"}, true),
		fault("led to another company", bed.Pool, bed.SIP{Status: 302, Contact: "pool.evil.example:5061"}, true),
		fault("no such user", bed.Pool, bed.SIP{Status: 404, Diagnostic: 4005}, true),
		fault("domain not served", bed.Pool, bed.SIP{Status: 404, Diagnostic: 1005}, true),
		fault("silent after TLS", bed.Pool, bed.SIP{Silent: true}, true),
		fault("registrar's clock", bed.Pool, bed.SIP{Clock: 420}, true),
		fault("503 outside", bed.Edge, bed.SIP{Status: 503}, true),
	}
}

// besideVerdicts are faults that keep nobody from signing in.
func (c *verdictRig) besideVerdicts() []verdictFault {
	update := func(h bed.Host, u bed.Update) change {
		return func(ctx context.Context) error { return c.SetUpdate(ctx, h, u) }
	}
	mail := func(e bed.Exchange) change {
		return func(ctx context.Context) error { return c.SetExchange(ctx, bed.Mail, e) }
	}
	proxy := []bed.Host{bed.ReverseProxy}
	return []verdictFault{
		{"Exchange hardened", mail(bed.Exchange{TLS12: true}), mail(bed.Exchange{}), true},
		{"image missing", update(bed.Pool, bed.Update{Image: bed.ImageMissing}), update(bed.Pool, bed.Update{}), true},
		{"reverse proxy hardened", update(bed.ReverseProxy, bed.Update{TLS12: true}), update(bed.ReverseProxy, bed.Update{}), true},
		{"reverse proxy gone", c.on(each(proxy, kill)), c.on(each(proxy, restart)), true},
	}
}

// twoFaults are set at once; the first is the earlier one on the walk.
type twoFaults struct {
	first, second string
	long          bool
}

func twoVerdicts() []twoFaults {
	return []twoFaults{
		{"clock ahead", "pool hardened", false},
		{"roots emptied, CA down", "503", true},
		{"SHA-256", "release declined", true},
	}
}

// lostPackets are places where one packet is lost; the first of them in the default suite.
func lostPackets() []bed.Packets {
	begin := func(h bed.Host, port int) bed.Packets {
		return bed.Packets{Host: h, Protocol: "tcp", Port: port, Begin: true}
	}
	return []bed.Packets{
		{Host: bed.DNSInside, Protocol: "udp", Port: 53},
		begin(bed.Pool, 5061),
		{Host: bed.NTPInside, Protocol: "udp", Port: 123, Answers: true},
		{Host: bed.DNSInside2, Protocol: "udp", Port: 53, Answers: true},
		{Host: bed.DNSOutside, Protocol: "udp", Port: 53},
		{Host: bed.NTPOutside, Protocol: "udp", Port: 123},
		{Host: bed.DC, Protocol: "tcp", Port: 636},
		{Host: bed.DC, Protocol: "tcp", Port: 636, Answers: true},
		{Host: bed.DC, Protocol: "udp", Port: 53},
		{Host: bed.Pool, Protocol: "tcp", Port: 5061, Answers: true},
		begin(bed.CA, 80), begin(bed.Pool, 80), begin(bed.Mail, 443), begin(bed.Edge, 443), begin(bed.ReverseProxy, 443),
	}
}
