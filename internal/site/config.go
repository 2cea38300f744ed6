package site

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/cx700/cx700_exporter/internal/phone"
)

const (
	maxSites      = 100_000
	maxSearch     = 16 // suffixes of DHCP option 119
	maxResolvers  = 8
	maxConnectTo  = 256
	maxFirmware   = 16
	longestPeriod = 24 * time.Hour

	defaultObjective = 0.995
)

var versionForm = formOf(`^\d{1,5}(\.\d{1,5}){1,3}$`)

// config reads the root of a site file.
func (r *reader) config(root *yaml.Node) *Config {
	cfg := &Config{Collectors: map[string]CollectorSettings{}, Credentials: map[string]*Credential{}}
	r.known = cfg.Credentials
	profiles := map[string]phone.Firmware{}
	for _, f := range phone.KnownFirmware() {
		profiles[f.Version] = f
	}
	var sites, vantage *yaml.Node
	r.fields(root, "",
		field{"sites", func(n *yaml.Node, _ string) { sites = n }},
		field{"firmware_profiles", func(n *yaml.Node, key string) { r.profiles(n, key, profiles) }},
		field{"collectors", func(n *yaml.Node, key string) { r.collectors(n, key, cfg.Collectors) }},
		field{"credentials", func(n *yaml.Node, key string) { r.credentials(n, key, cfg.Credentials) }},
		field{"vantage", func(n *yaml.Node, _ string) { vantage = n }},
	)
	if sites == nil {
		if r.faults == nil || root.Kind == yaml.MappingNode {
			r.fault(root, "sites", "missing", "write at least one site, as in examples/minimal.yml")
		}
		return cfg
	}
	lines := map[string]int{}
	r.items(sites, "sites", maxSites, func(n *yaml.Node, key string) {
		s := r.site(n, key, profiles)
		if line, again := lines[s.Name]; again && s.Name != "" {
			r.fault(n, key+".name", fmt.Sprintf("%s is already the name of the site in line %d", s.Name, line), "give each site its own name")
		}
		lines[s.Name] = n.Line
		cfg.Sites = append(cfg.Sites, s)
	})
	if sites.Kind == yaml.SequenceNode && len(sites.Content) == 0 {
		r.fault(sites, "sites", "an empty list", "write at least one site, as in examples/minimal.yml")
	}
	if vantage != nil {
		r.vantages(vantage, "vantage", cfg)
	}
	return cfg
}

// profiles reads firmware_profiles over those that are known.
func (r *reader) profiles(n *yaml.Node, key string, into map[string]phone.Firmware) {
	r.entries(n, key, func(k, v *yaml.Node, at string) {
		f, known := into[k.Value]
		if !known {
			f = phone.Firmware{Version: k.Value, Registrar: phone.HelpOrder, Time: phone.SRVFirst, UpdateName: true, StrictSRV: true, SHA2: phone.SHA2Doubted}
		}
		if !versionForm.matches(k.Value) {
			r.fault(k, at, quoted(k.Value)+" is no version", `write it as the phone shows it, such as "3.5.6907.35"`)
			return
		}
		r.fields(v, at,
			field{"registrar_order", func(n *yaml.Node, key string) { choice(r, n, key, phone.RegistrarOrders(), &f.Registrar) }},
			field{"time_order", func(n *yaml.Node, key string) { choice(r, n, key, phone.TimeOrders(), &f.Time) }},
			field{"update_name", func(n *yaml.Node, key string) { r.boolean(n, key, &f.UpdateName) }},
			field{"strict_srv", func(n *yaml.Node, key string) { r.boolean(n, key, &f.StrictSRV) }},
			field{"user_agent", func(n *yaml.Node, key string) {
				r.shaped(n, key, userAgentForm, "one line as it stands in SIP's User-Agent, such as CPE/1.0.522.101", &f.SIPUserAgent)
			}},
			field{"accepts", func(n *yaml.Node, key string) { r.accepts(n, key, &f.Accepts) }},
			field{"sha2", func(n *yaml.Node, key string) { choice(r, n, key, phone.SHA2Rules(), &f.SHA2) }},
			field{"min_key_bits", func(n *yaml.Node, key string) { r.keyBits(n, key, &f.MinKeyBits) }},
			field{"max_key_bits", func(n *yaml.Node, key string) { r.keyBits(n, key, &f.MaxKeyBits) }},
		)
		if f.MaxKeyBits > 0 && f.MinKeyBits > f.MaxKeyBits {
			r.fault(v, at+".max_key_bits", "shorter than min_key_bits", "write at least as many")
		}
		into[k.Value] = f
	})
}

