package site

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// company is a site file with one site for each line: its name, domain, logon and credential, "-" for none.
func company(t *testing.T, lines ...string) *Config {
	t.Helper()
	var b strings.Builder
	b.WriteString("credentials:\n")
	for name, username := range map[string]string{"a": "reader@contoso.com", "same": `CONTOSO\Reader`, "b": "reader@fabrikam.com"} {
		fmt.Fprintf(&b, "  %s: {username: '%s', password_file: secret, allowed_hosts: [dc.contoso.com]}\n", name, username)
	}
	b.WriteString("sites:\n")
	for _, line := range lines {
		f := strings.Fields(line)
		fmt.Fprintf(&b, "  - {name: %s, sip_domain: sip.example, dhcp: {domain: %s, dns_servers: [192.0.2.1]}", f[0], f[1])
		if f[2] != "-" {
			fmt.Fprintf(&b, ", logon: '%s'", f[2])
		}
		if f[3] != "-" {
			fmt.Fprintf(&b, ", networks: {internal: {exchange: {credential: %s, mailbox: a@sip.example}}}", f[3])
		}
		b.WriteString("}\n")
	}
	cfg, err := Parse("test.yml", []byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestGroups(t *testing.T) {
	for _, tt := range []struct {
		name  string
		sites []string
		want  []string // the domains and the sites of each group
	}{
		{"by domain", []string{"a one.example - -", "b two.example - -", "c ONE.example - -"}, []string{"one.example: a c", "two.example: b"}},
		{"a child domain is one of its own", []string{"a one.example - -", "b eu.one.example - -"}, []string{"eu.one.example: b", "one.example: a"}},
		{"one account", []string{"a one.example - a", "b two.example - -", "c eu.one.example - a"}, []string{"eu.one.example one.example: a c", "two.example: b"}},
		{"one account by two credentials", []string{"a one.example - a", "b two.example - same"}, []string{"one.example two.example: a b"}},
		{"accounts of one name in two domains", []string{"a one.example - a", "b two.example - b"}, []string{"one.example: a", "two.example: b"}},
		{"one logon domain", []string{`a one.example contoso.com\u -`, "b two.example u@contoso.com -", "c contoso.com - -"},
			[]string{"contoso.com one.example two.example: a b c"}},
		{"one NetBIOS name", []string{`a one.example CONTOSO\u -`, `b two.example contoso\u -`}, []string{"contoso one.example two.example: a b"}},
		{"a chain", []string{`d z.example - a`, `c y.example u@z.example -`, `b x.example u@y.example -`, `a w.example - a`},
			[]string{"w.example x.example y.example z.example: d c b a"}},
	} {
		var got []string
		for _, g := range company(t, tt.sites...).Groups() {
			var names []string
			for _, s := range g.Sites {
				names = append(names, s.Name)
			}
			got = append(got, strings.Join(g.Domains, " ")+": "+strings.Join(names, " "))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestShardOf pins where domains are: another release must not move them.
func TestShardOf(t *testing.T) {
	var got []int
	for _, domain := range []string{"contoso.com", "fabrikam.com", "litware.com", "adatum.com"} {
		got = append(got, Group{Domains: []string{domain}}.Shard(3))
	}
	if want := []int{0, 2, 0, 1}; !slices.Equal(got, want) {
		t.Errorf("shards %v, want %v", got, want)
	}
}

// TestFurtherShard moves to it what is its share, and nothing else.
func TestFurtherShard(t *testing.T) {
	const domains = 2000
	for count := 1; count <= 12; count++ {
		moved := 0
		for i := range domains {
			g := Group{Domains: []string{fmt.Sprintf("company-%d.example", i)}}
			before, after := g.Shard(count), g.Shard(count+1)
			switch {
			case before >= count || after > count:
				t.Fatalf("%d of %d shards: %d, then %d", i, count, before, after)
			case before != after && after != count:
				t.Errorf("%s moves from %d to %d, an old shard of %d", g.Domains[0], before, after, count)
			case before != after:
				moved++
			}
		}
		share := domains / (count + 1)
		if moved < share*8/10 || moved > share*12/10 {
			t.Errorf("from %d shards to the next, %d of %d domains move; its share is %d", count, moved, domains, share)
		}
	}
}

// TestOfShard: each site is on one shard, the others know on which, and the order of the file stays.
func TestOfShard(t *testing.T) {
	var lines []string
	for i := range 40 {
		lines = append(lines, fmt.Sprintf("site-%02d d%d.example - -", i, i%10))
	}
	cfg := company(t, lines...)
	const count = 3
	at := map[string]int{}
	for index := range count {
		own := cfg.Of(Shard{Index: index, Count: count})
		if len(own.Sites)+len(own.Elsewhere) != len(cfg.Sites) || len(own.Sites) == 0 {
			t.Errorf("shard %s: %d sites here and %d elsewhere of %d", own.Shard, len(own.Sites), len(own.Elsewhere), len(cfg.Sites))
		}
		if !slices.IsSortedFunc(own.Sites, func(a, b *Site) int { return strings.Compare(a.Name, b.Name) }) {
			t.Errorf("shard %s: not in the order of the file", own.Shard)
		}
		for _, s := range own.Sites {
			if other, twice := at[s.Name]; twice {
				t.Errorf("%s is on %d and %d", s.Name, other, index)
			}
			at[s.Name] = index
		}
	}
	if len(at) != len(cfg.Sites) {
		t.Errorf("%d of %d sites are watched", len(at), len(cfg.Sites))
	}
	for index := range count {
		for _, s := range cfg.Of(Shard{Index: index, Count: count}).Elsewhere {
			if at[s.Name] != s.Shard {
				t.Errorf("shard %d says that %s is on %d, but it is on %d", index, s.Name, s.Shard, at[s.Name])
			}
		}
	}
	if only := cfg.Of(Shard{Index: 0, Count: 1}); len(only.Sites) != len(cfg.Sites) || len(only.Elsewhere) > 0 {
		t.Errorf("alone, it has %d of %d sites", len(only.Sites), len(cfg.Sites))
	}
}
