package collectors

import "github.com/cx700/cx700_exporter/internal/facts"

const (
	screenPool  = "Cannot connect to the server; nothing while another registrar of its order lets it in"
	atPhonePool = "wait; it tries again by itself"
)

// poolFault makes a reason that concerns one registrar. It degrades only, since a phone goes on to the next;
// where nothing is left, pool_unavailable says so.
func poolFault(name, means, mend string) *Reason {
	return &Reason{Name: name, Effect: Degrades, Means: means, Screen: screenPool, Mend: mend, AtPhone: atPhonePool}
}

// noPool makes a reason for which a firmware gets through nowhere.
func noPool(name, means, mend string) *Reason {
	return &Reason{
		Name: name, Effect: Blocks, Means: means, Screen: "Cannot connect to the server", Mend: mend, AtPhone: atPhonePool,
	}
}

// summingUp marks a reason that says only that nothing is left; the reasons beside it say why.
func summingUp(r *Reason) *Reason {
	r.Umbrella = true
	return r
}

// The ways in which phones get no TLS with a pool that they may use. What is thought of the chain is said elsewhere.
var (
	reasonPoolUnavailable = summingUp(noPool("pool_unavailable",
		"no server in the sign-in order of a firmware ends a handshake as phones make it, with a certificate in its dates",
		"mend what the other reasons name; the first server in the order first"))
	reasonPoolNoRegistrar = noPool("pool_no_registrar",
		"no name in the sign-in order of a firmware leads to an address",
		"create SRV _sipinternaltls._tcp (inside) or _sip._tls (outside) and A sip in the SIP domain's zone")
	reasonPoolOutside = noPool("pool_outside_sip_domain",
		"the only registrar is an SRV target outside the SIP domain, which the phone passes over",
		"create A sip.<SIP domain> with the pool's address, and give the pool's certificate that name")
	reasonPoolHardened = poolFault("pool_hardened",
		"server hardened, phones cut off: TLS as of today works, TLS 1.0 by RSA key exchange, all that phones have, does not",
		"allow TLS 1.0 with TLS_RSA_WITH_3DES_EDE_CBC_SHA, RC4 or AES-CBC-SHA again: Schannel's registry keys and the order of cipher "+
			"suites by group policy on the server (restart it), or the profile of the device before it; the certificate needs an RSA key")
	reasonPoolRefused = poolFault("pool_refused",
		"the server ends the handshake of phones with an alert, and not for want of newer TLS",
		"see that the certificate of the server has its private key (Schannel events 36870 and 36888), and that it does not demand one from clients")
	reasonPoolUnreachable = poolFault("pool_unreachable",
		"nothing listens at a registrar's address and port, a firewall drops what is sent, or there is no route",
		"start the Front End service (outside the Access Edge), see netstat -ano there, and open the port from the phones to it")
	reasonPoolSilent = poolFault("pool_silent",
		"a registrar accepts the connection and says nothing, or not enough in time",
		"restart the Front End service or the Access Edge; see that the load balancer has a living server behind it")
	reasonPoolClosed = poolFault("pool_closed",
		"a registrar closes the connection in the middle of the handshake",
		"see that the service has a certificate assigned; a load balancer closes so when no server is left behind it")
	reasonPoolNoTLS = poolFault("pool_no_tls",
		"what answers at a registrar's port speaks no TLS",
		"find what listens there (netstat -ano); give the pool a TLS listener on that port and correct the SRV record's port")
	reasonPoolMalformed = poolFault("pool_malformed",
		"what a registrar sends breaks the rules of TLS, or is larger than any handshake",
		"see what stands between: a proxy or a device that inspects TLS; look at the port with a network trace")
	reasonPoolExpired = certificateFault("pool_certificate_expired",
		"the certificate of a registrar has expired",
		"renew it and assign the new one to the pool or the Access Edge, with the same names")
	reasonPoolNotYetValid = certificateFault("pool_certificate_not_yet_valid",
		"the certificate of a registrar is not valid yet",
		"see the clock of the CA and of this exporter; issue the certificate anew")
)

