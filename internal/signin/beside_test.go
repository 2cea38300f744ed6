package signin

import (
	"crypto/x509"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

const (
	mailHost   = "autodiscover.fabrikam.com"
	smtpDomain = "fabrikam.com"
	proxyHost  = "ocsrp.fabrikam.com"
)

// mailAnswer is Exchange at an address, which serves the same to everybody.
func mailAnswer(address string, served ...*x509.Certificate) facts.AutodiscoverAnswer {
	return facts.AutodiscoverAnswer{
		WebAnswer: facts.WebAnswer{Address: netip.MustParseAddrPort(address + ":443"), Status: http.StatusUnauthorized, Served: served},
		Phone:     &facts.Handshake{Version: "TLS 1.0", Served: served},
	}
}

func place(host string, answers ...facts.AutodiscoverAnswer) facts.AutodiscoverPlace {
	return facts.AutodiscoverPlace{Host: host, Secure: true, ExchangeServer: facts.ExchangeServer{Answers: answers}}
}

func mailOf(places ...facts.AutodiscoverPlace) *facts.Exchange {
	return &facts.Exchange{Places: places}
}

func TestExchange(t *testing.T) {
	company, other, aia := root(t, "Company Root"), root(t, "Other Root"), root(t, "AIA Root")
	sub := issue(t, "Company Issuing", company, func(c *x509.Certificate) { c.BasicConstraintsValid, c.IsCA = true, true })
	good, foreign := issue(t, mailHost, company), issue(t, mailHost, other)
	web := issue(t, smtpDomain, other)
	ad, adBoth := directoryOf([]*x509.Certificate{company}, aia), directoryOf([]*x509.Certificate{company, other})
	one := func(served ...*x509.Certificate) *facts.Exchange {
		return mailOf(place(mailHost, mailAnswer(inside1, served...)))
	}
	with := func(e *facts.Exchange, edit func(*facts.AutodiscoverAnswer)) *facts.Exchange {
		edit(&e.Places[len(e.Places)-1].Answers[0])
		return e
	}
	services := func(e *facts.Exchange, host string, served ...*x509.Certificate) *facts.Exchange {
		e.WebServices = &facts.ExchangeServer{URL: "https://" + host + "/EWS/Exchange.asmx", Answers: []facts.AutodiscoverAnswer{mailAnswer(inside2, served...)}}
		return e
	}
	redirected := func(e *facts.Exchange, served ...*x509.Certificate) *facts.Exchange {
		followed := place("mail.fabrikam.com", mailAnswer(inside2, served...))
		e.Followed = &followed
		return e
	}
	mail := issue(t, "mail.fabrikam.com", company)
	for _, tt := range []struct {
		name      string
		exchange  *facts.Exchange
		directory *facts.Directory
		held      []phone.Root
		external  bool
		version   string // 3.5.6907.35 when empty
		want, new string
	}{
		{name: "not asked for", want: "not_watched", new: "not_watched"},
		{name: "good", exchange: one(good), directory: ad, want: "ok", new: "ok"},
		{name: "of another CA", exchange: one(foreign), directory: ad, want: "blocked exchange_unknown_root", new: "blocked exchange_unknown_root"},
		{name: "of another CA, whose root is served", exchange: one(foreign, other), directory: ad,
			want: "blocked exchange_unknown_root exchange_other_root", new: "blocked exchange_unknown_root exchange_other_root"},
		{name: "of another CA, which AD publishes", exchange: one(foreign), directory: adBoth,
			want: "ok exchange_other_root", new: "ok exchange_other_root"},
		{name: "of another CA, which new phones hold only", exchange: one(foreign), directory: adBoth, held: held(company),
			want: "blocked exchange_unknown_root", new: "ok exchange_other_root"},
		{name: "of another CA, which enrolled phones hold only", exchange: one(foreign), directory: ad, held: held(company, other),
			want: "ok exchange_other_root", new: "blocked exchange_unknown_root"},
		{name: "root in AIA", exchange: one(issue(t, mailHost, aia)), directory: ad,
			want: "unknown exchange_root_only_in_aia", new: "unknown exchange_root_only_in_aia"},
		{name: "wrong name", exchange: one(issue(t, "mail", company)), directory: ad,
			want: "blocked exchange_name_mismatch", new: "blocked exchange_name_mismatch"},
		{name: "ended", exchange: one(issue(t, mailHost, company, ended)), directory: ad,
			want: "blocked exchange_link_expired", new: "blocked exchange_link_expired"},
		{name: "SHA-2", exchange: one(issue(t, mailHost, company, sha2)), directory: ad,
			want: "ok exchange_sha2_doubted", new: "ok exchange_sha2_doubted"},
		{name: "SHA-2 for the oldest", exchange: one(issue(t, mailHost, company, sha2)), directory: ad, version: "1.0.199.123",
			want: "blocked exchange_sha2_link", new: "blocked exchange_sha2_link"},
		{name: "below an intermediate", exchange: one(issue(t, mailHost, sub), sub), directory: ad, want: "ok", new: "ok"},
		{name: "AD not watched", exchange: one(foreign), want: "ok", new: "not_watched ad_roots_not_watched"},
		{name: "outside", exchange: one(good), directory: ad, external: true, want: "ok", new: "not_watched enrol_inside_first"},

		{name: "cut off", exchange: with(one(foreign), func(a *facts.AutodiscoverAnswer) { a.Phone.Problem = facts.HandshakeRefused }),
			directory: ad, want: "unknown", new: "unknown"},
		{name: "the phone's own offer came to nothing", exchange: with(one(good), func(a *facts.AutodiscoverAnswer) {
			a.Phone = &facts.Handshake{Problem: facts.HandshakeUnreachable}
		}), directory: ad, want: "ok", new: "ok"},
		{name: "another certificate for phones", exchange: with(one(good), func(a *facts.AutodiscoverAnswer) {
			a.Phone = &facts.Handshake{Served: []*x509.Certificate{foreign}}
		}), directory: ad, want: "blocked exchange_unknown_root", new: "blocked exchange_unknown_root"},
		{name: "no Exchange", exchange: with(one(foreign), func(a *facts.AutodiscoverAnswer) { a.Status = http.StatusNotFound }),
			directory: ad, want: "unknown", new: "unknown"},
		{name: "open to everybody", exchange: with(one(good), func(a *facts.AutodiscoverAnswer) {
			a.Status, a.Autodiscover = http.StatusOK, &phone.Autodiscover{}
		}), directory: ad, want: "ok", new: "ok"},

		{name: "the SMTP domain's own server is passed over", directory: ad, want: "ok", new: "ok",
			exchange: mailOf(place(smtpDomain, mailAnswer(inside2, web)), place(mailHost, mailAnswer(inside1, good)))},
		{name: "the SMTP domain's own server alone", exchange: mailOf(place(smtpDomain, mailAnswer(inside2, web))), directory: ad,
			want: "blocked exchange_unknown_root", new: "blocked exchange_unknown_root"},
		{name: "the SMTP domain's own server is Exchange", directory: ad, want: "ok", new: "ok",
			exchange: mailOf(place(smtpDomain, mailAnswer(inside2, issue(t, smtpDomain, company))), place(mailHost, mailAnswer(inside1, foreign)))},
		{name: "one of two addresses", exchange: mailOf(place(mailHost, mailAnswer(inside1, good), mailAnswer(inside2, foreign))), directory: ad,
			want: "degraded exchange_unknown_root", new: "degraded exchange_unknown_root"},
		{name: "the redirect", exchange: redirected(one(foreign), mail), directory: ad, want: "ok", new: "ok"},
		{name: "the redirect leads to a bad one", exchange: redirected(one(good), foreign), directory: ad, want: "ok", new: "ok"},
		{name: "only the redirect, to a bad one", exchange: redirected(mailOf(), good), directory: ad,
			want: "blocked exchange_name_mismatch", new: "blocked exchange_name_mismatch"},

		{name: "web services", exchange: services(one(good), mailHost, good), directory: ad, want: "ok", new: "ok"},
		{name: "web services of another CA", exchange: services(one(good), mailHost, foreign), directory: ad,
			want: "blocked exchange_unknown_root", new: "blocked exchange_unknown_root"},
		{name: "web services are better", exchange: services(one(foreign), mailHost, good), directory: ad,
			want: "blocked exchange_unknown_root", new: "blocked exchange_unknown_root"},
		{name: "web services only", exchange: services(mailOf(), mailHost, good), directory: ad, want: "ok", new: "ok"},
		{name: "web services at no URL", exchange: services(one(good), "\x7f", good), directory: ad, want: "ok", new: "ok"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pool := poolOf([]phone.Endpoint{guessed(sipHost, 5061, inside1)}, serving(inside1+":5061", issue(t, sipHost, company)))
			seen := &facts.Seen{Exchange: tt.exchange, Directory: tt.directory, Pool: pool}
			version := tt.version
			if version == "" {
				version = "3.5.6907.35"
			}
			for kind, want := range map[phone.Kind]string{phone.Enrolled: tt.want, phone.New: tt.new} {
				p := profile(version, kind)
				p.Held, p.External = tt.held, tt.external
				got := judgeStep("exchange", seen, p)
				if diff := cmp.Diff(want, summary(got)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", kind, diff)
				}
			}
		})
	}
}

