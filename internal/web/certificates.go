package web

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/schedule"
)

const (
	// mostCertificates and mostHolders bound what a server that serves many can put on a page.
	mostCertificates, mostHolders = 24, 3
	// soon is from when on the end of a certificate is pointed out.
	soon = 30 * 24 * time.Hour
	// lineBefore and lineAfter are how far the time line reaches from now.
	lineBefore, lineAfter = 2, 8 // years
	lineWidth             = 1000
	// leastWidth still shows.
	leastWidth = 6
)

// timeLine places moments on a line from the past to the future.
type timeLine struct {
	Now        int
	Begin, End string
	// Years is an SVG path with a stroke at each new year.
	Years string

	now, begin, end time.Time
}

func newTimeLine(now time.Time) timeLine {
	l := timeLine{now: now, begin: now.AddDate(-lineBefore, 0, 0), end: now.AddDate(lineAfter, 0, 0)}
	l.Now, l.Begin, l.End = l.at(now), l.begin.UTC().Format("2006"), l.end.UTC().Format("2006")
	for y := l.begin.UTC().Year() + 1; y <= l.end.UTC().Year(); y++ {
		l.Years += fmt.Sprintf("M%d 0V10", l.at(time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC)))
	}
	return l
}

// at is a place on the line; what lies beyond it is at its end. Seconds, because a Duration ends after 292 years.
func (l *timeLine) at(t time.Time) int {
	part := float64(t.Unix()-l.begin.Unix()) / float64(l.end.Unix()-l.begin.Unix())
	return int(min(max(part, 0), 1) * lineWidth)
}

// certificateRow is a certificate on the time line.
type certificateRow struct {
	Subject, Issuer string
	From, Until     string
	Mark            mark
	// Left says how long it still holds, or since when not.
	Left     string
	Holders  string
	X, Width int

	until time.Time
	where []string
}

// certificates lists those that servers of a site showed or Active Directory publishes, the first to end first.
func (o Options) certificates(p *place, l *timeLine) []certificateRow {
	var order []*certificateRow
	by := map[string]*certificateRow{}
	add := func(where string, certificates ...*x509.Certificate) {
		for _, c := range certificates {
			f := facts.CertificateOf(c)
			row := by[f.SHA256]
			if row == nil {
				row = l.row(f)
				by[f.SHA256], order = row, append(order, row)
			}
			if !slices.Contains(row.where, where) {
				row.where = append(row.where, where)
			}
		}
	}
	for _, s := range p.Sides {
		for _, probe := range s.Judged.Probes {
			if r := o.Scheduler.Last(probe); r != nil {
				shown(r, add)
			}
		}
	}
	slices.SortStableFunc(order, func(a, b *certificateRow) int {
		return cmp.Or(a.until.Compare(b.until), strings.Compare(a.Subject, b.Subject))
	})
	var out []certificateRow
	for _, row := range order {
		row.Holders = few(row.where, mostHolders)
		out = append(out, *row)
	}
	return out
}

// shown goes through the certificates that a probe saw and phones may meet.
func shown(r *schedule.Report, add func(where string, certificates ...*x509.Certificate)) {
	if pool := r.Seen.Pool; pool != nil && r.Planned.Collector.Name == "pool" {
		for _, s := range pool.Servers {
			add("registrar "+s.Address.String(), slices.Concat(s.Phone.Served, s.Modern.Served)...)
		}
	}
	if d := r.Seen.Directory; d != nil && r.Planned.Collector.Name == "directory" {
		for _, c := range d.Controllers {
			for _, a := range c.Authorities {
				for _, v := range a.Values {
					if v.X509 != nil {
						add("Active Directory", v.X509)
					}
				}
			}
		}
	}
	if e := r.Seen.Exchange; e != nil {
		places := e.Places
		if e.Followed != nil {
			places = append(slices.Clone(places), *e.Followed)
		}
		for _, place := range places {
			for _, a := range place.Answers {
				add("Exchange "+place.Host, a.Served...)
			}
		}
	}
	if u := r.Seen.Update; u != nil && r.Planned.Collector.Name == "update" {
		for _, s := range u.Servers {
			if s.Secure != nil {
				add("update service "+s.Host, s.Secure.Served...)
			}
		}
	}
}

func (l *timeLine) row(f facts.Certificate) *certificateRow {
	row := &certificateRow{
		Subject: cmp.Or(f.Subject, "no subject"), Issuer: f.Issuer, until: f.NotAfter,
		From: f.NotBefore.UTC().Format(time.DateOnly), Until: f.NotAfter.UTC().Format(time.DateOnly),
		X: min(l.at(f.NotBefore), lineWidth-leastWidth),
	}
	row.Width = max(l.at(f.NotAfter)-row.X, leastWidth)
	switch left := f.NotAfter.Sub(l.now); {
	case l.now.After(f.NotAfter):
		row.Mark, row.Left = mark{"blocked", "ended"}, ago(-left)+" ago"
	case l.now.Before(f.NotBefore):
		row.Mark, row.Left = mark{"degraded", "not begun"}, "begins in "+ago(f.NotBefore.Sub(l.now))
	case left < soon:
		row.Mark, row.Left = mark{"degraded", "ends soon"}, "in "+ago(left)
	default:
		row.Mark, row.Left = mark{"good", "valid"}, "for "+ago(left)
	}
	return row
}
