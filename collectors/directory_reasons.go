package collectors

import "github.com/cx700/cx700_exporter/internal/facts"

const (
	screenCannotValidate = "Cannot validate server certificate, on new or reset phones"
	mendPublish          = `certutil -f -dspublish "root.cer" RootCA, on a domain controller or the CA; then certutil -pulse`
)

// The ways in which phones fail to get a root from Active Directory.
var (
	reasonControllerNotFound = &Reason{
		Name: "dc_not_found", Effect: BlocksNew,
		Means:   "no name in the phone's order leads to a domain controller: new phones can neither log on nor fetch a root",
		Screen:  "Cannot sign in, or " + screenCannotValidate,
		Mend:    "add the parent suffix to DHCP option 119, or let users log on as user@domain; see that SRV _ldap._tcp.dc._msdcs.<AD domain> exists",
		AtPhone: "power-cycle it, so that it takes the new option",
	}
	reasonControllerNamesUnanswered = &Reason{
		Name: "dc_names_unanswered", Effect: Blinds,
		Means:   "no resolver answers the names of the domain controllers, so it is not known whether they are there",
		Screen:  "Cannot sign in, if it lasts",
		Mend:    "see what the dns collector says of the resolvers",
		AtPhone: "nothing",
	}
	reasonDomainAMissing = &Reason{
		Name: "domain_a_missing", Effect: BlocksNew,
		Means:   "the AD domain itself has no A record, which the phone asks for before it fetches a certificate",
		Screen:  screenCannotValidate,
		Mend:    "create A records of the AD domain with the addresses of its domain controllers (the Net Logon service makes them: nltest /dsregdns)",
		AtPhone: "wait; it tries again by itself",
	}
	reasonControllersUnavailable = &Reason{
		Name: "dcs_unavailable", Effect: BlocksNew, Umbrella: true,
		Means:   "no domain controller answers: new phones can neither log on nor fetch a root",
		Screen:  "Cannot sign in, or " + screenCannotValidate,
		Mend:    "start the domain controllers, and open TCP 389 from the phones to them",
		AtPhone: "wait; it tries again by itself",
	}
	reasonControllerUnresolved = &Reason{
		Name: "dc_unresolved", Effect: Degrades,
		Means:   "an SRV record names a domain controller that has no address",
		Screen:  "nothing, or a slow sign-in",
		Mend:    "create the A record of that controller, or remove its SRV records if it is gone (ntdsutil, metadata cleanup)",
		AtPhone: "nothing",
	}
	reasonControllerUnreachable = &Reason{
		Name: "dc_unreachable", Effect: Degrades,
		Means:   "nothing listens on a domain controller's address, or there is no route to it",
		Screen:  "nothing while another controller answers",
		Mend:    "start Active Directory on that controller, or remove its SRV records if it is gone",
		AtPhone: "nothing",
	}
	reasonControllerSilent = &Reason{
		Name: "dc_silent", Effect: Degrades,
		Means:   "a domain controller does not answer",
		Screen:  "nothing while another controller answers",
		Mend:    "look at that controller and at the firewall for TCP 389 (and 636, where the exporter uses LDAPS)",
		AtPhone: "nothing",
	}
	reasonControllerMalformed = &Reason{
		Name: "dc_malformed", Effect: Degrades,
		Means:   "what answers on a domain controller's address speaks no LDAP, or closes the connection",
		Screen:  "nothing while another controller answers",
		Mend:    "find what answers on that address and port",
		AtPhone: "nothing",
	}
	reasonRootEmpty = &Reason{
		Name: "root_empty", Effect: BlocksNew,
		Means:   "every cACertificate in CN=Certification Authorities is empty (the placeholder 0x00): no root is published",
		Screen:  screenCannotValidate,
		Mend:    mendPublish,
		AtPhone: "wait; a new phone tries again by itself. Enrolled phones hold their roots and are not affected",
	}
	reasonRootUnparsable = &Reason{
		Name: "root_unparsable", Effect: BlocksNew,
		Means:   "no cACertificate in CN=Certification Authorities holds a certificate, and some hold bytes that are none",
		Screen:  screenCannotValidate,
		Mend:    mendPublish,
		AtPhone: "wait; a new phone tries again by itself. Enrolled phones hold their roots and are not affected",
	}
	reasonRootMissing = &Reason{
		Name: "root_missing", Effect: BlocksNew,
		Means:   "no object in CN=Certification Authorities is shown to users of the domain, as phones' are: no root is published",
		Screen:  screenCannotValidate,
		Mend:    mendPublish + "; if ADSI Edit shows the object, let Authenticated Users read it",
		AtPhone: "wait; a new phone tries again by itself. Enrolled phones hold their roots and are not affected",
	}
	reasonRootHidden = &Reason{
		Name: "root_hidden", Effect: Blinds,
		Means:   "cACertificate is not shown to the exporter's account, on some object at least, and no other is populated",
		Screen:  "nothing, if phones' users may read it",
		Mend:    "let Authenticated Users read the objects in CN=Certification Authorities (dsacls), as the class's default is",
		AtPhone: "nothing",
	}
	reasonObjectUnusable = noting("ca_object_unusable",
		"an object of an authority is empty, unparsable or hidden, beside others that are populated",
		"nothing, unless the pool's root is the one", "publish that root again if it is in use, else remove the object with certutil -viewdelstore or ADSI Edit")
	reasonReplicating = noting("replicating",
		"the domain controllers publish different roots: a change is on its way from one to the other",
		"nothing, or some new phones fail until it has arrived", "wait; if it lasts for hours, repadmin /showrepl")
	reasonEnrolmentMissing = noting("enrolment_missing",
		"no pKIEnrollmentService names a CA, so phones have no second way to a root (certsrv)",
		"nothing while a root is published", "nothing where a root is published; else install an enterprise CA or publish the root")
	reasonEnrolmentHostMissing = noting("enrolment_host_missing",
		"a pKIEnrollmentService has no dNSHostName, so phones cannot use that CA's certsrv",
		"nothing while a root is published", "set dNSHostName of that object to the CA's name (ADSI Edit), or reinstall the CA's enrolment object")
)

