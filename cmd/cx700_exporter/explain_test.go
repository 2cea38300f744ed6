package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/catalogue"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/signin"
)

// explained runs the command and holds its lines to the width of a terminal.
func explained(t *testing.T, what ...string) string {
	t.Helper()
	code, stdout, stderr := ran(t, append([]string{"explain"}, what...)...)
	if code != exitGood || stderr != "" {
		t.Errorf("explain %q: exit code %d: %s", what, code, stderr)
	}
	fits(t, fmt.Sprintf("explain %q", what), stdout)
	return stdout
}

// inOrder tells whether a text holds these words, one after the other.
func inOrder(text string, words ...string) error {
	rest := text
	for _, w := range words {
		_, after, found := strings.Cut(rest, w)
		if !found {
			return fmt.Errorf("no %q, or not in its place:\n%s", w, text)
		}
		rest = after
	}
	return nil
}

// TestExplainReasons explains each reason that there is: it says all that a reason has, and who confirms it.
func TestExplainReasons(t *testing.T) {
	all := causes()
	for _, c := range all {
		text := strings.Join(strings.Fields(explained(t, c.Name)), " ")
		words := []string{c.Name + " (" + c.Effect.String(), c.Means, "phone " + c.Screen, "mend " + c.Mend, "at phone " + c.AtPhone, "reset " + c.ResetText()}
		for _, p := range c.At {
			words = append(words, "confirm "+p.Confirm(), p.Step)
		}
		if len(c.At) == 0 && c.Name != collectors.Internal().Name && c.Name != signin.TooOld().Name { // which the log tells
			t.Errorf("nobody confirms %s", c.Name)
		}
		if err := inOrder(text, words...); err != nil {
			t.Error(err)
		}
	}
	for _, c := range collectors.All() {
		if !slices.ContainsFunc(catalogue.Places(), func(p catalogue.Place) bool { return p.Collector == c.Name }) {
			t.Errorf("%s has no place on the walk", c.Name)
		}
	}
	for _, what := range [][]string{{"Root-Empty"}, {"root", "empty"}} {
		if text := explained(t, what...); !strings.HasPrefix(text, "root_empty (") {
			t.Errorf("explain %q:\n%s", what, text)
		}
	}
}

// TestExplainReadOut holds what users read out, and how, to the screen that they mean.
func TestExplainReadOut(t *testing.T) {
	const validate, connect, signIn = "Cannot validate server certificate", "Cannot connect to the server", "Cannot sign in"
	const permission, exchange = "Cannot sign in. You do not have the necessary permissions", "Connection to Microsoft Exchange is unavailable"
	for said, want := range map[string]string{
		validate:                              validate,
		"cannot validate server cert":         validate,
		"can't validate certificate":          validate,
		"can’t validate the certifcate":       validate,
		"CANNOT VALIDATE SERVER CERTIFICATE.": validate,
		"unable to verify server certificate": validate,
		"the phone says cannot validate server certificate since we moved the pool": validate,
		"certificate error": validate,
		"Cannot connect to the server. Retrying. If the problem continues, contact your support team.": connect,
		"can not conect to server": connect,
		"couldn't connect":         connect,
		"Cannot sign in. You do not have the necessary permissions. Contact your system administrator.": permission,
		"you do not have the necessery permissions":                                                     permission,
		"Connection to Microsoft Exchange is unavailable. Please contact your support team":             exchange,
		"exchange unavailable":                    exchange,
		"cannot sign in":                          signIn,
		"I can't log on to my phone":              signIn,
		"sign-in is very slow":                    "slow sign-in",
		"it asks for my password again and again": "asks for the password again and again",
		"Cannot sign in because the server is temporarily unavailable": "Cannot sign in because the server is temporarily unavailable",
		"last update status": "Last Update Status",
	} {
		if text := explained(t, strings.Fields(said)...); !strings.HasPrefix(text, fmt.Sprintf("%q\n", want)) {
			t.Errorf("%q is taken for %s", said, strings.SplitN(text, "\n", 2)[0])
		}
	}
}

