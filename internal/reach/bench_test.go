package reach

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/miekg/dns"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/labtest"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/site"
	"github.com/cx700/cx700_exporter/internal/state"
)

// The benchmarks of probes ask the lab's servers, in another process: allocations and cpu-ns/op are the probe's, the time
// has the server's in it. Beside each stands the bare exchange by the same library.

// measure runs an exchange again and again.
func measure(b *testing.B, name string, exchange func(ctx context.Context) error) {
	b.Run(name, func(b *testing.B) {
		ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
		defer cancel()
		b.ReportAllocs()
		done := labtest.CPU(b)
		for b.Loop() {
			if err := exchange(ctx); err != nil {
				b.Fatal(err)
			}
		}
		done()
	})
}

// BenchmarkProbeDNS asks one SRV question over UDP, and every name of a phone at each of the site's resolvers.
func BenchmarkProbeDNS(b *testing.B) {
	place := labtest.Start(b)
	network := place.Networks[0]
	way := Way{Resolvers: network.Resolvers, ConnectTo: network.ConnectTo}
	name := "_sipinternaltls._tcp." + place.Domains.SIP
	measure(b, "question", func(ctx context.Context) error {
		l := way.ask(ctx, way.Resolvers[0], name, phone.SRV)
		return failing(l.Outcome == facts.Answered, l.Detail)
	})
	socket, err := way.Divert(way.Resolvers[0].String())
	if err != nil {
		b.Fatal(err)
	}
	measure(b, "bare", func(ctx context.Context) error {
		_, _, err := (&dns.Client{}).ExchangeContext(ctx, question(name, phone.SRV), socket)
		return err
	})
	questions := 0
	measure(b, "walk", func(ctx context.Context) error {
		questions = 0
		for _, w := range way.walk(ctx, place.Domains).Walks {
			questions += len(w.Lookups)
		}
		return nil
	})
	b.Logf("a walk has %d questions", questions)
}

func failing(ok bool, detail string) error {
	if ok {
		return nil
	}
	return errors.New(detail)
}

// BenchmarkProbeHTTP asks a front end for updates and reads its answer, and for the header of an image, each over a
// connection of its own.
func BenchmarkProbeHTTP(b *testing.B) {
	network := labtest.Start(b).Networks[0]
	way := Way{ConnectTo: network.ConnectTo}
	frontEnd := diversion(network, "80", 1)
	address := netip.MustParseAddrPort(net.JoinHostPort(frontEnd.Host, frontEnd.Port))
	const host = "http://pool01.contoso.com"
	get := func(ctx context.Context, method, path string) (int, error) {
		transport := way.transport(ctx, address, nil)
		defer transport.CloseIdleConnections()
		request, err := http.NewRequestWithContext(ctx, method, host+path, nil)
		if err != nil {
			return 0, err
		}
		response, err := transport.RoundTrip(request)
		if err != nil {
			return 0, err
		}
		defer response.Body.Close()
		n, err := io.Copy(io.Discard, response.Body)
		return int(n), err
	}
	measure(b, "update", func(ctx context.Context) error {
		a := UpdateAccess{Way: way}.once(ctx, address, host+phone.UpdatePath, "", nil)
		return failing(a.Response != nil, a.Detail)
	})
	measure(b, "bare GET", func(ctx context.Context) error {
		n, err := get(ctx, http.MethodGet, phone.UpdatePath)
		return errors.Join(err, failing(n > 0, "an empty answer"))
	})
	u, err := url.Parse(host + "/DeviceUpdateFiles_Int/OCInterim/ENU/cpe.nbt")
	if err != nil {
		b.Fatal(err)
	}
	measure(b, "header", func(ctx context.Context) error {
		a := way.askHeader(ctx, FileURL{URL: u}, address)
		return failing(a.Status != 0, a.Detail)
	})
	measure(b, "bare HEAD", func(ctx context.Context) error {
		_, err := get(ctx, http.MethodHead, u.Path)
		return err
	})
}

