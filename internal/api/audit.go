package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
)

// An auditService shows the audit trail.
type auditService struct {
	store interface {
		store.Audit
		store.People
	}
}

func (s *auditService) routes(rt *router) {
	register(rt, op("list-audit", http.MethodGet, "/v1/audit", peopleTag, ScopeAdmin, "List the audit trail",
		"Who changed what, when and from where, the newest first. A secret is never in it."), s.list)
}

type auditInput struct {
	Since  time.Time `query:"since" doc:"At or after"`
	Before time.Time `query:"before"`
	Person string    `query:"person" maxLength:"320" doc:"Id or address: what they did, also by their keys"`
	Actor  string    `query:"actor" maxLength:"200" doc:"Id of the person, key, client or user"`
	Kind   string    `query:"kind" enum:"connection,client,key,person,session,invitation,webhook,queue,lane,setting"`
	Object string    `query:"object" maxLength:"1000" doc:"Id of what was changed"`
	After  int64     `query:"after" minimum:"0" doc:"next of the page before"`
	Limit  int       `query:"limit" minimum:"1" maximum:"1000" default:"50"`
}

// An AuditPage is one page of the audit trail.
type AuditPage struct {
	Items []view.AuditEntry `json:"items"`
	Next  int64             `json:"next,omitempty" doc:"Give it as after; absent on the last page"`
}

func (s *auditService) list(ctx context.Context, in *auditInput) (*bodyOf[AuditPage], error) {
	r := store.AuditRequest{After: in.After, Limit: in.Limit, AuditFilter: store.AuditFilter{Since: in.Since, Before: in.Before,
		Person: in.Person, Actor: in.Actor, Kind: in.Kind, Object: in.Object}}
	if in.Person != "" {
		p, err := s.store.PersonByEmail(ctx, in.Person)
		switch {
		case err == nil:
			r.Person = p.ID
		case !errors.Is(err, store.ErrNotFound): // one that was removed is named by id
			return nil, err
		}
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
