package site

import (
	"net/netip"
	"slices"

	"go.yaml.in/yaml/v3"
)

const (
	maxReferences  = 4 // names, each asked at every resolver
	maxTimeServers = 8
)

// vantages reads by what the exporter looks at its own network and clock, and gives it to every site's networks.
// The sites and the settings of the collectors must have been read.
func (r *reader) vantages(n *yaml.Node, key string, cfg *Config) {
	of := func(name NetworkName) field {
		return field{string(name), func(n *yaml.Node, key string) {
			networks := cfg.networks(name)
			if networks == nil {
				r.fault(n, key, "no site has that network", "describe the network in a site, or take the vantage out")
			}
			v := r.vantage(n, key)
			v.MaxOffset = cfg.Collectors["ntp"].MaxOffset
			if v.Resolvers == nil && v.asks() {
				v.Resolvers = firstResolvers(networks)
			}
			for _, network := range networks {
				network.Vantage = v
			}
		}}
	}
	r.fields(n, key, of(Internal), of(External))
}

// networks are those of that name, in the order of the sites.
func (c *Config) networks(name NetworkName) []*Network {
	var out []*Network
	for _, s := range c.Sites {
		for i := range s.Networks {
			if s.Networks[i].Name == name {
				out = append(out, &s.Networks[i])
			}
		}
	}
	return out
}

// firstResolvers are the resolvers that the networks name first, as many as one network may have.
func firstResolvers(networks []*Network) []netip.AddrPort {
	var out []netip.AddrPort
	for _, n := range networks {
		for _, a := range n.Resolvers {
			if len(out) < maxResolvers && !slices.Contains(out, a) {
				out = append(out, a)
			}
		}
	}
	return out
}

// asks tells whether there is something for which resolvers are asked.
func (v Vantage) asks() bool {
	return v.Names != nil || slices.ContainsFunc(v.TimeServers, func(t TimeServer) bool { return t.Name != "" })
}

func (r *reader) vantage(n *yaml.Node, key string) Vantage {
	var v Vantage
	r.fields(n, key,
		field{"names", func(n *yaml.Node, key string) { v.Names = r.references(n, key) }},
		field{"resolvers", func(n *yaml.Node, key string) { v.Resolvers = r.resolvers(n, key) }},
		field{"time_servers", func(n *yaml.Node, key string) { v.TimeServers = r.timeServers(n, key) }},
	)
	if n.Kind != yaml.MappingNode {
		return v
	}
	names, servers := child(n, "names"), child(n, "time_servers")
	switch resolvers := child(n, "resolvers"); {
	case names == nil && servers == nil:
		r.fault(n, key, "nothing to look at", "write names that are always there, such as a.root-servers.net, or time_servers")
	case resolvers != nil && names == nil && !v.asks():
		r.fault(resolvers, key+".resolvers", "of no use without names", "write names, or take the resolvers out")
	}
	return v
}

func (r *reader) references(n *yaml.Node, key string) []string {
	var out []string
	r.items(n, key, maxReferences, func(n *yaml.Node, key string) {
		var name string
		r.domain(n, key, 2, &name)
		switch {
		case name == "":
		case slices.Contains(out, name):
			r.fault(n, key, name+" is already in the list", "write each name once")
		default:
			out = append(out, name)
		}
	})
	if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		r.fault(n, key, "an empty list", "write names that are always there, such as a.root-servers.net, or leave the key out")
	}
	return out
}

// timeServers reads names and addresses; of one clock alone nobody knows whether it is right.
func (r *reader) timeServers(n *yaml.Node, key string) []TimeServer {
	var out []TimeServer
	r.items(n, key, maxTimeServers, func(n *yaml.Node, key string) {
		server := r.timeServer(n, key)
		switch {
		case server == TimeServer{}:
		case slices.Contains(out, server):
			r.fault(n, key, quoted(n.Value)+" is already in the list", "write each server once")
		default:
			out = append(out, server)
		}
	})
	if n.Kind == yaml.SequenceNode && len(n.Content) < 2 {
		r.fault(n, key, "fewer than two", "write at least two: one that is wrong cannot be told from a wrong clock of this machine")
	}
	return out
}

func (r *reader) timeServer(n *yaml.Node, key string) TimeServer {
	v, ok := r.text(n, key, "a name or an address such as 192.168.7.20")
	if !ok {
		return TimeServer{}
	}
	address, err := parseServer(v, ntpPort)
	switch {
	case err != nil:
		var s TimeServer
		r.domain(n, key, 2, &s.Name)
		return s
	case !oneServer(address):
		r.fault(n, key, quoted(v)+" is not the address of one server", "write the server's own address")
		return TimeServer{}
	default:
		return TimeServer{Address: address}
	}
}