// TestExchangeBesideThePool: what is told of the pool's root, and until when all goes well.
func TestExchangeBesideThePool(t *testing.T) {
	company, other := root(t, "Company Root"), root(t, "Other Root")
	e := mailOf(place(mailHost, mailAnswer(inside1, issue(t, mailHost, other))))
	seen := &facts.Seen{Exchange: e, Directory: directoryOf([]*x509.Certificate{company}),
		Pool: poolOf([]phone.Endpoint{guessed(sipHost, 5061, inside1)}, serving(inside1+":5061", issue(t, sipHost, company)))}
	p := profile("1.0.522.101", phone.Enrolled)
	if got := judgeStep("exchange", seen, p).Findings[0].Seen; !strings.HasSuffix(got, "issued by CN=Other Root; the pool's root is CN=Company Root") {
		t.Error(got)
	}
	seen.Pool = nil
	if got := judgeStep("exchange", seen, p).Findings[0].Seen; !strings.HasSuffix(got, "issued by CN=Other Root") {
		t.Errorf("without the pool: %s", got)
	}
	e.Places[0].Answers[0] = mailAnswer(inside1, issue(t, mailHost, company))
	e.WebServices = &facts.ExchangeServer{URL: "https://" + mailHost + "/", Answers: []facts.AutodiscoverAnswer{mailAnswer(inside2, issue(t, mailHost, company, soon))}}
	got := judgeStep("exchange", seen, p)
	if !until(got.Ends).Equal(today.AddDate(0, 0, 7)) || got.State != OK {
		t.Errorf("%s until %s", got.State, until(got.Ends))
	}
}

