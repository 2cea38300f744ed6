package lab

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
)

//go:embed page.html
var pageHTML string

var page = template.Must(template.New("lab").Parse(pageHTML))

// Handler serves the lab's page, /lab, and its API: GET /lab/faults lists, POST /lab/faults/[SITE:]NAME
// sets, DELETE heals, and DELETE /lab/faults heals all.
func (l *Lab) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /lab", l.page)
	mux.HandleFunc("POST /lab/set", l.form(l.Set))
	mux.HandleFunc("POST /lab/heal", l.form(l.Heal))
	mux.HandleFunc("POST /lab/heal-all", func(w http.ResponseWriter, r *http.Request) {
		if err := l.HealAll(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		http.Redirect(w, r, "/lab", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /lab/faults", l.list)
	mux.HandleFunc("DELETE /lab/faults", func(w http.ResponseWriter, _ *http.Request) {
		if err := l.HealAll(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, "all healed")
	})
	mux.HandleFunc("POST /lab/faults/{spec}", call(l.Set, "set"))
	mux.HandleFunc("DELETE /lab/faults/{spec}", call(l.Heal, "healed"))
	return http.NewCrossOriginProtection().Handler(mux)
}

func call(change func(string) error, done string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := change(r.PathValue("spec")); err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		fmt.Fprintln(w, done)
	}
}

// form takes a button of the page: a fault, at one site or at all.
func (l *Lab) form(change func(string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
		spec, back := r.PostFormValue("fault"), "/lab"
		if s := r.PostFormValue("site"); s != "" {
			spec, back = s+":"+spec, "/lab?site="+url.QueryEscape(s)
		}
		if err := change(spec); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		http.Redirect(w, r, back, http.StatusSeeOther)
	}
}

// activeSites says for each fault at which sites it is on.
func (l *Lab) activeSites() map[string]string {
	at := map[string][]string{}
	for _, spec := range l.Active() {
		siteName, name, _ := strings.Cut(spec, ":")
		at[name] = append(at[name], siteName)
	}
	const few = 3
	out := map[string]string{}
	for name, sites := range at {
		switch {
		case len(sites) == len(l.offices) && len(sites) > 1:
			out[name] = "every site"
		case len(sites) > few:
			out[name] = fmt.Sprintf("%s and %d more", sites[0], len(sites)-1)
		default:
			out[name] = strings.Join(sites, ", ")
		}
	}
	return out
}

func (l *Lab) list(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	on := l.activeSites()
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range Faults() {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", f.Name, f.Network, f.Collector, cmp.Or(on[f.Name], "-"))
	}
	// A client that is gone is no concern of the lab's.
	_ = table.Flush()
}

// pageRow is a fault and where it is on.
type pageRow struct {
	Fault
	On string
}

func (l *Lab) page(w http.ResponseWriter, r *http.Request) {
	data := struct {
		Sites  []string
		Chosen string
		Rows   []pageRow
		Active int
	}{Sites: l.Sites(), Chosen: r.FormValue("site")}
	on := l.activeSites()
	data.Active = len(on)
	for _, f := range Faults() {
		data.Rows = append(data.Rows, pageRow{f, on[f.Name]})
	}
	var out bytes.Buffer
	if err := page.Execute(&out, data); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'")
	// A client that is gone is no concern of the lab's.
	_, _ = out.WriteTo(w)
}
