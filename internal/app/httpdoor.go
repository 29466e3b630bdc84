package app

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/vault"
)

// An httpDoor is the API with its certificate, which Reload reads again.
type httpDoor struct {
	*api.Server
	certFile, keyFile string
	cert              atomic.Pointer[tls.Certificate]
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
	d := &httpDoor{certFile: conf.CertFile, keyFile: conf.KeyFile}
	d.Server, err = api.New(api.Options{Store: s.store, Submit: s.submit, Connections: s.conns, Clients: s.clients, Sealer: keys, Hostname: s.conf.Hostname,
		Version: ReadVersion().Version, GiveUp: time.Duration(s.conf.Outbox.GiveUp), AllowLoopback: loopback(conf.Address), WebhookNetworks: receivers, Log: s.log})
	if err != nil {
		return nil, err
	}
	var secure *tls.Config
	if conf.CertFile != "" {
		if err := d.Reload(); err != nil {
			return nil, err
		}
		secure = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return d.cert.Load(), nil }}
	}
	return d, d.Listen(conf.Address, secure)
}

// Reload reads the certificate again; the old one stays when that fails.
func (d *httpDoor) Reload() error {
	if d.certFile == "" {
		return nil
	}
	c, err := tls.LoadX509KeyPair(d.certFile, d.keyFile)
	if err != nil {
		return fmt.Errorf("http: the certificate cannot be read: %w", err)
	}
	d.cert.Store(&c)
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
