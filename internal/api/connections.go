package api

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/connections"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/internal/view"
)

const connectionsTag = "connections"

type (
	// ConnectionPath is the connection that a path names, and the language of the answer.
	ConnectionPath struct {
		ID       string `path:"id" maxLength:"200" doc:"Id or name of the connection"`
		Language string `header:"Accept-Language"`
	}
	// ConnectionDoc is a connection, or a patch of one, as it came.
	ConnectionDoc struct {
		RawBody []byte `contentType:"application/octet-stream"`
	}
	connectionEdit struct {
		ConnectionPath
		ConnectionDoc
	}
	noBody struct{}
)

// A connectionService shows and edits connections.
type connectionService struct {
	store       store.Store
	connections connectionFinder
	adapters    connections.Adapters
	submit      *submit.Submitter
	clients     clientFinder
	networks    []netip.Prefix // Options.ConnectionNetworks
	ownListener func(ctx context.Context, host string, port int) bool
	now         func() time.Time
}

func (s *connectionService) routes(rt *router) {
	body := func(o huma.Operation, about string) huma.Operation {
		doc := rt.connectionSchema()
		if o.Method == http.MethodPatch {
			doc = &huma.Schema{Type: "object", Description: about, AdditionalProperties: true}
		}
		o.Metadata["body"] = doc
		o.Description = about + "\n\n" + o.Description
		return o
	}
	s.listRoutes(rt)
	s.moveRoutes(rt, body)
	s.planRoutes(rt)
	create := op("create-connection", http.MethodPost, "/v1/connections", connectionsTag, ScopeConnectionsWrite, "Create a connection", "")
	create.DefaultStatus = http.StatusCreated
	register(rt, body(create, "authority_url, graph_url, token_url, gmail_url, files of the server, managed_identity, keyless "+
		"and allow_insecure are for the scope admin alone; so are servers without a public address, unless [connections] "+
		"networks names them."), s.createConnection)
	register(rt, op("get-connection", http.MethodGet, "/v1/connections/{id}", connectionsTag, ScopeConnectionsRead, "Get a connection", ""),
		s.getConnection)
	register(rt, body(op("replace-connection", http.MethodPut, "/v1/connections/{id}", connectionsTag, ScopeConnectionsWrite,
		"Replace a connection", ""), "revision must be the one that was read. Secrets given as *** stay, unless the server, the mailbox or "+
		"the like changes: then PATCH gives both."), s.replaceConnection)
	register(rt, body(op("patch-connection", http.MethodPatch, "/v1/connections/{id}", connectionsTag, ScopeConnectionsWrite,
		"Change a connection", ""), "JSON merge patch (RFC 7396). What it leaves out stays, secrets included; a revision in it must be the "+
		"stored one. Whoever changes or clears server, port, encryption, CA, URL, tenant, login or mailbox gives the credential (secret, "+
		"file or managed_identity) in the same patch."), s.patchConnection)
	register(rt, op("delete-connection", http.MethodDelete, "/v1/connections/{id}", connectionsTag, ScopeConnectionsWrite,
		"Delete a connection", "Refused while messages under way need it, unless move_to names the connection that takes what waits, and its "+
			"place in chains of fallbacks and with clients. The answer comes when nothing goes out by it any more."), s.deleteConnection)
	register(rt, op("resume-connection", http.MethodPost, "/v1/connections/{id}/resume", connectionsTag, ScopeConnectionsWrite,
		"End a pause", "Closes the breaker, and ends the pauses of the lanes in which its mail waits."), s.resumeConnection)
	register(rt, op("default-connection", http.MethodPost, "/v1/connections/{id}/default", connectionsTag, ScopeConnectionsWrite,
		"Make a connection the default one", "At most one connection is the default."), s.defaultConnection)
}

// connectionSchema is the schema of a connection as it is sent in.
func (rt *router) connectionSchema() *huma.Schema { return schema[gateway.Connection](rt) }

func (s *connectionService) viewConnection(ctx context.Context, c *gateway.Connection, lang string) (*bodyOf[view.Connection], error) {
	status, err := registry.StatusOf(ctx, s.store, c)
	if err != nil {
		return nil, err
	}
	return &bodyOf[view.Connection]{view.OfConnection(c, status, s.now(), lang)}, nil
}