func noMore(*CollectorSettings) []field { return nil }

func (r *reader) collectors(n *yaml.Node, key string, into map[string]CollectorSettings) {
	read := func(name string, more func(s *CollectorSettings) []field) field {
		return field{name, func(n *yaml.Node, key string) {
			s := CollectorSettings{Place: r.place(n, key)}
			r.fields(n, key, append([]field{
				{"interval", func(n *yaml.Node, key string) { r.duration(n, key, time.Second, longestPeriod, &s.Interval) }},
				{"timeout", func(n *yaml.Node, key string) {
					r.duration(n, key, 100*time.Millisecond, longestPeriod, &s.Timeout)
				}},
			}, more(&s)...)...)
			if s.Interval > 0 && s.Timeout > s.Interval {
				r.fault(n, key+".timeout", fmt.Sprintf("%s is longer than the interval", short(s.Timeout)), "write at most "+short(s.Interval))
			}
			into[name] = s
		}}
	}
	r.fields(n, key,
		read("dhcp", noMore),
		read("dns", noMore),
		read("vantage", noMore),
		read("wins", noMore),
		read("directory", noMore),
		read("certsrv", noMore),
		read("exchange", noMore),
		read("pool", noMore),
		read("sip", noMore),
		read("update", noMore),
		read("firmware", noMore),
		read("firmware_download", func(s *CollectorSettings) []field {
			return []field{{"max_bytes_per_second", func(n *yaml.Node, key string) { r.rate(n, key, &s.MaxBytesPerSecond) }}}
		}),
		read("ntp", func(s *CollectorSettings) []field {
			return []field{{"max_offset", func(n *yaml.Node, key string) {
				r.duration(n, key, time.Second, longestPeriod, &s.MaxOffset)
			}}}
		}),
	)
}

func (r *reader) site(n *yaml.Node, key string, profiles map[string]phone.Firmware) *Site {
	s := &Site{Firmware: phone.KnownFirmware(), Objective: defaultObjective}
	for i, f := range s.Firmware {
		s.Firmware[i] = profiles[f.Version]
	}
	var smtp string
	r.fields(n, key,
		field{"name", func(n *yaml.Node, key string) { r.siteName(n, key, &s.Name) }},
		field{"sip_domain", func(n *yaml.Node, key string) { r.domain(n, key, 2, &s.Domains.SIP) }},
		field{"smtp_domain", func(n *yaml.Node, key string) {
			if smtp = n.Value; smtp != "none" {
				r.domain(n, key, 2, &smtp)
			}
		}},
		field{"dhcp", func(n *yaml.Node, key string) { s.Lease = r.handedOut(n, key, &s.Domains) }},
		field{"logon", func(n *yaml.Node, key string) { r.logon(n, key, &s.Domains.Logon) }},
		field{"firmware", func(n *yaml.Node, key string) { s.Firmware = r.firmware(n, key, profiles) }},
		field{"objective", func(n *yaml.Node, key string) { r.ratio(n, key, &s.Objective) }},
		field{"phones", func(n *yaml.Node, key string) { r.count(n, key, &s.Phones) }},
		field{"enrolled_roots", func(n *yaml.Node, key string) {
			s.EnrolledRoots, s.EnrolledRootsAt = r.enrolledRoots(n, key), r.place(n, key)
		}},
		field{"networks", func(n *yaml.Node, key string) { s.Networks = r.networks(n, key) }},
	)
	switch smtp {
	case "":
		s.Domains.SMTP = s.Domains.SIP
	case "none":
	default:
		s.Domains.SMTP = smtp
	}
	if s.Domains.Logon == "" {
		s.Domains.Logon = s.Domains.DHCP
	}
	r.missing(n, key)
	s.useDHCPServers()
	return s
}

