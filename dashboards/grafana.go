package dashboards

// The parts of Grafana's dashboard model that are used here.
// https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/

const (
	schemaVersion   = 39 // Grafana 10.4; later ones migrate it when they load it
	sharedCrosshair = 1
	onTimeRange     = 2 // variables are asked for again when the time range changes
	alphabetical    = 1
)

// Dashboard is one dashboard.
type Dashboard struct {
	UID          string   `json:"uid"`
	Title        string   `json:"title"`
	Description  string   `json:"description"`
	Tags         []string `json:"tags"`
	Editable     bool     `json:"editable"`
	GraphTooltip int      `json:"graphTooltip"`
	Time         struct {
		From string `json:"from"`
		To   string `json:"to"`
	} `json:"time"`
	Timezone      string `json:"timezone"`
	Refresh       string `json:"refresh"`
	SchemaVersion int    `json:"schemaVersion"`
	Templating    struct {
		List []Variable `json:"list"`
	} `json:"templating"`
	Annotations struct {
		List []Annotation `json:"list"`
	} `json:"annotations"`
	Links  []Link   `json:"links"`
	Panels []*Panel `json:"panels"`
}

// Source is a data source; here always the one that is chosen at the top.
type Source struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

func prometheus() *Source { return &Source{Type: "prometheus", UID: "${datasource}"} }

// Variable is chosen at the top of a dashboard and stands in queries with a dollar sign.
type Variable struct {
	Name       string         `json:"name"`
	Label      string         `json:"label"`
	Type       string         `json:"type"`
	Source     *Source        `json:"datasource,omitempty"`
	Query      string         `json:"query"`
	Refresh    int            `json:"refresh,omitempty"`
	Sort       int            `json:"sort,omitempty"`
	Multi      bool           `json:"multi,omitempty"`
	IncludeAll bool           `json:"includeAll,omitempty"`
	AllValue   string         `json:"allValue,omitempty"`
	Current    map[string]any `json:"current,omitempty"`
}

// Annotation marks moments in every panel over time.
type Annotation struct {
	Name        string  `json:"name"`
	Source      *Source `json:"datasource"`
	Enable      bool    `json:"enable"`
	IconColor   string  `json:"iconColor"`
	Expr        string  `json:"expr"`
	Step        string  `json:"step"`
	TitleFormat string  `json:"titleFormat"`
	TextFormat  string  `json:"textFormat"`
}

// Link stands at the top of a dashboard.
type Link struct {
	Title       string   `json:"title"`
	Type        string   `json:"type"`
	URL         string   `json:"url,omitempty"`
	Tags        []string `json:"tags"`
	KeepTime    bool     `json:"keepTime"`
	IncludeVars bool     `json:"includeVars"`
	AsDropdown  bool     `json:"asDropdown"`
	TargetBlank bool     `json:"targetBlank"`
}

// Panel is one panel, or a heading of those after it.
type Panel struct {
	ID              int              `json:"id"`
	Type            string           `json:"type"`
	Title           string           `json:"title"`
	Description     string           `json:"description,omitempty"`
	Grid            Grid             `json:"gridPos"`
	Source          *Source          `json:"datasource,omitempty"`
	Targets         []Target         `json:"targets,omitempty"`
	Fields          *Fields          `json:"fieldConfig,omitempty"`
	Options         map[string]any   `json:"options,omitempty"`
	Transformations []Transformation `json:"transformations,omitempty"`
}

// Grid is the place of a panel on a page of 24 columns.
type Grid struct {
	X int `json:"x"`
	Y int `json:"y"`
	W int `json:"w"`
	H int `json:"h"`
}

// Target is one query of a panel.
type Target struct {
	RefID   string `json:"refId"`
	Expr    string `json:"expr"`
	Legend  string `json:"legendFormat,omitempty"`
	Format  string `json:"format,omitempty"`
	Instant bool   `json:"instant"`
	Range   bool   `json:"range"`
}

// Fields say how values are shown: all of them, and columns of their own kind.
type Fields struct {
	Defaults  map[string]any `json:"defaults"`
	Overrides []Override     `json:"overrides"`
}

// Override is what differs for one column.
type Override struct {
	Matcher    Matcher    `json:"matcher"`
	Properties []Property `json:"properties"`
}

// Matcher chooses columns.
type Matcher struct {
	ID      string `json:"id"`
	Options string `json:"options"`
}

// Property is one property of shown values.
type Property struct {
	ID    string `json:"id"`
	Value any    `json:"value"`
}

// Transformation is a step between the answers and the drawing.
type Transformation struct {
	ID      string         `json:"id"`
	Options map[string]any `json:"options"`
}
