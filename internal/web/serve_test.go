package web

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"testing"

	toolkit "github.com/prometheus/exporter-toolkit/web"
)

// TestBeginOnceListening: what is to begin does so once, however many the addresses, and not where one is taken.
func TestBeginOnceListening(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, tt := range []struct {
		addresses []string
		want      int
	}{
		{[]string{"127.0.0.1:0", "127.0.0.1:0"}, 1},
		{[]string{"127.0.0.1:0", taken.Addr().String()}, 0},
	} {
		ctx, stop := context.WithCancel(t.Context())
		begun, none := 0, ""
		flags := &toolkit.FlagConfig{WebListenAddresses: &tt.addresses, WebConfigFile: &none}
		err := Serve(ctx, http.NotFoundHandler(), flags, slog.New(slog.DiscardHandler), func() { begun++; stop() })
		stop()
		if begun != tt.want || (err == nil) != (tt.want == 1) {
			t.Errorf("%v: begun %d times, error %v", tt.addresses, begun, err)
		}
	}
}
