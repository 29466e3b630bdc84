package app

import (
	"crypto/x509"
	"log/slog"
	"net/netip"
	"os"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/all"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// newSender makes the adapters of all providers. roots nil means the system's
// trust store; networks are those that connections which are not an
// administrator's may reach besides public addresses; own, which may be nil,
// are the listeners of this process; seen, which may be nil, hears of the
// certificates of SMTP servers.
func newSender(roots *x509.CertPool, networks []netip.Prefix, own *ownListeners, log *slog.Logger,
	seen func(connection, host string, leaf *x509.Certificate)) *all.Sender {
	return all.New(all.Options{RootCAs: roots, Log: log, SMTP: fallback.Options{Networks: networks, OwnListener: own.at,
		PeerCertificate: seen}})
}

// loadRoots is the system's trust store with the certificates of a PEM file
// added; nil when file is empty: the system's alone.
func loadRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, texterr.Wrap(mime.NewText("cli.ca_unreadable", "the CA file cannot be read"), err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(adapters.PlainText(pem)) {
		return nil, texterr.New(text("cli.ca_empty", "the CA file holds no certificate in PEM form: {file}", "file", file))
	}
	return pool, nil
}
