package web

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/time/rate"
)

// refreshAsked is after how many seconds the page of a site that was probed on demand is shown again.
const refreshAsked = 4

// mayProbe tells whether who asks for a page has logged on, and may have a site probed.
func (o Options) mayProbe(r *http.Request) bool { return o.LoggedOn != nil && o.LoggedOn(r) }

// probeNow makes what is planned for a site due at once, and leads back to its page. What logs on or moves whole images
// keeps its turn. It takes the tokens of /probe.
func (o Options) probeNow(limit *rate.Limiter) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("name")
		if !o.mayProbe(r) {
			http.Error(w, "probing from this page needs web authentication: set basic_auth_users in --web.config.file", http.StatusForbidden)
			return
		}
		if o.Scheduler.Plan().Find(name, "", "") == nil {
			http.Error(w, cmp.Or(elsewhere(o.Scheduler.Plan(), name), "the site file has no such site"), http.StatusNotFound)
			return
		}
		if !limit.AllowN(time.Now(), probeBurst) {
			w.Header().Set("Retry-After", strconv.Itoa(probeBurst/probesPerSecond))
			http.Error(w, "too many probes on demand; ask again in some seconds", http.StatusTooManyRequests)
			return
		}
		due, kept := o.Scheduler.Hasten(name)
		// As a relative reference, which holds behind a proxy's prefix (RFC 9110 section 10.2.2).
		w.Header().Set("Location", fmt.Sprintf("../%s?due=%d&kept=%d", url.PathEscape(name), due, kept))
		w.WriteHeader(http.StatusSeeOther)
	}
}

// asked says what became of a site's being probed on demand; empty where nobody asked.
func asked(r *http.Request) string {
	q := r.URL.Query()
	due, err := strconv.ParseUint(q.Get("due"), 10, 16)
	if err != nil {
		return ""
	}
	text := plural(int(due), "probe") + " started now"
	if kept, err := strconv.ParseUint(q.Get("kept"), 10, 16); err == nil && kept > 0 {
		text += fmt.Sprintf("; %d that log on or read whole images keep their turn", kept)
	}
	return text
}
