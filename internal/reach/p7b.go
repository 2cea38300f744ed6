package reach

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
)

const (
	// maxChain bounds how many certificates of one file are kept.
	maxChain = 32
	// derSequence is the first byte of DER. In base64 that begins with an M.
	derSequence = 0x30
)

// oidSignedData is the content type of a PKCS#7 that carries certificates (RFC 2315 section 14).
var oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}

// parseChain reads the certificates out of what a CA's web page hands out, each once: PKCS#7 or a single
// certificate, in PEM with any of the labels in use, in base64 without armour, or in DER (CONTRACT
// section 2.1).
func parseChain(content []byte) ([]*x509.Certificate, error) {
	if len(content) > 0 && content[0] == derSequence {
		return parseDER(content)
	}
	content = bytes.TrimSpace(bytes.TrimPrefix(content, []byte("\xef\xbb\xbf")))
	switch block, rest := pem.Decode(content); {
	case len(content) == 0:
		return nil, errors.New("nothing")
	case content[0] == '<':
		return nil, errors.New("HTML, or another page")
	case block != nil:
		return parseBlocks(block, rest)
	}
	der, err := base64.StdEncoding.DecodeString(string(bytes.Join(bytes.Fields(content), nil)))
	if err != nil {
		return nil, errors.New("neither PEM nor base64 nor DER")
	}
	return parseDER(der)
}

func parseBlocks(block *pem.Block, rest []byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	var first error
	for ; block != nil && len(out) < maxChain; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "PKCS7", "PKCS #7 SIGNED DATA", "CERTIFICATE", "X509 CERTIFICATE":
		default:
			continue
		}
		found, err := parseDER(block.Bytes)
		if err != nil && first == nil {
			first = err
		}
		out = distinct(out, found)
	}
	switch {
	case len(out) > 0:
		return out, nil
	case first != nil:
		return nil, first
	default:
		return nil, errors.New("PEM without a certificate")
	}
}

func distinct(to, from []*x509.Certificate) []*x509.Certificate {
	for _, c := range from {
		known := false
		for _, k := range to {
			known = known || k.Equal(c)
		}
		if !known && len(to) < maxChain {
			to = append(to, c)
		}
	}
	return to
}

// parseDER reads a PKCS#7 or one certificate. Certificates of a PKCS#7 that Go cannot parse are passed
// over, unless all are such. The libraries for PKCS#7 rewrite BER first and lose themselves in nested
// lengths: 98 bytes took one of them 27 seconds. Windows writes DER, which needs no rewriting.
func parseDER(der []byte) ([]*x509.Certificate, error) {
	var info struct {
		Type    asn1.ObjectIdentifier
		Content struct {
			Version      int
			Digests      asn1.RawValue
			Content      asn1.RawValue
			Certificates asn1.RawValue `asn1:"optional,tag:0"`
		} `asn1:"explicit,tag:0"`
	}
	if _, err := asn1.Unmarshal(der, &info); err != nil {
		c, err := ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("neither PKCS#7 nor a certificate: %w", err)
		}
		return []*x509.Certificate{c}, nil
	}
	if !info.Type.Equal(oidSignedData) {
		return nil, errors.New("PKCS#7 of a kind that carries no certificates")
	}
	var out []*x509.Certificate
	var first error
	for rest := info.Content.Certificates.Bytes; len(rest) > 0 && len(out) < maxChain; {
		var raw asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &raw); err != nil {
			return nil, fmt.Errorf("PKCS#7: %w", err)
		}
		c, err := ParseCertificate(raw.FullBytes)
		if err != nil {
			if first == nil {
				first = err
			}
			continue
		}
		out = distinct(out, []*x509.Certificate{c})
	}
	switch {
	case len(out) > 0:
		return out, nil
	case first != nil:
		return nil, fmt.Errorf("PKCS#7: %w", first)
	default:
		return nil, errors.New("PKCS#7 without a certificate")
	}
}
