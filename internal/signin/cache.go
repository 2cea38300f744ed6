package signin

import (
	"crypto/sha256"
	"crypto/x509"
	"sync"
	"time"

	"github.com/cx700/cx700_exporter/internal/phone"
)

// mostKept bounds how many judgements are kept, which is more than a thousand pools have, and mostBytes how long
// a chain may be of which one is: a server that makes up a long one each time must not fill the memory.
const (
	mostKept  = 8192
	mostBytes = 16 << 10
)

// Cache keeps what was made of chains, as long as nothing can make it another: the same certificates, the same
// roots, the same rules, and no certificate among them that has begun or ended since. The zero value is empty and
// ready.
type Cache struct {
	mu   sync.Mutex
	kept map[cacheKey]*kept
}

type cacheKey struct {
	served, store [sha256.Size]byte
	host          string
	firmware      phone.Firmware
}

type kept struct {
	trust       phone.Trust
	from, until time.Time
}

// trust judges a chain, or tells what was made of it before. What it returns is shared, and not changed.
func (c *Cache) trust(f phone.Firmware, served []*x509.Certificate, host string, s *store, at time.Time) *phone.Trust {
	f.Version, f.Registrar, f.Time, f.SIPUserAgent = "", "", "", "" // nothing in the judgement depends on them
	sum, size := digest(served)
	key := cacheKey{served: sum, store: s.sum, host: host, firmware: f}
	c.mu.Lock()
	k, known := c.kept[key]
	c.mu.Unlock()
	if known && !at.Before(k.from) && !at.After(k.until) {
		return &k.trust
	}
	roots := s.roots()
	k = &kept{trust: f.Trust(phone.Server{Served: served, Host: host}, roots, at)}
	k.from, k.until = window(at, served, roots.Anchors)
	if size > mostBytes {
		return &k.trust
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil || len(c.kept) >= mostKept { // simpler than to find the oldest, and as good
		c.kept = map[cacheKey]*kept{}
	}
	c.kept[key] = k
	return &k.trust
}

func digest(served []*x509.Certificate) (sum [sha256.Size]byte, size int) {
	h := sha256.New()
	for _, c := range served {
		h.Write(c.Raw) // DER tells its own length
		size += len(c.Raw)
	}
	return [sha256.Size]byte(h.Sum(nil)), size
}

// window is the time around a moment in which none of the certificates begins or ends.
func window(at time.Time, lists ...[]*x509.Certificate) (from, until time.Time) {
	until = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	for _, list := range lists {
		for _, c := range list {
			ended, begun := c.NotAfter.Add(time.Nanosecond), c.NotBefore
			for _, change := range []time.Time{begun, ended} {
				if !change.After(at) && change.After(from) {
					from = change
				}
				if last := change.Add(-time.Nanosecond); change.After(at) && last.Before(until) {
					until = last
				}
			}
		}
	}
	return from, until
}
