package api

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/all"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
)

// An op describes one operation; scope "" needs no credentials.
func op(id, method, path, tag, scope, summary, description string) huma.Operation {
	o := huma.Operation{OperationID: id, Method: method, Path: path, Tags: []string{tag}, Summary: summary, Description: description}
	if scope != "" {
		o.Metadata = map[string]any{"scope": scope}
		o.Security = []map[string][]string{{"key": {}}, {"client": {}}} // linters know scopes of OAuth alone
		o.Extensions = map[string]any{"x-scope": scope}
		if !slices.Contains(clientScopes(), scope) {
			o.Security = o.Security[:1]
		}
		o.Description = strings.TrimSpace(o.Description + "\n\nScope: `" + scope + "`.")
	}
	return o
}

// submission lets those call o who may hand over messages and do nothing else.
func submission(o huma.Operation) huma.Operation {
	o.Metadata["scope"] = scopeSubmit
	return o
}

// localToo lets programs of this machine call o without credentials.
func localToo(o huma.Operation) huma.Operation {
	o.Metadata["local"] = true
	return o
}

// A router holds the operations. Each checks credentials and scope, refuses what
// would have no effect, and reports errors as problems.
type router struct {
	mux     *http.ServeMux
	api     huma.API
	auth    *authenticator
	replays *replayer
	log     *slog.Logger
}

// newRouter makes a router without operations.
func newRouter(o *Options, auth *authenticator) *router {
	rt := &router{mux: http.NewServeMux(), auth: auth, log: o.Log,
		replays: &replayer{store: o.Store, sealer: o.Sealer, now: o.Now, log: o.Log}}
	schemas := huma.NewMapRegistry("#/components/schemas/", schemaName)
	config := huma.Config{
		OpenAPI: &huma.OpenAPI{OpenAPI: "3.1.0", Info: info(o.Version), Tags: tags(), Components: &huma.Components{
			Schemas: schemas, SecuritySchemes: securitySchemes()}},
		Formats:                      map[string]huma.Format{"application/json": jsonFormat(), "json": jsonFormat()},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{transformProblem(schemas), nonNull},
	}
	if o.PublicURL != "" {
		config.Servers = []*huma.Server{{URL: strings.TrimSuffix(o.PublicURL, "/")}}
	}
	rt.api = humago.New(rt.mux, config)
	return rt
}

// document returns the OpenAPI document of all operations.
func (rt *router) document() ([]byte, error) {
	finishDocument(rt.api.OpenAPI())
	b, err := json.MarshalIndent(rt.api.OpenAPI(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("api: the OpenAPI document cannot be written: %w", err)
	}
	return append(b, '\n'), nil
}

// serveDocument shows the OpenAPI document.
func (rt *router) serveDocument(doc []byte) {
	rt.mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = w.Write(doc) // a reader that left needs no report
	})
	rt.mux.HandleFunc("GET /openapi.yaml", func(w http.ResponseWriter, r *http.Request) {
		doc, err := rt.api.OpenAPI().YAML()
		if err != nil {
			writeFailure(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/openapi+yaml")
		_, _ = w.Write(doc)
	})
}

// schema returns the schema of T and enters it under its name.
func schema[T any](r *router) *huma.Schema {
	return r.api.OpenAPI().Components.Schemas.Schema(typeOf[T](), true, "")
}

// guarded adds the check of credentials and scope to an operation.
func (rt *router) guarded(o *huma.Operation) {
	scope, _ := o.Metadata["scope"].(string)
	if scope == "" {
		return
	}
	local := o.Metadata["local"] == true
	o.Middlewares = append(o.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		if local && rt.auth.onMachine(r) {
			next(ctx)
			return
		}
		p, err := rt.auth.who(r)
		if err == nil && !p.can(scope) {
			err = rt.auth.lacks(r, p, scope)
		}
		if err != nil {
			writeFailure(w, r, err)
			return
		}
		ctx = huma.WithValue(ctx, principalKey{}, p)
		next(huma.WithContext(ctx, store.WithActor(ctx.Context(), rt.auth.actor(p, r))))
	})
}

// lacks refuses a caller that may not use an operation, and notes it of their key.
func (a *authenticator) lacks(r *http.Request, p *principal, scope string) *failure {
	f := lacks(p, scope)
	if from, err := a.proxies.origin(r); err == nil && (p.key != nil || p.client != nil) {
		a.refused(from, p.client, p.key, f.code, f.message)
	}
	return f
}

func lacks(p *principal, scope string) *failure {
	if p.keyless {
		return unauthorized(text("api.keyless_only_sends", "without a key messages can be handed over, and nothing else"))
	}
	switch scope {
	case scopePerson:
		return fail(http.StatusForbidden, "forbidden", "", text("api.for_people", "this is for a person who has signed in"),
			text("api.for_people_hint", "sign in with POST /v1/sign-in, or use a key of a person without a list of scopes"))
	case scopeSession:
		return fail(http.StatusForbidden, "forbidden", "", text("api.by_session", "a person changes this in a session, not by a key"),
			text("api.by_session_hint", "sign in with POST /v1/sign-in"))
	}
	switch scope {
	case scopeSubmit:
		scope = ScopeMessagesSend // as keys have it
	case scopeKeys, scopeKeysEdit:
		scope = ScopeClientsWrite
	case scopeTrail:
		scope = ScopeAdmin
	}
	return fail(http.StatusForbidden, "forbidden", "",
		text("api.scope_missing", "this caller lacks the scope {scope}", "scope", scope),
		text("api.scope_missing_hint", "use a key that has it, or ask the administrator"))
}

