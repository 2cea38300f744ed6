package web

import (
	"net/http"
	"testing"

	"github.com/cx700/cx700_exporter/internal/site"
)

// TestOneShardOfSeveral tells which it is, and of a site that another watches by which.
func TestOneShardOfSeveral(t *testing.T) {
	bubble(t, func(p *page) {
		p.shard, p.elsewhere = site.Shard{Index: 1, Count: 3}, []string{"bergen", "narvik"}
		p.loggedOn = func(*http.Request) bool { return true }
		p.start(nil)
		p.run()
		p.expect(http.StatusOK, "GET", "/", "This is shard 1 of 0 to 2: of 3 sites it watches 1, other shards watch 2.", ">oslo</a>")
		p.expect(http.StatusOK, "GET", "/site/bergen", "bergen: watched elsewhere", "Shard 2 watches this site; here is shard 1 of 0 to 2")
		p.expect(http.StatusNotFound, "GET", "/site/hamar", "No such site")
		p.expect(http.StatusNotFound, "GET", "/probe?site=bergen&collector=dns", "Shard 2 watches this site")
		p.expect(http.StatusNotFound, "POST", "/site/bergen/probe", "Shard 2 watches this site")
		p.expect(http.StatusOK, "GET", "/site/oslo", "oslo")
		p.expect(http.StatusOK, "GET", "/metrics", "\ncx700_config_sites 3\n", `cx700_shard_info{shard="1",shards="3"} 1`)
	})
}

// TestEmptyShard is healthy and ready: there may be fewer domains than shards.
func TestEmptyShard(t *testing.T) {
	bubble(t, func(p *page) {
		p.names, p.shard, p.elsewhere = nil, site.Shard{Index: 1, Count: 3}, []string{"bergen"}
		p.start(nil)
		p.run()
		p.expect(http.StatusOK, "GET", "/-/healthy", "healthy")
		p.expect(http.StatusOK, "GET", "/-/ready", "ready")
		p.expect(http.StatusOK, "GET", "/", "No sites: this shard has none to watch", "of 1 site it watches 0")
		p.expect(http.StatusOK, "GET", "/metrics", "\ncx700_config_sites 1\n")
	})
}
