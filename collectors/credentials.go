package collectors

import (
	"github.com/cx700/cx700_exporter/internal/metric"
	"github.com/cx700/cx700_exporter/internal/reach"
)

var (
	descCredentialStopped = metric.NewGauge("cx700_credential_stopped",
		"Whether a credential was refused and is not used any more (1) or is used (0).",
		`cx700_credential_stopped == 1`, "credential")
	descPasswordExpiry = metric.NewGauge("cx700_credential_password_expiry_timestamp_seconds",
		"When the password of a credential expires, as Active Directory tells; absent when it does not, or never.",
		`(cx700_credential_password_expiry_timestamp_seconds - time()) / 86400 < 14`, "credential")
)

// CredentialMetrics lists the series about credentials.
func CredentialMetrics() []*metric.Desc {
	return []*metric.Desc{descCredentialStopped, descPasswordExpiry}
}

// CredentialSamples gives the series about the credentials that probes have used.
func CredentialSamples(states []reach.CredentialState) []metric.Sample {
	var out []metric.Sample
	for _, s := range states {
		stopped := 0.0
		if s.Stop != nil {
			stopped = 1
		}
		labels := []string{s.Name}
		out = append(out, metric.Sample{Desc: descCredentialStopped, Value: stopped, Labels: labels})
		if !s.PasswordExpires.IsZero() {
			out = append(out, metric.Sample{Desc: descPasswordExpiry, Value: float64(s.PasswordExpires.Unix()), Labels: labels})
		}
	}
	return out
}
