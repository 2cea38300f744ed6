package collectors

const onlyOurProbe = "nothing: this concerns the exporter's own logon only"

// blinding makes a reason that concerns our own look only.
func blinding(name, means, mend string) *Reason {
	return &Reason{Name: name, Effect: Blinds, Means: means, Screen: onlyOurProbe, Mend: mend, AtPhone: "nothing", ResetHurts: true}
}

// noting makes a reason that is shown and stops nobody.
func noting(name, means, screen, mend string) *Reason {
	return &Reason{Name: name, Effect: Notes, Means: means, Screen: screen, Mend: mend, AtPhone: "nothing", ResetHurts: true}
}
