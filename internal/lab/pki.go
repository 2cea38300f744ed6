package lab

import _ "embed"

//go:generate go run ./pki pki

// What the lab's CA has issued, made once by the command in pki; nothing of it is secret.
var (
	// rootCertificate and otherRootCertificate are DER, as cACertificate holds them.
	//go:embed pki/root.cer
	rootCertificate string
	//go:embed pki/other.cer
	otherRootCertificate string
	//go:embed pki/dc01.pem
	controllerCertificate []byte
	//go:embed pki/dc01.key
	controllerKey []byte
	//go:embed pki/dc02.pem
	secondControllerCertificate []byte
	//go:embed pki/dc02.key
	secondControllerKey []byte
	//go:embed pki/issuing.pem
	issuingCertificate []byte
	//go:embed pki/issuing.key
	issuingKey []byte
	//go:embed pki/ocsrp.pem
	proxyCertificate []byte
	//go:embed pki/mail.pem
	mailCertificate []byte
	//go:embed pki/foreignocsrp.pem
	foreignProxyCertificate []byte
	//go:embed pki/foreignmail.pem
	foreignMailCertificate []byte
	// They share a key with the registrars.
	//go:embed pki/pool.key
	poolKey []byte
	//go:embed pki/pool.pem
	poolCertificate []byte
	//go:embed pki/fe02.pem
	frontEndCertificate []byte
	//go:embed pki/edge.pem
	edgeCertificate []byte
	//go:embed pki/expired.pem
	expiredCertificate []byte
	//go:embed pki/wrongname.pem
	wrongNameCertificate []byte
	//go:embed pki/wildcard.pem
	wildcardCertificate []byte
	//go:embed pki/sha2.pem
	sha2Certificate []byte
	//go:embed pki/foreignpool.pem
	foreignPoolCertificate []byte
	// caChain is the CA's certificate as certsrv hands it out: PKCS#7 in base64.
	//go:embed pki/certnew.p7b
	caChain string
)