// offering gives the phone's offer to the only server that is asked for updates.
func offering(u *facts.Update, h facts.Handshake) *facts.Update {
	u.Servers[0].Phone = &h
	return u
}

func TestUpdate(t *testing.T) {
	company, other := root(t, "Company Root"), root(t, "Other Root")
	ad := directoryOf([]*x509.Certificate{company})
	good, foreign := issue(t, proxyHost, company), issue(t, proxyHost, other)
	response := &phone.UpdateResponse{}
	secure := func(status int, answer *phone.UpdateResponse, served ...*x509.Certificate) *facts.UpdateAnswer {
		return &facts.UpdateAnswer{Response: answer,
			WebAnswer: facts.WebAnswer{Address: netip.MustParseAddrPort(inside1 + ":443"), Status: status, Served: served}}
	}
	plain := &facts.UpdateAnswer{Response: response, WebAnswer: facts.WebAnswer{Address: netip.MustParseAddrPort(inside1 + ":80"), Status: http.StatusOK}}
	closed := &facts.UpdateAnswer{WebAnswer: facts.WebAnswer{Problem: facts.WebUnreachable}}
	of := func(servers ...facts.UpdateServer) *facts.Update { return &facts.Update{Servers: servers} }
	outside := func(served ...*x509.Certificate) *facts.Update {
		return of(facts.UpdateServer{Host: proxyHost, Secure: secure(http.StatusUnauthorized, nil, served...)})
	}
	for _, tt := range []struct {
		name      string
		update    *facts.Update
		external  bool
		want, new string
	}{
		{"not asked for", nil, true, "not_watched", "not_watched"},
		{"nobody to ask", of(), true, "unknown", "unknown"},
		{"outside", outside(good), true, "ok", "not_watched enrol_inside_first"},
		{"outside, of another CA", outside(foreign), true, "blocked update_unknown_root", "not_watched enrol_inside_first"},
		{"outside, ended", outside(issue(t, proxyHost, company, ended)), true, "blocked update_link_expired", "not_watched enrol_inside_first"},
		{"outside, a wildcard", outside(issue(t, "*.fabrikam.com", company)), true, "blocked update_name_wildcard", "not_watched enrol_inside_first"},
		{"outside, cut off", offering(outside(foreign), facts.Handshake{Problem: facts.HandshakeRefused}), true, "unknown", "unknown"},
		{"outside, another certificate for phones", offering(outside(good), facts.Handshake{Served: []*x509.Certificate{foreign}}), true,
			"blocked update_unknown_root", "not_watched enrol_inside_first"},
		{"outside, the phone's own offer came to nothing", offering(outside(good), facts.Handshake{Problem: facts.HandshakeUnreachable}), true,
			"ok", "not_watched enrol_inside_first"},
		{"outside, nothing answers", of(facts.UpdateServer{Host: proxyHost, Secure: closed}), true, "unknown", "unknown"},
		{"outside, two addresses", of(outside(good).Servers[0], outside(foreign).Servers[0]), true,
			"degraded update_unknown_root", "not_watched enrol_inside_first"},
		{"inside by port 80", of(facts.UpdateServer{Host: proxyHost, Plain: plain, Secure: secure(http.StatusOK, response, foreign)}), false, "ok", "ok"},
		{"inside by HTTPS only", of(facts.UpdateServer{Host: proxyHost, Plain: closed, Secure: secure(http.StatusOK, response, good)}), false, "ok", "ok"},
		{"inside by HTTPS only, of another CA", of(facts.UpdateServer{Host: proxyHost, Plain: closed, Secure: secure(http.StatusOK, response, foreign)}),
			false, "blocked update_unknown_root", "blocked update_unknown_root"},
		{"inside, and HTTPS is something else", of(facts.UpdateServer{Host: proxyHost, Plain: closed, Secure: secure(http.StatusNotFound, nil, foreign)}),
			false, "unknown", "unknown"},
		{"a spare name", of(facts.UpdateServer{Host: proxyHost, Plain: plain},
			facts.UpdateServer{Host: "ucupdates", Spare: true, Plain: closed, Secure: secure(http.StatusOK, response, foreign)}), false, "ok", "ok"},
		{"a spare name alone", of(facts.UpdateServer{Host: "ucupdates"},
			facts.UpdateServer{Host: proxyHost, Spare: true, Secure: secure(http.StatusOK, response, foreign)}), false,
			"blocked update_unknown_root", "blocked update_unknown_root"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			seen := &facts.Seen{Update: tt.update, Directory: ad}
			for kind, want := range map[phone.Kind]string{phone.Enrolled: tt.want, phone.New: tt.new} {
				p := profile("1.0.522.101", kind)
				p.External = tt.external
				if diff := cmp.Diff(want, summary(judgeStep("update", seen, p))); diff != "" {
					t.Errorf("%s (-want +got):\n%s", kind, diff)
				}
			}
		})
	}
}

