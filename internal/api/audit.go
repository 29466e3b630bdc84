package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
)

// An auditService shows the audit trail.
type auditService struct {
	store interface {
		store.Audit
		store.People
	}
	log *slog.Logger
}

func (s *auditService) routes(rt *router) {
	register(rt, op("list-audit", http.MethodGet, "/v1/audit", peopleTag, scopeTrail, "List the audit trail",
		"Who changed what, when and from where, the newest first. A secret is never in it. An operator sees what they did, and what others "+
			"did with what is theirs."), s.list)
	export := op("export-audit", http.MethodGet, "/v1/audit/export", peopleTag, scopeTrail, "Export the audit trail",
		"All that the filter chooses, the newest first. The export is entered in the trail. A file that ends early says so in its last row.")
	for _, p := range []struct{ name, what string }{{"since", "At or after, RFC 3339"}, {"before", "RFC 3339"}, {"person", "Id or address"},
		{"actor", "Id"}, {"kind", "As in list-audit"}, {"object", "Id"}} {
		export.Parameters = append(export.Parameters, &huma.Param{Name: p.name, In: "query", Description: p.what,
			Schema: &huma.Schema{Type: huma.TypeString}})
	}
	export.Parameters, export.Responses = append(export.Parameters, exportParams()...), exportResponses()
	rt.raw(export, s.export)
}

type auditInput struct {
	Since  time.Time `query:"since" doc:"At or after"`
	Before time.Time `query:"before"`
	Person string    `query:"person" maxLength:"320" doc:"Id or address: what they did, also by their keys"`
	Actor  string    `query:"actor" maxLength:"200" doc:"Id of the person, key, client or user"`
	Kind   string    `query:"kind" enum:"connection,client,key,person,session,invitation,webhook,queue,lane,setting,audit"`
	Object string    `query:"object" maxLength:"1000" doc:"Id of what was changed"`
	After  int64     `query:"after" minimum:"0" doc:"next of the page before"`
	Limit  int       `query:"limit" minimum:"1" maximum:"1000" default:"50"`
}

// An AuditPage is one page of the audit trail.
type AuditPage struct {
	Items []view.AuditEntry `json:"items"`
	Next  int64             `json:"next,omitempty" doc:"Give it as after; absent on the last page"`
}

// request is what a filter asks of the store.
func (s *auditService) request(ctx context.Context, in *auditInput) (store.AuditRequest, error) {
	r := store.AuditRequest{After: in.After, Limit: in.Limit, AuditFilter: store.AuditFilter{Since: in.Since, Before: in.Before,
		Person: in.Person, Actor: in.Actor, Kind: in.Kind, Object: in.Object}}
	if in.Person != "" {
		p, err := s.store.PersonByEmail(ctx, in.Person)
		switch {
		case err == nil:
			r.Person = p.ID
		case !errors.Is(err, store.ErrNotFound): // one that was removed is named by id
			return r, err
		}
	}
	return r, nil
}

func (s *auditService) list(ctx context.Context, in *auditInput) (*bodyOf[AuditPage], error) {
	r, err := s.request(ctx, in)
	if err != nil {
		return nil, err
	}
	page, err := s.store.AuditEntries(ctx, r)
	if err != nil {
		return nil, err
	}
	out := AuditPage{Items: []view.AuditEntry{}, Next: page.Next}
	for i := range page.Entries {
		out.Items = append(out.Items, view.OfAuditEntry(&page.Entries[i]))
	}
	return &bodyOf[AuditPage]{out}, nil
}
