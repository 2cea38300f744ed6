package dashboards

import (
	"slices"
	"strconv"
	"strings"
)

// The colours, by what they mean.
const (
	good    = "green"
	partly  = "yellow"
	soon    = "orange"
	bad     = "red"
	unknown = "purple"
	neutral = "text"
	other   = "blue"
)

// row is a heading.
func row(title string) *Panel {
	return &Panel{Type: "row", Title: title, Grid: Grid{W: 24, H: 1}}
}

func panel(kind, title, description string, w, h int, targets []Target, properties []Property) *Panel {
	for i := range targets {
		targets[i].RefID = string(rune('A' + i))
	}
	p := &Panel{Type: kind, Title: title, Description: description, Grid: Grid{W: w, H: h}, Source: prometheus(), Targets: targets,
		Fields: &Fields{Defaults: map[string]any{}, Overrides: []Override{}}}
	custom := map[string]any{}
	for _, property := range properties {
		if name, ok := strings.CutPrefix(property.ID, "custom."); ok {
			custom[name] = property.Value
			p.Fields.Defaults["custom"] = custom
		} else {
			p.Fields.Defaults[property.ID] = property.Value
		}
	}
	return p
}

// over is a query over the time range, a line for each series.
func over(expr, legend string) Target { return Target{Expr: expr, Legend: legend, Range: true} }

// now is a query for the end of the time range.
func now(expr, legend string) Target { return Target{Expr: expr, Legend: legend, Instant: true} }

// reduce shows each series by its last value.
func reduce() map[string]any {
	return map[string]any{"calcs": []string{"lastNotNull"}, "fields": "", "values": false}
}

// stat is a large number, in the colour of its threshold or mapping; one for each series with a legend.
func stat(title, description string, w int, t Target, properties ...Property) *Panel {
	p := panel("stat", title, description, w, 3, []Target{t}, properties)
	p.Options = map[string]any{"colorMode": "background", "graphMode": "none", "justifyMode": "center", "orientation": "auto",
		"textMode": "auto", "reduceOptions": reduce()}
	return p
}

// figure is a large number that is neither good nor bad.
func figure(title, description string, w int, t Target, properties ...Property) *Panel {
	p := stat(title, description, w, t, properties...)
	p.Options["colorMode"] = "none"
	return p
}

// graph draws lines over time.
func graph(title, description string, w, h int, targets []Target, properties ...Property) *Panel {
	p := panel("timeseries", title, description, w, h, targets, append([]Property{
		{"custom.lineWidth", 2}, {"custom.fillOpacity", 5}, {"custom.showPoints", "never"}}, properties...))
	p.Options = map[string]any{"legend": legend(), "tooltip": map[string]any{"mode": "multi", "sort": "desc"}}
	return p
}

