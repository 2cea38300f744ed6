package signin

import (
	"crypto/x509"
	"slices"
	"testing"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// TestCacheChangesNothing: outcomes from the cache are those without it, on the day and at every moment at which
// one of the certificates begins or ends.
func TestCacheChangesNothing(t *testing.T) {
	cache := &Cache{}
	ca := root(t, "Root")
	days := []time.Time{today, today, ca.NotBefore, ca.NotBefore.Add(-1), nextYear, nextYear.Add(1), later, later.Add(1), today}
	for _, tt := range trustCases(t) {
		seen := &facts.Seen{Directory: tt.directory, Certsrv: tt.certsrv,
			Pool: poolOf([]phone.Endpoint{guessed(sipHost, 5061, inside1)}, serving(inside1+":5061", tt.served...))}
		for _, at := range days {
			for _, f := range phone.KnownFirmware() {
				for _, kind := range phone.Kinds() {
					p := profile(f.Version, kind)
					p.Held, p.External = tt.held, tt.external
					anew, again := newCase(&Cache{}, seen, &p, at).judgeTrust(), newCase(cache, seen, &p, at).judgeTrust()
					if summary(anew) != summary(again) || !anew.Ends.Equal(again.Ends) {
						t.Errorf("%s, %s %s at %s: %s anew, %s again", tt.name, f.Version, kind, at, summary(anew), summary(again))
					}
				}
			}
		}
	}
}

// TestCacheJudgesOnce an unchanged chain, and again once anything is another.
func TestCacheJudgesOnce(t *testing.T) {
	ca, other := root(t, "Root"), root(t, "Other")
	leaf, renewed := issue(t, sipHost, ca), issue(t, sipHost, ca, soon)
	one := func(c ...*x509.Certificate) []*x509.Certificate { return c }
	newest, oldest := profile("3.5.6907.35", phone.New).Firmware, profile("1.0.199.123", phone.New).Firmware
	middle := profile("1.0.522.101", phone.New).Firmware
	mine, another := holding(false, held(ca)...), holding(false, held(ca, other)...)
	cache := &Cache{}
	for i, tt := range []struct {
		name    string
		f       phone.Firmware
		served  []*x509.Certificate
		host    string
		store   *store
		at      time.Time
		want    int // entries
		refused bool
	}{
		{"first", newest, one(leaf), sipHost, mine, today, 1, false},
		{"again", newest, one(leaf), sipHost, mine, today.Add(time.Hour), 1, false},
		{"a firmware with the same rules", middle, one(leaf), sipHost, mine, today, 1, false},
		{"a firmware with others", oldest, one(leaf), sipHost, mine, today, 2, false},
		{"another name", newest, one(leaf), poolHost, mine, today, 3, true},
		{"another chain", newest, one(renewed), sipHost, mine, today, 4, false},
		{"another root", newest, one(leaf), sipHost, another, today, 5, false},
		{"fingerprints only", newest, one(leaf), sipHost, holding(false, phone.Root{SHA256: phone.Fingerprint(ca)}), today, 6, true},
		{"roots not watched", newest, one(leaf), sipHost, holding(true, held(ca)...), today, 7, false},
		{"too long to keep", newest, slices.Repeat(one(leaf), mostBytes/len(leaf.Raw)+1), sipHost, mine, today, 7, false},
		{"another time", newest, one(leaf), sipHost, mine, nextYear.Add(1), 7, true},
	} {
		trust := cache.trust(tt.f, tt.served, tt.host, tt.store, tt.at)
		if len(cache.kept) != tt.want {
			t.Errorf("%d, %s: %d judgements are kept, want %d", i, tt.name, len(cache.kept), tt.want)
		}
		if trust.Trusted() == tt.refused {
			t.Errorf("%s: faults %v", tt.name, trust.Faults)
		}
	}
}

func holding(unwatched bool, roots ...phone.Root) *store {
	s := newStore(roots, nil, unwatched)
	return &s
}

// TestCacheIsUsed: what is kept is what is told, so that an unchanged chain is not walked again.
func TestCacheIsUsed(t *testing.T) {
	ca := root(t, "Root")
	served, s, f := []*x509.Certificate{issue(t, sipHost, ca)}, holding(false, held(ca)...), profile("3.5.6907.35", phone.New).Firmware
	cache := &Cache{}
	cache.trust(f, served, sipHost, s, today)
	for _, k := range cache.kept {
		k.trust.Doubts = []phone.TrustFault{{Reason: "planted"}}
	}
	if got := cache.trust(f, served, sipHost, s, today.Add(time.Hour)); len(got.Doubts) != 1 || got.Doubts[0].Reason != "planted" {
		t.Errorf("walked again: %v", got.Doubts)
	}
}

func TestCacheIsBounded(t *testing.T) {
	cache := &Cache{kept: map[cacheKey]*kept{}}
	for i := range mostKept {
		cache.kept[cacheKey{host: time.Duration(i).String()}] = &kept{}
	}
	ca := root(t, "Root")
	s := holding(false, held(ca)...)
	trust := cache.trust(profile("3.5.6907.35", phone.New).Firmware, []*x509.Certificate{issue(t, sipHost, ca)}, sipHost, s, today)
	if !trust.Trusted() || len(cache.kept) != 1 {
		t.Errorf("%d judgements are kept, faults %v", len(cache.kept), trust.Faults)
	}
}
