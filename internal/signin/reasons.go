package signin

import (
	"maps"
	"slices"

	"github.com/cx700/cx700_exporter/internal/facts"
	"github.com/cx700/cx700_exporter/internal/phone"
)

// What phones show, as far as it is known (CONTRACT section 8).
const (
	screenValidate = "Cannot validate server certificate"
	screenConnect  = "Cannot connect to the server. Retrying. If the problem continues, contact your support team"
	screenNothing  = "nothing"
	waits          = "wait; it tries again by itself"
)

func blocks(name, means, screen, mend, atPhone string) *phone.Reason {
	return &phone.Reason{Name: name, Effect: phone.Blocks, Means: means, Screen: screen, Mend: mend, AtPhone: atPhone}
}

// unclear makes a reason for which it is not known what a phone meets.
func unclear(name, means, screen, mend string) *phone.Reason {
	return &phone.Reason{Name: name, Effect: phone.Blinds, Means: means, Screen: screen, Mend: mend, AtPhone: "nothing"}
}

func notes(name, means, screen, mend string) *phone.Reason {
	return &phone.Reason{Name: name, Effect: phone.Notes, Means: means, Screen: screen, Mend: mend, AtPhone: "nothing"}
}

// The reasons of the step tls.
var (
	reasonTLSHardened = blocks("tls_hardened",
		"the server takes TLS of today, but not the phone's TLS 1.0 with RSA key exchange: it was hardened, and cuts phones off",
		screenConnect,
		`on the pool, switch TLS 1.0 and an RSA suite (AES-CBC-SHA or 3DES) on again: SCHANNEL\Protocols\TLS 1.0\Server, Enabled=1; `+
			"or put phones behind a proxy that speaks both", waits)
	reasonTLSBadCertificate = unclear("tls_bad_certificate",
		"a certificate was served that the exporter cannot read or use", screenNothing+" is known of it",
		"look at the certificate with certutil -dump, and issue another")
	reasonTLSNoCommon = unclear("tls_no_common_suite",
		"the server refuses both offers of TLS; what phones have besides and the exporter cannot speak is SSL 3.0, RC4 with MD5 and export suites",
		screenConnect+", if that is not what it wants",
		`see the System event log on the server for Schannel (36870: no private key), and allow TLS 1.0 with AES-CBC-SHA or 3DES`)
	reasonOtherPort = unclear("tls_other_port",
		"nothing listens where the registrar should; something else ends a handshake on the other port that phones try, and may be the web server",
		screenConnect+", if that is no registrar", "start the front end service (RTCSRV), or the Access Edge service outside")
	reasonNotAsked = unclear("tls_not_asked",
		"an address of the phone's order was not asked, because there are too many", screenNothing,
		"take addresses that are gone out of DNS")
	reasonNoRegistrar = unclear("tls_no_registrar",
		"no name of the phone's order leads to a registrar, so there is nobody to talk TLS to", "Cannot sign in; the phone keeps trying",
		"see what the dns collector says of the sign-in names")
	reasonNameUnanswered = unclear("tls_names_unanswered",
		"no resolver answers a name of the phone's order, which might lead to a registrar that is good", screenNothing+" is known of it",
		"see what the dns collector says of the resolvers")
)

var handshakeReasons = map[facts.HandshakeProblem]*phone.Reason{
	facts.HandshakeUnreachable: blocks("tls_unreachable",
		"nothing listens on the registrar's address, or there is no route to it", screenConnect,
		"start the front end service (RTCSRV), or the Access Edge service outside, and open TCP 5061 inside or 443 outside", waits),
	facts.HandshakeSilent: blocks("tls_silent",
		"the registrar takes the connection and says nothing", screenConnect,
		"restart the front end service, and look at the load balancer and the firewall between", waits),
	facts.HandshakeClosed: blocks("tls_closed",
		"the registrar closes the connection in the handshake", screenConnect,
		"see that the service has a certificate (Certificates wizard), and what the load balancer does with TLS 1.0", waits),
	facts.HandshakeRefused: blocks("tls_refused",
		"the registrar begins the handshake of a phone and then ends it with an alert, as one does that wants a certificate of the client",
		screenConnect, "see that the pool and what stands before it want no client certificate; see the System event log for Schannel", waits),
	facts.HandshakeNoTLS: blocks("tls_not_spoken",
		"what answers on the registrar's port speaks no TLS", screenConnect,
		"find what answers there: netstat -ano on the front end; see that the listening port is set to TLS", waits),
	facts.HandshakeMalformed: blocks("tls_malformed",
		"what answers on the registrar's port breaks the rules of TLS", screenConnect,
		"find what answers there, and look at what stands between", waits),
}