// missing looks for what a site cannot do without.
func (r *reader) missing(n *yaml.Node, key string) {
	for _, required := range []struct {
		path []string
		mend string
	}{
		{[]string{"name"}, "write the name of the place, such as copenhagen"},
		{[]string{"sip_domain"}, "write the right side of the sign-in address, such as fabrikam.com"},
		{[]string{"dhcp", "domain"}, "write the domain of DHCP option 015, such as contoso.com"},
	} {
		if n.Kind == yaml.MappingNode && child(n, required.path...) == nil {
			r.fault(n, key+"."+strings.Join(required.path, "."), "missing", required.mend)
		}
	}
	if n.Kind != yaml.MappingNode || child(n, "dhcp", "dns_servers") != nil {
		return
	}
	internal := child(n, "networks", "internal")
	switch {
	case internal != nil && child(internal, "resolvers") == nil:
		r.fault(internal, key+".networks.internal.resolvers", "missing",
			"write the phones' DNS servers there or in dhcp.dns_servers")
	case internal == nil && child(n, "networks", "external") == nil:
		r.fault(n, key, "no network to watch", "write the phones' DNS servers in dhcp.dns_servers, or networks.external")
	}
}

// useDHCPServers watches the internal network by the phones' own DNS servers, unless the file names others.
func (s *Site) useDHCPServers() {
	servers := s.Lease.DNSServers
	i := slices.IndexFunc(s.Networks, func(n Network) bool { return n.Name == Internal })
	switch {
	case servers == nil:
	case i < 0:
		s.Networks = slices.Insert(s.Networks, 0, Network{Name: Internal, Resolvers: servers})
	case s.Networks[i].Resolvers == nil:
		s.Networks[i].Resolvers = servers
	}
}

func (r *reader) firmware(n *yaml.Node, key string, profiles map[string]phone.Firmware) []phone.Firmware {
	var out []phone.Firmware
	r.items(n, key, maxFirmware, func(n *yaml.Node, key string) {
		v, ok := r.text(n, key, "a version such as 3.5.6907.35")
		f, known := profiles[v]
		switch {
		case !ok:
		case !known:
			r.fault(n, key, quoted(v)+" is unknown", fmt.Sprintf("write one of %s, or describe it in firmware_profiles",
				joined(slices.Sorted(maps.Keys(profiles)))))
		case slices.Contains(out, f):
			r.fault(n, key, v+" is already in the list", "write it once")
		default:
			out = append(out, f)
		}
	})
	if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		r.fault(n, key, "an empty list", "write the versions in use, or leave the key out for all that are known")
	}
	return out
}

func (r *reader) networks(n *yaml.Node, key string) []Network {
	var internal, external *Network
	r.fields(n, key,
		field{"internal", func(n *yaml.Node, key string) { internal = r.network(n, key, Internal) }},
		field{"external", func(n *yaml.Node, key string) {
			external = r.network(n, key, External)
			if n.Kind == yaml.MappingNode && child(n, "resolvers") == nil {
				r.fault(n, key+".resolvers", "missing", "write the addresses of DNS servers that answer as the Internet sees it")
			}
		}},
	)
	var out []Network
	for _, network := range []*Network{internal, external} {
		if network != nil {
			out = append(out, *network)
		}
	}
	return out
}

func (r *reader) network(n *yaml.Node, key string, name NetworkName) *Network {
	out := &Network{Name: name}
	keys := []field{
		{"resolvers", func(n *yaml.Node, key string) { out.Resolvers = r.resolvers(n, key) }},
		{"connect_to", func(n *yaml.Node, key string) { out.ConnectTo = r.connectTo(n, key) }},
		{"update", func(n *yaml.Node, key string) { out.Update = r.update(n, key) }},
		{"exchange", func(n *yaml.Node, key string) { out.Exchange = r.exchange(n, key) }},
		{"sip", func(n *yaml.Node, key string) {
			r.fields(n, key, field{"user", func(n *yaml.Node, key string) {
				r.shaped(n, key, sipUserForm, "what stands left of the SIP domain in a sign-in address, such as "+phone.SIPProbe, &out.SIPUser)
			}})
		}},
	}
	if name == Internal {
		keys = append(keys,
			field{"front_ends", func(n *yaml.Node, key string) { out.FrontEnds = r.frontEnds(n, key) }},
			field{"directory", func(n *yaml.Node, key string) { out.Directory = r.directory(n, key) }},
			field{"certsrv", func(n *yaml.Node, key string) { out.Certsrv = r.certsrv(n, key) }},
			field{"dhcp", func(n *yaml.Node, key string) { out.DHCP = r.dhcp(n, key) }})
	}
	if name == External {
		keys = append(keys, field{"reverse_proxy", func(n *yaml.Node, key string) { r.domain(n, key, 2, &out.ReverseProxy) }})
	}
	r.fields(n, key, keys...)
	return out
}
