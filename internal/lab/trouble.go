package lab

import (
	"io"
	"net/http"
)

// webTrouble is what a web server does in the stead of its own answer; the zero value is nothing.
type webTrouble struct {
	hangs, babbles bool
	// status is answered with, and a header where one is needed.
	status      int
	name, value string
}

// answers tells whether that was all. A client that is gone is no concern of the lab's.
func (t webTrouble) answers(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case t.hangs:
		<-r.Context().Done()
	case t.babbles:
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return true
		}
		_, _ = io.WriteString(conn, "SIP/2.0 400 Bad Request\r\n\r\n")
		_ = conn.Close()
	case t.status != 0:
		if t.name != "" {
			w.Header()[t.name] = []string{t.value}
		}
		http.Error(w, http.StatusText(t.status), t.status)
	default:
		return false
	}
	return true
}

// basicOnly wants a logon that phones do not know.
func basicOnly() webTrouble {
	return webTrouble{status: http.StatusUnauthorized, name: "Www-Authenticate", value: `Basic realm="contoso"`}
}

func redirects(to string) webTrouble {
	return webTrouble{status: http.StatusFound, name: "Location", value: to}
}

// webFaults are the kinds of trouble that every web server inside may have, for a collector whose reasons begin with a prefix.
func webFaults(collector, prefix, server string, apply func(webTrouble) func(*state), kinds ...string) []fault {
	all := map[string]struct {
		trouble      webTrouble
		text, reason string
	}{
		"silent":  {webTrouble{hangs: true}, "is silent", "silent"},
		"garbage": {webTrouble{babbles: true}, "speaks no HTTP", "malformed"},
		"403":     {webTrouble{status: http.StatusForbidden}, "forbids", "forbidden"},
		"418":     {webTrouble{status: http.StatusTeapot}, "is a teapot", "status"},
		"500":     {webTrouble{status: http.StatusInternalServerError}, "answers 500", "server_error"},
		"302":     {redirects("/elsewhere"), "leads elsewhere", "redirect"},
	}
	var out []fault
	for _, kind := range kinds {
		out = append(out, fault{Fault{
			Name: prefix + "_" + kind, Network: "internal", Collector: collector, Reasons: []string{prefix + "_" + all[kind].reason},
			Text: server + " " + all[kind].text,
		}, apply(all[kind].trouble)})
	}
	return out
}
