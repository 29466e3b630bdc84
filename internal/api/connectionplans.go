package api

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postino-mail/postino/internal/connections"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/table"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/internal/transfer"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

type (
	// ReadingOptions say what becomes of the sealed secrets of what is given.
	ReadingOptions struct {
		Identity string `json:"identity,omitempty" maxLength:"10000" doc:"Private key of age that opens sealed secrets; it is not kept"`

		WithoutSecrets bool `json:"without_secrets,omitempty" doc:"Sealed secrets are left out: what is stored stays"`
	}
	// ConnectionDocuments are whole connections, as an export has them.
	ConnectionDocuments struct {
		ReadingOptions
		Connections []map[string]any `json:"connections" maxItems:"20000" doc:"As ConnectionSettings; sealed: as an export has it"`

		Prune bool `json:"prune,omitempty" doc:"Remove the connections that are not named"`
	}
	// ApplyRequest is what POST /v1/connections/apply takes.
	ApplyRequest struct {
		ConnectionDocuments
		Plan string `json:"plan,omitempty" maxLength:"64" doc:"The plan that was seen: with another one nothing is done (409)"`
	}
	// ImportRequest is what POST /v1/connections/import takes.
	ImportRequest struct {
		ReadingOptions
		Content string `json:"content" minLength:"1" doc:"The file: JSON, TOML or CSV with a row for each connection"`
		Format  string `json:"format,omitempty" enum:"json,toml,csv" doc:"Absent: by the content"`
		DryRun  bool   `json:"dry_run,omitempty" doc:"Only answer the plan"`
	}
	// ConnectionPlan is what has to be done, and what was.
	ConnectionPlan struct {
		Plan     string          `json:"plan" doc:"Names this plan, for apply"`
		Steps    []view.PlanStep `json:"steps"`
		Applied  bool            `json:"applied" doc:"All of it was done; false: nothing"`
		UnderWay int             `json:"under_way,omitempty" doc:"Deliveries that still go out by the settings of before"`
	}
)

// planRoutes are the operations on many connections at once.
func (s *connectionService) planRoutes(rt *router) {
	const about = " All is done in one transaction, or nothing. An operator sees and changes their own connections alone. " +
		"Bodies of up to 1 MiB; 'postino connection import' takes more."
	export := op("export-connections", http.MethodGet, "/v1/connections/export", connectionsTag, ScopeConnectionsRead, "Export connections",
		"In the form that import and apply take. Secrets are left out, or, for the scope admin, sealed to public keys of age.")
	export.Parameters = []*huma.Param{
		{Name: "format", In: "query", Schema: &huma.Schema{Type: "string", Enum: []any{transfer.JSON, transfer.CSV}, Default: transfer.JSON}},
		{Name: "separator", In: "query", Schema: &huma.Schema{Type: "string", Enum: []any{",", ";", "\t", "|"}, Default: ","},
			Description: "Of CSV"},
		{Name: "recipient", In: "query", Schema: &huma.Schema{Type: "array", Items: &huma.Schema{Type: "string"}},
			Description: "Public key of age (age1…) for which secrets are sealed; may be repeated"},
	}
	export.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
		"application/json": {Schema: &huma.Schema{Type: "array", Items: rt.connectionSchema()}},
		"text/csv":         {Schema: &huma.Schema{Type: "string"}}}}}
	rt.raw(export, s.exportConnections)
	register(rt, op("plan-connections", http.MethodPost, "/v1/connections/plan", connectionsTag, ScopeConnectionsWrite,
		"What would apply do?", "Compares connections with those that are stored, and changes nothing."+about), s.planConnections)
	register(rt, op("apply-connections", http.MethodPost, "/v1/connections/apply", connectionsTag, ScopeConnectionsWrite,
		"Make the connections as a list says", "What is named is created or replaced, found by name; secrets that are left out stay."+about),
		s.applyConnections)
	register(rt, op("import-connections", http.MethodPost, "/v1/connections/import", connectionsTag, ScopeConnectionsWrite,
		"Add and change connections from a file", "Nothing is removed. Of CSV, settings without a column stay."+about), s.importConnections)
}