func (s *connectionService) getConnection(ctx context.Context, in *ConnectionPath) (*bodyOf[view.Connection], error) {
	c, err := s.stored(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return s.viewConnection(ctx, c, language(in.Language))
}

// stored is the connection as the store has it now, our own to change.
func (s *connectionService) stored(ctx context.Context, name string) (*gateway.Connection, error) {
	c, err := s.connections.find(ctx, name)
	if err != nil {
		return nil, err
	}
	return s.store.Connection(ctx, c.ID)
}

func (s *connectionService) createConnection(ctx context.Context, in *ConnectionDoc) (*bodyOf[view.Connection], error) {
	c, err := s.fresh(ctx, in.RawBody)
	if err != nil {
		return nil, err
	}
	return s.putConnection(ctx, c, nil)
}

// fresh reads a connection that is not stored, within what the caller may do.
func (s *connectionService) fresh(ctx context.Context, body []byte) (*gateway.Connection, error) {
	if err := bounded(body); err != nil {
		return nil, err
	}
	c, err := gateway.Parse(body)
	if err != nil {
		return nil, invalidConnection(err)
	}
	return c, s.allowed(ctx, c)
}

// allowed holds a connection that is not stored to what the caller may do.
func (s *connectionService) allowed(ctx context.Context, c *gateway.Connection) error {
	if path := c.RedactedSecret(); path != "" {
		return fail(http.StatusUnprocessableEntity, "invalid_connection", path,
			text("api.secret_redacted", "{field} is {redacted}", "field", path, "redacted", adapters.Redacted),
			text("api.secret_redacted_hint", "enter the secret itself"))
	}
	c.ID, c.Revision = "", 0
	if err := (registry.Edit{Next: c, Admin: caller(ctx).admin()}).Check(); err != nil {
		return untrusted(err)
	}
	return s.confine(caller(ctx), c, nil)
}

func (s *connectionService) replaceConnection(ctx context.Context, in *connectionEdit) (*bodyOf[view.Connection], error) {
	old, err := s.stored(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := bounded(in.RawBody); err != nil {
		return nil, err
	}
	next, err := registry.Replace(old, in.RawBody, caller(ctx).admin())
	if err != nil {
		return nil, untrusted(err)
	}
	return s.change(ctx, next, old)
}

func (s *connectionService) patchConnection(ctx context.Context, in *connectionEdit) (*bodyOf[view.Connection], error) {
	old, err := s.stored(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	var patch map[string]any
	if err := unmarshal(in.RawBody, &patch); err != nil {
		return nil, badJSON(err)
	}
	if v, ok := patch["revision"]; ok && v != float64(old.Revision) {
		return nil, store.ErrConflict
	}
	if sub, ok := patch["smtp"].(map[string]any); ok && sub["public_only"] == false && !caller(ctx).admin() {
		return nil, untrusted(&registry.TrustError{Field: "smtp.public_only", Err: registry.ErrAdminOnly})
	}
	next, err := registry.Patch(old, patch, caller(ctx).admin())
	if err != nil {
		return nil, untrusted(err)
	}
	return s.change(ctx, next, old)
}

func (s *connectionService) change(ctx context.Context, next, old *gateway.Connection) (*bodyOf[view.Connection], error) {
	if err := s.confine(caller(ctx), next, old); err != nil {
		return nil, err
	}
	return s.putConnection(ctx, next, old)
}

// noLoop refuses a connection to this server itself.
func (s *connectionService) noLoop(ctx context.Context, c *gateway.Connection) error {
	set, names := c.Settings.(adapters.ServerSettings)
	if !names || s.ownListener == nil {
		return nil
	}
	if host, port := set.Server(); !s.ownListener(ctx, host, port) {
		return nil
	}
	return fail(http.StatusUnprocessableEntity, "invalid_connection", string(c.Provider)+".host",
		text("api.connection_loops",
			"the server of this connection is a listener of this gateway: a message sent there would come "+
				"back for ever"),
		text("api.connection_loops_hint", "enter host and port of the provider's server"))
}

// sameServer reports that both connections name the same host and port.
func sameServer(a, b *gateway.Connection) bool {
	x, named := a.Settings.(adapters.ServerSettings)
	y, also := b.Settings.(adapters.ServerSettings)
	if !named || !also {
		return named == also
	}
	host, port := x.Server()
	otherHost, otherPort := y.Server()
	return host == otherHost && port == otherPort
}

// putConnection stores a connection, in place of old where there is one, and
// answers when nothing goes out by the settings of before any more.
func (s *connectionService) putConnection(ctx context.Context, c, old *gateway.Connection) (*bodyOf[view.Connection], error) {
	// To look up a name may take as long as it does without an answer.
	if c.IsActive() && (old == nil || !old.IsActive() || !sameServer(c, old)) {
		if err := s.noLoop(ctx, c); err != nil {
			return nil, err
		}
	}
	stored, underWay, err := s.service().Put(ctx, c, old)
	if err != nil {
		return nil, invalidConnection(err) // an owner may be no person
	}
	out, err := s.viewConnection(ctx, stored, "en") // an edit ends the pause: there is no sentence to show
	if err != nil {
		return nil, err
	}
	out.Body.State.UnderWay = underWay
	return out, nil
}

// service edits connections as this server, which is one of the nodes.
func (s *connectionService) service() *connections.Service {
	return &connections.Service{Store: s.store, Adapters: s.adapters, Server: true, Edited: s.connections.Invalidate, Now: s.now}
}

// A ConnectionRemoval is the connection to remove, and its successor.
type ConnectionRemoval struct {
	ConnectionPath
	MoveTo string `query:"move_to" maxLength:"200" doc:"Id or name of the connection that takes what waits"`
}

func (s *connectionService) deleteConnection(ctx context.Context, in *ConnectionRemoval) (*noBody, error) {
	c, err := s.connections.find(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	var to *gateway.Connection
	if in.MoveTo != "" {
		if err := forOthers(ctx); err != nil { // before anything has moved
			return nil, err
		}
		if to, err = s.target(ctx, c, in.MoveTo); err != nil {
			return nil, err
		}
	}
	if _, err := s.service().Remove(ctx, c, to); err != nil {
		return nil, moveFailure(err)
	}
	return &noBody{}, nil
}

func (s *connectionService) resumeConnection(ctx context.Context, in *ConnectionPath) (*bodyOf[view.Connection], error) {
	c, err := s.stored(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := registry.Resume(ctx, s.store, c.ID, s.now()); err != nil {
		return nil, err
	}
	return s.viewConnection(ctx, c, language(in.Language))
}

type defaultInput struct {
	ConnectionPath
	Body struct {
		Mode string `json:"mode" enum:"no,unrouted,always" doc:"unrouted: for mail that nothing else fits; always: for all mail, replacing From"`
	}
}

func (s *connectionService) defaultConnection(ctx context.Context, in *defaultInput) (*bodyOf[view.Connection], error) {
	c, err := s.stored(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	next := c.Clone()
	next.Default = gateway.DefaultMode(in.Body.Mode)
	if err := next.Validate(); err != nil {
		return nil, invalidConnection(err)
	}
	return s.putConnection(ctx, next, c)
}

// invalidConnection reports what is wrong with each field of a connection.
func invalidConnection(err error) error {
	var e *adapters.InvalidError
	if !errors.As(err, &e) {
		return err
	}
	f := fail(http.StatusUnprocessableEntity, "invalid_connection", "",
		text("api.invalid_connection", "the connection is not valid: {fields}", "fields", oneLine{e}),
		text("api.invalid_connection_hint", "correct these fields; /openapi.json describes them"))
	for _, x := range e.Fields {
		f.faults = append(f.faults, fault{x.Field, x.Text})
	}
	f.field = e.Fields[0].Field
	return f
}

// oneLine is a list of faults in one line.
type oneLine struct{ *adapters.InvalidError }

func (l oneLine) In(lang string) string {
	return strings.ReplaceAll(l.InvalidError.In(lang), "\n", "; ")
}
