package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	toolkit "github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v3"

	"github.com/cx700/cx700_exporter/internal/reach"
)

// healthcheckLimit is below the timeout of the image's HEALTHCHECK, so that the reason gets out.
const healthcheckLimit = 4 * time.Second

type healthcheckCmd struct {
	ListenAddress []string `name:"web.listen-address" env:"CX700_WEB_LISTEN_ADDRESS" default:":10700" help:"Where the exporter serves pages, as serve was told."`
	ConfigFile    string   `name:"web.config.file" env:"CX700_WEB_CONFIG_FILE" help:"The web configuration that serve was given."`
}

// Run asks the exporter on this machine whether it is healthy. One that wants a password or a client's certificate
// has answered too. Ready is not asked for: who kills what is unhealthy must not kill what still looks around.
func (c *healthcheckCmd) Run(env *environment) error {
	config, err := c.tls()
	if err != nil {
		return fmt.Errorf("--web.config.file=%s: %w", c.ConfigFile, err)
	}
	transport := &http.Transport{
		TLSClientConfig: config, DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", c.ListenAddress[0])
		},
	}
	url := "http://localhost/-/healthy"
	if config != nil {
		url = "https://localhost/-/healthy"
	}
	ctx, cancel := context.WithTimeout(env.ctx, healthcheckLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := transport.RoundTrip(request)
	if alert := new(net.OpError); errors.As(err, &alert) && alert.Op == "remote error" {
		fmt.Fprintln(env.stdout, "healthy: asks for a certificate")
		return nil
	}
	if err != nil {
		return fmt.Errorf("unhealthy: %w; is it served there? Name the address with --web.listen-address", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusUnauthorized {
		return fmt.Errorf("unhealthy: %s", answer.Status)
	}
	fmt.Fprintln(env.stdout, "healthy:", answer.Status)
	return nil
}

// tls trusts the very certificate that serve was given, whatever is in it; nil without TLS.
func (c *healthcheckCmd) tls() (*tls.Config, error) {
	if c.ConfigFile == "" {
		return nil, nil
	}
	data, err := os.ReadFile(c.ConfigFile)
	if err != nil {
		return nil, err
	}
	var config toolkit.Config
	if err := yaml.Unmarshal(data, &config); err != nil || !config.TLSConfig.IsEnabled() {
		return nil, err
	}
	config.TLSConfig.SetDirectory(filepath.Dir(c.ConfigFile))
	server, err := toolkit.ConfigToTLSConfig(&config.TLSConfig)
	if err != nil {
		return nil, err
	}
	own, err := server.GetCertificate(nil)
	if err != nil {
		return nil, err
	}
	return reach.OnlyTLS(own.Leaf), nil
}
