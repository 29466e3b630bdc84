package app

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/gmail"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/tokens"
)

// Outbound is everything that sends: the token cache and the adapters over it.
type Outbound struct {
	Tokens *tokens.Cache
	Router *adapters.Router
}

// NewOutbound makes the adapters of all providers. roots nil means the
// system's trust store; networks are those that connections which are not an
// administrator's may reach besides public addresses; own, which may be nil,
// are the listeners of this process.
func NewOutbound(roots *x509.CertPool, networks []netip.Prefix, own *ownListeners, log *slog.Logger) *Outbound {
	cache := tokens.NewCache(tokens.Options{RootCAs: roots, Log: log})
	return &Outbound{Tokens: cache, Router: adapters.NewRouter(map[adapters.Provider]adapters.Factory{
		adapters.Graph: graph.Factory(graph.Options{Tokens: cache, RootCAs: roots}),
		adapters.Gmail: gmail.Factory(gmail.Options{Tokens: cache, RootCAs: roots}),
		adapters.SMTP:  fallback.Factory(fallback.Options{Tokens: cache, RootCAs: roots, Networks: networks, OwnListener: own.at, Log: log}),
	})}
}

// Close ends kept connections and background work.
func (o *Outbound) Close() error {
	o.Tokens.Close()
	return o.Router.Close()
}

// LoadRoots is the system's trust store with the certificates of a PEM file
// added; nil when file is empty: the system's alone.
func LoadRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the CA file cannot be read: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(adapters.PlainText(pem)) {
		return nil, errors.New("the CA file holds no certificate in PEM form: " + file)
	}
	return pool, nil
}
