package site

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

// Shard is one of several exporters that share the sites of one site file.
type Shard struct {
	// Index is 0 to Count less 1.
	Index, Count int
}

// Alone tells that there is no other shard.
func (s Shard) Alone() bool { return s.Count <= 1 }

func (s Shard) String() string { return fmt.Sprintf("%d of 0 to %d", s.Index, max(s.Count, 1)-1) }

// Elsewhere is a site that another shard watches.
type Elsewhere struct {
	*Site
	// Shard is the other's index.
	Shard int
}

// Of returns what a shard watches: the same file with the sites of the others in Elsewhere.
func (c *Config) Of(shard Shard) *Config {
	at := map[*Site]int{}
	for _, g := range c.Groups() {
		index := g.Shard(shard.Count)
		for _, s := range g.Sites {
			at[s] = index
		}
	}
	out := *c
	out.Shard, out.Sites = shard, nil
	for _, s := range c.Sites {
		if at[s] == shard.Index {
			out.Sites = append(out.Sites, s)
		} else {
			out.Elsewhere = append(out.Elsewhere, Elsewhere{s, at[s]})
		}
	}
	return &out
}

// Group is sites that one shard watches: those that have an Active Directory domain in common (of DHCP option 015 or of
// the logon), and therefore targets, or an account, which two exporters must not try side by side.
type Group struct {
	// Domains of the sites, sorted.
	Domains []string
	// Accounts with which they are read, sorted.
	Accounts []string
	// Sites in the order of the file.
	Sites []*Site
}

// Shard is the one of the highest weight for the group's first domain (rendezvous hashing: Thaler and Ravishankar, "Using
// Name-Based Mappings to Increase Hit Rates", 1998). The weight of a shard hangs on nothing but its number and the domain,
// so that a further shard takes over what is its share and moves nothing else.
func (g Group) Shard(count int) int {
	var heaviest [sha256.Size]byte
	at := 0
	for i := range count {
		weight := sha256.Sum256(fmt.Appendf(nil, "%d %s", i, g.Domains[0]))
		if bytes.Compare(weight[:], heaviest[:]) > 0 {
			heaviest, at = weight, i
		}
	}
	return at
}

// Groups takes the sites apart, in the order of the groups' first domains. Which networks are watched from here plays no
// part: inside and outside, a site has one shard.
func (c *Config) Groups() []Group {
	found := components{}
	known := map[string]string{} // a domain for each account
	for _, s := range c.Sites {
		domain := s.Domains.DHCP // no site file is accepted without
		found.join(domain, s.Domains.Logon)
		for account := range s.accounts() {
			if other, again := known[account]; again {
				found.join(domain, other)
			}
			known[account] = domain
		}
	}
	groups := map[string]*Group{}
	for _, s := range c.Sites {
		first := found.first(s.Domains.DHCP)
		g := groups[first]
		if g == nil {
			g = &Group{}
			groups[first] = g
		}
		g.Sites = append(g.Sites, s)
		g.Domains = append(g.Domains, s.Domains.DHCP, s.Domains.Logon)
		g.Accounts = slices.AppendSeq(g.Accounts, s.accounts())
	}
	var out []Group
	for _, first := range slices.Sorted(maps.Keys(groups)) {
		g := groups[first]
		slices.Sort(g.Domains)
		slices.Sort(g.Accounts)
		g.Domains, g.Accounts = slices.Compact(g.Domains), slices.Compact(g.Accounts)
		out = append(out, *g)
	}
	return out
}

// accounts yields those with which some probe of the site may log on.
func (s *Site) accounts() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, n := range s.Networks {
			for _, c := range []*Credential{n.Directory.Credential, n.Certsrv.Credential, n.Update.Credential, n.Exchange.Credential} {
				if c != nil && !yield(c.Account()) {
					return
				}
			}
		}
	}
}

// Account is equal for the spellings of one account: user@contoso.com, CONTOSO\user and so on.
func (c *Credential) Account() string {
	name, domain, _ := strings.Cut(c.Username, "@")
	if before, user, ok := strings.Cut(c.Username, `\`); ok {
		name, domain = user, before
	}
	domain, _, _ = strings.Cut(domain, ".")
	return strings.ToLower(name + "@" + domain)
}

// components are sets of names that were joined, each name with one before it in the alphabet; the first has none.
type components map[string]string

func (c components) first(name string) string {
	for c[name] != "" {
		if before := c[c[name]]; before != "" {
			c[name] = before
		}
		name = c[name]
	}
	return name
}

func (c components) join(a, b string) {
	if a, b = c.first(a), c.first(b); a != b {
		c[max(a, b)] = min(a, b)
	}
}