const (
	mendReissue = "issue the pool's certificate anew (LcsCmd /cert, or the Certificates wizard), "
	holdsOld    = "wait, where the server gets a certificate from a root that it holds: it tries again by itself; else a hard reset inside, once the new root is published"
)

// trustReasons has a reason for each way in which a phone does not trust a server.
var trustReasons = map[phone.TrustReason]*phone.Reason{
	"unknown_root": resetting(phone.ResetFetches, blocks("unknown_root",
		"the server's certificates lead to no root that the phone holds; the last one's issuer is such a root, or a CA below it that was not sent",
		screenValidate, "see which issuer is missing: where it is a CA below the root, let the server send its certificate (certutil -addstore CA on it); "+
			`where it is the root, publish it: certutil -f -dspublish "root.cer" RootCA; phones that hold an older root need a certificate from that one`,
		holdsOld)),
	"incomplete_chain": blocks("incomplete_chain",
		"the server does not send a certificate between its own and the root", screenValidate,
		"put the intermediate certificates into the server's store (certutil -addstore CA), and restart the service", waits),
	"self_signed": blocks("self_signed",
		"the server's certificate is signed by itself, and no root of the phone", screenValidate,
		mendReissue+"by a CA whose root the phones hold", waits),
	"link_expired": resetting(phone.ResetFetches, blocks("link_expired",
		"a certificate of the chain has ended", screenValidate,
		"renew it; for a root with the same key also publish it: certutil -f -dspublish", waits)),
	"link_not_yet_valid": blocks("link_not_yet_valid",
		"a certificate of the chain has not begun, or the clock is wrong", screenValidate,
		"see what the ntp collector says of the time; else wait for its beginning, or issue it anew", waits),
	"sha2_link": blocks("sha2_link",
		"a certificate of the chain is signed with SHA-2, which this firmware cannot verify (guide steps 9 and 20)", screenValidate,
		mendReissue+"with SHA-1 from a CA and a root with SHA-1; or update the phones inside to 1.0.522 and later first", waits),
	"key_too_long": blocks("key_too_long",
		"a key of the chain is longer than the firmware takes", screenValidate,
		mendReissue+"with a key of 2048 bits, from a root with no longer one", waits),
	"key_too_short": blocks("key_too_short",
		"a key of the chain is shorter than the firmware takes, or than the exporter can verify", screenValidate,
		mendReissue+"with a key of 1024 or 2048 bits", waits),
	"unsupported_key": blocks("unsupported_key",
		"a key or a signature of the chain is none that phones know, such as ECDSA or RSA-PSS", screenValidate,
		mendReissue+"with an RSA key, by a CA that signs with PKCS #1 v1.5 (AlternateSignatureAlgorithm=0)", waits),
	"not_a_ca": blocks("not_a_ca",
		"a certificate of the chain was issued by one that may issue none", screenValidate,
		"issue the intermediate certificate anew, from a template for subordinate CAs", waits),
	"wrong_usage": blocks("wrong_usage",
		"a certificate of the chain is not for TLS servers", screenValidate,
		mendReissue+"with the enhanced key usage Server Authentication", waits),
	phone.NameOfOther: blocks("name_mismatch",
		"the certificate has another name than the one by which phones come", screenConnect,
		mendReissue+"with that name as its subject, or among its alternative names", waits),
	phone.NameByWildcard: blocks("name_wildcard",
		"only a wildcard of the certificate covers the name, which phones do not take", screenConnect,
		mendReissue+"with the name itself", waits),
	phone.OutsideSIPDomain: blocks("outside_sip_domain",
		"the SRV record leads outside the SIP domain; phones pass over such a server, and nothing else is left", screenConnect,
		"create A sip.<SIP domain> with the pool's address, and give the pool's certificate that name", waits),

	"root_only_in_aia": unclear("root_only_in_aia",
		"the root is published in CN=AIA or NTAuthCertificates only; whether phones look there is not known", screenValidate+", perhaps",
		`certutil -f -dspublish "root.cer" RootCA`),
	"weak_link": unclear("weak_link",
		"a certificate of the chain is signed with MD2, which is not verified here", screenValidate+", perhaps",
		mendReissue+"with SHA-1"),
	"critical_extension": unclear("critical_extension",
		"a certificate of the chain has a critical extension that is not understood here; the phone may, or may not", screenValidate+", perhaps",
		"issue it without name constraints and other critical extensions"),
	phone.NameInShadow: unclear("name_shadowed",
		"the name is the certificate's common name only, beside alternative names without it; what phones do then is not known", screenConnect+", perhaps",
		mendReissue+"with the name among its alternative names too"),
	phone.RootNotSeen: unclear("enrolled_root_not_seen",
		"the certificates lead to no known root, but phones hold one of which only the fingerprint is known", screenNothing+" is known of it",
		"write the root's certificate, as a file, into enrolled_roots"),

	phone.DoubtWildcard: notes("wildcard_doubted",
		"the certificate has a wildcard beside the right name; Lync Phone Edition was seen not to support wildcards, and this phone may not either",
		"nothing, or "+screenConnect, mendReissue+"without a wildcard"),
	phone.DoubtSHA2: notes("sha2_doubted",
		"a certificate is signed with SHA-2; sources disagree whether this firmware can verify it", screenValidate+", perhaps",
		"try it with one phone, and write sha2 into firmware_profiles; or use SHA-1"),
	phone.DoubtLongKey: notes("long_key_doubted",
		"a key is longer than 2048 bits; phones are reported to go round in circles with a root of 4096", "a sign-in that never ends, perhaps",
		"try it with one phone, and write max_key_bits into firmware_profiles; or use 2048 bits"),
}

