package collectors

import (
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/internal/reach"
	"github.com/cx700/cx700_exporter/internal/site"
	"github.com/cx700/cx700_exporter/internal/state"
)

// testEnv is an environment whose state is kept in memory.
func testEnv(t testing.TB) *Env {
	t.Helper()
	memory, err := state.Open("")
	if err != nil {
		t.Fatal(err)
	}
	shared := reach.NewShared(slog.New(slog.DiscardHandler), memory)
	t.Cleanup(shared.Close)
	return &Env{Target: &Target{Collector: "directory", Network: site.Internal, Name: "contoso.com@192.168.7.5"}, Shared: shared}
}

// TestTargetsStayTheSameOverAReload reads one file twice: targets with accounts must not look new.
func TestTargetsStayTheSameOverAReload(t *testing.T) {
	accounts := 0
	keys := func() (out []string) {
		cfg, err := site.Load("../examples/cx700.yml")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range cfg.Sites {
			for _, n := range s.Networks {
				for _, c := range All() {
					for _, target := range c.Targets(s, n) {
						out = append(out, target.Key())
						accounts += len(target.Credentials())
					}
				}
			}
		}
		return out
	}
	first := keys()
	if diff := cmp.Diff(first, keys()); diff != "" {
		t.Errorf("(-first +second):\n%s", diff)
	}
	if accounts == 0 {
		t.Error("no target has an account")
	}
}
