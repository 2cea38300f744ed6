package catalogue

import (
	"strings"
	"testing"

	"github.com/cx700/cx700_exporter/internal/phone"
)

// TestHardReset: what is said of a hard reset fits what is said of the reason, and everything that can be said is.
func TestHardReset(t *testing.T) {
	said, used := map[string]bool{}, map[phone.HardReset]bool{}
	for _, c := range Causes() {
		text := c.ResetText()
		said[text], used[c.HardReset] = true, true
		helps, worse := strings.HasPrefix(text, "helps"), strings.HasPrefix(text, "makes it worse")
		if strings.Contains(c.AtPhone, "hard reset") && !helps {
			t.Errorf("%s: at the phone %q, but a hard reset %q", c.Name, c.AtPhone, text)
		}
		if c.Effect == phone.BlocksNew && !worse {
			t.Errorf("%s stops new phones only, but a hard reset %q", c.Name, text)
		}
		if worse != (c.Effect >= phone.BlocksNew && !helps || c.HardReset == phone.ResetStrands) {
			t.Errorf("%s, %s: a hard reset %q", c.Name, c.Effect, text)
		}
		if len(c.At) == 0 || c.Effect == phone.Notes {
			continue
		}
		var want phone.HardReset
		switch c.At[0].Step {
		case "exchange":
			want = phone.ResetExchange
		case "update", "firmware":
			want = phone.ResetUpdate
		default:
			continue
		}
		if c.HardReset != want && !helps {
			t.Errorf("%s of the step %s: a hard reset %q", c.Name, c.At[0].Step, text)
		}
	}
	for _, h := range phone.HardResets() {
		if !used[h] {
			t.Errorf("nothing is of the class %d", h)
		}
	}
	const texts = 8
	if len(said) != texts {
		t.Errorf("%d texts, want %d", len(said), texts)
	}
	for name, want := range map[string]phone.HardReset{
		"unknown_root": phone.ResetFetches, "exchange_unknown_root": phone.ResetFetches, "rollover_strands_enrolled": phone.ResetFetches,
		"rollover_strands_new": phone.ResetStrands, "exchange_self_signed": phone.ResetExchange, "update_self_signed": phone.ResetUpdate,
		"self_signed": phone.ResetWalk, "root_empty": phone.ResetWalk, "ad_roots_not_watched": phone.ResetUnseen,
	} {
		for _, c := range Causes() {
			if c.Name == name && c.HardReset != want {
				t.Errorf("%s is of the class %d, want %d", name, c.HardReset, want)
			}
		}
	}
}
