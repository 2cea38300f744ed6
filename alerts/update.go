package alerts

import "time"

func updateWarnings() []Alert {
	down := `max by (network, target) (` + seen(updateOK) + `) == 0`
	missing := `min by (network, target) (` + seen(firmwareReachable) + `) == 0`
	cut := `max by (network, target) (` + seen(failing+`{reason=~"firmware_cut_off|firmware_stalled|firmware_empty|images_differ"}`) + `)`
	return []Alert{
		{
			Name: "Cx700UpdateServiceDown", Severity: Warning, For: 10 * time.Minute, KeepFiring: 5 * time.Minute, Dashboard: dashUpdate,
			Expr: `(
  ` + down + `
  or
  (
    max by (network, target) (
      ` + siteTarget + `{collector="update"}
      and on (site, network) (` + seen(updateReady+` == 0`) + ` unless on (site, network) ` + enrolledBlocked() + `)
    )
    unless on (network, target) min by (network, target) (` + baseURL + `) == 0
    unless on (network, target) ` + missing + `
    unless on (network, target) ` + cut + `
  )
)
unless on (network, target) ` + failing + `{collector="update",reason="update_hardened"}`,
			Summary:     "Phones do not get to updates of {{ $labels.target }} ({{ $labels.network }}), or not everywhere",
			Description: "Reasons: " + reasonsAt("update") + sitesBehind("update") + " The site's dashboard shows at which step firmwares are stopped.",
			Means: "Phones get no answer when they ask for new firmware, or not by every name and server to which they turn. They sign in all the " +
				"same, and stay at their version.",
			Quiet: "while Cx700ServerHardened names the cause; for what is not so everywhere, while Cx700BaseURLBlank, Cx700FirmwareMissing or " +
				"Cx700FirmwareCutOff does, or enrolled phones are blocked",
			First: "The reasons are in the description; a phone's About screen shows the same as two numbers (explain takes them).",
		},
		{
			Name: "Cx700BaseURLBlank", Severity: Warning, For: 10 * time.Minute, KeepFiring: 5 * time.Minute, Dashboard: dashUpdate,
			Expr:        `min by (network, target, url) (` + baseURL + `) == 0`,
			Summary:     "Updates are offered with a blank {{ $labels.url }} base URL ({{ $labels.target }})",
			Description: "Phones are told of a version and not where it is. They stay at their version and say nothing of it. " + sitesBehind("update"),
			Means:       "The update service offers a version, but the base URL of its files is blank, for phones inside or for those outside.",
			First:       "The base URLs are properties of the pool's web components; the mends are below.",
		},
		{
			Name: "Cx700FirmwareMissing", Severity: Warning, For: 10 * time.Minute, KeepFiring: 5 * time.Minute, Dashboard: dashUpdate,
			Expr: missing + `
unless on (network, target) ` + down + `
unless on (network, target) ` + cut,
			Summary:     "A file of an update is not there for phones ({{ $labels.target }}, {{ $labels.network }})",
			Description: "Reasons: " + reasonsAt("firmware"),
			Means:       "The update service offers a version of which a file cannot be fetched where phones are sent for it.",
			First:       "The reasons are in the description.",
			Quiet:       "while Cx700UpdateServiceDown says that nobody answers at all, or Cx700FirmwareCutOff that what is there is not whole",
		},
		{
			Name: "Cx700FirmwareCutOff", Severity: Warning, For: 10 * time.Minute, KeepFiring: 5 * time.Minute, Dashboard: dashUpdate,
			Expr:        cut,
			Summary:     "An image of an update does not come through whole ({{ $labels.target }}, {{ $labels.network }})",
			Description: "Reasons: " + reasonsAt("firmware|firmware_download"),
			Means:       "An image is shorter than it was, is empty, stops in the middle, or is another at a second server. Phones that fetch it fail, and try again and again.",
			First:       "Import the update package anew, and look at what stands between: a proxy that scans or cuts long answers.",
		},
		{
			Name: "Cx700FirmwareChanged", Severity: Warning, Dashboard: dashUpdate,
			Expr: `max by (network, target, file) (increase(` + firmwareChanges + `[2d])) > 0
unless on (network, target) ` + cut,
			Summary:     "An image has changed under one version ({{ $labels.file }}, {{ $labels.target }})",
			Description: "Within two days it was read with other bytes under the same URL. Versions are to be unchanging.",
			Means:       "The image of a version has other bytes than before. Either somebody replaced it, or the server hands out damaged files.",
			First:       "Compare it with the one in Microsoft's update package; import that anew if it differs. Where it was meant, this ends after two days.",
			Quiet:       "while Cx700FirmwareCutOff says that it is not whole",
		},
	}
}
