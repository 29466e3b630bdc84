package app

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/certfile"
	"github.com/postino-mail/postino/internal/vault"
)

// An httpDoor is the API with its certificate; nil: without TLS.
type httpDoor struct {
	*api.Server
	cert *certfile.File
}

// httpDoor builds the HTTP door of the configuration and listens; nil when the
// configuration has none.
func (s *server) httpDoor() (*httpDoor, error) {
	conf := s.conf.HTTP
	if conf.Address == "" {
		return nil, nil
	}
	keys, err := vault.Open(s.conf.Data, os.Getenv)
	if err != nil {
		return nil, err
	}
	receivers, err := s.conf.Webhooks.Prefixes()
	if err != nil {
		return nil, err
	}
	servers, err := s.conf.Connections.Prefixes()
	if err != nil {
		return nil, err
	}
	d := new(httpDoor)
	d.Server, err = api.New(api.Options{Store: s.store, Submit: s.submit, Connections: s.conns, Clients: s.clients, Sealer: keys, Hostname: s.conf.Hostname,
		Version: ReadVersion().Version, GiveUp: time.Duration(s.conf.Outbox.GiveUp), AllowLoopback: loopback(conf.Address), WebhookNetworks: receivers, ConnectionNetworks: servers, Log: s.log})
	if err != nil {
		return nil, err
	}
	var secure *tls.Config
	if conf.CertFile != "" {
		if d.cert, err = certfile.Open(certfile.Options{Cert: conf.CertFile, Key: conf.KeyFile, Log: s.log}); err != nil {
			return nil, fmt.Errorf("http: %w", err)
		}
		secure = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: d.cert.Get}
	}
	return d, d.Listen(conf.Address, secure)
}

// Reload reads the certificate again; the old one stays when that fails.
func (d *httpDoor) Reload() error {
	if d.cert == nil {
		return nil
	}
	if err := d.cert.Reload(); err != nil {
		return fmt.Errorf("http: %w", err)
	}
	return nil
}

// loopback reports an address that only this machine can reach.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