// certificateFault is a fault of a registrar's certificate.
func certificateFault(name, means, mend string) *Reason {
	r := poolFault(name, means, mend)
	r.Screen = "Cannot validate server certificate; nothing while another registrar of its order lets it in"
	return r
}

// What is shown of a pool and stops nobody.
var (
	reasonPoolDiffer = noting("pool_certificates_differ",
		"one name leads to addresses that serve different certificates",
		"nothing while each certificate is good; else it signs in only sometimes",
		"assign the same certificate, or one as good, to every server of the pool")
	reasonPoolLeftOut = noting("pool_left_out",
		"the sign-in order leads to more addresses than are asked", "nothing",
		"take addresses out of DNS that serve no phones, such as those of retired front ends")
)

// poolUnknown makes a reason for which it is not known whether phones get through.
func poolUnknown(name, means, mend string) *Reason {
	r := blinding(name, means, mend)
	r.Screen = "Cannot connect to the server, if phones meet the same"
	return r
}

// The ways in which it cannot be told whether phones get through.
var (
	reasonPoolNamesUnanswered = poolUnknown("pool_names_unanswered",
		"no registrar that was found lets phones through, and no resolver answers other names of the sign-in order",
		"see what the dns collector says of the resolvers")
	reasonPoolBadCertificate = poolUnknown("pool_bad_certificate",
		"a registrar serves a certificate that cannot be read here; whether phones can is not known",
		"see what was seen; issue the certificate anew, with an RSA key of 1024 to 4096 bits")
	reasonPoolNoCommon = poolUnknown("pool_no_common_suite",
		"a registrar refuses both offers of TLS; phones may have what the exporter cannot speak: RC4 with MD5, and export suites",
		"see Schannel's events on the server (36870: no private key), and allow TLS 1.0 with AES-CBC-SHA or 3DES")
	reasonPoolSSL30 = poolUnknown("pool_ssl30",
		"a registrar has nothing newer than SSL 3.0, which cannot be spoken here; Windows CE knows it, so phones may get through",
		"enable TLS 1.0 in Schannel on the server")
	reasonPoolOtherPort = poolUnknown("pool_other_port",
		"nothing listens on the port of a registrar (5061 inside, 443 outside), only on the other that phones guess: inside that is "+
			"the pool's web server as a rule, which signs nobody in",
		"start the Front End service (outside the Access Edge), or create an SRV record with the port if a registrar listens there")
	reasonPoolNotAllAsked = poolUnknown("pool_not_all_asked",
		"no address that was asked lets phones through, and there are more than are asked",
		"mend what the other reasons name, or take addresses out of DNS")
)

// poolProblems has a reason for each way in which a handshake ends early.
var poolProblems = map[facts.HandshakeProblem]*Reason{
	facts.HandshakeUnreachable:    reasonPoolUnreachable,
	facts.HandshakeSilent:         reasonPoolSilent,
	facts.HandshakeClosed:         reasonPoolClosed,
	facts.HandshakeRefused:        reasonPoolRefused,
	facts.HandshakeNoTLS:          reasonPoolNoTLS,
	facts.HandshakeBadCertificate: reasonPoolBadCertificate,
	facts.HandshakeMalformed:      reasonPoolMalformed,
}

func poolReasons() []*Reason {
	return []*Reason{
		reasonPoolUnavailable, reasonPoolNoRegistrar, reasonPoolOutside, reasonPoolHardened, reasonPoolRefused,
		reasonPoolUnreachable, reasonPoolSilent, reasonPoolClosed, reasonPoolNoTLS, reasonPoolMalformed,
		reasonPoolExpired, reasonPoolNotYetValid, reasonPoolNamesUnanswered, reasonPoolBadCertificate, reasonPoolNoCommon, reasonPoolSSL30,
		reasonPoolOtherPort, reasonPoolNotAllAsked, reasonPoolDiffer, reasonPoolLeftOut,
	}
}
