//go:build linux

package bed

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Registrar is how a registrar answers: Pool or FrontEnd2 on port 5061, or
// Edge on port 443. No name of the sign-in order leads to FrontEnd2. The zero value is a healthy one: TLS 1.0 to 1.2 by RSA key exchange
// with AES, and behind it the SIP of SetSIP.
type Registrar string

// The ways. All but Closed, Hangs, ClosesHalf and SpeaksPlain are servers of OpenSSL (HAProxy) or GnuTLS.
const (
	TLS10       Registrar = "TLS 1.0"
	TLS10TDES   Registrar = "TLS 1.0 with 3DES"
	TLS10RC4    Registrar = "TLS 1.0 with RC4"
	TLS12       Registrar = "TLS 1.2"
	TLS13       Registrar = "TLS 1.3"
	Closed      Registrar = "port closed"
	Hangs       Registrar = "hangs after accept"
	ClosesHalf  Registrar = "closes half-way"
	SpeaksPlain Registrar = "plain text"
	// SpeaksHTTP is a healthy one but for what it speaks behind its TLS.
	SpeaksHTTP Registrar = "HTTP"
)

// registrarConf is HAProxy's configuration: mode, address and port, certificate,
// versions. What comes by TLS goes on to Kamailio.
const registrarConf = `global
	nbthread 1
	maxconn 200
defaults
	mode %s
	timeout client 60s
	timeout server 60s
	timeout connect 2s
frontend registrar
	bind %s:%d ssl crt %s %s
	default_backend sip
backend sip
	server kamailio 127.0.0.1:5060
`

// oddRegistrar is a registrar that no real server plays.
//
//go:embed testdata/registrar.py
var oddRegistrar string

type registrarServer struct {
	*server
	port int
	now  Registrar
}

func (b *Bed) newRegistrars() map[Host]*registrarServer {
	servers := map[Host]*registrarServer{Pool: {port: 5061}, FrontEnd2: {port: 5061}, Edge: {port: 443}}
	for host, s := range servers {
		s.server = b.newServer(host)
		s.dir = filepath.Join(b.dir, string(host)+"-registrar")
		s.command = s.commandLine
		s.ready = func(ctx context.Context) error {
			_, err := b.run(ctx, Monitor, "bash", "-c", fmt.Sprintf("exec 3<>/dev/tcp/%s/%d", address(host), s.port))
			return err
		}
	}
	return servers
}

// first starts the registrar for the first time.
func (s *registrarServer) first(ctx context.Context) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	if err := s.write(map[string]string{"registrar.py": oddRegistrar}); err != nil {
		return err
	}
	if err := s.present(""); err != nil {
		return err
	}
	return s.apply(ctx, "")
}

// present writes what the registrar serves: certificates and the key of the
// first in PEM, empty for its own.
func (s *registrarServer) present(chain string) (err error) {
	if chain == "" {
		if chain, err = s.certified(string(s.bed.cached)); err != nil {
			return err
		}
	}
	return s.write(map[string]string{"registrar.pem": chain})
}

// certified is the certificate that phones trust, and its key.
func (s *registrarServer) certified(domain string) (string, error) {
	var both strings.Builder
	for _, name := range []string{leafFile(s.host, false), keyFile(s.host)} {
		text, err := os.ReadFile(filepath.Join(domain, certificatesDir, name))
		if err != nil {
			return "", err
		}
		both.Write(text)
	}
	return both.String(), nil
}

// commandLine starts what plays the registrar now.
func (s *registrarServer) commandLine() (env, argv []string) {
	env = []string{"OPENSSL_CONF=" + s.bed.openSSLConfig()}
	port, pem := strconv.Itoa(s.port), s.file("registrar.pem")
	gnutls := func(cipher string) []string {
		return []string{
			"gnutls-serv", "--port=" + port, "--x509certfile=" + pem, "--x509keyfile=" + pem,
			"--priority=NONE:+VERS-TLS1.0:+RSA:+SHA1:+COMP-NULL:+SIGN-ALL:+" + cipher,
		}
	}
	odd := func(how string) []string {
		return []string{"/usr/bin/python3", s.file("registrar.py"), address(s.host), port, how, pem}
	}
	switch s.now {
	case TLS10TDES:
		return env, gnutls("3DES-CBC")
	case TLS10RC4:
		return env, gnutls("ARCFOUR-128")
	case Hangs:
		return env, odd("hangs")
	case ClosesHalf:
		return env, odd("half")
	case SpeaksPlain:
		return env, odd("plain")
	default:
		return env, []string{"haproxy", "-db", "-f", s.file("haproxy.conf")}
	}
}

// versions is which TLS HAProxy speaks now.
func (s *registrarServer) versions() string {
	switch s.now {
	case TLS10:
		return "ssl-min-ver TLSv1.0 ssl-max-ver TLSv1.0 ciphers AES128-SHA:AES256-SHA"
	case TLS12:
		return "ssl-min-ver TLSv1.2 ssl-max-ver TLSv1.2"
	case TLS13:
		return "ssl-min-ver TLSv1.3"
	default:
		return "ssl-min-ver TLSv1.0 ssl-max-ver TLSv1.2 ciphers AES128-SHA:AES256-SHA"
	}
}

// apply restarts the registrar in the given way, unless it is so.
func (s *registrarServer) apply(ctx context.Context, r Registrar) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running() && s.now == r {
		return nil
	}
	s.now = r
	s.kill()
	if r == Closed {
		return nil
	}
	mode := "tcp"
	if r == SpeaksHTTP {
		mode = "http"
	}
	conf := fmt.Sprintf(registrarConf, mode, address(s.host), s.port, s.file("registrar.pem"), s.versions())
	if err := s.write(map[string]string{"haproxy.conf": conf}); err != nil {
		return err
	}
	return s.start(ctx)
}

// SetRegistrar lets Pool, FrontEnd2 or Edge answer in this way; the zero Registrar
// heals it.
func (b *Bed) SetRegistrar(ctx context.Context, host Host, r Registrar) error {
	s, ok := b.registrars[host]
	if !ok {
		return errors.New("bed: no registrar on " + string(host))
	}
	return s.apply(ctx, r)
}

// SetRegistrarChain lets Pool, FrontEnd2 or Edge serve other certificates: those in
// PEM with the key of the first; an empty text heals it.
func (b *Bed) SetRegistrarChain(ctx context.Context, host Host, chain string) error {
	s, ok := b.registrars[host]
	if !ok {
		return errors.New("bed: no registrar on " + string(host))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.present(chain); err != nil {
		return err
	}
	s.kill()
	return s.start(ctx)
}
