package collectors

import (
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
)

// maxServedShown bounds how many certificates of a server are written.
const maxServedShown = 10

// explainPool writes the registrars in the order of each firmware, then for each address both handshakes and the
// certificates as served.
func explainPool(w io.Writer, t *Target, seen *facts.Seen) {
	p := seen.Pool
	if p == nil {
		return
	}
	explainRoutes(w, t, p.Routes)
	for i := range p.Servers {
		explainPoolServer(w, &p.Servers[i])
	}
	if p.LeftOut > 0 {
		fmt.Fprintf(w, "not asked: %d more addresses\n", p.LeftOut)
	}
}

// explainRoutes writes the registrars in the order of each firmware.
func explainRoutes(w io.Writer, t *Target, routes []facts.Route) {
	for i, fw := range t.Firmware {
		fmt.Fprintf(w, "registrars of firmware %s (order %s)\n", fw.Version, fw.Registrar)
		for n, e := range routes[i].Endpoints {
			fmt.Fprintf(w, "  %2d. %s:%d%s, by %s\n", n+1, e.Host, e.Port, whyPassedOver(e, fw), e.Asked)
			for _, a := range e.Addresses {
				fmt.Fprintf(w, "        %s\n", netip.AddrPortFrom(a, e.Port))
			}
		}
		if len(routes[i].Endpoints) == 0 {
			fmt.Fprintln(w, "  none")
		}
	}
}

func explainPoolServer(w io.Writer, s *facts.PoolServer) {
	fmt.Fprintf(w, "server %s (%s)\n", s.Address, strings.Join(s.Hosts, ", "))
	fmt.Fprintf(w, "  as a phone offers: %s\n", handshakeText(&s.Phone))
	fmt.Fprintf(w, "  as of today:       %s\n", handshakeText(&s.Modern))
	served := servedBy(s)
	for i, c := range served[:min(len(served), maxServedShown)] {
		fmt.Fprintf(w, "  certificate %d of %d\n", i+1, len(served))
		explainCertificate(w, facts.CertificateOf(c))
	}
}

func explainCertificate(w io.Writer, c facts.Certificate) {
	fmt.Fprintf(w, "        %s\n", c.Subject)
	issuer := "issued by " + c.Issuer
	if c.SelfSigned {
		issuer = "signed by itself"
	}
	fmt.Fprintf(w, "        %s\n", issuer)
	fmt.Fprintf(w, "        %s to %s, %s %d, %s\n", c.NotBefore.UTC().Format(time.DateOnly), c.NotAfter.UTC().Format(time.DateOnly),
		c.KeyType, c.KeyBits, c.SignatureAlgorithm)
	fmt.Fprintf(w, "        names %s\n", cmp.Or(strings.Join(c.DNSNames, ", "), "none but the subject"))
	fmt.Fprintf(w, "        SHA-256 %s\n", c.SHA256)
}

// handshakeText says in a few words what came of a handshake.
func handshakeText(h *facts.Handshake) string {
	var parts []string
	if h.Version != "" {
		parts = append(parts, strings.TrimSpace(h.Version+" "+h.Suite))
	}
	if h.Problem != "" {
		parts = append(parts, fmt.Sprintf("%s: %s", h.Problem, h.Detail))
	}
	return fmt.Sprintf("%s  [%s]", strings.Join(parts, ", "), h.Took.Round(10*time.Microsecond))
}
