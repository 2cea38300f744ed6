package spell

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	known := []string{"dhcp", "domain", "firmware"}
	for _, c := range []struct {
		word string
		most int
		want string
	}{
		{"dhcp", 0, "dhcp"},
		{"dchp", 2, "dhcp"},
		{"dchp", 1, ""},
		{"domains", 2, "domain"},
		{"fimware", 2, "firmware"},
		{"", 3, ""},
		{"phones", 2, ""},
		{strings.Repeat("d", 1<<20), 1 << 21, ""},
	} {
		if got := Nearest(c.word, known, c.most); got != c.want {
			t.Errorf("Nearest(%.20q, %d) = %q, want %q", c.word, c.most, got, c.want)
		}
	}
	if got := Nearest("dhcp", nil, 9); got != "" {
		t.Errorf("no word is known, got %q", got)
	}
}
