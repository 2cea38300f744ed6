package collectors

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/metric"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/reach"
	"github.com/cx700/cx700_exporter/internal/site"
)

// maxPoolServers bounds how many addresses of registrars are asked.
const maxPoolServers = 16

var (
	descPoolHandshake = metric.NewGauge("cx700_pool_handshake_ok",
		"Whether a registrar ends a TLS handshake (1) or not (0), as offered by phones or by clients of today; "+
			"certificates are not judged. Absent with the offer modern where nothing listens.",
		`cx700_pool_handshake_ok{offer="modern"} == 1 unless on (network, target, address) cx700_pool_handshake_ok{offer="phone"} == 1`,
		"network", "target", "address", "offer")
	descPoolNotAfter = metric.NewGauge("cx700_pool_certificate_not_after_timestamp_seconds",
		"When the certificate that a registrar serves ends, also once it has; absent when none was served.",
		`cx700_pool_certificate_not_after_timestamp_seconds - time() < 14 * 86400`, "network", "target", "address")
	descPoolTLS = metric.NewGauge("cx700_pool_tls_info",
		"The version and the cipher suite that a registrar chooses from what is offered.",
		`cx700_pool_tls_info{offer="phone",suite=~".*RC4.*"}`, "network", "target", "address", "offer", "version", "suite")
)

// Pool watches the TLS of the registrars to which the sign-in orders lead. What it sees of the chains is judged
// for each firmware elsewhere.
func Pool() *Collector {
	return &Collector{
		Name: "pool", Asks: "Does the pool end a TLS handshake with a phone?", Guide: "4, 18-20, 24-25",
		Steps:    []phone.Step{phone.StepTLS},
		Interval: time.Minute, Timeout: 20 * time.Second,
		Reasons: poolReasons(),
		Metrics: []*metric.Desc{descPoolHandshake, descPoolNotAfter, descPoolTLS},
		Targets: func(s *site.Site, n site.Network) []Target { return []Target{namesTarget("pool", s, n)} },
		Probe:   probePool,
		Explain: explainPool,
	}
}

func probePool(ctx context.Context, env *Env, seen *facts.Seen) error {
	names, err := env.Names(ctx)
	if err != nil {
		return err
	}
	t := env.Target
	p := &facts.Pool{Names: names}
	for _, fw := range t.Firmware {
		p.Routes = append(p.Routes, facts.Route{
			Firmware: fw.Version, Endpoints: t.Domains.Endpoints(fw.Registrar, nameView{names}.find),
		})
	}
	p.Servers, p.LeftOut = poolServers(p.Routes)
	if deadline, ok := ctx.Deadline(); ok { // what was seen by then is still judged
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)*8/10)
		defer cancel()
	}
	reach.Parallel(len(p.Servers), func(i int) {
		s := &p.Servers[i]
		s.Phone, s.Modern = t.Way.Handshakes(ctx, s.Address, s.Hosts)
	})
	seen.Pool = p
	emitPool(env, p.Servers)
	return join(judgePool(t, p, time.Now()))
}

// poolServers lists the addresses behind all routes, each once, and tells how many are beyond the bound. The first
// address of every endpoint comes before the second of any, and what is early in a route before what is late.
func poolServers(routes []facts.Route) (out []facts.PoolServer, leftOut int) {
	longest, most := 0, 0
	for _, r := range routes {
		longest = max(longest, len(r.Endpoints))
		for _, e := range r.Endpoints {
			most = max(most, len(e.Addresses))
		}
	}
	for nth := range most {
		for rank := range longest {
			for _, r := range routes {
				if rank < len(r.Endpoints) && nth < len(r.Endpoints[rank].Addresses) {
					out = addPoolServer(out, r.Endpoints[rank], nth)
				}
			}
		}
	}
	asked := min(len(out), maxPoolServers)
	return out[:asked], len(out) - asked
}

func addPoolServer(out []facts.PoolServer, e phone.Endpoint, nth int) []facts.PoolServer {
	address := netip.AddrPortFrom(e.Addresses[nth], e.Port)
	i := slices.IndexFunc(out, func(s facts.PoolServer) bool { return s.Address == address })
	switch {
	case i < 0:
		return append(out, facts.PoolServer{Address: address, Hosts: []string{e.Host}})
	case !slices.Contains(out[i].Hosts, e.Host):
		out[i].Hosts = append(out[i].Hosts, e.Host)
	}
	return out
}

func emitPool(env *Env, servers []facts.PoolServer) {
	for i := range servers {
		s := &servers[i]
		address := s.Address.String()
		emitHandshake(env, address, "phone", &s.Phone)
		if s.Modern.Problem != facts.HandshakeUnreachable { // or a site with many dead addresses had twice the series
			emitHandshake(env, address, "modern", &s.Modern)
		}
		if chain := servedBy(s); chain != nil && !chain[0].NotAfter.IsZero() {
			env.Emit(descPoolNotAfter, float64(chain[0].NotAfter.Unix()), address)
		}
	}
}

func emitHandshake(env *Env, address, offer string, h *facts.Handshake) {
	env.Emit(descPoolHandshake, oneIf(h.Problem == ""), address, offer)
	if h.Suite != "" {
		env.Emit(descPoolTLS, 1, address, offer, h.Version, h.Suite)
	}
}
