package collectors

import (
	"log/slog"
	"testing"

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