func (s *connectionService) exportConnections(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	e := transfer.Export{Format: q.Get("format"), Separator: q.Get("separator")}
	if e.Format != "" && e.Format != transfer.JSON && e.Format != transfer.CSV {
		return invalid("query.format", text("api.export_format", "the format is json or csv"))
	}
	if e.Separator != "" && !table.IsSeparator(e.Separator) {
		return invalid("query.separator", text("api.export_separator", "the separator is one of , ; | and a tab"))
	}
	var err error
	if len(q["recipient"]) > 0 {
		if !caller(r.Context()).admin() {
			return fail(http.StatusForbidden, "forbidden", "query.recipient",
				text("api.export_secrets", "secrets are exported by an administrator alone, sealed"),
				text("api.ask_administrator", "ask the administrator"))
		}
		if e.To, err = transfer.Recipients(q["recipient"]); err != nil {
			return planFailure(err)
		}
	}
	all, err := s.store.Connections(r.Context())
	if err != nil {
		return err
	}
	if e.People, err = s.addresses(r.Context()); err != nil {
		return err
	}
	var body bytes.Buffer
	if err := e.Write(&body, all); err != nil {
		return planFailure(err)
	}
	// The export is done once it is entered: who takes all settings leaves a trace.
	if err := s.store.AppendAudit(r.Context(), e.Entry(len(all))); err != nil {
		return err
	}
	name, kind := "connections.json", "application/json"
	if e.Format == transfer.CSV {
		name, kind = "connections.csv", "text/csv; charset=utf-8"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(body.Bytes()) // a reader that left needs no report
	return nil
}

// addresses are those of the people whom the caller may see, by id.
func (s *connectionService) addresses(ctx context.Context) (map[string]string, error) {
	if p := caller(ctx); p.owner() != "" {
		return map[string]string{p.person.ID: p.person.Email}, nil
	}
	all, err := s.store.People(ctx)
	return connections.AddressesOf(all), err
}

type planInput struct{ Body ConnectionDocuments }

func (s *connectionService) planConnections(ctx context.Context, in *planInput) (*bodyOf[ConnectionPlan], error) {
	docs, err := in.Body.documents()
	if err != nil {
		return nil, err
	}
	_, out, err := s.plan(ctx, docs, in.Body.Prune)
	return &bodyOf[ConnectionPlan]{out}, err
}

// documents opens what is sealed.
func (d *ConnectionDocuments) documents() ([]connections.Document, error) {
	o, err := d.options()
	if err != nil {
		return nil, err
	}
	docs, err := o.Documents(d.Connections)
	return docs, planFailure(err)
}

func (o *ReadingOptions) options() (out transfer.Options, err error) {
	out.WithoutSecrets = o.WithoutSecrets
	if o.Identity != "" {
		if out.Identities, err = transfer.Identities([]byte(o.Identity)); err != nil {
			return out, planFailure(err)
		}
	}
	return out, nil
}

// plan compares documents with what the caller may see of what is stored, and
// refuses what they may not do.
func (s *connectionService) plan(ctx context.Context, docs []connections.Document, prune bool) ([]connections.Step, ConnectionPlan, error) {
	out := ConnectionPlan{Steps: []view.PlanStep{}}
	all, err := s.store.Connections(ctx)
	if err != nil {
		return nil, out, err
	}
	p := caller(ctx)
	planner := connections.Planner{Stored: all, Admin: p.admin(), Prune: prune}
	if planner.People, err = s.addresses(ctx); err != nil {
		return nil, out, err
	}
	steps, err := planner.Plan(docs)
	if err != nil {
		return nil, out, planFailure(err)
	}
	for _, step := range steps {
		if step.Next != nil {
			if err := s.confine(p, step.Next, step.Old); err != nil {
				return nil, out, err
			}
			if step.Next.IsActive() {
				if err := s.noLoop(ctx, step.Next); err != nil {
					return nil, out, err
				}
			}
		}
		out.Steps = append(out.Steps, view.PlanStep{Action: step.Action, Name: step.Name, Fields: step.Fields})
	}
	out.Plan, err = connections.Fingerprint(steps)
	return steps, out, err
}

type applyInput struct{ Body ApplyRequest }

func (s *connectionService) applyConnections(ctx context.Context, in *applyInput) (*bodyOf[ConnectionPlan], error) {
	docs, err := in.Body.documents()
	if err != nil {
		return nil, err
	}
	steps, out, err := s.plan(ctx, docs, in.Body.Prune)
	if err != nil {
		return nil, err
	}
	if in.Body.Plan != "" && in.Body.Plan != out.Plan {
		return nil, fail(http.StatusConflict, "plan_changed", "plan",
			text("api.plan_changed", "this is not the plan any more: a connection was changed since it was made, or the request"),
			text("api.plan_changed_hint", "ask for the plan again, look at it, and apply that one"))
	}
	return s.apply(ctx, steps, out)
}

func (s *connectionService) apply(ctx context.Context, steps []connections.Step, out ConnectionPlan) (*bodyOf[ConnectionPlan], error) {
	var err error
	if _, out.UnderWay, err = s.service().Apply(ctx, steps); err != nil {
		return nil, planFailure(err)
	}
	out.Applied = true
	return &bodyOf[ConnectionPlan]{out}, nil
}

type importInput struct{ Body ImportRequest }

func (s *connectionService) importConnections(ctx context.Context, in *importInput) (*bodyOf[ConnectionPlan], error) {
	o, err := in.Body.options()
	if err != nil {
		return nil, err
	}
	docs, err := o.Read(strings.NewReader(in.Body.Content), in.Body.Format)
	if err != nil {
		return nil, planFailure(err)
	}
	steps, out, err := s.plan(ctx, docs, false)
	if err != nil {
		return nil, err
	}
	if in.Body.DryRun {
		return &bodyOf[ConnectionPlan]{out}, nil
	}
	return s.apply(ctx, steps, out)
}

// planFailure reports what keeps a plan from being made or done.
func planFailure(err error) error {
	var plan *connections.PlanError
	var edit *store.EditError
	var trust *registry.TrustError
	var told *texterr.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &trust) && errors.Is(trust, registry.ErrAdminOnly):
		return untrusted(trust)
	case errors.As(err, &plan):
		f := fail(http.StatusUnprocessableEntity, "invalid_connections", "connections", passOn(planLines{plan}),
			text("api.invalid_connection_hint", "correct these fields; /openapi.json describes them"))
		for _, one := range plan.Errs {
			f.faults = append(f.faults, fault{"connections", passOn(localised{one})})
		}
		return f
	case errors.As(err, &edit):
		f := failureOf(moveFailure(edit.Err))
		f.message, f.field = passOn(edit), ""
		return f
	case errors.As(err, &told) && !errors.Is(err, store.ErrUnavailable):
		return fail(http.StatusUnprocessableEntity, "invalid_connections", "", passOn(localised{err}), mime.Text{})
	}
	return err
}

// planLines is a list of faults in one line.
type planLines struct{ *connections.PlanError }

func (l planLines) In(lang string) string {
	return strings.ReplaceAll(l.PlanError.In(lang), "\n", "; ")
}

// localised is an error in a language.
type localised struct{ error }

func (l localised) In(lang string) string {
	return strings.ReplaceAll(texterr.In(l.error, lang), "\n", "; ")
}
