package alerts

import (
	"fmt"
	"strings"
)

// plain keeps Markdown from reading signs of a text as its own.
var plain = strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "<", `\<`, "[", `\[`)

// escaped leaves code, between backticks, as it is.
func escaped(text string) string {
	parts := strings.Split(text, "`")
	for i := 0; i < len(parts); i += 2 {
		parts[i] = plain.Replace(parts[i])
	}
	return strings.Join(parts, "`")
}

// markdown writes a runbook.
func (b *Book) markdown() string {
	var out strings.Builder
	fmt.Fprintf(&out, "<!-- %s -->\n\n# %s\n\n", fromTable, b.Name)
	fmt.Fprintf(&out, "Severity %s%s. All runbooks and reasons: [index](%s).\n", b.Severity, b.Timing, IndexName+".md")
	for _, t := range b.Told {
		fmt.Fprintf(&out, "\n**%s** %s\n", t.Title, escaped(t.Text))
	}
	fmt.Fprintf(&out, "\n**The condition**\n\n```promql\n%s\n```\n", b.Expr)
	if b.Confirm != "" {
		fmt.Fprintf(&out, "\n**To confirm a reason.** %s\n", escaped(b.Confirm))
	}
	for _, s := range b.Sections {
		out.WriteString("\n" + s.markdown())
	}
	return out.String()
}

func (s Section) markdown() string {
	out := fmt.Sprintf("## %s\n\n%s\n\n", s.Name, escaped(s.Means))
	for _, t := range s.Told {
		out += fmt.Sprintf("- **%s:** %s\n", t.Title, escaped(t.Text))
	}
	return out
}

// index writes the list of every alert and every reason, each with where it is told.
func index() string {
	var b strings.Builder
	fmt.Fprintf(&b, "<!-- %s -->\n\n# Runbooks\n\nOne for each alert; each reason is told in one of them.\n\n## Alerts\n\n", fromTable)
	for _, a := range All() {
		fmt.Fprintf(&b, "- [%s](%s.md) (%s)\n", a.Name, a.Name, a.Severity)
	}
	b.WriteString("\n## Reasons\n")
	for _, s := range Steps() {
		fmt.Fprintf(&b, "\n**%s**\n\n", escaped(s.Title))
		for _, c := range s.Reasons {
			fmt.Fprintf(&b, "- [%s](%s.md#%s): %s\n", c.Name, RunbookOf(c), c.Name, escaped(c.Means))
		}
	}
	return b.String()
}
