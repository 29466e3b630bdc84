package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/config"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/vault"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

const clientsTag = "clients"

type (
	// ClientPath is the client that a path names.
	ClientPath struct {
		ID       string `path:"id" maxLength:"200" doc:"Id or name of the client"`
		Language string `header:"Accept-Language" doc:"Language of the reason of a refusal"`
	}
	clientCreate struct {
		Body struct {
			view.ClientSettings
			Secret   string `json:"secret,omitempty" minLength:"12" maxLength:"200" doc:"One in use already; absent: a new one, shown once"`
			NoSecret bool   `json:"no_secret,omitempty" doc:"Known by its networks alone"`
		}
	}
	clientReplace struct {
		ClientPath
		Body struct {
			view.ClientSettings
			Revision int64 `json:"revision" doc:"As it was read"`
		}
	}
)

// A clientService shows and edits clients.
type clientService struct {
	uses        store.Uses
	clients     clientFinder
	connections connectionFinder
	hasher      *vault.Hasher
	edited      func() // called after each edit
	now         func() time.Time
}

func (s *clientService) routes(rt *router) {
	register(rt, op("list-clients", http.MethodGet, "/v1/clients", clientsTag, ScopeClientsWrite, "List clients", ""), s.listClients)
	create := op("create-client", http.MethodPost, "/v1/clients", clientsTag, ScopeClientsWrite, "Create a client",
		"The secret is shown in this answer and never again.")
	create.DefaultStatus = http.StatusCreated
	register(rt, create, s.createClient)
	register(rt, op("get-client", http.MethodGet, "/v1/clients/{id}", clientsTag, ScopeClientsWrite, "Get a client", ""), s.getClient)
	register(rt, op("replace-client", http.MethodPut, "/v1/clients/{id}", clientsTag, ScopeClientsWrite, "Change a client",
		"Replaces its settings; the secret stays."), s.replaceClient)
	register(rt, op("delete-client", http.MethodDelete, "/v1/clients/{id}", clientsTag, ScopeClientsWrite, "Delete a client",
		"With its API keys. Its messages stay."), s.deleteClient)
	register(rt, op("rotate-client", http.MethodPost, "/v1/clients/{id}/rotate", clientsTag, ScopeClientsWrite, "Give a client a new secret",
		"The old one ends at once; the new one is shown in this answer and never again."), s.rotateClient)
}

// A ClientList is all clients.
type ClientList struct {
	Items []view.Client `json:"items"`
}

func (s *clientService) listClients(ctx context.Context, in *struct {
	Language string `header:"Accept-Language" doc:"Language of the reasons of refusals"`
}) (*bodyOf[ClientList], error) {
	all, err := s.clients.Clients(ctx)
	if err != nil {
		return nil, err
	}
	uses, err := s.uses.Uses(ctx, store.UseOfClient)
	if err != nil {
		return nil, err
	}
	out := ClientList{Items: []view.Client{}}
	for i := range all {
		out.Items = append(out.Items, view.OfUsedClient(&all[i], uses, language(in.Language)))
	}
	return &bodyOf[ClientList]{out}, nil
}

