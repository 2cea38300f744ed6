package phone

import (
	"crypto/x509"
	"embed"
	"encoding/pem"
	"fmt"
	"sync"
	"time"
)

//go:embed authorities/*.pem
var authorityFiles embed.FS

// GuideEntry is a row of the guide's table of trusted authorities as it is printed, misprints
// included (guide page 9).
type GuideEntry struct {
	Vendor, Name string
	// NotAfter is the printed expiry date.
	NotAfter time.Time
	Bits     int
}

// Authority is a root certificate that every CX700 was built with.
type Authority struct {
	// Vendor and Name are the true ones; Guide holds what the guide prints instead.
	Vendor, Name string
	Guide        GuideEntry
	// Note tells where table and certificate disagree, or why the root is of no more use.
	Note        string
	Certificate *x509.Certificate
}

type authorityRow struct {
	file, vendor, name              string
	guideVendor, guideName, expires string
	bits                            int
	note                            string
}

// The rows of the guide's table in its order. Each was matched to one real certificate by its dates
// and its key length.
var authorityRows = [...]authorityRow{
	{"01-comodo-aaa-certificate-services", "Comodo", "AAA Certificate Services",
		"Comodo", "AAA Certificate Services", "2020-12-31", 2048, "the guide's year is a misprint"},
	{"02-addtrust-external-ca-root", "Comodo", "AddTrust External CA Root",
		"Comodo", "AddTrust External CA Root", "2020-05-30", 2048, ""},
	{"03-baltimore-cybertrust-root", "Cybertrust", "Baltimore CyberTrust Root",
		"Cybertrust", "Baltimore CyberTrust Root", "2025-05-12", 2048, ""},
	{"04-globalsign-root-ca-2014", "GlobalSign", "GlobalSign Root CA",
		"Cybertrust", "GlobalSign Root CA", "2014-01-28", 2048,
		"not Cybertrust's; the re-issue until 2028 has the same key but is another certificate"},
	{"05-gte-cybertrust-global-root", "Cybertrust", "GTE CyberTrust Global Root",
		"Cybertrust", "GTE CyberTrust Global Root", "2018-08-13", 1024, ""},
	{"06-verisign-class2-ppca-g1", "VeriSign", "Class 2 Public Primary Certification Authority",
		"VeriSign", "Class 2 Public Primary Certification Authority", "2018-08-01", 1024,
		"the guide's year is a misprint; nobody issues from this MD2 root any more"},
	{"07-thawte-premium-server-ca", "Thawte", "Thawte Premium Server CA",
		"VeriSign", "Thawte Premium Server CA", "2020-12-31", 1024, ""},
	{"08-thawte-server-ca", "Thawte", "Thawte Server CA",
		"VeriSign", "Thawte Server CA", "2020-12-31", 1024, ""},
	{"09-rsa-secure-server-ca-1000bit", "RSA Data Security", "Secure Server Certification Authority",
		"VeriSign", "Comodo", "2010-01-07", 1000, "the guide's name is a misprint"},
	{"10-verisign-class3-ppca-g1-md2", "VeriSign", "Class 3 Public Primary Certification Authority",
		"VeriSign", "Class 3 Public Primary Certification Authority", "2028-08-01", 1024,
		"nobody issues from this MD2 root any more"},
	{"11-entrust-net-ca-2048-2019", "Entrust", "Entrust.net Certification Authority (2048)",
		"Entrust", "Entrust.net Certification Authority (2048)", "2019-12-24", 2048,
		"the re-issue until 2029 has the same key but is another certificate"},
	{"12-entrust-net-secure-server-ca", "Entrust", "Entrust.net Secure Server Certification Authority",
		"Entrust", "Entrust.net Secure Server Certification Authority", "2019-05-25", 1024, ""},
	{"13-equifax-secure-certificate-authority", "Equifax", "Equifax Secure Certificate Authority",
		"Equilax", "Equifax Secure Certification Authority", "2018-08-22", 1024, ""},
	{"14-geotrust-global-ca", "GeoTrust", "GeoTrust Global CA",
		"GeoTrust", "GetTrust Global CA", "2022-05-20", 2048, ""},
	{"15-go-daddy-class-2-ca", "Go Daddy", "Go Daddy Class 2 Certification Authority",
		"GoDaddy", "GoDaddy Class 2 Certification Authority", "2034-06-29", 2048, ""},
	{"16-valicert-class-2-policy-validation-authority", "ValiCert", "ValiCert Class 2 Policy Validation Authority",
		"GoDaddy", "http://www.valicert.com/", "2019-06-25", 1024,
		"its class 1 sibling fits the printed date as well"},
	{"17-starfield-class-2-ca", "Starfield", "Starfield Class 2 Certification Authority",
		"GoDaddy", "Starfield Class 2 Certification Authority", "2034-06-29", 2048, ""},
}

// Authorities returns the 17 root certificates built into the phone, in the order of the guide's
// table. A phone never gets another built-in list: what is not here must come from Active Directory.
var Authorities = sync.OnceValue(func() []Authority {
	out := make([]Authority, 0, len(authorityRows))
	for _, row := range authorityRows {
		a, err := row.load()
		if err != nil {
			panic(fmt.Sprintf("built-in authority %s: %v", row.file, err)) // a broken build
		}
		out = append(out, a)
	}
	return out
})

func (r authorityRow) load() (Authority, error) {
	data, err := authorityFiles.ReadFile("authorities/" + r.file + ".pem")
	if err != nil {
		return Authority{}, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return Authority{}, fmt.Errorf("no PEM block")
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return Authority{}, err
	}
	printed, err := time.Parse(time.DateOnly, r.expires)
	if err != nil {
		return Authority{}, err
	}
	return Authority{
		Vendor: r.vendor, Name: r.name, Note: r.note, Certificate: certificate,
		Guide: GuideEntry{Vendor: r.guideVendor, Name: r.guideName, NotAfter: printed, Bits: r.bits},
	}, nil
}
