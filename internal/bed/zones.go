//go:build linux

package bed

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// zone is a zone of a BIND: a primary one with a file, or one without a
// text, which is asked from the domain controller.
type zone struct {
	name     string
	original string
	text     string
	serial   int
	fails    bool
}

// zoneHead begins every zone file: zone name, own address.
const zoneHead = `$TTL 300
@	IN SOA	ns hostmaster 1 3600 600 86400 60
@	IN NS	ns
ns	IN A	%s
`

var insideRecords = map[string]string{
	".": "",
	"fabrikam.com": `sip	IN A	192.168.7.81
autodiscover	IN A	192.168.7.82
_sipinternaltls._tcp	IN SRV	0 0 5061 pool01.contoso.com.
_ntp._udp	IN SRV	0 0 123 ntp01.contoso.com.
`,
	"time.windows.com": "@	IN A	192.168.7.20\n",
}

var outsideRecords = map[string]string{
	".": "",
	"fabrikam.com": `sip	IN A	203.0.113.81
autodiscover	IN A	203.0.113.82
ocsrp	IN A	203.0.113.6
_sip._tls	IN SRV	0 0 443 sip
_ntp._udp	IN SRV	0 0 123 time.windows.com.
`,
	"time.windows.com": "@	IN A	203.0.113.20\n",
	adZone:             "ucupdates-r2	IN A	203.0.113.6\n",
}

// zonesOf returns the zones of a name server. Its own empty root zone makes
// all other names NXDOMAIN instead of a search for the real root.
func zonesOf(host Host) map[string]*zone {
	zones := make(map[string]*zone)
	records := outsideRecords
	if host != DNSOutside {
		records = insideRecords
		zones[adZone] = &zone{name: adZone}
	}
	for name, text := range records {
		text = fmt.Sprintf(zoneHead, address(host)) + text
		zones[name] = &zone{name: name, original: text, text: text, serial: 1}
	}
	return zones
}

func (z *zone) forwarded() bool {
	return z.text == ""
}

func (z *zone) file() string {
	return strings.TrimPrefix(z.name+".zone", ".")
}

// clause is the zone's part of the configuration.
func (z *zone) clause() string {
	switch {
	case z.fails:
		return fmt.Sprintf("zone %q { type primary; file \"absent/%s\"; };\n", z.name, z.file())
	case z.forwarded():
		return fmt.Sprintf("zone %q { type static-stub; server-addresses { %s; }; };\n", z.name, address(DC))
	}
	return fmt.Sprintf("zone %q { type primary; file %q; };\n", z.name, z.file())
}

var soaSerial = regexp.MustCompile(`(?i)(\sSOA\s+\S+\s+\S+\s+\(?\s*)\d+`)

// set gives the zone a new text under the next serial.
func (z *zone) set(text string) error {
	if !soaSerial.MatchString(text) {
		return fmt.Errorf("bed: the text of zone %s has no SOA record", z.name)
	}
	z.serial++
	z.text = withSerial(text, z.serial)
	return nil
}

func withSerial(text string, serial int) string {
	return soaSerial.ReplaceAllString(text, "${1}"+strconv.Itoa(serial))
}

// EditZone changes the zone which holds the given name: edit gets the text
// of the zone file and returns the new one. It returns when the name server
// serves it; the serial is bumped here.
func (b *Bed) EditZone(ctx context.Context, host Host, zone string, edit func(text string) string) error {
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
	if z.forwarded() {
		return fmt.Errorf("bed: %s gets %s from the domain controller: change it there", host, z.name)
	}
	if err := s.reachable(); err != nil {
		return err
	}
	if err := z.set(edit(z.text)); err != nil {
		return err
	}
	return s.reload(ctx, z)
}

// reload writes the zone's file and waits until it is served. A zone which
// was told to fail goes on failing until it is healed.
func (s *bindServer) reload(ctx context.Context, z *zone) error {
	if err := os.WriteFile(s.file(z.file()), []byte(z.text), 0o600); err != nil {
		return err
	}
	if z.fails {
		return nil
	}
	if err := s.rndc(ctx, "reload", z.name); err != nil {
		return s.explain(err)
	}
	if err := s.bed.poll(ctx, changeTimeout, s.settled); err != nil {
		return s.explain(err)
	}
	return nil
}

// RestoreZones undoes every EditZone. A server which was killed gets its
// zones with Restart or HealDNS; a paused one is an error.
func (b *Bed) RestoreZones(ctx context.Context) error {
	var steps []func() error
	for _, s := range b.bind {
		steps = append(steps, func() error { return s.restore(ctx) })
	}
	return together(steps)
}

func (s *bindServer) restore(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, z := range s.zones {
		if withSerial(z.text, 0) == withSerial(z.original, 0) {
			continue
		}
		if s.paused {
			return s.reachable()
		}
		if err := z.set(z.original); err != nil {
			return err
		}
		if !s.running() {
			if err := s.write(); err != nil {
				return err
			}
			continue
		}
		if err := s.reload(ctx, z); err != nil {
			return err
		}
	}
	return nil
}
