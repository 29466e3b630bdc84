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
	"github.com/postino-mail/postino/mime"
)

const clientsTag = "clients"

// ClientSettings are what can be set of a client.
type ClientSettings struct {
	Name        string   `json:"name" minLength:"1" maxLength:"100" example:"erp" doc:"Its login; no spaces"`
	Networks    []string `json:"networks,omitempty" maxItems:"100" example:"[\"192.168.1.0/24\"]" doc:"Addresses by which it is known without a secret"`
	Senders     []string `json:"senders,omitempty" maxItems:"1000" doc:"Addresses or *@domain that it may use as From; absent: any that a connection allows"`
	Connections []string `json:"connections,omitempty" maxItems:"1000" doc:"Names or ids that it may use; absent: any"`
	Connection  string   `json:"connection,omitempty" maxLength:"200" doc:"Name or id of its own connection"`
	PerMinute   int      `json:"per_minute,omitempty" minimum:"0" doc:"Deliveries a minute, those of resend and retry included; 0: no limit"`
	Class       string   `json:"class,omitempty" enum:"transactional,bulk" doc:"Of its messages"`
	NotifyOff   bool     `json:"notify_off,omitempty" doc:"No notifications of failures to the sender"`
	Disabled    bool     `json:"disabled,omitempty"`

	ResubmitMinutes *int `json:"resubmit_minutes,omitempty" minimum:"0" maximum:"1440" doc:"How long the same message again, whose acceptance the client has not heard of, is answered with the first one; absent: 60, 0: never"`
}

// A ClientView is a client without its secret.
type ClientView struct {
	ID        string `json:"id"`
	Revision  int64  `json:"revision"`
	HasSecret bool   `json:"has_secret"`
	ClientSettings
	CreatedAt time.Time `json:"created_at"`
	ChangedAt time.Time `json:"changed_at,omitzero"`
	Secret    string    `json:"secret,omitempty" doc:"Shown once: when it was made"`
}

type (
	ClientPath struct {
		ID string `path:"id" maxLength:"200" doc:"Id or name of the client"`
	}
	clientCreate struct {
		Body struct {
			ClientSettings
			Secret   string `json:"secret,omitempty" minLength:"12" maxLength:"200" doc:"One that devices have already; absent: a new one is made and shown once"`
			NoSecret bool   `json:"no_secret,omitempty" doc:"Known by its networks alone"`
		}
	}
	clientReplace struct {
		ClientPath
		Body struct {
			ClientSettings
			Revision int64 `json:"revision" doc:"As it was read"`
		}
	}
)

func (s *Server) clientRoutes() {
	register(s, op("list-clients", http.MethodGet, "/v1/clients", clientsTag, ScopeClientsWrite, "List clients", ""), s.listClients)
	create := op("create-client", http.MethodPost, "/v1/clients", clientsTag, ScopeClientsWrite, "Create a client", "The secret is shown in this answer and never again.")
	create.DefaultStatus = http.StatusCreated
	register(s, create, s.createClient)
	register(s, op("get-client", http.MethodGet, "/v1/clients/{id}", clientsTag, ScopeClientsWrite, "Get a client", ""), s.getClient)
	register(s, op("replace-client", http.MethodPut, "/v1/clients/{id}", clientsTag, ScopeClientsWrite, "Change a client", "Replaces its settings; the secret stays."), s.replaceClient)
	register(s, op("delete-client", http.MethodDelete, "/v1/clients/{id}", clientsTag, ScopeClientsWrite, "Delete a client", "With its API keys. Its messages stay."), s.deleteClient)
	register(s, op("rotate-client", http.MethodPost, "/v1/clients/{id}/rotate", clientsTag, ScopeClientsWrite, "Give a client a new secret", "The old one ends at once; the new one is shown in this answer and never again."), s.rotateClient)
}

func viewClient(c *store.Client, secret string) *bodyOf[ClientView] {
	v := ClientView{ID: c.ID, Revision: c.Revision, HasSecret: c.SecretHash != "", CreatedAt: c.CreatedAt, ChangedAt: c.ChangedAt, Secret: secret,
		ClientSettings: ClientSettings{Name: c.Name, Senders: c.Senders, Connections: c.Connections, Connection: c.Connection, PerMinute: c.PerMinute, Class: c.Class, NotifyOff: c.NotifyOff, Disabled: c.Disabled,
			ResubmitMinutes: c.ResubmitMinutes}}
	for _, n := range c.Networks {
		v.Networks = append(v.Networks, n.String())
	}
	return &bodyOf[ClientView]{v}
}

// A ClientList is all clients.
type ClientList struct {
	Items []ClientView `json:"items"`
}

func (s *Server) listClients(ctx context.Context, _ *struct{}) (*bodyOf[ClientList], error) {
	all, err := s.opt.Store.Clients(ctx)
	if err != nil {
		return nil, err
	}
	out := ClientList{Items: []ClientView{}}
	for i := range all {
		out.Items = append(out.Items, viewClient(&all[i], "").Body)
	}
	return &bodyOf[ClientList]{out}, nil
}

// clientOf finds a client by id or name.
func (s *Server) clientOf(ctx context.Context, name string) (*store.Client, error) {
	c, err := s.opt.Store.Client(ctx, name)
	if err == nil {
		return c, nil
	}
	return s.opt.Store.ClientNamed(ctx, name)
}

