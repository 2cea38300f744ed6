// Package dashboards holds the Grafana dashboards of the exporter, written as Go and given as the JSON that Grafana
// imports. Their queries go to the exporter's own series, so that they work without recording rules; but for those of the
// month, which are recorded.
//
// The JSON files beside this package are for provisioning from a checkout: `go test ./dashboards -update` writes
// them anew, and the test holds them to this package byte for byte.
package dashboards

import (
	"bytes"
	"encoding/json"
)

// All lists the dashboards, in the order in which somebody who looks for a cause comes to them.
func All() []*Dashboard {
	return []*Dashboard{signIn(), site(), certificates(), update(), exporter()}
}

// JSON is what Grafana imports.
func (d *Dashboard) JSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // queries are to be read
	e.SetIndent("", "  ")
	err := e.Encode(d)
	return b.Bytes(), err
}

// tag is what all of them have, and by which they link to each other.
const tag = "cx700"

// variables are chosen at the top of a dashboard.
func sourceVariable() Variable {
	return Variable{Name: "datasource", Label: "Data source", Type: "datasource", Query: "prometheus"}
}

// listed lets one choose among the values of a label, any number of them or all that there are.
func listed(name, label, query string) Variable {
	return Variable{Name: name, Label: label, Type: "query", Source: prometheus(), Query: query, Refresh: onTimeRange, Sort: alphabetical,
		Multi: true, IncludeAll: true, Current: map[string]any{"text": []string{"All"}, "value": []string{"$__all"}}}
}

// choice is the same for a label that only the exporter's own series have: all is whatever value there is.
func choice(name, label, query string) Variable {
	v := listed(name, label, query)
	v.AllValue = ".*"
	return v
}

func networkVariable() Variable {
	return choice("network", "Network", `label_values(cx700_site_target_info, network)`)
}

func siteVariable() Variable {
	return choice("site", "Site", `label_values(cx700_site_target_info{network=~"$network"}, site)`)
}

func firmwareVariable() Variable {
	return choice("firmware", "Firmware", `label_values(cx700_signin_state{network=~"$network"}, firmware)`)
}

// exporterVariable is where people's browsers reach the exporter, for links.
func exporterVariable() Variable {
	const url = "http://localhost:10700"
	return Variable{Name: "exporter", Label: "Exporter's address", Type: "textbox", Query: url,
		Current: map[string]any{"text": url, "value": url}}
}

// dashboard puts panels in their places and gives what all dashboards have in common.
func dashboard(uid, title, description string, variables []Variable, panels ...*Panel) *Dashboard {
	d := &Dashboard{UID: "cx700-" + uid, Title: "CX700: " + title, Description: description, Tags: []string{tag},
		Editable: true, GraphTooltip: sharedCrosshair, SchemaVersion: schemaVersion, Timezone: "browser", Refresh: "1m", Panels: panels}
	d.Time.From, d.Time.To = "now-24h", "now"
	d.Templating.List = append(append([]Variable{sourceVariable()}, variables...), exporterVariable())
	d.Annotations.List = []Annotation{}
	d.Links = []Link{
		{Title: "CX700 dashboards", Type: "dashboards", Tags: []string{tag}, KeepTime: true, IncludeVars: true, AsDropdown: true},
		{Title: "Status page", Type: "link", URL: "${exporter}/", TargetBlank: true},
		{Title: "Runbooks", Type: "link", URL: "${exporter}/runbooks/", TargetBlank: true},
	}
	place(panels)
	return d
}

// place numbers panels and lays them out like words on lines, as wide as they are.
func place(panels []*Panel) {
	const columns = 24
	x, y, line := 0, 0, 0
	for i, p := range panels {
		p.ID = i + 1
		if x+p.Grid.W > columns {
			x, y, line = 0, y+line, 0
		}
		p.Grid.X, p.Grid.Y = x, y
		x, line = x+p.Grid.W, max(line, p.Grid.H)
	}
}
