package web

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/cx700/cx700_exporter/collectors"
	"github.com/cx700/cx700_exporter/internal/signin"
)

//go:embed style.css
var style string

//go:embed frame.html
var frameHTML string

var policy = policyOf(style, "'self'")

// policyOf lets a page load nothing but its own style sheet, by its hash, and send forms to forms only.
func policyOf(style, forms string) string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; form-action " + forms + "; frame-ancestors 'none'; base-uri 'none'"
}

// pageOf adds to a page what all have: head, foot and the pieces that several use. It is parsed when it is asked for first,
// so that the program listens sooner.
func pageOf(html string) func() *template.Template {
	return sync.OnceValue(func() *template.Template {
		frame := template.Must(template.New("frame").Funcs(template.FuncMap{"soft": soft}).Parse(frameHTML))
		return template.Must(frame.Parse(html))
	})
}

// soft lets a long name break behind its underscores.
func soft(name string) template.HTML {
	return template.HTML(strings.ReplaceAll(template.HTMLEscapeString(name), "_", "_<wbr>"))
}

// refreshEvery is how often a browser asks for a page again, in seconds.
const refreshEvery = 30

// frame is what every page shows around its own.
type frame struct {
	// Title is short: it is the window's.
	Title string
	// Root leads from the page's address to the first page, so that all links hold behind a proxy's prefix.
	Root, Version, Problem string
	Lab                    bool
	Now                    time.Time
	// Refresh is the content of the element of that name; empty for pages that stay as they are.
	Refresh string
}

// Style is the element with the style sheet, to the letter of its hash.
func (f frame) Style() template.HTML { return template.HTML("<style>" + style + "</style>") }

// Clock is when the page was made.
func (f frame) Clock() string { return f.Now.UTC().Format("2006-01-02 15:04:05") + " UTC" }

func (o Options) frame(title, root string, now time.Time) frame {
	return frame{
		Title: title, Root: root, Version: o.Version, Problem: o.Problem(), Lab: o.Lab != nil, Now: now,
		Refresh: fmt.Sprint(refreshEvery),
	}
}

// show writes a page.
func show(w http.ResponseWriter, status int, page func() *template.Template, data any) {
	var out bytes.Buffer
	if err := page().Execute(&out, data); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(bytes.TrimRight(out.Bytes(), "\n")) // who went away needs no page
}

// mark is a state as a page shows it: the class gives its colour and its shape, Text is the word.
type mark struct{ Class, Text string }

// notYet is shown where no probe has reported.
const notYet = "not looked at yet"

// markOf takes the word of a verdict, of a step or of an effect.
func markOf(word string) mark {
	class := map[string]string{
		"ready": "good", "ok": "good", "good": "good", "degraded": "degraded", "blocked": "blocked", "unknown": "unknown",
		notYet: "unknown",
	}[word]
	if class == "" {
		class = "none"
	}
	return mark{class, strings.ReplaceAll(word, "_", " ")}
}

func effectMark(e collectors.Effect, findings int) mark {
	if e == collectors.Notes && findings == 0 {
		return markOf("good")
	}
	return markOf(e.String())
}

func readinessMark(r signin.Readiness) mark {
	if r == "" {
		return markOf(notYet)
	}
	return markOf(string(r))
}

// siteURL is the page of a site, from the first page on.
func siteURL(name string) string { return "site/" + url.PathEscape(name) }

// ago writes a span in its two largest units.
func ago(d time.Duration) string {
	const day = 24 * time.Hour
	two := func(a time.Duration, large string, b time.Duration, small string) string {
		out := fmt.Sprintf("%d %s", d/a, large)
		if rest := d % a / b; rest > 0 {
			out += fmt.Sprintf(" %d %s", rest, small)
		}
		return out
	}
	switch d = max(d, 0); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < day:
		return two(time.Hour, "h", time.Minute, "min")
	case d < 730*day:
		return two(day, "d", time.Hour, "h")
	default:
		return fmt.Sprintf("%d years", d/(365*day))
	}
}

// moment writes a time, with its date where that is not today's.
func moment(t, now time.Time) string {
	t = t.UTC()
	if t.Format(time.DateOnly) == now.UTC().Format(time.DateOnly) {
		return t.Format("15:04") + " UTC"
	}
	return t.Format("2006-01-02 15:04") + " UTC"
}

// few names some and counts the rest.
func few(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
