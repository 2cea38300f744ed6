package collectors

import "github.com/cx700/cx700_exporter/internal/metric"

// Named are the collectors' series by which rules ask.
type Named struct {
	CACertificates, Controller, RootChanges, PoolNotAfter, UpdateOK, BaseURL, FirmwareReachable, FirmwareChanges *metric.Desc
	Vantage, CredentialStopped, PasswordExpiry                                                                   *metric.Desc
}

// NamedMetrics gives the collectors' series by which rules ask.
func NamedMetrics() Named {
	return Named{
		CACertificates: descCACertificates, Controller: descController, RootChanges: descRootChanges, PoolNotAfter: descPoolNotAfter,
		UpdateOK: descUpdateOK, BaseURL: descBaseURL, FirmwareReachable: descFirmwareReachable, FirmwareChanges: descFirmwareChanges,
		Vantage: descVantage, CredentialStopped: descCredentialStopped, PasswordExpiry: descPasswordExpiry,
	}
}
