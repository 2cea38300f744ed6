package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cx700/cx700_exporter/internal/lab"
)

// inDomains gives the sites of a lab's site file Active Directory domains of their own, in the order of the file.
func inDomains(siteFile []byte, domains ...string) string {
	const inLab = "domain: contoso.com\n"
	out, rest, _ := strings.Cut(string(siteFile), inLab)
	for _, domain := range domains {
		var next string
		next, rest, _ = strings.Cut(rest, inLab)
		out += "domain: " + domain + "\n" + next
	}
	return out
}

var (
	infoSeries       = regexp.MustCompile(`(?m)^cx700_site_target_info\{(collector="\w+",network="\w+"),site="([^"]+)",(target="[^"]+")\}`)
	countedSeries    = regexp.MustCompile(`(?m)^cx700_probes_total\{(collector="\w+",network="\w+",target="[^"]+")\} [1-9]`)
	credentialSeries = regexp.MustCompile(`(?m)^cx700_credential_stopped\{credential="([^"]+)"\}`)
)

// watchedBy tells by which of the exporters each site and target is watched, each target was probed, and each account is
// used. The exporters' own places are left out.
func watchedBy(exporters []*process) map[string][]int {
	out := map[string][]int{}
	for i, p := range exporters {
		scrape := p.get("/metrics")
		var names []string
		for _, m := range infoSeries.FindAllStringSubmatch(scrape, -1) {
			names = append(names, "site "+m[2], "target "+m[1]+","+m[3])
		}
		for _, m := range countedSeries.FindAllStringSubmatch(scrape, -1) {
			names = append(names, "probed "+m[1])
		}
		for _, m := range credentialSeries.FindAllStringSubmatch(scrape, -1) {
			names = append(names, "credential "+m[1])
		}
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			if !strings.Contains(name, `target="exporter"`) {
				out[name] = append(out[name], i)
			}
		}
	}
	return out
}

// TestShards runs three exporters over one site file: each site, target and account is on exactly one of them, also after
// sites have moved to other domains.
func TestShards(t *testing.T) {
	company, err := lab.Start(7)
	if err != nil {
		t.Fatal(err)
	}
	defer company.Close()
	file := filepath.Join(t.TempDir(), "lab.yml")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Of the last two domains, one is read with the account of the other.
	oneAccount := func(content string) string {
		return strings.ReplaceAll(content, "credential: branch-007,", "credential: branch-006,")
	}
	write(oneAccount(inDomains(company.SiteFile(), "contoso.com", "one.example", "one.example", "two.example", "three.example", "four.example", "five.example")))
	var exporters []*process
	for i := range 3 {
		p := started(t, "serve", "--config.file="+file, "--web.enable-lifecycle", fmt.Sprintf("--shard.index=cx700-main-%d", i), "--shard.count=3")
		p.ready()
		exporters = append(exporters, p)
	}
	at := once(t, company.Sites(), exporters)
	if at["branch-002"] != at["branch-003"] || at["branch-006"] != at["branch-007"] {
		t.Errorf("one domain or one account on two shards: %v", at)
	}
	for name, shard := range at {
		for i, p := range exporters {
			want := ">" + name + ": "
			if i != shard {
				want = fmt.Sprintf("Shard %d watches this site", shard)
			}
			if page := p.get("/site/" + name); !strings.Contains(page, want) {
				t.Errorf("the page of %s on shard %d has no %q:\n%s", name, i, want, page)
			}
		}
	}

	write(oneAccount(inDomains(company.SiteFile(), "six.example", "one.example", "seven.example", "two.example", "eight.example", "five.example", "five.example")))
	for _, p := range exporters {
		if status, body := p.request(http.MethodPost, "/-/reload"); status != http.StatusOK {
			t.Fatalf("reload: %d %s", status, body)
		}
	}
	for _, p := range exporters {
		p.reported()
	}
	if after := once(t, company.Sites(), exporters); after["branch-002"] != at["branch-002"] || fmt.Sprint(at) == fmt.Sprint(after) {
		t.Errorf("at first %v, with other domains %v", at, after)
	}
}

// once holds every site, every target and every account to one exporter of several, and tells on which each site is.
func once(t *testing.T, sites []string, exporters []*process) map[string]int {
	t.Helper()
	at := map[string]int{}
	probed := 0
	for what, by := range watchedBy(exporters) {
		if len(by) != 1 {
			t.Errorf("%s is on the shards %v", what, by)
		}
		if name, is := strings.CutPrefix(what, "site "); is {
			at[name] = by[0]
		}
		if strings.HasPrefix(what, "probed ") {
			probed++
		}
	}
	const perSite = 13 // targets that nobody waits for left out
	if len(at) != len(sites) || probed < perSite*len(sites) {
		t.Errorf("%d of %d sites are watched, %d targets were probed", len(at), len(sites), probed)
	}
	return at
}

// TestEmptyShard says so and is ready: there may be fewer domains than shards.
func TestEmptyShard(t *testing.T) {
	p := started(t, "serve", "--config.file=../../examples/minimal.yml", "--shard.index=1", "--shard.count=2")
	p.ready()
	if !strings.Contains(p.log.String(), `sites=0 targets=0 shard="1 of 0 to 1" sites_of_other_shards=1`) {
		t.Errorf("the log does not say so:\n%s", p.log)
	}
	if page := p.get("/"); !strings.Contains(page, "this shard has none to watch") {
		t.Errorf("the page does not say so:\n%s", page)
	}
}

// TestConfigCheckShowsShards: what the command says is what the exporters do.
func TestConfigCheckShowsShards(t *testing.T) {
	code, stdout, stderr := ran(t, "config", "check", "--config.file=../../examples/cx700.yml", "--shard.count=3")
	if code != exitGood || stderr != "" {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	if err := inOrder(stdout, "copenhagen, shard 1\n", "aarhus, shard 0\n", "\nshard 0: sites: 1, targets: ", "\nshard 1: sites: 1, targets: ",
		"  contoso, contoso.com, sites: 1, accounts: cx700-reader@contoso", "\nshard 2: sites: 0, targets: 0\n"); err != nil {
		t.Error(err)
	}
	fits(t, "config check", stdout)
}