func legend() map[string]any {
	return map[string]any{"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []string{}}
}

// timeline draws one bar for each series, in the colours of its states.
func timeline(title, description string, w, h int, targets []Target, states Property) *Panel {
	p := panel("state-timeline", title, description, w, h, targets,
		[]Property{states, {"custom.fillOpacity", 85}, {"custom.lineWidth", 0}, {"color", map[string]any{"mode": "thresholds"}}})
	p.Options = map[string]any{"mergeValues": true, "showValue": "never", "alignValue": "left", "rowHeight": 0.85, "perPage": 30,
		"legend": legend(), "tooltip": map[string]any{"mode": "single", "sort": "none"}}
	return p
}

// bars draws a bar for each series, as long as its value is large.
func bars(title, description string, w, h int, t Target, properties ...Property) *Panel {
	p := panel("bargauge", title, description, w, h, []Target{t}, append([]Property{{"min", 0}}, properties...))
	p.Options = map[string]any{"displayMode": "basic", "orientation": "horizontal", "showUnfilled": true, "valueMode": "color",
		"namePlacement": "left", "reduceOptions": reduce(), "text": map[string]any{"titleSize": 12, "valueSize": 14}}
	return p
}

// heat draws a native histogram over time.
func heat(title, description string, w, h int, expr, unit string) *Panel {
	p := panel("heatmap", title, description, w, h, []Target{over(expr, "")}, nil)
	p.Options = map[string]any{"calculate": false, "yAxis": map[string]any{"unit": unit, "axisPlacement": "left"},
		"color":   map[string]any{"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5},
		"tooltip": map[string]any{"mode": "single", "yHistogram": true}, "legend": map[string]any{"show": true}}
	return p
}

// column is a column of a table: a label, or the value of a query, which goes by the query's letter.
type column struct {
	field, title string
	properties   []Property
}

func col(field, title string, properties ...Property) column {
	return column{field, title, properties}
}

// widths are those of labels with short values, in pixels; the others share what is left.
func widths() map[string]int {
	return map[string]int{
		"network": 80, "firmware": 105, "phone": 80, "step": 135, "collector": 145, "container": 175, "what": 110,
		"dc": 140, "address": 150, "server": 130, "offer": 80, "order": 65, "port": 60, "version": 95, "type": 60, "url": 95,
		"server_version": 100, "service_version": 100, "key": 85, "signature_algorithm": 105, "sha256": 150, "instance": 150,
	}
}

// width is that of one column, in pixels.
func width(pixels int) Property { return Property{"custom.width", pixels} }

// wrapped lets a long text have more than one line: the first is Grafana's from 11.1 on, the second from 12.2 on.
func wrapped() []Property {
	return []Property{{"custom.cellOptions", map[string]any{"type": "auto", "wrapText": true}}, {"custom.wrapText", true}}
}

// finished adds how wide a column is, and that its thresholds are seen.
func (c column) finished() []Property {
	out := slices.Clone(c.properties)
	has := func(id string) bool {
		return slices.ContainsFunc(c.properties, func(p Property) bool { return p.ID == id })
	}
	valued := func(id string, value any) bool {
		return slices.ContainsFunc(c.properties, func(p Property) bool { return p.ID == id && p.Value == value })
	}
	wide := widths()[c.field]
	switch {
	case valued("unit", iso):
		wide = 165
	case valued("unit", ago):
		wide = 130
	case len(c.field) == 1:
		wide = max(95, 8*len(c.title)+25)
	}
	if wide > 0 {
		out = append(out, width(wide))
	}
	if has("thresholds") && !has("custom.cellOptions") {
		out = append(out, Property{"custom.cellOptions", map[string]any{"type": "color-text"}})
	}
	return out
}

// table shows the answers to queries now, merged where their labels are equal.
func table(title, description string, w, h int, columns []column, exprs ...string) *Panel {
	var targets []Target
	for _, expr := range exprs {
		targets = append(targets, Target{Expr: expr, Format: "table", Instant: true})
	}
	p := panel("table", title, description, w, h, targets, nil)
	p.Options = map[string]any{"cellHeight": "sm", "showHeader": true}
	order, names := map[string]any{}, map[string]any{}
	for i, c := range columns {
		field := c.field
		if len(field) == 1 { // the letter of a query
			field = "Value #" + c.field
			if len(exprs) == 1 {
				field = "Value"
			}
		}
		order[field], names[field] = i, c.title
		if properties := c.finished(); len(properties) > 0 {
			p.Fields.Overrides = append(p.Fields.Overrides, Override{Matcher{"byName", c.title}, properties})
		}
	}
	hidden := map[string]any{"Time": true}
	for i := range exprs {
		for _, value := range []string{"Value", "Value #" + string(rune('A'+i))} {
			if order[value] == nil {
				hidden[value] = true
			}
		}
	}
	p.Transformations = []Transformation{
		{"merge", map[string]any{}},
		{"organize", map[string]any{"excludeByName": hidden, "indexByName": order, "renameByName": names}},
	}
	return p
}

// sorted orders the rows of a table by a column.
func (p *Panel) sorted(title string, descending bool) *Panel {
	p.Options["sortBy"] = []map[string]any{{"displayName": title, "desc": descending}}
	return p
}

// beside puts long names of series to the right of a graph.
func (p *Panel) beside() *Panel {
	p.Options["legend"].(map[string]any)["placement"] = "right"
	return p
}

// coloured gives each series of a name its colour.
func (p *Panel) coloured(colours ...string) *Panel {
	for i := 0; i < len(colours); i += 2 {
		p.Fields.Overrides = append(p.Fields.Overrides, Override{Matcher{"byName", colours[i]}, []Property{fixed(colours[i+1])}})
	}
	return p
}

func fixed(colour string) Property {
	return Property{"color", map[string]any{"mode": "fixed", "fixedColor": colour}}
}

// Units of moments, in milliseconds.
const (
	iso = "dateTimeAsIso"
	ago = "dateTimeFromNow"
)

func unit(u string) Property       { return Property{"unit", u} }
func decimals(n int) Property      { return Property{"decimals", n} }
func noValue(text string) Property { return Property{"noValue", text} }

// stacked draws areas on each other.
func stacked() []Property {
	return []Property{{"custom.stacking", map[string]any{"mode": "normal", "group": "A"}}, {"custom.fillOpacity", 60}, {"custom.lineWidth", 0}}
}

// step is where a threshold's colour begins.
type step struct {
	from   float64
	colour string
}

// thresholds colours values: with the base, and from each step on.
func thresholds(base string, steps ...step) Property {
	out := []map[string]any{{"color": base, "value": nil}}
	for _, s := range steps {
		out = append(out, map[string]any{"color": s.colour, "value": s.from})
	}
	return Property{"thresholds", map[string]any{"mode": "absolute", "steps": out}}
}

// daysLeft colours what ends.
func daysLeft() Property {
	return thresholds(bad, step{3, soon}, step{14, partly}, step{30, good})
}

// meaning is what a value stands for.
type meaning struct {
	value  int
	text   string
	colour string
}

// means shows values as words.
func means(meanings ...meaning) Property {
	words := map[string]any{}
	for i, m := range meanings {
		words[strconv.Itoa(m.value)] = map[string]any{"text": m.text, "color": m.colour, "index": i}
	}
	return Property{"mappings", []map[string]any{{"type": "value", "options": words}}}
}

// missing says of a value that is not there why, in the colour of what is not known.
func missing(text string) Property {
	return Property{"mappings", []map[string]any{{"type": "special", "options": map[string]any{
		"match": "null+nan", "result": map[string]any{"text": text, "color": unknown, "index": 0}}}}}
}

// both joins two kinds of meanings.
func both(a, b Property) Property {
	return Property{"mappings", slices.Concat(a.Value.([]map[string]any), b.Value.([]map[string]any))}
}

// urlEnd leaves out the middle of a URL, which is too long to read.
func urlEnd() Property {
	return Property{"mappings", []map[string]any{{"type": "regex", "options": map[string]any{
		"pattern": "https?://([^/]+)/.*/((?:[^/]+/){2}[^/]+)", "result": map[string]any{"text": "$1 … $2", "index": 0}}}}}
}

// cell colours the cells of a column.
func cell() Property {
	return Property{"custom.cellOptions", map[string]any{"type": "color-background", "mode": "basic"}}
}

// link leads from a cell or a value elsewhere.
func link(title, url string) Property {
	return Property{"links", []map[string]any{{"title": title, "url": url}}}
}

// toSite leads to the dashboard of the site that is named.
func toSite() Property {
	return link("Show this site", "/d/cx700-site?var-site=${__value.raw}&${network:queryparam}&${datasource:queryparam}&${__url_time_range}")
}

// toRunbook leads to what mends a reason.
func toRunbook() Property {
	return Property{"links", []map[string]any{{"title": "Runbook", "url": "${exporter}/runbooks/${__value.raw}", "targetBlank": true}}}
}
