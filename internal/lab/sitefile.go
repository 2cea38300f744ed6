package lab

import (
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/cx700/cx700_exporter/internal/phone"
)

// SiteFile returns the site file by which an exporter watches the lab. The addresses look like a
// company's; connect_to leads each to its socket, and everything else to a closed port of loopback. The exporter's own
// references are named by their sockets.
func (l *Lab) SiteFile() []byte {
	var b strings.Builder
	b.WriteString("credentials:\n")
	for _, o := range l.offices {
		fmt.Fprintf(&b, "  %s: {username: %s, password_file: %q, allowed_hosts: [\"*.contoso.com\"]}\n", o.name, accountOf(o.index)+accountDomain, o.passwordFile)
		fmt.Fprintf(&b, "  %s-mailbox: {username: %s, password_file: %q, allowed_hosts: [\"*.fabrikam.com\"]}\n",
			o.name, mailAccount(o.index).username, l.mailPasswordFile())
	}
	b.WriteString("vantage:\n")
	for i, network := range [vantages]string{vantageInside: "internal", vantageOutside: "external"} {
		r := l.references[i]
		fmt.Fprintf(&b, "  %s: {names: [%s], resolvers: [\"%s\"], time_servers: [\"%s\", \"%s\"]}\n", network,
			strings.TrimSuffix(referenceName, "."), r.resolver.address, r.clocks[0].address, r.clocks[1].address)
	}
	b.WriteString("sites:\n")
	for _, o := range l.offices {
		fmt.Fprintf(&b, "  - name: %s\n", o.name)
		o.writeTo(&b, o.state.Load().settings, l.rootFile(), l.Shops > 0)
	}
	for i := range l.Shops {
		fmt.Fprintf(&b, "  - name: shop-%04d\n", i+1)
		as := l.offices[0].state.Load().settings
		as.dhcpServers, as.dhcpInterface = []netip.Addr{shopAddress(i, 2)}, ""
		l.offices[0].writeTo(&b, as, l.rootFile(), true)
	}
	return []byte(b.String())
}

func (l *Lab) rootFile() string { return filepath.Join(l.folder, "root.pem") }

func (l *Lab) mailPasswordFile() string { return filepath.Join(l.folder, "mailbox.password") }

// writeFiles writes those that all sites share.
func (l *Lab) writeFiles() error {
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(rootCertificate)})
	return errors.Join(os.WriteFile(l.rootFile(), root, 0o600), os.WriteFile(l.mailPasswordFile(), []byte(mailPassword+"\n"), 0o600))
}

func (o *office) writePassword() error {
	return os.WriteFile(o.passwordFile, []byte(o.password+"\n"), 0o600)
}

// settings is what a site's part of the site file says, as far as faults change it.
type settings struct {
	resolvers, winsServers, dhcpServers []netip.Addr
	// dhcpInterface is where DHCP is asked instead of at its servers; empty for those.
	dhcpInterface string
	// search is option 119, and logon the form in which users log on; empty where nothing is said of it.
	search, logon string
	// noAccount leaves out the account for Active Directory; updateAccount adds one for updates outside.
	noAccount, updateAccount bool
}

func healthySettings(site int) settings {
	at := func(host byte) netip.Addr { return insideAddress(site, host) }
	return settings{
		resolvers: []netip.Addr{at(5), at(6)}, winsServers: []netip.Addr{at(10)},
		dhcpServers: []netip.Addr{at(2), at(3)},
	}
}

// listed writes addresses out as YAML has it.
func listed(addresses []netip.Addr) string {
	return "[" + strings.Join(phone.AddressTexts(addresses), ", ") + "]"
}

// unless gives nothing where a value is empty, else a line with it.
func unless(value, format string) string {
	if value == "" {
		return ""
	}
	return fmt.Sprintf(format+"\n", value)
}