// The ways in which only our own look at Active Directory is stopped.
var (
	reasonRootsNotWatched = noting("roots_not_watched",
		"the domain controllers show an anonymous client nothing, and the site file gives no account to read them with",
		onlyOurProbe, "give the site networks.internal.directory a credential, as in examples/cx700.yml")
	reasonSearchDenied = blinding("search_denied",
		"the domain controller lets our client search for nothing, or shows it nothing: this says nothing about the roots",
		"give directory.credential an account of the domain; Authenticated Users may read the configuration by default")
	reasonControllersLeftOut = noting("dcs_left_out",
		"DNS names more domain controllers than the exporter looks at",
		onlyOurProbe, "nothing, or ask resolvers that know the controllers near the site only")
	reasonControllerNotRead = noting("dc_not_read",
		"one of the domain controllers could not be read by the exporter; others could",
		onlyOurProbe, "see what was seen: mend the account if it was refused, else give that controller what the others have")
)

const touchSecret = "; then touch the secret's file, so that the credential is used again"

// logonReasons has a reason for each way in which our own logon or search fails.
var logonReasons = map[facts.ControllerProblem]*Reason{
	facts.StrongAuthRequired: blinding("strong_auth_required",
		"the domain controller wants signing or TLS for this kind of bind, which the exporter cannot give it (phones sign)",
		"write bind: ldaps or bind: starttls with the controllers' root in directory.roots"),
	facts.KerberosRC4: blinding("kerberos_rc4",
		"the KDC has RC4 keys only (Windows 2003, or an account set to RC4), with which the exporter does not log on",
		"write bind: ldaps or bind: starttls, or allow AES for the account (msDS-SupportedEncryptionTypes 24) and set its password anew"),
	facts.KerberosPrincipal: blinding("kerberos_principal_unknown",
		"the KDC does not know the service's name ldap/<controller> or HTTP/<CA>",
		"see that the SRV record gives the controller's own name, and that its SPN is registered: setspn -L <computer>"),
	facts.KerberosClock: blinding("kerberos_clock_skew",
		"the KDC finds the exporter's clock more than five minutes off",
		"set the clock of the exporter's machine, or the domain controller's, whichever is wrong"),
	facts.KerberosUnavailable: blinding("kerberos_unavailable",
		"the KDC on the domain controller could not be talked to, or gave another error",
		"open TCP 88 from the exporter to the domain controllers; see what was seen"),
	facts.AddressUnknown: reasonControllerNamesUnanswered,
	facts.Delayed: blinding("probe_delayed",
		"another probe took all the time for this controller or for the credential",
		"see which controller hangs; if it lasts, raise collectors.directory.timeout"),
	facts.AccountUnknown: blinding("account_unknown",
		"there is no account of that name in the domain; it is not tried again",
		`write the account as DOMAIN\user, or with its realm if its UPN suffix is none`),
	facts.CredentialRefused: blinding("credential_refused",
		"the password of the exporter's account is wrong, or its name; it is not tried again, lest it be locked",
		"put the right secret into the credential's file"),
	facts.AccountDisabled: blinding("account_disabled", "the exporter's account is disabled; it is not tried again",
		"Enable-ADAccount"+touchSecret),
	facts.AccountLocked: blinding("account_locked", "the exporter's account is locked out; it is not tried again",
		"find who locks it, then Unlock-ADAccount"+touchSecret),
	facts.AccountExpired: blinding("account_expired", "the exporter's account has expired; it is not tried again",
		"Clear-ADAccountExpiration"+touchSecret),
	facts.AccountRevoked: blinding("account_revoked",
		"the exporter's account is disabled, locked out or expired (Kerberos does not tell which); it is not tried again",
		"Get-ADUser -Properties LockedOut, Enabled, AccountExpirationDate; mend it"+touchSecret),
	facts.PasswordExpired: blinding("password_expired",
		"the password of the exporter's account has expired or must be changed; it is not tried again",
		"set a new password and put it into the credential's file"),
	facts.CredentialUnusable: blinding("credential_unusable",
		"the credential's secret or the roots cannot be read, or it may not be sent to this host",
		"correct what was seen in the site file or in the rights of the files"),
	facts.TLSUntrusted: blinding("tls_untrusted",
		"the domain controller's certificate leads to no trusted root, or has another name: no password is sent",
		"name the root of the controllers' certificates in directory.roots"),
	facts.TLSFailed: blinding("tls_failed",
		"no TLS connection to the domain controller could be made: it has no certificate, or no port 636",
		"give the controller a certificate (any enterprise CA does so by itself), or write bind: kerberos"),
	facts.BindFailed: blinding("bind_failed",
		"the domain controller answered the bind with an error of its own", "see what was seen"),
	facts.SearchFailed: blinding("search_failed",
		"the domain controller answered a search with an error or a referral", "see what was seen"),
	facts.SearchTooLarge: blinding("search_too_large",
		"the result of a search went beyond what the exporter takes", "find what answers on that address"),
}

// controllerReasons has a reason for each way in which a controller fails phones as well.
var controllerReasons = map[facts.ControllerProblem]*Reason{
	facts.NoAddress:             reasonControllerUnresolved,
	facts.ControllerUnreachable: reasonControllerUnreachable,
	facts.ControllerSilent:      reasonControllerSilent,
	facts.ControllerMalformed:   reasonControllerMalformed,
}
