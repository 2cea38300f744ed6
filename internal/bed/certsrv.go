//go:build linux

package bed

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// certsrvServer is the Apache that plays the CA's enrolment pages.
type certsrvServer struct {
	*webServer
}

// certsrvConf goes on after apacheHead: address, redirect, access and body.
const certsrvConf = `Listen %s:80
RewriteCond %%{QUERY_STRING} !^ReqID=CACert&Renewal=-1&Enc=b64$ [NC]
RewriteRule ^/certsrv/ - [R=404]
%s<Location /certsrv/>
%s</Location>
`

// CertsrvPath is where the CA's enrolment pages serve its chain, as the
// phone asks for it.
const CertsrvPath = "/certsrv/certnew.p7b?ReqID=CACert&Renewal=-1&Enc=b64"

// Certsrv is how the web server on ca01.contoso.com answers for CertsrvPath.
// The zero value is a healthy one.
type Certsrv struct {
	Access CertsrvAccess
	Body   CertsrvBody
}

// CertsrvAccess is whom the page is served to.
type CertsrvAccess string

// The ways to be let in. The zero value asks for Negotiate or NTLM.
const (
	Anonymous     CertsrvAccess = "anonymous"
	BasicOnly     CertsrvAccess = "basic"
	RedirectToTLS CertsrvAccess = "redirect"
)

// CertsrvBody is what those get who are let in.
type CertsrvBody string

// The answers. The zero value is the root as PKCS #7 in base64 between lines
// that say CERTIFICATE, with CRLF, as AD CS writes it.
const (
	LabelPKCS7        CertsrvBody = "pkcs7"
	NoArmour          CertsrvBody = "bare"
	DER               CertsrvBody = "der"
	SingleCertificate CertsrvBody = "single"
	HTML              CertsrvBody = "html"
	Forbidden         CertsrvBody = "403"
	NotFound          CertsrvBody = "404"
	ServerError       CertsrvBody = "500"
)

// page is the file that holds the body.
func (c CertsrvBody) page() string {
	return "pages/answer" + string(c)
}

// certsrvPages makes the bodies that have a content.
func certsrvPages(ctx context.Context, root []byte) (map[CertsrvBody]string, error) {
	single := string(inPEM("CERTIFICATE", root))
	cmd := exec.CommandContext(ctx, locate("openssl"), "crl2pkcs7", "-nocrl", "-certfile", "/dev/stdin", "-outform", "DER")
	cmd.Stdin = strings.NewReader(single)
	der, err := output(cmd)
	if err != nil {
		return nil, err
	}
	armoured := windowsLines(string(inPEM("CERTIFICATE", []byte(der))))
	_, bare, _ := strings.Cut(armoured, "\r\n")
	bare, _, _ = strings.Cut(bare, "-----")
	return map[CertsrvBody]string{
		"":                armoured,
		LabelPKCS7:        windowsLines(string(inPEM("PKCS7", []byte(der)))),
		NoArmour:          bare,
		DER:               der,
		SingleCertificate: windowsLines(single),
		HTML:              "<html><body>Please sign in to use Certificate Services.</body></html>\r\n",
	}, nil
}

func windowsLines(text string) string {
	return strings.ReplaceAll(text, "\n", "\r\n")
}

// directives are the parts of Apache's configuration that make the answer.
func (c Certsrv) directives(dir string) (redirect, location string) {
	switch c.Access {
	case RedirectToTLS:
		return "Redirect 302 /certsrv/ https://ca01.contoso.com/certsrv/\n", ""
	case Anonymous:
		location = "Require all granted\n"
	case BasicOnly:
		location = fmt.Sprintf(basicLogon, dir)
	default:
		location = windowsLogon
	}
	switch c.Body {
	case Forbidden, NotFound, ServerError:
		return "", location + "RewriteEngine On\nRewriteRule .* - [R=" + string(c.Body) + "]\n"
	case HTML:
		location += "ForceType text/html\n"
	default:
		location += "ForceType application/x-pkcs7-certificates\n"
	}
	return fmt.Sprintf("Alias /certsrv/certnew.p7b %s/%s\n", dir, c.Body.page()), location
}

// first starts the server for the first time. The keytab is that of the
// cached domain.
func (s *certsrvServer) first(ctx context.Context) error {
	cached := string(s.bed.cached)
	keytab, err := os.ReadFile(filepath.Join(cached, keytabFile))
	if err != nil {
		return err
	}
	root, err := readRoot(filepath.Join(cached, certificatesDir), rootFile)
	if err != nil {
		return err
	}
	if err := s.prepare(string(keytab)); err != nil {
		return err
	}
	pages, err := certsrvPages(ctx, root)
	if err != nil {
		return err
	}
	files := make(map[string]string)
	for body, text := range pages {
		files[body.page()] = text
	}
	if err := s.write(files); err != nil {
		return err
	}
	return s.apply(ctx, Certsrv{})
}

// apply restarts the server with the given answer.
func (s *certsrvServer) apply(ctx context.Context, c Certsrv) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	redirect, location := c.directives(s.dir)
	if err := s.configure(fullName(CA), fmt.Sprintf(certsrvConf, address(CA), redirect, location)); err != nil {
		return err
	}
	s.kill()
	return s.start(ctx)
}

// SetCertsrv lets the web server on ca01.contoso.com answer in this way; a
// zero Certsrv heals it, also after Pause and Kill.
func (b *Bed) SetCertsrv(ctx context.Context, c Certsrv) error {
	return b.web.apply(ctx, c)
}

// Requests is RequestsTo(CA).
func (b *Bed) Requests() ([]string, error) {
	return b.RequestsTo(CA)
}
