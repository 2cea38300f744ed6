package dashboards

import (
	"fmt"
	"strings"
)

// The label matchers of what was chosen at the top.
const (
	chosenSites = `site=~"$site",network=~"$network"`
	chosen      = chosenSites + `,firmware=~"$firmware"`
	oneSite     = `site="$site",network=~"$network"`
	oneSiteOf   = oneSite + `,firmware=~"$firmware"`
)

// worst is the worst verdict among those chosen, as a number: 0 ready, 1 degraded, 2 unknown, 3 blocked.
func worst(by, matchers string) string {
	return fmt.Sprintf(`max by (%[1]s) (cx700_signin_state{%[2]s,state="degraded"}`+
		` or 2 * cx700_signin_state{%[2]s,state="unknown"} or 3 * cx700_signin_state{%[2]s,state="blocked"})`, by, matchers)
}

// verdicts are the words for the numbers of worst.
func verdicts() Property {
	return means(meaning{0, "ready", good}, meaning{1, "degraded", partly}, meaning{2, "unknown", unknown}, meaning{3, "blocked", bad})
}

// yesNo are the words for the many series that are 1 when something is good.
func yesNo(yes, no string) Property {
	return means(meaning{1, yes, good}, meaning{0, no, bad})
}

// behind asks for a collector's series at the targets on which the chosen sites depend. Two exporters that watch the
// same are one answer, the worse one: the least, or the most changes.
func behind(matchers, collector, series string, by ...string) string {
	on := "network, target"
	if strings.Contains(series, "cx700_ad_") || strings.Contains(series, "cx700_certsrv_") { // inside only
		on = "target"
	}
	worse := "min"
	if strings.HasPrefix(series, "increase(") {
		worse = "max"
	}
	return fmt.Sprintf(`%s by (%s) (%s and on (%s) cx700_site_target_info{%s,collector=%q})`,
		worse, strings.Join(by, ", "), series, on, matchers, collector)
}

// rootChanges counts the changes of the roots in the forests on which the chosen sites depend, once for each forest: every
// target of a forest tells all its changes.
func rootChanges(window string) string {
	return fmt.Sprintf("sum by (change) (max by (configuration, change) (%s * on (target) group_left (configuration) topk by (target) (1, last_over_time(cx700_ad_domain_info[%s]))))",
		behind(chosenSites, "directory", "increase(cx700_ad_root_changes_total["+window+"])", "target", "change"), window)
}

// orElse gives one row that says so where an answer is empty, as long as there are series of a name at all: nothing
// is different from not known.
func orElse(expr, base, label, text string) string {
	return fmt.Sprintf(`%s or on () label_replace(0 * count(%s), %q, %q, "", "")`, expr, base, label, text)
}

// named adds a label to each series.
func named(expr, label, value string) string {
	return fmt.Sprintf(`label_replace(%s, %q, %q, "", "")`, expr, label, value)
}

// renamed gives a label another name, beside its own. (label_replace would need $1, which looks like a variable.)
func renamed(expr, label, name string) string {
	return fmt.Sprintf(`label_join(%s, %q, "", %q)`, expr, name, label)
}

// union joins the answers to several queries.
func union(exprs ...string) string { return strings.Join(exprs, " or ") }

// line gives each series one name, made of labels.
func line(expr string, by ...string) string {
	return fmt.Sprintf(`max by (line) (label_join(%s, "line", " ", "%s"))`, expr, strings.Join(by, `", "`))
}

// lined draws series in the order of these labels; otherwise they would be in that of all their labels by name.
func lined(expr string, by ...string) Target { return over(line(expr, by...), "{{line}}") }

// ends lists when what was set up for the chosen sites ends, in seconds since 1970, with the labels what, where and
// network.
func ends(matchers string) string {
	const notAfter = "certificate_not_after_timestamp_seconds"
	return fmt.Sprintf("min by (what, where, network) (%s)", union(
		end("registrar", "address", behind(matchers, "pool", "cx700_pool_"+notAfter, "network", "address")),
		end("root in AD", "sha256", behind(matchers, "directory", `cx700_ad_ca_`+notAfter+`{container="certification_authorities"}`, "sha256")),
		end("AD, no root", "sha256", behind(matchers, "directory", `cx700_ad_ca_`+notAfter+`{container!="certification_authorities"}`, "sha256")),
		end("certsrv", "sha256", behind(matchers, "certsrv", "cx700_certsrv_"+notAfter, "sha256")),
		end("Exchange", "address", behind(matchers, "exchange", "cx700_exchange_"+notAfter, "network", "address")),
		end("our password", "credential", "max by (credential) (cx700_credential_password_expiry_timestamp_seconds)"),
	))
}

// allEnds adds the authorities built into the phone that live: the same for everybody, and no trouble to who has a root
// of their own.
func allEnds(matchers string) string {
	return fmt.Sprintf("min by (what, where, network) (%s)", union(ends(matchers),
		end("built in", "authority", "max by (authority) (cx700_trusted_authority_not_after_timestamp_seconds > time())")))
}

func end(what, where, expr string) string { return named(renamed(expr, where, "where"), "what", what) }
