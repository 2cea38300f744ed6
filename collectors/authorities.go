package collectors

import (
	"github.com/cx700/cx700_exporter/internal/metric"
	"github.com/cx700/cx700_exporter/internal/phone"
)

var (
	descAuthority = metric.NewGauge("cx700_trusted_authority_not_after_timestamp_seconds",
		"When a root certificate built into the phone expires, by the certificate itself.",
		`count(cx700_trusted_authority_not_after_timestamp_seconds > time())`, "vendor", "authority")
	descAuthorityGuide = metric.NewGauge("cx700_trusted_authority_guide_not_after_timestamp_seconds",
		"When a root certificate built into the phone expires, as the deployment guide prints it (page 9).",
		`cx700_trusted_authority_guide_not_after_timestamp_seconds != cx700_trusted_authority_not_after_timestamp_seconds`,
		"vendor", "authority")
)

// AuthorityMetrics lists the series about the authorities built into the phone.
func AuthorityMetrics() []*metric.Desc { return []*metric.Desc{descAuthority, descAuthorityGuide} }

// AuthoritySamples gives the series about the authorities built into the phone. They never change: no
// probe asks for them.
func AuthoritySamples() []metric.Sample {
	var out []metric.Sample
	for _, a := range phone.Authorities() {
		labels := []string{a.Vendor, a.Name}
		out = append(out,
			metric.Sample{Desc: descAuthority, Value: float64(a.Certificate.NotAfter.Unix()), Labels: labels},
			metric.Sample{Desc: descAuthorityGuide, Value: float64(a.Guide.NotAfter.Unix()), Labels: labels})
	}
	return out
}