func (s *Server) getClient(ctx context.Context, in *ClientPath) (*bodyOf[ClientView], error) {
	c, err := s.clientOf(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return viewClient(c, ""), nil
}

func (s *Server) createClient(ctx context.Context, in *clientCreate) (*bodyOf[ClientView], error) {
	now := s.opt.Now()
	c := store.Client{CreatedAt: now, ChangedAt: now}
	b := &in.Body
	shown := ""
	switch {
	case b.NoSecret && b.Secret != "":
		return nil, invalid("no_secret", "no_secret and secret exclude each other", "no_secret e secret si escludono")
	case b.NoSecret:
	case b.Secret != "":
		hash, err := s.auth.hasher.Hash(adapters.Secret(b.Secret))
		if err != nil {
			return nil, err
		}
		c.SecretHash = hash
	default:
		key := vault.NewKey("pc_")
		shown, c.SecretHash = key.Reveal(), vault.HashGenerated(key)
	}
	if err := s.apply(ctx, &c, &b.ClientSettings); err != nil {
		return nil, err
	}
	return s.putClient(ctx, c, shown)
}

func (s *Server) replaceClient(ctx context.Context, in *clientReplace) (*bodyOf[ClientView], error) {
	c, err := s.clientOf(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if in.Body.Revision != c.Revision {
		return nil, store.ErrConflict
	}
	if err := s.apply(ctx, c, &in.Body.ClientSettings); err != nil {
		return nil, err
	}
	c.ChangedAt = s.opt.Now()
	return s.putClient(ctx, *c, "")
}

func (s *Server) rotateClient(ctx context.Context, in *ClientPath) (*bodyOf[ClientView], error) {
	c, err := s.clientOf(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	key := vault.NewKey("pc_")
	c.SecretHash, c.ChangedAt = vault.HashGenerated(key), s.opt.Now()
	return s.putClient(ctx, *c, key.Reveal())
}

func (s *Server) putClient(ctx context.Context, c store.Client, shown string) (*bodyOf[ClientView], error) {
	stored, err := s.opt.Store.PutClient(ctx, c)
	if err != nil {
		return nil, err
	}
	s.clientsChanged()
	return viewClient(stored, shown), nil
}

func (s *Server) clientsChanged() {
	s.opt.Clients.Stale()
	s.auth.forget()
}

func (s *Server) deleteClient(ctx context.Context, in *ClientPath) (*noBody, error) {
	c, err := s.clientOf(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := s.opt.Store.DeleteClient(ctx, c.ID); err != nil {
		return nil, err
	}
	s.clientsChanged()
	return &noBody{}, nil
}

func invalid(field, en, it string) *failure {
	return fail(http.StatusUnprocessableEntity, "invalid_request", field, en, it, "", "")
}

// apply checks the settings and puts them into c. Nobody becomes a client by
// accident: one without a secret needs networks, and no network is everybody.
func (s *Server) apply(ctx context.Context, c *store.Client, in *ClientSettings) error {
	if strings.ContainsFunc(in.Name, func(r rune) bool { return r <= ' ' || r == ':' || r == 0x7f }) {
		return invalid("name", "a client's name is its login: it has no spaces and no colon", "il nome del client è il suo login: senza spazi e senza due punti")
	}
	networks := []netip.Prefix(nil)
	for i, n := range in.Networks {
		p, err := config.ParsePrefixes([]string{n})
		field := fmt.Sprintf("networks[%d]", i)
		if err != nil {
			return invalid(field, fmt.Sprintf("%q is not a network: write 192.168.1.0/24 or one address", clip(n)), fmt.Sprintf("%q non è una rete: scrivere 192.168.1.0/24 o un indirizzo", clip(n)))
		}
		networks = append(networks, p[0])
	}
	if config.Everyone(networks) {
		return invalid("networks", "these networks are everyone: that would be an open relay", "queste reti sono chiunque: sarebbe un open relay")
	}
	if c.SecretHash == "" && len(networks) == 0 {
		return invalid("networks", "a client without a secret needs networks: nobody could tell who it is", "un client senza segreto richiede delle reti: nessuno saprebbe chi è")
	}
	for i := range in.Senders {
		clean, err := mime.CheckSender(in.Senders[i])
		if e := new(mime.Error); errors.As(err, &e) {
			return invalid(fmt.Sprintf("senders[%d]", i), e.Text, e.TextIT)
		}
		in.Senders[i] = clean
	}
	var ids []string
	for i, name := range in.Connections {
		conn, err := s.connection(ctx, name)
		if err != nil {
			return named(err, fmt.Sprintf("connections[%d]", i))
		}
		ids = append(ids, conn.ID)
	}
	own := ""
	if in.Connection != "" {
		conn, err := s.connection(ctx, in.Connection)
		if err != nil {
			return named(err, "connection")
		}
		own = conn.ID
		if len(ids) > 0 && !slices.Contains(ids, own) {
			return invalid("connection", "its own connection is not among those that it may use", "la sua connessione non è tra quelle che può usare")
		}
	}
	c.Name, c.Networks, c.Senders, c.Connections, c.Connection = in.Name, networks, in.Senders, ids, own
	c.PerMinute, c.Class, c.NotifyOff, c.Disabled, c.ResubmitMinutes = in.PerMinute, in.Class, in.NotifyOff, in.Disabled, in.ResubmitMinutes
	return nil
}

// named says which field names something that does not exist: the request is
// wrong then, not its path.
func named(err error, field string) error {
	f := *failureOf(err)
	if f.status == http.StatusNotFound {
		f.status, f.field = http.StatusUnprocessableEntity, field
	}
	return &f
}
