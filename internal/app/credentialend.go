package app

import (
	"context"
	"crypto/sha1" //nolint:gosec // Entra names certificates so
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"

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

// An endReader reads when credentials end.
type endReader struct {
	roots *x509.CertPool
	log   *slog.Logger
}

// credentialEnd reads when the credential of a connection ends: from its client
// certificate, and for applications of Microsoft Entra from their registration, where
// they may read it.
func (r endReader) credentialEnd(ctx context.Context, c *gateway.Connection) (end store.CredentialEnd, err error) {
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

// registered asks Graph, with adapter and token of its own: what fails here must not
// count as a failure of sending.
func (r endReader) registered(ctx context.Context, c *gateway.Connection, entra *credential.Entra, thumbprint []byte) (
	end *graph.CredentialEnd, err error) {
	conn := &c.Connection
	if graph.SettingsOf(conn) == nil { // SMTP with a token of Entra: the same application asks
		if entra.AuthorityURL != "" {
			return nil, nil // and its Graph is not known
		}
		conn = &adapters.Connection{ID: c.ID, Name: c.Name, Provider: adapters.Graph, From: c.From, Settings: &graph.Settings{Entra: *entra}}
	}
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
