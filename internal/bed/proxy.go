//go:build linux

package bed

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// proxyServer is the HAProxy that plays the reverse proxy.
type proxyServer struct {
	*server
	now Update
}

// proxyConf is HAProxy's configuration: what it listens on, its certificate,
// its TLS versions, what it publishes, where that is. A connection that
// logged on by NTLM is its client's own. Apache's module offers Negotiate
// too, which is left out here: the guide speaks of NTLM only.
const proxyConf = `global
	log stdout format raw local0
	nbthread 1
	maxconn 200
defaults
	mode http
	log global
	option dontlognull
	option http-ignore-probes
	option http-keep-alive
	http-reuse never
	timeout connect 5s
	timeout client 60s
	timeout server 60s
frontend outside
	bind %s:443 ssl crt %s %s
	log-format "` + askedMark + `%%HM %%HU %%HV %%ST %%[capture.req.hdr(0)]"
	http-request capture 'req.hdr(authorization),word(1," ")' len 16
	http-request deny deny_status 403 unless { path_beg -i %s }
	http-response set-header WWW-Authenticate NTLM if { res.hdr(WWW-Authenticate) Negotiate }
	default_backend web
backend web
	server web %s:80
`

// askedMark begins the lines of HAProxy's log that are requests.
const askedMark = "asked "

func (b *Bed) newProxy() *proxyServer {
	s := &proxyServer{server: b.newServer(ReverseProxy)}
	s.command = func() (env, argv []string) {
		return []string{"OPENSSL_CONF=" + b.openSSLConfig()}, []string{"haproxy", "-db", "-f", s.file("haproxy.conf")}
	}
	s.ready = func(ctx context.Context) error { return b.answersHTTP(ctx, ReverseProxy, "https") }
	return s
}

// first starts the proxy for the first time.
func (s *proxyServer) first(ctx context.Context) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	return s.apply(ctx, Update{})
}

// certified is its certificate, signed with SHA-256 if it is modern, and the key.
func (s *proxyServer) certified(modern bool) (string, error) {
	var both strings.Builder
	for _, name := range []string{leafFile(s.host, modern), keyFile(s.host)} {
		text, err := os.ReadFile(filepath.Join(string(s.bed.cached), certificatesDir, name))
		if err != nil {
			return "", err
		}
		both.Write(text)
	}
	return both.String(), nil
}

// apply restarts the proxy in the given state, unless it is in it.
func (s *proxyServer) apply(ctx context.Context, u Update) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running() && !s.paused && s.now == u {
		return nil
	}
	s.now = u
	versions := "ssl-min-ver TLSv1.0"
	if u.TLS12 {
		versions = "ssl-min-ver TLSv1.2"
	}
	published := fmt.Sprintf("/%s/ /%s/", OnlyHandler, OnlyFiles)
	if u.Published != "" {
		published = fmt.Sprintf("/%s/", u.Published)
	}
	certificate, err := s.certified(u.TLS12)
	if err != nil {
		return err
	}
	conf := fmt.Sprintf(proxyConf, address(s.host), s.file("proxy.pem"), versions, published, address(WebOutside))
	if err := s.write(map[string]string{"haproxy.conf": conf, "proxy.pem": certificate}); err != nil {
		return err
	}
	s.kill()
	return s.start(ctx)
}

// requests reads what the proxy was asked from its log.
func (s *proxyServer) requests() ([]string, error) {
	text, err := os.ReadFile(s.logFile())
	if err != nil {
		return nil, err
	}
	var list []string
	for line := range strings.Lines(string(text)) {
		asked, ok := strings.CutPrefix(strings.TrimSpace(line), askedMark)
		if ok && !strings.HasPrefix(asked, "GET / ") {
			list = append(list, asked)
		}
	}
	return list, nil
}
