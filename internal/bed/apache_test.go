//go:build linux

package bed

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fetch gets CertsrvPath with curl and returns the header and the body. With
// a ticket cache it logs on by Kerberos.
func fetch(t *testing.T, b *Bed, cache string, more ...string) (header, body string) {
	t.Helper()
	dir := t.TempDir()
	args := []string{"-sS", "--noproxy", "*", "--max-time", "5", "-D", filepath.Join(dir, "header"), "-o", filepath.Join(dir, "body")}
	if cache != "" {
		args = append(args, "--negotiate", "-u", ":")
	}
	env := []string{"KRB5_CONFIG=" + b.KerberosConfig(), "KRB5CCNAME=" + cache}
	_, err := b.named(t, env, "curl", append(append(args, more...), "http://ca01.contoso.com"+CertsrvPath)...)
	must(t, err)
	text, err := os.ReadFile(filepath.Join(dir, "header"))
	must(t, err)
	content, err := os.ReadFile(filepath.Join(dir, "body"))
	must(t, err)
	// The last of several answers counts.
	answers := strings.Split(strings.TrimSpace(string(text)), "\r\n\r\n")
	return answers[len(answers)-1], string(content)
}

// has checks that a text holds all parts.
func has(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in:\n%s", part, text)
		}
	}
}

// holdsRoot lets openssl read a body and checks that the root is in it.
func holdsRoot(t *testing.T, b *Bed, body string, command ...string) {
	t.Helper()
	root, err := os.ReadFile(b.RootFile())
	must(t, err)
	cmd := b.Command(t.Context(), Monitor, "openssl", command...)
	cmd.Stdin = strings.NewReader(body)
	text, err := output(cmd)
	must(t, err)
	has(t, text, strings.TrimSpace(string(root)))
}

func TestCertsrv(t *testing.T) {
	t.Parallel()
	b := started(t)
	ctx := t.Context()
	header, _ := fetch(t, b, "")
	has(t, header, " 401 ", "WWW-Authenticate: Negotiate", "WWW-Authenticate: NTLM")
	cache, err := kinit(t, b, string(Probe), ProbePassword, "")
	must(t, err)
	header, body := fetch(t, b, cache)
	has(t, header, " 200 ", "application/x-pkcs7-certificates")
	has(t, body, "-----BEGIN CERTIFICATE-----\r\n")
	relabelled := strings.ReplaceAll(body, "CERTIFICATE", "PKCS7")
	holdsRoot(t, b, relabelled, "pkcs7", "-print_certs")

	bodies := []struct {
		body   CertsrvBody
		status string
		parts  []string
		read   []string
	}{
		{LabelPKCS7, "200", []string{"-----BEGIN PKCS7-----\r\n"}, []string{"pkcs7", "-print_certs"}},
		{SingleCertificate, "200", []string{"-----BEGIN CERTIFICATE-----\r\n"}, []string{"x509"}},
		{DER, "200", nil, []string{"pkcs7", "-inform", "DER", "-print_certs"}},
		{HTML, "200", []string{"<html>"}, nil},
		{Forbidden, "403", nil, nil},
		{NotFound, "404", nil, nil},
		{ServerError, "500", nil, nil},
	}
	for _, f := range bodies {
		must(t, b.SetCertsrv(ctx, Certsrv{Body: f.body}))
		header, _ := fetch(t, b, "")
		has(t, header, " 401 ")
		header, body := fetch(t, b, cache)
		has(t, header, " "+f.status+" ")
		has(t, body, f.parts...)
		if f.read != nil {
			holdsRoot(t, b, body, f.read...)
		}
	}

	must(t, b.SetCertsrv(ctx, Certsrv{Access: Anonymous, Body: NoArmour}))
	header, body = fetch(t, b, "")
	has(t, header, " 200 ")
	holdsRoot(t, b, "-----BEGIN PKCS7-----\n"+body+"-----END PKCS7-----\n", "pkcs7", "-print_certs")
	if _, err := b.Get(ctx, Monitor, "http://"+address(CA)+"/certsrv/certnew.p7b?ReqID=1"); err == nil {
		t.Error("another request is answered")
	}
	must(t, b.SetCertsrv(ctx, Certsrv{Access: RedirectToTLS}))
	header, _ = fetch(t, b, "")
	has(t, header, " 302 ", "Location: https://ca01.contoso.com"+CertsrvPath)
}

// ntlm gets a page as Probe with NTLM, and returns status and body. It is
// Samba's own client: curl's first NTLM message is too short for the server.
func ntlm(t *testing.T, b *Bed, scheme string, host Host, path, password string) string {
	t.Helper()
	text, err := b.run(t.Context(), Monitor, "/usr/bin/python3", "testdata/ntlm.py",
		scheme, address(host), path, string(Probe), password)
	must(t, err)
	return text
}

func TestCertsrvAccess(t *testing.T) {
	t.Parallel()
	b := started(t)
	ctx := t.Context()
	header, _ := fetch(t, b, "")
	has(t, header, " 401 ")
	must(t, b.SetCertsrv(ctx, Certsrv{Access: BasicOnly}))
	header, _ = fetch(t, b, "")
	has(t, header, " 401 ", "WWW-Authenticate: Basic")
	if strings.Contains(header, "Negotiate") || strings.Contains(header, "NTLM") {
		t.Errorf("more than Basic is offered:\n%s", header)
	}
	header, _ = fetch(t, b, "", "-u", string(Probe)+":"+ProbePassword)
	has(t, header, " 200 ")
	must(t, b.SetCertsrv(ctx, Certsrv{}))
	has(t, ntlm(t, b, "http", CA, CertsrvPath, ProbePassword), "200", "-----BEGIN CERTIFICATE-----")
	has(t, ntlm(t, b, "http", CA, CertsrvPath, "wrong"), "401")

	request := "GET " + CertsrvPath + " HTTP/1.1 "
	want := []string{"401 -", "401 -", "200 Basic", "401 NTLM", "200 NTLM", "401 NTLM", "401 NTLM"}
	for i := range want {
		want[i] = request + want[i]
	}
	must(t, b.poll(ctx, changeTimeout, func(context.Context) error {
		got, err := b.Requests()
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("requests (-want +got): %s", diff)
		}
		return err
	}))

	must(t, b.Kill(CA))
	if _, err := b.Get(ctx, Monitor, "http://"+address(CA)+"/"); err == nil || !strings.Contains(err.Error(), "Couldn't connect") {
		t.Errorf("a killed server gives %v", err)
	}
	must(t, b.Restart(ctx, CA))
	must(t, b.Pause(CA))
	if _, err := b.run(ctx, Monitor, "curl", "-sS", "--max-time", "1", "http://"+address(CA)+"/"); err == nil || !strings.Contains(err.Error(), "timed out") {
		t.Errorf("a paused server gives %v", err)
	}
	must(t, b.Resume(CA))
	must(t, b.SetCertsrv(ctx, Certsrv{}))
	header, _ = fetch(t, b, "")
	has(t, header, " 401 ", "Negotiate")
}
