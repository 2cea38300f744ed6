package web

import (
	"bytes"
	"html/template"
	"net/http"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"

	"github.com/cx700/cx700_exporter/alerts"
)

// runbookStyle is the whole style of a runbook's page; the policy below allows no other, and no script.
const runbookStyle = `body { font: 16px/1.5 system-ui, sans-serif; margin: 1rem auto; padding: 0 1rem; max-width: 50rem; overflow-wrap: anywhere; color-scheme: light dark; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; border-top: 1px solid #8884; padding-top: .8rem; } :target { background: #fd06; }
pre { white-space: pre-wrap; border: 1px solid #8884; padding: .5rem; } code { font-size: .9em; }`

var runbookPage = template.Must(template.New("runbook").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}} · cx700_exporter</title>
<style>{{.Style}}</style>
</head>
<body>
<nav><a href="../">first page</a> <a href="./">all runbooks</a></nav>
{{.Body}}</body>
</html>
`))

// headingIDs gives a heading its own text as its anchor, as GitHub does: reasons are found by their names.
type headingIDs struct{}

func (headingIDs) Generate(value []byte, _ ast.NodeKind) []byte {
	return bytes.ToLower(bytes.ReplaceAll(bytes.TrimSpace(value), []byte(" "), []byte("-")))
}

func (headingIDs) Put([]byte) {}

// runbook shows a runbook that is built in, or the list of them. Its URL may end in .md, as it does in the repository. A
// reason's name leads to its heading.
func runbook(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimSuffix(r.PathValue("name"), ".md")
	if name == "" {
		name = alerts.IndexName
	}
	text := alerts.Runbook(name)
	if told := alerts.TellsOf(name); text == "" && told != "" {
		http.Redirect(w, r, told+"#"+name, http.StatusFound)
		return
	}
	if text == "" {
		http.Error(w, "there is no such runbook; /runbooks/ lists them", http.StatusNotFound)
		return
	}
	var body, page bytes.Buffer
	markdown := goldmark.New(goldmark.WithParserOptions(parser.WithAutoHeadingID()))
	err := markdown.Convert([]byte(text), &body, parser.WithContext(parser.NewContext(parser.WithIDs(headingIDs{}))))
	if err == nil {
		err = runbookPage.Execute(&page, struct {
			Title string
			Style template.CSS
			Body  template.HTML
		}{name, runbookStyle, template.HTML(body.String())}) // our own text, in which goldmark leaves no raw HTML
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Security-Policy", policyOf(runbookStyle, "'none'"))
	_, _ = w.Write(page.Bytes())
}
