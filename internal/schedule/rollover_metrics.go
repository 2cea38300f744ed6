package schedule

import (
	"github.com/cx700/cx700_exporter/internal/metric"
	"github.com/cx700/cx700_exporter/internal/phone"
	"github.com/cx700/cx700_exporter/internal/signin"
)

var descRollOver = metric.NewGauge("cx700_rollover_info",
	"The kind of phone that a roll-over of the root strands: new ones while the pool's root is not published any more, "+
		"enrolled ones once the pool has moved to a root that they do not hold; only while it does. It strands them now, or "+
		"it is ahead: Active Directory publishes a root that enrolled phones do not hold, and the pool has not moved yet.",
	`cx700_rollover_info{phone="new"}`, "site", "network", "firmware", "phone", "strands")

// The values of the label strands.
const (
	strandsNow   = "now"
	strandsAhead = "ahead"
)

// addRollOver says whom a roll-over strands. It is seen in the verdict on enrolled phones, whatever that is.
func addRollOver(v *signin.Verdict, add func(d *metric.Desc, value float64, strands ...string)) {
	if v.Kind != phone.Enrolled {
		return
	}
	for _, kind := range phone.Kinds() {
		if v.Strands(kind) {
			add(descRollOver, 1, string(kind), strandsNow)
		}
	}
	if v.Ahead() {
		add(descRollOver, 1, string(phone.Enrolled), strandsAhead)
	}
}
