package collectors

const (
	screenByWINS = "nothing, or a slow sign-in, where users log on as DOMAIN\\user"
	mendWINSDown = "start WINS on that server and open UDP 137 to it, or take it out of DHCP option 044"
)

// winsDegrades makes a reason that concerns phones which look for a domain controller by WINS.
func winsDegrades(name, means, mend string) *Reason {
	return &Reason{Name: name, Effect: Degrades, Means: means, Screen: screenByWINS, Mend: mend, AtPhone: "nothing"}
}

// The ways in which WINS does not lead to a domain controller. Whether phones turn to DNS then is not known.
var (
	reasonWINSSilent = winsDegrades("wins_silent",
		"a WINS server does not answer", mendWINSDown)
	reasonWINSUnreachable = winsDegrades("wins_unreachable",
		"nothing listens on a WINS server's address, or there is no route to it", mendWINSDown)
	reasonWINSMalformed = winsDegrades("wins_malformed",
		"what comes back from a WINS server is no answer of WINS", "find what answers on that address and port")
	reasonWINSRefused = winsDegrades("wins_refused",
		"a WINS server answers with an error", "look at that server's event log, and at its database")
	reasonWINSNameMissing = winsDegrades("wins_name_missing",
		"a WINS server does not know the domain with which users log on: it has no record <1C> of domain controllers",
		"let the domain controllers be clients of that WINS server (nbtstat -RR there), and see that the servers replicate")
	reasonWINSDiffers = winsDegrades("wins_differs",
		"a WINS server names a domain controller at an address that DNS does not",
		"delete the record of a controller that is gone, with its owner (netsh wins server, or the WINS console); else see to its DNS records")
	reasonWINSNameGuessed = noting("wins_name_guessed",
		"a WINS server does not know the first label of the domain as a NetBIOS name; users log on with the DNS name, so that phones do without",
		"nothing", "nothing; if users log on as DOMAIN\\user too, write that form in logon")
)