// TestExplainInTheOrderOfTheWalk: what a phone meets first is told first, what is likely in full.
func TestExplainInTheOrderOfTheWalk(t *testing.T) {
	if err := inOrder(explained(t, "cannot validate server certificate"),
		"time: confirm with cx700_exporter probe ntp", "time_source_missing: neither SRV", "Mend: create SRV", "perhaps: time_names_unanswered",
		"tls: confirm", "pool_certificate_expired: ", "domain_controller: confirm", "root_empty: ", "certutil -f -dspublish",
		"root: confirm with cx700_exporter probe certsrv", "perhaps: certsrv_unresolved", "trust: confirm with cx700_exporter probe pool",
		"unknown_root: ", "perhaps: ", "root_only_in_aia", "signin: confirm", "do not hard reset it"); err != nil {
		t.Error(err)
	}
	if err := inOrder(explained(t, "cannot connect to the server"),
		"registrar: confirm with cx700_exporter probe dns", "srv_outside_sip_domain: ", "tls: confirm", "tls_hardened: ", "trust: ", "name_mismatch: ",
		"signin: ", "sip_unavailable: "); err != nil {
		t.Error(err)
	}
	if err := inOrder(explained(t, "last update status"), `explain "(0x2efd/0x0)"`, "update_name_missing: ", "perhaps: update_unresolved"); err != nil {
		t.Error(err)
	}
}

// TestScreensAreComplete: each screen is found by its own words, and each reason that a user can see by a screen.
func TestScreensAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range screens() {
		for _, text := range append([]string{s.shows}, s.also...) {
			if found, ok := screenLike(text); !ok || found.shows != s.shows {
				t.Errorf("%q is taken for %q", text, found.shows)
			}
		}
		some := false
		for _, c := range causes() {
			likely, perhaps := s.of(c.Reason)
			seen[c.Name] = seen[c.Name] || likely
			some = some || likely || perhaps
		}
		if !some {
			t.Errorf("nothing leads to %q", s.shows)
		}
	}
	for _, c := range causes() {
		if c.Effect >= phone.BlocksNew && !seen[c.Name] {
			t.Errorf("no screen is known for %s, which stops phones: %s", c.Name, c.Screen)
		}
	}
}

func TestExplainUpdateStatus(t *testing.T) {
	for _, c := range []struct {
		said string
		want []string
	}{
		{"0x2efd/0x0", []string{"(0x2efd/0x0)", "WinInet 12029: no connection", "update: confirm", "update_unreachable: ", "firmware: confirm", "firmware_unreachable: "}},
		{"(0x00/0x191)", []string{"(0x00/0x191)", "HTTP 401 Unauthorized: the server wants a logon", "update_logon_wanted: ", "update_no_ntlm: ", "firmware_logon_wanted: "}},
		{"Last Update Status: (0x2ee7/0x0)", []string{"WinInet 12007", "registrar: confirm with cx700_exporter probe dns", "update_name_missing: ", "update_unresolved: "}},
		{"12002 / 0", []string{"(0x2ee2/0x0)", "WinInet 12002: no answer", "update_silent: "}},
		{"(0x00/0)", []string{"HTTP 0: all went well", "base_url_blank: "}},
		{"(0x0/0x1f4)", []string{"HTTP 500 Internal Server Error", "update_server_error: "}},
		{"(0x0/0x12d)", []string{"HTTP 301", "update_redirect: "}},
		{"(0x0/0x193)", []string{"HTTP 403", "publishing_half: "}},
		{"(0x0/0x194)", []string{"HTTP 404", "firmware_not_found: "}},
		{"(0x0/0x19a)", []string{"HTTP 410", "update_status: "}},
		{"(0x2efc/0x0)", []string{"WinInet 12028: an item was not found"}},
		{"(0x2efe/0x1f7)", []string{"WinInet 12030", "HTTP 503", "update_malformed: ", "update_server_error: "}},
		{"(0xffffffff/0xffffffff)", []string{"nothing is known of that number"}},
	} {
		if err := inOrder(explained(t, c.said), c.want...); err != nil {
			t.Errorf("%s: %v", c.said, err)
		}
	}
	known := map[string]bool{}
	for _, c := range causes() {
		known[c.Name] = true
	}
	all := []told{statusTold(0)}
	for _, f := range phone.NetFailures() {
		if f == phone.NoFailure {
			continue
		}
		told := failureTold(f.WinInet())
		if len(told.reasons) == 0 {
			t.Errorf("nothing leads to %s", f)
		}
		all = append(all, told)
	}
	for status := 300; status < 600; status++ {
		all = append(all, statusTold(status))
	}
	for _, a := range all {
		for _, r := range a.reasons {
			if !known[r] {
				t.Errorf("%s is no reason", r)
			}
		}
	}
}
