package lab

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// fetch asks a certsrv without a logon, and follows no redirection.
func fetch(t *testing.T, c *webServer, path string) (*http.Response, string) {
	t.Helper()
	answer, body, err := request(t, c, http.MethodGet, "http", path)
	if err != nil {
		t.Error(err)
	}
	return answer, body
}

// askCertsrv says in a few words what a client gets.
func askCertsrv(t *testing.T, c *webServer) string {
	t.Helper()
	answer, _, err := request(t, c, http.MethodGet, "http", certsrvPath+"?"+certsrvQuery)
	if err != nil {
		return inBrief(err)
	}
	switch answer.StatusCode {
	case http.StatusOK:
		return "200 " + answer.Header.Get("Content-Type")
	case http.StatusFound:
		return "302 " + answer.Header.Get("Location")
	}
	return strings.TrimSpace(fmt.Sprint(answer.StatusCode, " ", strings.Join(answer.Header.Values("WWW-Authenticate"), ", ")))
}

func TestHealthyCertsrv(t *testing.T) {
	c := started(t, 1).offices[0].certsrv
	answer, body := fetch(t, c, "/certsrv/certnew.p7b?ReqID=CACert&Renewal=-1&Enc=b64")
	got, want := answer.Header.Values("WWW-Authenticate"), []string{"Negotiate", "NTLM"}
	if answer.StatusCode != http.StatusUnauthorized || !slices.Equal(got, want) {
		t.Errorf("status %d, asks for %q", answer.StatusCode, got)
	}
	if strings.Contains(body, "BEGIN") {
		t.Error("a client that has not logged on gets the chain")
	}
	if answer, _ := fetch(t, c, "/certsrv/certnew.p7b?ReqID=7"); answer.StatusCode != http.StatusNotFound {
		t.Errorf("another request is answered with %d", answer.StatusCode)
	}
}

func TestOpenCertsrvHandsOutTheRoot(t *testing.T) {
	l := started(t, 1)
	if err := l.Set("certsrv_anonymous"); err != nil {
		t.Fatal(err)
	}
	_, body := fetch(t, l.offices[0].certsrv, certsrvPath+"?"+certsrvQuery)
	if strings.Count(body, "\n") != strings.Count(body, "\r\n") || !strings.HasPrefix(body, "-----BEGIN CERTIFICATE-----\r\n") {
		t.Errorf("not as Windows writes it:\n%s", body)
	}
	block, rest := pem.Decode([]byte(body))
	if block == nil || len(rest) > 0 || !strings.Contains(string(block.Bytes), rootCertificate) {
		t.Errorf("the root is not in it:\n%s", body)
	}
}