// BenchmarkProbeLDAP reads the authorities of the lab's controller over a new connection, with TLS and a logon; and asks
// for them without either, which is denied.
func BenchmarkProbeLDAP(b *testing.B) {
	place := labtest.Start(b)
	network := place.Networks[0]
	to := diversion(network, "636", 0)
	memory, err := state.Open("")
	if err != nil {
		b.Fatal(err)
	}
	guard := NewGuard(slog.New(slog.DiscardHandler), memory)
	c := &controller{way: Way{ConnectTo: network.ConnectTo}, access: network.Directory, host: "dc01.contoso.com", guard: guard}
	measure(b, "fresh", func(ctx context.Context) error {
		s, err := c.open(ctx, []netip.Addr{netip.MustParseAddr(to.Host)})
		if err != nil {
			return err
		}
		defer s.close()
		found, err := s.search(ctx, s.rootDSE.ConfigurationNC, ldap.ScopeWholeSubtree, authorities, "cn", "cACertificate")
		return errors.Join(err, failing(len(found) > 0, "nothing published"))
	})
	plain := diversion(network, "389", 0)
	stranger := &controller{way: c.way, access: site.Directory{Bind: site.BindAnonymous}, host: c.host, port: 389, guard: guard}
	measure(b, "anonymous", func(ctx context.Context) error {
		s, err := stranger.open(ctx, []netip.Addr{netip.MustParseAddr(plain.Host)})
		if err != nil {
			return err
		}
		defer s.close()
		_, err = s.search(ctx, s.rootDSE.ConfigurationNC, ldap.ScopeWholeSubtree, authorities, "cn", "cACertificate")
		return denied(err)
	})
	measure(b, "bare anonymous", func(context.Context) error {
		conn, err := ldap.DialURL("ldap://" + net.JoinHostPort(plain.ToHost, plain.ToPort))
		if err != nil {
			return err
		}
		defer conn.Close()
		return denied(bareSearch(conn, func() error { return nil }))
	})
	roots, err := ReadRoots(network.Directory.RootFiles)
	if err != nil {
		b.Fatal(err)
	}
	secret, err := os.ReadFile(network.Directory.Credential.PasswordFile)
	if err != nil {
		b.Fatal(err)
	}
	pool := x509.NewCertPool()
	for _, r := range roots {
		pool.AddCert(r)
	}
	measure(b, "bare", func(context.Context) error {
		conn, err := ldap.DialURL("ldaps://"+net.JoinHostPort(to.ToHost, to.ToPort), ldap.DialWithTLSConfig(&tls.Config{RootCAs: pool, ServerName: "dc01.contoso.com"}))
		if err != nil {
			return err
		}
		defer conn.Close()
		return bareSearch(conn, func() error {
			return conn.Bind(network.Directory.Credential.Username, strings.TrimSpace(string(secret)))
		})
	})
}

// authorities finds what Active Directory publishes.
const authorities = "(objectCategory=certificationAuthority)"

// bareSearch reads where the configuration lies, logs on and looks for authorities there.
func bareSearch(conn *ldap.Conn, logon func() error) error {
	dse, err := conn.Search(ldap.NewSearchRequest("", ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{"configurationNamingContext"}, nil))
	if err != nil {
		return err
	}
	if err := logon(); err != nil {
		return err
	}
	_, err = conn.Search(ldap.NewSearchRequest(dse.Entries[0].GetAttributeValue("configurationNamingContext"), ldap.ScopeWholeSubtree,
		ldap.NeverDerefAliases, 0, 0, false, authorities, []string{"cn", "cACertificate"}, nil))
	return err
}

// denied holds an answer to be what Active Directory says to strangers.
func denied(err error) error {
	if strings.Contains(fmt.Sprint(err), ldap.LDAPResultCodeMap[ldap.LDAPResultOperationsError]) {
		return nil
	}
	return fmt.Errorf("answered %w, want it denied", err)
}

// diversion is the site's nth way to a port.
func diversion(n site.Network, port string, nth int) site.ConnectTo {
	var all []site.ConnectTo
	for _, c := range n.ConnectTo {
		if c.Port == port {
			all = append(all, c)
		}
	}
	return all[nth]
}