// writeTo writes what a site asks of an office's servers. The office plays the DHCP servers of shops, too, if it has any:
// how that is led there has to be said at all its sites, so that they share the rest.
func (o *office) writeTo(b *strings.Builder, s settings, rootFile string, shops bool) {
	first, second := insideAddress(o.index, 5), insideAddress(o.index, 6)
	exchange := fmt.Sprintf("exchange: {credential: %s-mailbox, roots: [%q], mailbox: %s}", o.name, rootFile, mailbox)
	directory, update := fmt.Sprintf("directory: {credential: %s, bind: ldaps, roots: [%q]}", o.name, rootFile), ""
	dhcp := "servers: " + listed(s.dhcpServers)
	if s.dhcpInterface != "" {
		dhcp = "interface: " + s.dhcpInterface
	}
	anyDHCP := ""
	if shops {
		anyDHCP = fmt.Sprintf("\n          - \":67:%s\"", o.dhcp[firstDHCP].address)
	}
	if s.noAccount {
		directory = "directory: {}"
	}
	if s.updateAccount {
		update = fmt.Sprintf("{credential: %s-mailbox, roots: [%q]}", o.name, rootFile)
	}
	fmt.Fprintf(b, `    sip_domain: fabrikam.com
    smtp_domain: fabrikam.com
%s    dhcp:
      domain: contoso.com
%s      dns_servers: [%s, %s]
      wins_servers: %s
      ntp_servers: [%s]
      sip_servers: [pool01.contoso.com]
      vendor_classes: [CPE-OCPHONE, MS-UC-Client]
    phones: 20
    networks:
      internal:
        resolvers: %s
        dhcp: {%s}
        front_ends: [pool01.contoso.com, fe02.contoso.com]
        %s
        %s
        connect_to:
          - "%s:53:%s"
          - "%s:53:%s"
          - "%s:67:%s"
          - "%s:67:%s"
          - "%s:137:%s"
          - "%s:123:%s"
          - "%s:123:%s"
          - "%s:389:%s"
          - "%s:636:%s"
          - "%s:80:%s"
          - "%s:80:%s"
          - "%s:80:%s"
          - "%s:5061:%s"
          - "%s:5061:%s"
          - "%s:443:%s"%s
          - "::127.0.0.1:9"
`, unless(s.logon, "    logon: '%s'"), unless(s.search, "      search: [%s]"), first, second, listed(s.winsServers), insideAddress(o.index, 20),
		listed(s.resolvers), dhcp, directory, exchange,
		first, o.resolvers[inside1].address, second, o.resolvers[inside2].address,
		insideAddress(o.index, 2), o.dhcp[firstDHCP].address, insideAddress(o.index, 3), o.dhcp[secondDHCP].address,
		insideAddress(o.index, 10), o.wins.address,
		insideAddress(o.index, 20), o.clocks[insideClock].address, insideAddress(o.index, 21), o.clocks[secondClock].address,
		insideAddress(o.index, 10), o.controller.address, insideAddress(o.index, 10), o.controller.secure,
		insideAddress(o.index, 15), o.certsrv.address,
		insideAddress(o.index, 81), o.frontEnds[firstFrontEnd].address,
		insideAddress(o.index, 83), o.frontEnds[secondFrontEnd].address,
		insideAddress(o.index, 81), o.pool[firstFrontEnd].address,
		insideAddress(o.index, 83), o.pool[secondFrontEnd].address,
		insideAddress(o.index, 82), o.mail[mailInside].address, anyDHCP)
	fmt.Fprintf(b, `      external:
        resolvers: [%s]
        reverse_proxy: ocsrp.fabrikam.com
        %s
%s        connect_to:
          - "%s:53:%s"
          - "%s:123:%s"
          - "%s:443:%s"
          - "%s:443:%s"
          - "%s:443:%s"
          - "::127.0.0.1:9"
`, outsideResolver(o.index), exchange, unless(update, "        update: %s"), outsideResolver(o.index), o.resolvers[outside].address,
		outsideAddress(20), o.clocks[outsideClock].address, outsideAddress(6), o.proxy.address, outsideAddress(81), o.edge.address,
		outsideAddress(82), o.mail[mailOutside].address)
}

// perByte is how many sites share the byte before the one that tells them apart.
const perByte = 250

// insideAddress is an address of a site's network: 10.70.0.0/24 for the first.
func insideAddress(site int, host byte) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(70 + site/perByte), byte(site % perByte), host})
}

// shopAddress is an address of a shop's network: 10.100.0.0/24 for the first.
func shopAddress(shop int, host byte) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(100 + shop/perByte), byte(shop % perByte), host})
}

// outsideResolver is the address of a site's resolver on the Internet, out of RFC 2544's range.
func outsideResolver(site int) netip.Addr {
	return netip.AddrFrom4([4]byte{198, 18, byte(site / perByte), byte(site%perByte + 1)})
}

// outsideAddress is an address of the company on the Internet, the same for all its sites.
func outsideAddress(host byte) netip.Addr { return netip.AddrFrom4([4]byte{203, 0, 113, host}) }
