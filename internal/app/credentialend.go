package app

import (
	"context"
	"crypto/sha1" //nolint:gosec // Entra names certificates so
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/all"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/internal/clientcert"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/watch"
	"github.com/postino-mail/postino/tokens"
	"github.com/postino-mail/postino/tokens/credential"
)

// An endReader reads when credentials end. Many connections share an application:
// what its registration says is kept for a while, refusals too.
type endReader struct {
	roots *x509.CertPool
	log   *slog.Logger
	now   func() time.Time

	mu   sync.Mutex
	kept map[registrationKey]*registration
}

// keepRegistration is less than what passes between two looks at one connection.
const keepRegistration = 20 * time.Minute

// A registrationKey is an application with the credential that asks.
type registrationKey struct {
	entra      credential.Entra
	graphURL   string
	thumbprint string
}

// A registration is what one application's says. The lock is held while it is read,
// so that one connection asks for all.
type registration struct {
	sync.Mutex
	at  time.Time // zero: not read
	end *graph.CredentialEnd
	err error
}

func newEndReader(roots *x509.CertPool, log *slog.Logger) *endReader {
	return &endReader{roots: roots, log: log, now: time.Now, kept: map[registrationKey]*registration{}}
}

// credentialEnd reads when the credential of a connection ends: from its client
// certificate, and for applications of Microsoft Entra from their registration, where
// they may read it.
func (r *endReader) credentialEnd(ctx context.Context, c *gateway.Connection) (end store.CredentialEnd, err error) {
	var thumbprint []byte
	leaf, err := tokens.ClientCertificate(&c.Connection)
	if err != nil {
		return end, err
	}
	if leaf != nil {
		end = store.CredentialEnd{Kind: store.KindClientCertificate, Ends: leaf.NotAfter}
		sum := sha1.Sum(leaf.Raw) //nolint:gosec // as above
		thumbprint = sum[:]
	}
	entra := clientcert.EntraOf(&c.Connection)
	if entra == nil || thumbprint == nil && entra.ClientSecret == "" {
		return end, nil
	}
	registered, err := r.registered(ctx, c, entra, thumbprint)
	switch {
	case err != nil && thumbprint != nil: // what the certificate says itself counts
		return end, nil
	case err != nil && adapters.AsError(err).Status == http.StatusForbidden:
		return end, watch.ErrNotGranted
	case err != nil || registered == nil || registered.Ends.IsZero():
		return end, err
	case thumbprint == nil:
		return store.CredentialEnd{Kind: store.KindSecret, Ends: registered.Ends, Name: registered.Name, Among: registered.Among}, nil
	case registered.Ends.Before(end.Ends): // it may have been registered for less time than it has
		end.Ends = registered.Ends
	}
	return end, nil
}

// registered is what Graph says of the application, read now or a while ago.
func (r *endReader) registered(ctx context.Context, c *gateway.Connection, entra *credential.Entra, thumbprint []byte) (
	*graph.CredentialEnd, error) {
	conn := &c.Connection
	set := graph.SettingsOf(conn)
	if set == nil { // SMTP with a token of Entra: the same application asks
		if entra.AuthorityURL != "" {
			return nil, nil // and its Graph is not known
		}
		set = &graph.Settings{Entra: *entra}
		conn = &adapters.Connection{ID: c.ID, Name: c.Name, Provider: adapters.Graph, From: c.From, Settings: set}
	}
	is := r.registration(registrationKey{*entra, set.GraphURL, string(thumbprint)})
	is.Lock()
	defer is.Unlock()
	if is.at.IsZero() || r.now().Sub(is.at) >= keepRegistration {
		is.end, is.err = r.ask(ctx, conn, thumbprint)
		if is.at = r.now(); ctx.Err() != nil {
			is.at = time.Time{} // the time of this one is over: the next asks again
		}
	}
	return is.end, is.err
}

// registration is what is kept of one application. Old ones go.
func (r *endReader) registration(key registrationKey) *registration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if is := r.kept[key]; is != nil {
		return is
	}
	for k, is := range r.kept {
		if is.TryLock() { // who reads one needs it
			if r.now().Sub(is.at) >= keepRegistration {
				delete(r.kept, k)
			}
			is.Unlock()
		}
	}
	is := new(registration)
	r.kept[key] = is
	return is
}

// ask asks Graph, with adapter and token of its own: what fails here must not
// count as a failure of sending.
func (r *endReader) ask(ctx context.Context, conn *adapters.Connection, thumbprint []byte) (end *graph.CredentialEnd, err error) {
	sender := all.New(all.Options{RootCAs: r.roots, Log: r.log})
	defer func() { err = errors.Join(err, sender.Close()) }()
	made, err := sender.Adapter(conn)
	if err != nil {
		return nil, err
	}
	adapter, ok := made.(*graph.Adapter)
	if !ok {
		return nil, nil
	}
	return adapter.CredentialEnd(ctx, thumbprint)
}
