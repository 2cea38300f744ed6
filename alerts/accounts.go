package alerts

// accountWarnings are those about the exporter's own accounts.
func accountWarnings() []Alert {
	return []Alert{
		{
			Name: "Cx700AccountStopped", Severity: Warning, Dashboard: dashExporter,
			Expr:        `max by (credential) (` + credentialStopped + `) == 1`,
			Summary:     "The exporter's account {{ $labels.credential }} was refused and is not used any more",
			Description: "What it was for is unknown until the secret is right again: it is not tried, lest the account be locked.",
			Means:       "A server refused the logon of the exporter's own account. It is not used again until its secret changes. No phone is concerned.",
			First:       "cx700_exporter probe directory --site SITE shows the code of the refusal. Mend the account, then put the secret into its file or touch the file.",
		},
		{
			Name: "Cx700AccountPasswordEnds", Severity: Warning, Dashboard: dashExporter,
			Expr: `min by (credential) (` + passwordExpiry + `) - time() < 14 * 86400`,
			Summary: "The password of the exporter's account {{ $labels.credential }} " +
				"{{ if gt $value 0.0 }}expires in {{ $value | humanizeDuration }}{{ else }}has expired{{ end }}",
			Description: "Set a new one, and put it into the credential's file.",
			Means:       "Active Directory says that the password of the exporter's account expires within 14 days. Then what it reads is unknown.",
			First:       "Set a new password and put it into the file that password_file names; or exempt the account, as service accounts are.",
		},
	}
}