// TestOwnReasons: none blocks, and each tells what its own service shows.
func TestOwnReasons(t *testing.T) {
	for _, r := range ownReasons() {
		if r.Effect >= phone.BlocksNew {
			t.Errorf("%s is %s", r.Name, r.Effect)
		}
		if strings.Contains(r.Screen, screenValidate) || strings.Contains(r.Screen, screenConnect) || strings.Contains(r.Mend, "LcsCmd") {
			t.Errorf("%s tells of the pool: %s; %s", r.Name, r.Screen, r.Mend)
		}
		switch of, _, _ := strings.Cut(r.Name, "_"); of {
		case "exchange":
			if !strings.Contains(r.Screen, screenExchange) {
				t.Errorf("%s: %s", r.Name, r.Screen)
			}
		case "update":
			if !strings.Contains(r.Screen, "Last Update Status") {
				t.Errorf("%s: %s", r.Name, r.Screen)
			}
		default:
			t.Errorf("whose is %s?", r.Name)
		}
	}
	for name, status := range map[phone.TrustReason]string{
		phone.NameOfOther: "(0x2f06/0x0)", phone.TrustReason(phone.UnknownRoot): "(0x2f0d/0x0)", phone.TrustReason(phone.LinkExpired): "(0x2f05/0x0)",
	} {
		if got := updateReasons[trustReasons[name]].Screen; !strings.Contains(got, status) {
			t.Errorf("%s: %s, want %s", name, got, status)
		}
	}
}