func (s *clientService) getClient(ctx context.Context, in *ClientPath) (*bodyOf[view.Client], error) {
	c, err := s.clients.find(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	uses, err := s.uses.Uses(ctx, store.UseOfClient, c.ID)
	return &bodyOf[view.Client]{view.OfUsedClient(c, uses, language(in.Language))}, err
}

func (s *clientService) createClient(ctx context.Context, in *clientCreate) (*bodyOf[view.Client], error) {
	now := s.now()
	c := store.Client{CreatedAt: now, ChangedAt: now}
	b := &in.Body
	shown := ""
	switch {
	case b.NoSecret && b.Secret != "":
		return nil, invalid("no_secret", text("api.secret_and_no_secret", "no_secret and secret exclude each other"))
	case b.NoSecret:
	case b.Secret != "":
		hash, err := s.hasher.Hash(ctx, adapters.Secret(b.Secret))
		if err != nil {
			return nil, err
		}
		c.SecretHash = hash
	default:
		key := vault.NewClientSecret()
		shown, c.SecretHash = key.Reveal(), vault.HashGenerated(key)
	}
	if err := s.apply(ctx, &c, &b.ClientSettings); err != nil {
		return nil, err
	}
	return s.putClient(ctx, c, shown, "")
}

func (s *clientService) replaceClient(ctx context.Context, in *clientReplace) (*bodyOf[view.Client], error) {
	c, err := s.clients.find(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if in.Body.Revision != c.Revision {
		return nil, store.ErrConflict
	}
	if err := s.apply(ctx, c, &in.Body.ClientSettings); err != nil {
		return nil, err
	}
	c.ChangedAt = s.now()
	return s.putClient(ctx, *c, "", in.Language)
}

func (s *clientService) rotateClient(ctx context.Context, in *ClientPath) (*bodyOf[view.Client], error) {
	c, err := s.clients.find(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	key := vault.NewClientSecret()
	c.SecretHash, c.ChangedAt = vault.HashGenerated(key), s.now()
	return s.putClient(ctx, *c, key.Reveal(), in.Language)
}

func (s *clientService) putClient(ctx context.Context, c store.Client, shown, accept string) (*bodyOf[view.Client], error) {
	stored, err := s.clients.PutClient(ctx, c)
	if err != nil {
		return nil, err
	}
	s.edited()
	uses, err := s.uses.Uses(ctx, store.UseOfClient, stored.ID)
	if err != nil {
		uses = nil // the secret is shown this once
	}
	out := view.OfUsedClient(stored, uses, language(accept))
	out.Secret = shown
	return &bodyOf[view.Client]{out}, nil
}

func (s *clientService) deleteClient(ctx context.Context, in *ClientPath) (*noBody, error) {
	c, err := s.clients.find(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := s.clients.DeleteClient(ctx, c.ID); err != nil {
		return nil, err
	}
	s.edited()
	return &noBody{}, nil
}

func invalid(field string, message adapters.Text) *failure {
	return fail(http.StatusUnprocessableEntity, "invalid_request", field, message, adapters.Text{})
}

// apply checks the settings and puts them into c. No one becomes a client by
// accident: one without a secret needs networks, and a network that is everyone is refused.
func (s *clientService) apply(ctx context.Context, c *store.Client, in *view.ClientSettings) error {
	if strings.ContainsFunc(in.Name, func(r rune) bool { return r <= ' ' || r == ':' || r == 0x7f }) {
		return invalid("name", text("api.client_name", "a client's name is its login: it has no spaces and no colon"))
	}
	networks := []netip.Prefix(nil)
	for i, n := range in.Networks {
		p, err := config.ParsePrefixes([]string{n})
		field := fmt.Sprintf("networks[%d]", i)
		if err != nil {
			return invalid(field,
				text("api.not_a_network",
					"\"{network}\" is not a network: write 192.168.1.0/24 or one address", "network", clip(n)))
		}
		networks = append(networks, p[0])
	}
	if config.Everyone(networks) {
		return invalid("networks", config.EveryoneText())
	}
	if c.SecretHash == "" && len(networks) == 0 {
		return invalid("networks",
			text("api.networks_needed", "a client without a secret needs networks: it could not be identified"))
	}
	for i := range in.Senders {
		clean, err := mime.CheckSender(in.Senders[i])
		if e := new(mime.Error); errors.As(err, &e) {
			return invalid(fmt.Sprintf("senders[%d]", i), mimeText(e))
		}
		in.Senders[i] = clean
	}
	var ids []string
	for i, name := range in.Connections {
		conn, err := s.connections.find(ctx, name)
		if err != nil {
			return named(err, fmt.Sprintf("connections[%d]", i))
		}
		ids = append(ids, conn.ID)
	}
	own := ""
	if in.Connection != "" {
		conn, err := s.connections.find(ctx, in.Connection)
		if err != nil {
			return named(err, "connection")
		}
		own = conn.ID
		if len(ids) > 0 && !slices.Contains(ids, own) {
			return invalid("connection", text("api.own_connection", "its own connection is not among those that it may use"))
		}
	}
	c.Name, c.Networks, c.Senders, c.Connections, c.Connection = in.Name, networks, in.Senders, ids, own
	c.PerMinute, c.Class, c.NotifyOff, c.Disabled, c.ResubmitMinutes = in.PerMinute, in.Class, in.NotifyOff, in.Disabled, in.ResubmitMinutes
	return nil
}

// named adds the field that names something that does not exist: the request is
// wrong then, not its path.
func named(err error, field string) error {
	f := *failureOf(err)
	if f.status == http.StatusNotFound {
		f.status, f.field = http.StatusUnprocessableEntity, field
	}
	return &f
}
