//go:build linux

package bed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Lease is what a DHCP server hands out. The zero value is nothing but an address.
type Lease struct {
	// Dnsmasq plays it by that program, else it is ISC dhcpd.
	Dnsmasq bool
	Domain  string
	// DNSServers, NTPServers and WINSServers are addresses with commas between them.
	DNSServers, NTPServers, WINSServers string
	// SearchText is option 119 as text, SearchRFC the same by RFC 3397, names with commas between them.
	SearchText, SearchRFC string
	// SIPServers is option 120 in dhcpd's hex.
	SIPServers string
	// Vendor is option 043 by vendor class, in dhcpd's hex.
	Vendor map[string]string
	// ByClass is what else dhcpd hands out, options only, by vendor class.
	ByClass map[string]Lease
	// Identifier is what dhcpd gives as option 054 in the stead of its address.
	Identifier string
	// Exhausted has no address to offer.
	Exhausted bool
}

// HealthyLease is what the guide's company hands out.
func HealthyLease() Lease {
	return Lease{Domain: adZone, DNSServers: insideNet + "5, " + insideNet + "6"}
}

// dhcpServer is a DHCP server, which runs from its first SetLease on.
type dhcpServer struct {
	*server
	lease Lease
}

func (b *Bed) newDHCP() map[Host]*dhcpServer {
	servers := make(map[Host]*dhcpServer)
	for _, host := range []Host{DHCP, DHCP2} {
		s := &dhcpServer{server: b.newServer(host)}
		s.command = s.commandLine
		s.ready = s.listens
		servers[host] = s
	}
	return servers
}

func (s *dhcpServer) configFile() string { return filepath.Join(s.dir, "dhcp.conf") }
func (s *dhcpServer) leaseFile() string  { return filepath.Join(s.dir, "leases") }

func (s *dhcpServer) commandLine() (env, argv []string) {
	if s.lease.Dnsmasq {
		return nil, []string{"dnsmasq", "--keep-in-foreground", "--conf-file=" + s.configFile()}
	}
	return nil, []string{"dhcpd", "-4", "-f", "-d", "--no-pid", "-cf", s.configFile(), "-lf", s.leaseFile(), "eth0"}
}

// listens looks whether the port is open.
func (s *dhcpServer) listens(ctx context.Context) error {
	out, err := s.bed.run(ctx, s.host, "ss", "--no-header", "-lnu", "sport = :67")
	if err == nil && strings.TrimSpace(out) == "" {
		err = errors.New("nothing listens on UDP 67")
	}
	return err
}

// SetLease lets the DHCP server of a host hand out that, and starts it if it does not run.
func (b *Bed) SetLease(ctx context.Context, host Host, l Lease) error {
	s, ok := b.dhcp[host]
	if !ok {
		return fmt.Errorf("bed: %q is no DHCP server", host)
	}
	return b.control(host, func(*server) error {
		s.kill()
		s.lease = l
		text := s.lease.isc()
		if l.Dnsmasq {
			text = s.lease.dnsmasq(s.leaseFile())
		}
		if err := os.MkdirAll(s.dir, 0o755); err != nil {
			return err
		}
		if err := errors.Join(os.WriteFile(s.configFile(), []byte(text), 0o644), os.WriteFile(s.leaseFile(), nil, 0o644)); err != nil {
			return err
		}
		return s.start(ctx)
	})
}

// Leases returns the file in which the DHCP server of a host keeps what it has leased.
func (b *Bed) Leases(host Host) (string, error) {
	s, ok := b.dhcp[host]
	if !ok {
		return "", fmt.Errorf("bed: %q is no DHCP server", host)
	}
	text, err := os.ReadFile(s.leaseFile())
	return string(text), err
}

// isc is the configuration of dhcpd.
func (l Lease) isc() string {
	var b strings.Builder
	b.WriteString("authoritative;\ndefault-lease-time 3600;\noption sip-servers code 120 = string;\n")
	if l.textual() {
		b.WriteString("option search-text code 119 = text;\n")
	}
	fmt.Fprintf(&b, "subnet %s0 netmask 255.255.255.0 {\n", insideNet)
	if !l.Exhausted {
		fmt.Fprintf(&b, "  range %[1]s100 %[1]s120;\n", insideNet)
	}
	if l.Identifier != "" {
		fmt.Fprintf(&b, "  server-identifier %s;\n", l.Identifier)
	}
	b.WriteString(l.iscOptions())
	for class, value := range l.Vendor {
		fmt.Fprintf(&b, "  if option vendor-class-identifier = %q {\n    option vendor-encapsulated-options %s;\n  }\n", class, value)
	}
	for class, more := range l.ByClass {
		fmt.Fprintf(&b, "  if option vendor-class-identifier = %q {\n%s  }\n", class, more.iscOptions())
	}
	b.WriteString("}\n")
	return b.String()
}

// textual tells whether option 119 is text for anybody: dhcpd then knows it by no other name.
func (l Lease) textual() bool {
	for _, more := range l.ByClass {
		if more.SearchText != "" {
			return true
		}
	}
	return l.SearchText != ""
}

func (l Lease) iscOptions() string {
	var b strings.Builder
	option := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "  option %s %s;\n", name, value)
		}
	}
	quoted := func(value string) string {
		if value == "" {
			return ""
		}
		return `"` + strings.ReplaceAll(value, ",", `", "`) + `"`
	}
	option("domain-name", quoted(l.Domain))
	option("domain-name-servers", l.DNSServers)
	option("ntp-servers", l.NTPServers)
	option("netbios-name-servers", l.WINSServers)
	option("search-text", quoted(l.SearchText))
	option("domain-search", quoted(l.SearchRFC))
	option("sip-servers", l.SIPServers)
	return b.String()
}

// dnsmasq is the configuration of that program, which has no option 120 here.
func (l Lease) dnsmasq(leases string) string {
	lines := []string{"port=0", "user=root", "pid-file=", "no-ping", "interface=eth0", "dhcp-authoritative", "dhcp-leasefile=" + leases,
		fmt.Sprintf("dhcp-range=%[1]s100,%[1]s120,1h", insideNet)}
	// It sends them in this order turned round.
	for _, option := range [][2]string{
		{"domain-name", l.Domain}, {"dns-server", l.DNSServers}, {"ntp-server", l.NTPServers},
		{"netbios-ns", l.WINSServers}, {"domain-search", l.SearchRFC},
	} {
		if name, value := option[0], option[1]; value != "" {
			lines = append(lines, "dhcp-option=option:"+name+","+strings.ReplaceAll(value, " ", ""))
		}
	}
	for class, value := range l.Vendor {
		lines = append(lines, "dhcp-vendorclass=set:"+class+","+class, "dhcp-option=tag:"+class+",43,"+value)
	}
	return strings.Join(lines, "\n") + "\n"
}
