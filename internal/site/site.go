// Package site reads the site file, cx700.yml: where phones plug in, and which names and servers they
// depend on there. It is strict: a key it does not know is refused, and every fault of a file is told
// in one go, each with its line, its key and what to write instead.
package site

import (
	"net/netip"
	"time"

	"github.com/cx700/cx700_exporter/internal/phone"
)

// Config is a whole site file. It is never changed after Load.
type Config struct {
	Sites []*Site
	// Collectors holds the settings of the collectors that the file names.
	Collectors map[string]CollectorSettings
}

// CollectorSettings overrides a collector's defaults; zero values leave them.
type CollectorSettings struct {
	Interval time.Duration
	Timeout  time.Duration
	// MaxOffset is for ntp only: from this offset on a clock counts as wrong.
	MaxOffset time.Duration
}

// Site is a place where phones plug in.
type Site struct {
	Name string
	// Domains as the phone learns them, without the reverse proxy, which belongs to a network.
	Domains phone.Domains
	// Firmware in use at the site.
	Firmware []phone.Firmware
	// Phones is how many stand there, 0 when the file does not say.
	Phones int
	// Networks that are watched: internal, external or both, in this order.
	Networks []Network
}

// NetworkName says where a probe stands.
type NetworkName string

// The two networks.
const (
	Internal NetworkName = "internal"
	External NetworkName = "external"
)

// Network is a site's dependencies as seen from one side of the firewall.
type Network struct {
	Name NetworkName
	// Resolvers are asked each, port 53 unless the file says otherwise.
	Resolvers []netip.AddrPort
	// ReverseProxy is the name under which updates are published, external only.
	ReverseProxy string
	// ConnectTo diverts connections, as curl's option of that name does.
	ConnectTo []ConnectTo
}

// ConnectTo diverts connections for a host and port to others. An empty Host or Port matches all; an
// empty ToHost or ToPort keeps the original.
type ConnectTo struct {
	Host, Port     string
	ToHost, ToPort string
}
