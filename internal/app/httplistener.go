package app

import (
	"context"
	"crypto/tls"
	"os"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/certfile"
	"github.com/postino-mail/postino/internal/config"
	"github.com/postino-mail/postino/internal/localsocket"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/internal/vault"
	"github.com/postino-mail/postino/internal/web"
	"github.com/postino-mail/postino/mime"
)

// An httpListener is the API and the page with their certificate; nil: without TLS.
type httpListener struct {
	*api.Server
	cert   *certfile.File
	socket string // path of the unix socket; empty: none
}

// httpListener builds the HTTP listener of the configuration and listens; nil when the
// configuration has none. smtp are the addresses of the SMTP listeners, to be shown.
func (s *server) httpListener(smtp []string) (*httpListener, error) {
	conf := s.conf.HTTP
	socket := conf.SocketPath(s.conf.Data)
	if conf.Address == "" && socket == "" {
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
	proxies, err := conf.Proxies()
	if err != nil {
		return nil, err
	}
	metrics, err := s.metrics()
	if err != nil {
		return nil, err
	}
	tests := newDoctor(s.roots, servers, s.own)
	installation := newInstallation(&s.conf, tests)
	lookInto(installation, s.store)
	d := new(httpListener)
	pages := web.New(web.Options{PublicURL: conf.PublicURL, Hostname: s.conf.Hostname, Version: ReadVersion().Version, Log: s.log,
		Provider: web.Provider{Name: conf.OIDC.ShownName(), Issuer: conf.OIDC.Issuer},
		Facts:    pageFacts(&s.conf, smtp), Listeners: shownListeners(s.conf.SMTP)})
	d.Server, err = api.New(api.Options{Store: s.store, Submit: s.submit, Connections: s.conns, Clients: s.clients, People: s.people,
		Programs: s.programs, Tracer: s.tracer, Budget: s.uploads, Sealer: keys, Hostname: s.conf.Hostname,
		Metrics:   metrics,
		Pages:     pages.Handler,
		PublicURL: conf.PublicURL, PublicHost: conf.PublicHost(), Keyless: conf.Keyless == config.KeylessSend, TrustedProxies: proxies,
		Version: ReadVersion().Version, GiveUp: time.Duration(s.conf.Outbox.GiveUp), WebhookNetworks: receivers, ConnectionNetworks: servers,
		OwnListener: s.own.leadsTo, WatchConnection: s.conf.Watch.Connection, Doctor: tests, Installation: installation,
		ProveToken:  func(ctx context.Context, c *adapters.Connection) error { return proveToken(ctx, c, s.roots) },
		MaxWebhooks: s.conf.Limits.Webhooks, MaxStreams: s.conf.Limits.Streams, MaxKeys: s.conf.Limits.Keys, Log: s.log})
	if err != nil {
		return nil, err
	}
	if conf.Keyless == config.KeylessSend {
		s.log.Warn("every program of this machine may send by HTTP without a key (keyless = \"send\"): put no reverse proxy in front, through "+
			"it the whole internet would; the unix socket needs no key either and knows who asks",
			"http", conf.Address, "socket", socket)
	}
	var secure *tls.Config
	if conf.CertFile != "" {
		if d.cert, err = certfile.Open(certfile.Options{Cert: conf.CertFile, Key: conf.KeyFile, Log: s.log}); err != nil {
			return nil, texterr.Wrap(mime.NewText("config.of_section", "{section}", "section", "http"), err)
		}
		secure = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: d.cert.Get}
	}
	if conf.Address != "" {
		if err := d.Listen(conf.Address, secure); err != nil {
			return nil, err
		}
	}
	if err := s.listenSocket(d, socket); err != nil {
		return d, err
	}
	installation.Roots = s.roots
	installation.Listeners = running(&s.conf, Addresses{SMTP: smtp, HTTP: d.Addr(), Socket: d.socket})
	return d, nil
}

// shownListeners are the SMTP listeners as the page shows them to who sets up a program.
func shownListeners(all []config.Listener) (out []web.Listener) {
	for i := range all {
		l := &all[i]
		out = append(out, web.Listener{Address: l.Address, TLS: l.TLS, NoAuth: l.Auth == "off"})
	}
	return out
}

// listenSocket opens the unix socket. One that the configuration does not name is a
// convenience: where its folder cannot hold it, the server goes on without.
func (s *server) listenSocket(d *httpListener, path string) error {
	if path == "" {
		return nil
	}
	err := d.ListenSocket(localsocket.Options{Path: path, Group: s.conf.HTTP.SocketGroup, Log: s.log})
	if err == nil {
		d.socket = path
		return nil
	}
	if s.conf.HTTP.Socket != "" || s.conf.HTTP.SocketGroup != "" {
		return err
	}
	s.log.Warn("there is no unix socket for HTTP: programs of this machine need a key too; name a path with socket under [http], or socket "+
		"= \"off\"", "err", err)
	return nil
}

// Reload reads the certificate again; the old one stays when that fails.
func (d *httpListener) Reload() error {
	if d.cert == nil {
		return nil
	}
	if err := d.cert.Reload(); err != nil {
		return texterr.Wrap(mime.NewText("config.of_section", "{section}", "section", "http"), err)
	}
	return nil
}
