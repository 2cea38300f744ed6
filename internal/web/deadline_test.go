package web

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// timed is an answer that notes until when it may be written.
type timed struct {
	*httptest.ResponseRecorder
	until time.Time
}

func (w *timed) SetWriteDeadline(t time.Time) error {
	w.until = t
	return nil
}

// TestTimeToAnswer: a scrape has longer than any Prometheus waits, a probe on demand its own timeout, and pages the time
// of the server.
func TestTimeToAnswer(t *testing.T) {
	bubble(t, func(p *page) {
		p.start(nil)
		for target, want := range map[string]time.Duration{
			"/metrics": 5 * time.Minute, "/probe?site=oslo&collector=dns&network=internal": time.Second + time.Minute, "/": 0,
		} {
			w := &timed{ResponseRecorder: httptest.NewRecorder()}
			p.handler.ServeHTTP(w, httptest.NewRequestWithContext(p.t.Context(), http.MethodGet, target, nil))
			if w.Code != http.StatusOK {
				t.Errorf("%s: status %d", target, w.Code)
			}
			if want == 0 && !w.until.IsZero() || want > 0 && time.Until(w.until) != want {
				t.Errorf("%s: until %s, want %s from now", target, w.until, want)
			}
		}
	})
}
