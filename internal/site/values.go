package site

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/net/idna"
)

const dnsPort = 53

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

var (
	siteNameForm  = formOf(`^[A-Za-z0-9._-]{1,63}$`)
	labelForm     = formOf(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	connectToForm = formOf(`^(\[[^\]]*\]|[^:\[\]]*):([^:]*):(\[[^\]]*\]|[^:\[\]]*):([^:]*)$`)
)

func (r *reader) siteName(n *yaml.Node, key string, into *string) {
	v, ok := r.text(n, key, "the name of the place")
	if !ok {
		return
	}
	if !siteNameForm.matches(v) {
		r.fault(n, key, quoted(v)+" cannot be a site's name", "use up to 63 letters, digits, dots, hyphens and underscores")
		return
	}
	*into = v
}

// domain reads a DNS name with at least that many labels. It is kept as phones ask for it: in lower
// case, without a trailing dot, international names as A-labels (RFC 5891).
func (r *reader) domain(n *yaml.Node, key string, labels int, into *string) {
	v, ok := r.text(n, key, "a domain such as contoso.com")
	if !ok {
		return
	}
	name := strings.TrimSuffix(v, ".")
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		r.fault(n, key, quoted(v)+" is an address", "write a name such as contoso.com")
		return
	}
	name, err := idna.Lookup.ToASCII(name)
	switch {
	case err != nil || !dnsName(name):
		r.fault(n, key, quoted(v)+" is not a DNS name", "write a name such as contoso.com")
	case strings.Count(name, ".")+1 < labels:
		r.fault(n, key, quoted(v)+" has no dot", "write the full name, such as contoso.com")
	default:
		*into = name
	}
}

func dnsName(name string) bool {
	const longest = 253
	return len(name) <= longest &&
		!slices.ContainsFunc(strings.Split(name, "."), func(l string) bool { return !labelForm.matches(l) })
}

// resolvers reads addresses of DNS servers.
func (r *reader) resolvers(n *yaml.Node, key string) []netip.AddrPort {
	return r.servers(n, key, maxResolvers, dnsPort)
}

// servers reads addresses, with the port where it is not the usual one.
func (r *reader) servers(n *yaml.Node, key string, most int, port uint16) []netip.AddrPort {
	var out []netip.AddrPort
	r.items(n, key, most, func(n *yaml.Node, key string) {
		v, ok := r.text(n, key, "an address such as 192.168.7.5")
		if !ok {
			return
		}
		address, err := parseServer(v, port)
		switch {
		case err != nil:
			r.fault(n, key, quoted(v)+" is no IP address",
				fmt.Sprintf("write one such as 192.168.7.5, 192.168.7.5:5353 or [fd00::5]:%d; names would need a resolver themselves", port))
		case !oneServer(address):
			r.fault(n, key, quoted(v)+" is not the address of one server", "write the server's own address")
		case slices.Contains(out, address):
			r.fault(n, key, v+" is already in the list", "write each server once")
		default:
			out = append(out, address)
		}
	})
	if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		r.fault(n, key, "an empty list", "write at least one address")
	}
	return out
}

// oneServer tells the address of one server from those that mean many or none.
func oneServer(a netip.AddrPort) bool {
	return !a.Addr().IsUnspecified() && !a.Addr().IsMulticast() && a.Addr() != broadcast && a.Port() != 0
}

func parseServer(v string, port uint16) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(unbracketed(v)); err == nil && strings.HasPrefix(v, "[") == strings.HasSuffix(v, "]") {
		return netip.AddrPortFrom(a.Unmap(), port), nil
	}
	a, err := netip.ParseAddrPort(v)
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), err
}

// connectTo reads HOST1:PORT1:HOST2:PORT2 entries, as curl's option of that name has them.
func (r *reader) connectTo(n *yaml.Node, key string) []ConnectTo {
	var out []ConnectTo
	r.items(n, key, maxConnectTo, func(n *yaml.Node, key string) {
		const wanted = "HOST1:PORT1:HOST2:PORT2, each of them may be empty; HOST2 is an address"
		v, ok := r.text(n, key, wanted)
		if !ok {
			return
		}
		c, err := parseConnectTo(v)
		if err != nil {
			r.fault(n, key, quoted(v)+": "+err.Error(), "write "+wanted)
			return
		}
		out = append(out, c)
	})
	return out
}

func parseConnectTo(v string) (ConnectTo, error) {
	m := connectToForm().FindStringSubmatch(v)
	if m == nil {
		return ConnectTo{}, fmt.Errorf("not four parts")
	}
	for _, port := range []string{m[2], m[4]} {
		if p, err := strconv.ParseUint(port, 10, 16); port != "" && (err != nil || p == 0) {
			return ConnectTo{}, fmt.Errorf("%q is no port", port)
		}
	}
	c := ConnectTo{Host: strings.ToLower(unbracketed(m[1])), Port: m[2], ToHost: unbracketed(m[3]), ToPort: m[4]}
	if a, err := netip.ParseAddr(c.Host); err == nil {
		c.Host = a.Unmap().String()
	} else if c.Host != "" && !dnsName(c.Host) {
		return ConnectTo{}, fmt.Errorf("%q is no host", c.Host)
	}
	if a, err := netip.ParseAddr(c.ToHost); err == nil {
		c.ToHost = a.Unmap().String()
	} else if c.ToHost != "" { // a name would be looked up by this machine's own resolver
		return ConnectTo{}, fmt.Errorf("%q is no address", c.ToHost)
	}
	return c, nil
}

// unbracketed takes the brackets off an IPv6 address.
func unbracketed(host string) string {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		return strings.TrimSuffix(inner, "]")
	}
	return host
}

func joined(words []string) string { return strings.Join(words, ", ") }
