package collectors

import (
	"net/http"

	"github.com/cx700/cx700_exporter/internal/phone"
)

const onlyOurProbe = "not known: this says only what the exporter could see"

// blinding makes a reason that concerns our own look only.
func blinding(name, means, mend string) *Reason {
	return &Reason{Name: name, Effect: Blinds, Means: means, Screen: onlyOurProbe, Mend: mend, AtPhone: "nothing"}
}

// noting makes a reason that is shown and stops nobody.
func noting(name, means, screen, mend string) *Reason {
	return &Reason{Name: name, Effect: Notes, Means: means, Screen: screen, Mend: mend, AtPhone: "nothing"}
}

// resetting gives a reason what a hard reset has to do with it, where its effect does not say so.
func resetting(h phone.HardReset, r *Reason) *Reason {
	r.HardReset = h
	return r
}

// statusReasons has a reason for each kind of HTTP status that is of no use to phones.
type statusReasons struct {
	forbidden, notFound, redirect, serverError, other *Reason
}

func (r statusReasons) of(status int) *Reason {
	switch {
	case status == http.StatusForbidden:
		return r.forbidden
	case status == http.StatusNotFound:
		return r.notFound
	case isRedirect(status):
		return r.redirect
	case status >= http.StatusInternalServerError && status < 600:
		return r.serverError
	default:
		return r.other
	}
}
