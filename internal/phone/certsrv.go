package phone

// CertsrvURL is where a phone fetches the chain of a CA whose host name it read from Active Directory:
// plain HTTP on port 80, the current certificate (Renewal=-1), in base64 (guide pages 7, 8 and 48;
// CONTRACT section 2.1 tells which parts of it are inferred).
func CertsrvURL(host string) string {
	return "http://" + host + "/certsrv/certnew.p7b?ReqID=CACert&Renewal=-1&Enc=b64"
}
