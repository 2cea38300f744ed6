package web

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/cx700/cx700_exporter/alerts"
)

func shownRunbook(t *testing.T, path string) *httptest.ResponseRecorder {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /runbooks/{name...}", runbook)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w
}

// look collects what a page holds: anchors, links and the text of its style; a script is an error.
func look(t *testing.T, page string) (ids map[string]bool, links []string, style string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	ids = map[string]bool{}
	for n := range root.Descendants() {
		switch n.Data {
		case "script":
			t.Error("a page has a script")
		case "style":
			style = n.FirstChild.Data
		}
		for _, a := range n.Attr {
			switch {
			case a.Key == "id":
				ids[a.Val] = true
			case a.Key == "href":
				links = append(links, a.Val)
			case strings.HasPrefix(a.Key, "on"), a.Key == "style":
				t.Errorf("<%s> has the attribute %s", n.Data, a.Key)
			}
		}
	}
	return ids, links, style
}

// TestReasonsLeadToRunbooks by their names.
func TestReasonsLeadToRunbooks(t *testing.T) {
	for _, reason := range []string{"time_off", "name_mismatch", "root_empty"} {
		w := shownRunbook(t, "/runbooks/"+reason)
		page, anchor, _ := strings.Cut(w.Header().Get("Location"), "#")
		if w.Code != http.StatusFound || anchor != reason {
			t.Fatalf("%s: %d %s", reason, w.Code, w.Header().Get("Location"))
		}
		if ids, _, _ := look(t, shownRunbook(t, page).Body.String()); !ids[reason] {
			t.Errorf("%s has no heading %s", page, reason)
		}
	}
	if w := shownRunbook(t, "/runbooks/nonsense"); w.Code != http.StatusNotFound {
		t.Errorf("status %d", w.Code)
	}
}

// holds asks a page for every text of a runbook, letter for letter.
func holds(t *testing.T, page string, book *alerts.Book) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var shown strings.Builder
	for n := range root.Descendants() {
		if n.Type == html.TextNode {
			shown.WriteString(n.Data)
		}
	}
	texts := []string{book.Expr, book.Timing, book.Confirm}
	told := book.Told
	for _, s := range book.Sections {
		texts = append(texts, s.Name, s.Means)
		told = append(told, s.Told...)
	}
	for _, said := range told {
		texts = append(texts, said.Title, said.Text)
	}
	for _, text := range texts {
		if text = strings.ReplaceAll(text, "`", ""); !strings.Contains(shown.String(), text) {
			t.Errorf("%s does not say: %s", book.Name, text)
		}
	}
}

// TestRunbookPages shows every runbook, follows every link of the list, and holds the pages to their policy.
func TestRunbookPages(t *testing.T) {
	anchors := map[string]map[string]bool{}
	names := []string{alerts.IndexName}
	for _, a := range alerts.All() {
		names = append(names, a.Name)
	}
	for _, name := range names {
		w := shownRunbook(t, "/runbooks/"+name+".md")
		ids, _, style := look(t, w.Body.String())
		anchors[name+".md"] = ids
		sum := sha256.Sum256([]byte(style))
		policy := w.Header().Get("Content-Security-Policy")
		if w.Code != http.StatusOK || !strings.Contains(policy, base64.StdEncoding.EncodeToString(sum[:])) || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: status %d, policy %s", name, w.Code, policy)
		}
		if book := alerts.Runbook(name); book != nil {
			holds(t, w.Body.String(), book)
		}
	}
	_, links, _ := look(t, shownRunbook(t, "/runbooks/").Body.String())
	followed := 0
	for _, link := range links {
		file, anchor, reason := strings.Cut(link, "#")
		if !strings.HasSuffix(file, ".md") {
			continue
		}
		followed++
		if anchors[file] == nil || reason && !anchors[file][anchor] {
			t.Errorf("the list leads to %s, which is not there", link)
		}
	}
	if followed < len(names) {
		t.Errorf("%d links were followed", followed)
	}
	if w := shownRunbook(t, "/runbooks/Cx700RootUnpublished"); w.Code != http.StatusOK {
		t.Errorf("without .md: status %d", w.Code)
	}
	for _, wrong := range []string{"/runbooks/nothing.md", "/runbooks/../alerts.go", "/runbooks/a/b", "/runbooks/%2e%2e%2falerts.go"} {
		if w := shownRunbook(t, wrong); w.Code == http.StatusOK {
			t.Errorf("%s is shown", wrong)
		}
	}
}