// The further reasons of the step trust.
var (
	reasonADNotWatched = resetting(phone.ResetUnseen, notes("ad_roots_not_watched",
		"what Active Directory publishes is not watched, so there is no verdict on new phones", screenNothing,
		"give the directory collector a credential"))
	reasonADUnknown = unclear("ad_roots_unknown",
		"no domain controller could be read, so it is not known which roots a new phone gets", screenNothing+" is known of it",
		"see what the directory collector says")
	reasonCertsrvUnseen = unclear("certsrv_root_not_seen",
		"AD publishes no root, so new phones turn to the CA's web page; which root they get there is not seen without a logon",
		screenNothing+" is known of it", `give certsrv a credential; or publish the root: certutil -f -dspublish "root.cer" RootCA`)
	reasonEnrolInside = resetting(phone.ResetStrands, notes("enrol_inside_first",
		"a new phone outside reaches no Active Directory and gets no root; there is no verdict on it", screenValidate,
		"let users sign in inside first"))
	reasonStrandsNew = resetting(phone.ResetStrands, notes("rollover_strands_new",
		"a roll-over of the root is under way: the pool's root is held by enrolled phones, but AD does not publish it now, so new and reset phones are stranded",
		screenValidate+", on new or reset phones",
		`publish the pool's root beside the other: certutil -f -dspublish "root.cer" RootCA; then move the pool to the new root`))
	reasonStrandsEnrolled = resetting(phone.ResetFetches, &phone.Reason{
		Name: "rollover_strands_enrolled", Effect: phone.Notes,
		Means:   "a roll-over of the root is under way: AD publishes the pool's root, but enrolled phones hold older ones, so they are stranded",
		Screen:  screenValidate + ", on phones that signed in before",
		Mend:    "give the pool a certificate from the old root until the phones hold the new one; then name the new root in enrolled_roots",
		AtPhone: "wait, where the pool has a certificate from the old root; else a hard reset inside, by which it gets the new one",
	})
)

var reasonTooOld = unclear("results_too_old",
	"the last look at what the step needs is older than two of its intervals: the exporter does not get to it",
	screenNothing+" is known of it", "see the exporter's log and cx700_probe_queue_seconds; give it more --probe.concurrency, or restart it")

// TooOld is the reason of every step whose last look was long ago.
func TooOld() *phone.Reason { return reasonTooOld }

// resetting gives a reason what a hard reset has to do with it, where its effect does not say so.
func resetting(h phone.HardReset, r *phone.Reason) *phone.Reason {
	r.HardReset = h
	return r
}

// Reasons lists every other reason of a step.
func Reasons() []*phone.Reason {
	out := []*phone.Reason{
		reasonSIPClockOff,
		reasonTLSHardened, reasonTLSNoCommon, reasonOtherPort, reasonTLSBadCertificate, reasonNotAsked, reasonNoRegistrar, reasonNameUnanswered,
		reasonADNotWatched, reasonADUnknown, reasonCertsrvUnseen, reasonEnrolInside, reasonStrandsNew, reasonStrandsEnrolled,
	}
	for _, p := range slices.Sorted(maps.Keys(handshakeReasons)) {
		out = append(out, handshakeReasons[p])
	}
	for _, r := range slices.Sorted(maps.Keys(trustReasons)) {
		out = append(out, trustReasons[r])
	}
	return append(out, ownReasons()...)
}
