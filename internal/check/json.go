package check

import (
	"time"

	"github.com/cx700/cx700_exporter/internal/signin"
)

// Document is a result as other programs read it.
type Document struct {
	Site     string            `json:"site"`
	Network  string            `json:"network"`
	Verdicts []VerdictDocument `json:"verdicts"`
	Changed  []signin.Change   `json:"changed,omitempty"`
	Seconds  float64           `json:"seconds"`
}

// VerdictDocument is the verdict on one kind of phone.
type VerdictDocument struct {
	Firmware string `json:"firmware"`
	Phone    string `json:"phone"`
	// State is ready, degraded, blocked, unknown or not_watched.
	State string `json:"state"`
	// Step and the reason's fields say what the state is founded on; empty when it is ready.
	Step string `json:"step,omitempty"`
	*ReasonDocument
	ValidUntil *time.Time     `json:"valid_until,omitempty"`
	Ends       string         `json:"ends,omitempty"`
	Update     *bool          `json:"update_ready,omitempty"`
	Steps      []StepDocument `json:"steps"`
}

// StepDocument is the outcome of one step.
type StepDocument struct {
	Step     string           `json:"step"`
	State    string           `json:"state"`
	Findings []ReasonDocument `json:"findings,omitempty"`
}

// ReasonDocument is a reason with what was seen of it.
type ReasonDocument struct {
	Reason    string `json:"reason"`
	Effect    string `json:"effect"`
	Means     string `json:"means"`
	Seen      string `json:"seen,omitempty"`
	Screen    string `json:"screen"`
	Mend      string `json:"mend"`
	AtPhone   string `json:"at_phone"`
	HardReset string `json:"hard_reset"`
}

// Document gives the result as other programs read it.
func (r *Result) Document() Document {
	out := Document{Site: r.Site, Network: string(r.Judged.Network), Changed: r.Changed, Seconds: r.Took.Seconds()}
	for _, v := range r.Verdicts {
		d := VerdictDocument{Firmware: v.Firmware, Phone: string(v.Kind), State: string(v.State)}
		if v.At != nil {
			d.Step = string(v.At.Step.Name)
		}
		if v.Why.Reason != nil {
			why := reasonDocument(v.Why)
			d.ReasonDocument = &why
		}
		if v.Ends != nil {
			d.ValidUntil, d.Ends = &v.Ends.NotAfter, v.EndsName()
		}
		if ready, known := v.UpdateReady(); known {
			d.Update = &ready
		}
		for _, j := range v.Steps() {
			s := StepDocument{Step: string(j.Step.Name), State: string(j.State)}
			for _, f := range j.Findings {
				s.Findings = append(s.Findings, reasonDocument(f))
			}
			d.Steps = append(d.Steps, s)
		}
		out.Verdicts = append(out.Verdicts, d)
	}
	return out
}

func reasonDocument(f signin.Finding) ReasonDocument {
	r := f.Reason
	return ReasonDocument{
		Reason: r.Name, Effect: r.Effect.String(), Means: r.Means, Seen: f.Seen,
		Screen: r.Screen, Mend: r.Mend, AtPhone: r.AtPhone, HardReset: r.ResetText(),
	}
}
