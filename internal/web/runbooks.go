package web

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"strings"
	"sync"

	"github.com/cx700/cx700_exporter/alerts"
)

// runbookStyle is the whole style of a runbook's page; the policy below allows no other, and no script.
const runbookStyle = `body { font: 16px/1.5 system-ui, sans-serif; margin: 1rem auto; padding: 0 1rem; max-width: 50rem; overflow-wrap: anywhere; color-scheme: light dark; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; border-top: 1px solid #8884; padding-top: .8rem; } :target { background: #fd06; }
pre { white-space: pre-wrap; border: 1px solid #8884; padding: .5rem; } code { font-size: .9em; }`

//go:embed runbook.html
var runbookHTML string

var runbookPage = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("runbook").Funcs(template.FuncMap{
		"typed": typed, "alerts": alerts.All, "steps": alerts.Steps, "runbookOf": alerts.RunbookOf,
	}).Parse(runbookHTML))
})

// typed makes code of what stands between backticks.
func typed(text string) template.HTML {
	parts := strings.Split(template.HTMLEscapeString(text), "`")
	for i := 1; i < len(parts); i += 2 {
		parts[i] = "<code>" + parts[i] + "</code>"
	}
	return template.HTML(strings.Join(parts, ""))
}

// runbook shows a runbook that is built in, or the list of them. Its URL may end in .md, as it does in the repository. A
// reason's name leads to its heading.
func runbook(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimSuffix(r.PathValue("name"), ".md")
	if name == "" {
		name = alerts.IndexName
	}
	if told := alerts.TellsOf(name); told != "" {
		http.Redirect(w, r, told+"#"+name, http.StatusFound)
		return
	}
	book := alerts.Runbook(name)
	if book == nil && name != alerts.IndexName {
		http.Error(w, "there is no such runbook; /runbooks/ lists them", http.StatusNotFound)
		return
	}
	var page bytes.Buffer
	err := runbookPage().Execute(&page, struct {
		Name  string
		Style template.CSS
		Book  *alerts.Book
	}{name, runbookStyle, book})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Security-Policy", policyOf(runbookStyle, "'none'"))
	_, _ = w.Write(page.Bytes())
}