// maxSmallBody bounds every JSON body that is not a message.
const maxSmallBody = 1 << 20

// register adds an operation with JSON bodies. Errors of the handler are answered
// as problems.
func register[I, O any](rt *router, o huma.Operation, handler func(context.Context, *I) (*O, error)) {
	rt.guarded(&o)
	strict(&o)
	rt.replays.repeatable(&o)
	if o.MaxBodyBytes == 0 {
		o.MaxBodyBytes = maxSmallBody
	}
	huma.Register(rt.api, o, func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		if err != nil {
			f := failureOf(err)
			rt.note(ctx, f)
			return nil, f
		}
		return out, nil
	})
}

// raw adds an operation that reads and writes its bodies itself.
func (rt *router) raw(o huma.Operation, handler func(http.ResponseWriter, *http.Request) error) {
	rt.guarded(&o)
	strict(&o)
	rt.api.OpenAPI().AddOperation(&o)
	rt.api.Adapter().Handle(&o, rt.api.Middlewares().Handler(o.Middlewares.Handler(func(ctx huma.Context) {
		r, w := humago.Unwrap(ctx)
		r = r.WithContext(ctx.Context())
		if err := handler(w, r); err != nil {
			rt.note(ctx.Context(), failureOf(err))
			writeFailure(w, r, err)
		}
	})))
}

// note logs what the administrator should know of: failures of the gateway's own.
func (rt *router) note(ctx context.Context, f *failure) {
	if f.status >= http.StatusInternalServerError {
		logFor(ctx, rt.log).Error("a request of the API failed", "code", f.code, "caller", caller(ctx).name, "err", f.err)
	}
}

func info(version string) *huma.Info {
	return &huma.Info{Title: "postino", Version: version, License: &huma.License{Name: "Apache 2.0", Identifier: "Apache-2.0"},
		Contact: &huma.Contact{Name: "postino", URL: "https://github.com/postino-mail/postino"},
		Description: "Send mail through Microsoft 365, Google Workspace or SMTP. Errors are RFC 9457 problems; their type is a page of this " +
			"server. " +
			"Accept-Language chooses English or Italian. Lists are paged: `after` takes the `next` of the page before."}
}

func tags() []*huma.Tag {
	return []*huma.Tag{
		{Name: "messages", Description: "Hand over messages and see what became of them"},
		{Name: "events", Description: "What happened, as pages, as a stream, and by webhook"},
		{Name: "connections", Description: "The ways out"},
		{Name: "clients", Description: "Programs and devices that submit, and API keys"},
		{Name: "people", Description: "Who signs in, and what they did"},
		{Name: "server", Description: "Health and metrics"},
	}
}

func securitySchemes() map[string]*huma.SecurityScheme {
	return map[string]*huma.SecurityScheme{
		"key": {Type: "http", Scheme: "bearer", Description: "An API key ('postino key add', POST /v1/keys). By the unix socket the user " +
			"of the program decides: root and the server's user need no key; members of the group that the server names may send messages."},
		"client": {Type: "http", Scheme: "basic", Description: "Name and secret of a client: may send, and see its own messages and events."},
	}
}

// schemaName names the schema of a type: its own name, but for the settings of a
// connection, which stand beside view.Connection, and those of providers, which
// are all called Settings.
func schemaName(t reflect.Type, hint string) string {
	if t == typeOf[gateway.Connection]() {
		return "ConnectionSettings"
	}
	for provider, settings := range all.Providers() {
		if t == reflect.TypeOf(settings()).Elem() {
			return providerName(provider) + "Settings"
		}
	}
	return huma.DefaultSchemaNamer(t, hint)
}

// providerName is the name of a provider in the name of a schema.
func providerName(p adapters.Provider) string {
	if p == adapters.SMTP {
		return "SMTP"
	}
	return strings.ToUpper(string(p[:1])) + string(p[1:])
}

// addProviders puts the objects of the providers into the schemas of connections:
// which of them a connection has depends on its provider, which no Go type shows.
func addProviders(schemas huma.Registry) {
	for provider, settings := range all.Providers() {
		object := schemas.Schema(reflect.TypeOf(settings()).Elem(), true, "")
		for _, connection := range []string{"Connection", "ConnectionSettings"} {
			schemas.Map()[connection].Properties[string(provider)] = object
		}
	}
}

// finishDocument sets our problem in place of huma's error in every operation.
func finishDocument(d *huma.OpenAPI) {
	schemas := d.Components.Schemas
	addProviders(schemas)
	problem := schemas.Schema(typeOf[Problem](), true, "Problem")
	for _, item := range d.Paths {
		for _, o := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if o == nil {
				continue
			}
			if schema, ok := o.Metadata["body"].(*huma.Schema); ok { // read raw, so huma knows nothing of it
				o.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
			}
			if o.Responses == nil {
				o.Responses = map[string]*huma.Response{}
			}
			o.Responses["default"] = &huma.Response{Description: "A problem (RFC 9457)",
				Content: map[string]*huma.MediaType{problemType: {Schema: problem}}}
		}
	}
	delete(schemas.Map(), "ErrorModel")
	delete(schemas.Map(), "ErrorDetail")
	describe(d, problem)
}
