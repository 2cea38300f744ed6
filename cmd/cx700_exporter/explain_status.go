package main

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/schedule"
)

// updateStatus is what the phone's About screen shows of its last update: a number of WinInet, its HTTP client, and a
// status of HTTP (CONTRACT section 1.7).
type updateStatus struct{ winInet, http int }

var statusForm = regexp.MustCompile(`(?i)^[^0-9(]*\(?\s*(0x[0-9a-f]{1,8}|\d{1,5})\s*/\s*(0x[0-9a-f]{1,8}|\d{1,5})\s*\)?\W*$`)

// readStatus reads such a pair, with or without what stands before it on the screen.
func readStatus(text string) (updateStatus, bool) {
	m := statusForm.FindStringSubmatch(text)
	if m == nil {
		return updateStatus{}, false
	}
	number := func(s string) int {
		base := 10
		if hex, ok := strings.CutPrefix(strings.ToLower(s), "0x"); ok {
			s, base = hex, 16
		}
		n, err := strconv.ParseInt(s, base, 64)
		if err != nil {
			return 0 // the form lets none through that is too long
		}
		return int(n)
	}
	return updateStatus{number(m[1]), number(m[2])}, true
}

// told is what a number means, and the reasons of update, firmware and the like that lead to it.
type told struct {
	means   string
	reasons []string
}

// failureTold says what a number of WinInet means.
func failureTold(number int) told {
	tls := " (the standard number; that phones show it so is inferred)"
	all := map[phone.NetFailure]told{
		phone.TimedOut:   {"no answer came in time", []string{"update_silent", "firmware_silent"}},
		phone.InvalidURL: {"the address is no URL", []string{"base_url_blank", "external_base_url_blank", "base_url_foreign"}},
		phone.NameUnresolved: {"the name of the server was not resolved",
			[]string{"update_name_missing", "reverse_proxy_missing", "update_unresolved", "firmware_unresolved"}},
		phone.CannotConnect: {"no connection came about", []string{"update_unreachable", "update_https_only", "firmware_unreachable"}},
		phone.Aborted:       {"the server closed the connection", []string{"update_malformed", "firmware_malformed"}},
		phone.Reset:         {"the server reset the connection", []string{"update_malformed", "firmware_malformed"}},
		phone.DateInvalid:   {"the certificate's dates are wrong, or the phone's clock is" + tls, []string{"time_off", "update_link_expired", "update_certificate"}},
		phone.NameInvalid:   {"the certificate has another name" + tls, []string{"update_name_mismatch", "update_certificate"}},
		phone.UnknownCA:     {"the certificate leads to no root that the phone holds" + tls, []string{"root_empty", "root_missing", "update_unknown_root", "update_certificate"}},
		phone.ChannelFailed: {"no TLS came about" + tls, []string{"update_hardened", "update_tls_failed", "firmware_tls_failed"}},
	}
	for failure, t := range all {
		if failure.WinInet() == number {
			return t
		}
	}
	const itemNotFound = 12028
	if number == itemNotFound {
		return told{means: "an item was not found; nothing that is watched here is known to lead to it"}
	}
	return told{means: "nothing is known of that number; winerror.h and wininet.h list those of Windows"}
}

// statusTold says what a status of HTTP means.
func statusTold(status int) told {
	switch {
	case status == 0, status == http.StatusOK:
		return told{"all went well. A phone that stays at its version all the same is offered nothing that it can use",
			[]string{"base_url_blank", "external_base_url_blank", "update_logon_wanted", "front_ends_differ", "ladder_unreachable"}}
	case status == http.StatusUnauthorized:
		return told{"the server wants a logon. Outside that is right while nobody is signed in at the phone",
			[]string{"update_logon_wanted", "update_no_ntlm", "firmware_logon_wanted"}}
	case status == http.StatusForbidden:
		return told{"the server forbids it", []string{"update_forbidden", "firmware_forbidden", "publishing_half"}}
	case status == http.StatusNotFound:
		return told{"nothing is there", []string{"update_not_found", "firmware_not_found", "publishing_half"}}
	case status >= 300 && status < 400:
		return told{"the server leads elsewhere", []string{"update_redirect", "firmware_redirect"}}
	case status >= 500 && status < 600:
		return told{"the server answers with an error of its own", []string{"update_server_error", "firmware_server_error"}}
	default:
		return told{"the server answers with a status that phones cannot use", []string{"update_status", "firmware_status"}}
	}
}

// explain writes what the pair means and what leads to it.
func (s updateStatus) explain(w io.Writer, all []cause) {
	fmt.Fprintf(w, "Last Update Status: (0x%02x/0x%x), in About\n", s.winInet, s.http)
	var reasons []string
	if s.winInet != 0 {
		t := failureTold(s.winInet)
		schedule.Wrap(w, "  ", "    ", fmt.Sprintf("WinInet %d: %s", s.winInet, t.means))
		reasons = t.reasons
	}
	if s.http != 0 || s.winInet == 0 {
		t := statusTold(s.http)
		schedule.Wrap(w, "  ", "    ", strings.TrimSpace(fmt.Sprintf("HTTP %d %s", s.http, http.StatusText(s.http)))+": "+t.means)
		reasons = append(reasons, t.reasons...)
	}
	if reasons == nil {
		return
	}
	var likely []cause
	for _, c := range all {
		if slices.Contains(reasons, c.Name) {
			likely = append(likely, c)
		}
	}
	explainCauses(w, likely, nil)
}
