//go:build linux

package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/internal/bed"
)

// registrarWay is a way in which registrars answer, and what must be told of it.
type registrarWay struct {
	way bed.Registrar
	// reasons at the pool; at the edge too where they are given, which has no web server on another port.
	reasons, atEdge []string
	// phone and modern are the version and the suite that come of each offer; empty where the handshake fails.
	phone, modern string
}

func registrarWays() []registrarWay {
	const (
		aes = "TLS_RSA_WITH_AES_128_CBC_SHA"
		cut = "pool/pool_unavailable"
		// What answers there by TLS is GnuTLS' or Apache's web server, and else nothing does.
		web, webOnly = "sip/sip_malformed", "sip/sip_unavailable"
		deaf         = "sip/sip_no_connection"
	)
	return []registrarWay{
		{way: "", phone: "TLS 1.0 " + aes, modern: "TLS 1.2 " + aes},
		{way: bed.TLS10, phone: "TLS 1.0 " + aes},
		{way: bed.TLS10TDES, reasons: []string{web, webOnly}, phone: "TLS 1.0 TLS_RSA_WITH_3DES_EDE_CBC_SHA"},
		{way: bed.TLS10RC4, reasons: []string{web, webOnly}, phone: "TLS 1.0 TLS_RSA_WITH_RC4_128_SHA"},
		{way: bed.TLS12, reasons: []string{"pool/pool_hardened", cut, webOnly}, atEdge: []string{"pool/pool_hardened", cut, deaf}, modern: "TLS 1.2 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"},
		{way: bed.TLS13, reasons: []string{"pool/pool_hardened", cut, webOnly}, modern: "TLS 1.3 TLS_AES_256_GCM_SHA384"},
		{way: bed.Closed, reasons: []string{"pool/pool_unreachable", "pool/pool_other_port", webOnly}, atEdge: []string{"pool/pool_unreachable", cut, deaf}},
		{way: bed.Hangs, reasons: []string{"pool/pool_silent", cut, webOnly}},
		{way: bed.ClosesHalf, reasons: []string{"pool/pool_closed", cut, webOnly}},
		{way: bed.SpeaksPlain, reasons: []string{"pool/pool_no_tls", cut, webOnly}},
	}
}

// TestRealPool lets the pool and the Access Edge answer in each way, on real servers, and holds the reasons and the
// series to it. Each way heals.
func TestRealPool(t *testing.T) {
	r := newRig(t)
	e := r.serve(t, siteFile(t, r.guideSite(t, "1s")))
	e.healthy(t)
	for _, w := range registrarWays() {
		for _, at := range []struct {
			network, address string
			host             bed.Host
		}{{"internal", "192.168.7.81:5061", bed.Pool}, {"external", "203.0.113.81:443", bed.Edge}} {
			if at.host == bed.Edge && w.reasons != nil && w.atEdge == nil {
				continue
			}
			t.Run(fmt.Sprintf("%s %s", at.network, w.way), func(t *testing.T) {
				set := func(way bed.Registrar) func(context.Context, *bed.Bed) error {
					return func(ctx context.Context, b *bed.Bed) error { return b.SetRegistrar(ctx, at.host, way) }
				}
				reasons := w.reasons
				if at.host == bed.Edge {
					reasons = w.atEdge
				}
				testFault(t, e, realFault{
					name: string(w.way), want: on(at.network, reasons), breaks: set(w.way), heals: set(""),
					shows: func(t *testing.T, scrape string) { w.shows(t, scrape, at.address) },
				}, time.Second)
			})
		}
	}
	notAfter := series(t, e.get(t, "/metrics"), "cx700_pool_certificate_not_after_timestamp_seconds")
	for labels, end := range notAfter {
		if left := time.Until(time.Unix(int64(end), 0)); left < 24*time.Hour || left > 11*365*24*time.Hour {
			t.Errorf("%s ends in %s", labels, left)
		}
	}
	if len(notAfter) < 2 {
		t.Errorf("certificates of two registrars are wanted: %v", notAfter)
	}
	if code := e.stop(t); code != exitGood {
		t.Errorf("SIGTERM: exit code %d", code)
	}
}

// shows compares the series of one address.
func (w registrarWay) shows(t *testing.T, scrape, address string) {
	t.Helper()
	ok, chosen := map[string]float64{}, map[string]string{}
	ofAddress := func(name string) map[string]float64 {
		all := series(t, scrape, name)
		maps.DeleteFunc(all, func(labels string, _ float64) bool { return !strings.Contains(labels, `address="`+address+`"`) })
		return all
	}
	for labels, value := range ofAddress("cx700_pool_handshake_ok") {
		ok[label(labels, "offer")] = value
	}
	for labels := range ofAddress("cx700_pool_tls_info") {
		chosen[label(labels, "offer")] = label(labels, "version") + " " + label(labels, "suite")
	}
	wantOK, wantChosen := map[string]float64{}, map[string]string{}
	for offer, text := range map[string]string{"phone": w.phone, "modern": w.modern} {
		wantOK[offer] = 0
		if text != "" {
			wantOK[offer], wantChosen[offer] = 1, text
		}
	}
	if w.way == bed.Closed { // one offer says that nothing listens
		delete(wantOK, "modern")
	}
	if diff := cmp.Diff(wantOK, ok); diff != "" {
		t.Errorf("cx700_pool_handshake_ok (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantChosen, chosen); diff != "" {
		t.Errorf("cx700_pool_tls_info (-want +got):\n%s", diff)
	}
}

// label returns one value of a series' labels.
func label(labels, name string) string {
	parts := strings.Split(labels, ",")
	i := slices.IndexFunc(parts, func(p string) bool { return strings.HasPrefix(p, name+"=") })
	if i < 0 {
		return ""
	}
	return strings.Trim(strings.TrimPrefix(parts[i], name+"="), `"`)
}
