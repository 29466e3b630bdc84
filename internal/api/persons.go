package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/people"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
)

const peopleTag = "people"

type (
	// PersonPath is the person that a path names.
	PersonPath struct {
		ID string `path:"id" maxLength:"320" doc:"Id or address of the person"`
	}
	personCreate struct {
		Body struct {
			Email    string `json:"email" minLength:"3" maxLength:"320" example:"anna@example.com"`
			Name     string `json:"name,omitempty" maxLength:"200"`
			Language string `json:"language,omitempty" enum:"en,it"`
			Role     string `json:"role" enum:"admin,operator"`
			Invite   *bool  `json:"invite,omitempty" doc:"Make a link by which they choose a password; absent means true"`
		}
	}
	personPatch struct {
		PersonPath
		Body struct {
			Revision int64   `json:"revision,omitempty" doc:"As it was read; absent: whatever it is"`
			Email    *string `json:"email,omitempty" minLength:"3" maxLength:"320"`
			Name     *string `json:"name,omitempty" maxLength:"200"`
			Language *string `json:"language,omitempty" enum:"en,it"`
			Role     *string `json:"role,omitempty" enum:"admin,operator"`
			Disabled *bool   `json:"disabled,omitempty"`
			Unlink   bool    `json:"unlink,omitempty" doc:"Unlink their account at the identity provider; ends their sessions"`

			RemoveFilter string `json:"remove_filter,omitempty" maxLength:"400" doc:"Name of a search that they share with everyone"`
		}
	}
)

// A personService shows and edits people.
type personService struct {
	people      *people.Service
	store       store.People
	connections connectionFinder
	publicURL   string
	now         func() time.Time
}

func (s *personService) routes(rt *router) {
	register(rt, op("list-people", http.MethodGet, "/v1/people", peopleTag, ScopeAdmin, "List people", "By address."), s.listPeople)
	create := op("create-person", http.MethodPost, "/v1/people", peopleTag, ScopeAdmin, "Add a person",
		"The answer has a link by which they choose a password, good once and for a day; it is shown this once.")
	create.DefaultStatus = http.StatusCreated
	register(rt, create, s.createPerson)
	register(rt, op("get-person", http.MethodGet, "/v1/people/{id}", peopleTag, ScopeAdmin, "Get a person", ""), s.getPerson)
	register(rt, op("patch-person", http.MethodPatch, "/v1/people/{id}", peopleTag, ScopeAdmin, "Change a person",
		"Disabling ends their sessions at once, and their API keys are refused. The last active administrator cannot be disabled or demoted."),
		s.patchPerson)
	register(rt, op("delete-person", http.MethodDelete, "/v1/people/{id}", peopleTag, ScopeAdmin, "Remove a person",
		"With sessions and API keys. Their connections stay, and are the administrators'."), s.deletePerson)
	register(rt, op("invite-person", http.MethodPost, "/v1/people/{id}/invite", peopleTag, ScopeAdmin, "Make a link to choose a password",
		"For who is new or has forgotten it; good once and for a day. Links made before are void."), s.invite)
	register(rt, op("delete-person-passkey", http.MethodDelete, "/v1/people/{id}/passkeys/{passkey}", peopleTag, ScopeAdmin,
		"Remove a person's passkey", "For a device that was lost; ends their sessions. The last one of who has no password stays: "+
			"disable the person, or invite them first."), s.removePasskey)
	register(rt, op("list-person-sessions", http.MethodGet, "/v1/people/{id}/sessions", peopleTag, ScopeAdmin, "List a person's sessions", ""),
		s.listSessions)
	register(rt, op("end-person-sessions", http.MethodDelete, "/v1/people/{id}/sessions", peopleTag, ScopeAdmin, "End a person's sessions",
		"All of them, at once."), s.endSessions)
}

// A PersonList is all people.
type PersonList struct {
	Items []view.Person `json:"items"`
}

// A Link is an invitation that was just made.
type Link struct {
	Token     string    `json:"token" doc:"Shown once"`
	URL       string    `json:"url" doc:"The page that takes it; without a public URL its path alone"`
	ExpiresAt time.Time `json:"expires_at"`
}

// A NewPerson is a person with the link for them.
type NewPerson struct {
	view.Person
	Invitation *Link `json:"invitation,omitempty"`
}

// find returns a person by id or address.
func (s *personService) find(ctx context.Context, name string) (*store.Person, error) {
	p, err := s.store.Person(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		p, err = s.store.PersonByEmail(ctx, name)
	}
	return p, err
}

func (s *personService) listPeople(ctx context.Context, _ *struct{}) (*bodyOf[PersonList], error) {
	all, err := s.store.People(ctx)
	if err != nil {
		return nil, err
	}
	out := PersonList{Items: []view.Person{}}
	for i := range all {
		out.Items = append(out.Items, view.OfPerson(&all[i]))
	}
	return &bodyOf[PersonList]{out}, nil
}

func (s *personService) getPerson(ctx context.Context, in *PersonPath) (*bodyOf[view.Person], error) {
	p, err := s.find(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &bodyOf[view.Person]{view.OfPerson(p)}, nil
}

func (s *personService) createPerson(ctx context.Context, in *personCreate) (*bodyOf[NewPerson], error) {
	b := &in.Body
	p, err := s.people.Add(ctx, store.Person{Email: b.Email, Name: b.Name, Language: b.Language, Role: store.Role(b.Role)}, "")
	if err != nil {
		return nil, personError(err)
	}
	out := NewPerson{Person: view.OfPerson(p)}
	if b.Invite == nil || *b.Invite {
		if out.Invitation, err = s.link(ctx, p.ID); err != nil {
			return nil, err
		}
	}
	return &bodyOf[NewPerson]{out}, nil
}

func (s *personService) link(ctx context.Context, person string) (*Link, error) {
	i, err := s.people.Invite(ctx, person)
	if err != nil {
		return nil, err
	}
	return &Link{Token: i.Token.Reveal(), URL: i.URL(s.publicURL), ExpiresAt: i.ExpiresAt}, nil
}

func (s *personService) patchPerson(ctx context.Context, in *personPatch) (*bodyOf[view.Person], error) {
	found, err := s.find(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	b := &in.Body
	p, err := s.people.Change(ctx, found.ID, func(p *store.Person) error {
		if b.Revision != 0 && b.Revision != p.Revision {
			return store.ErrConflict
		}
		set(&p.Email, b.Email)
		set(&p.Name, b.Name)
		set(&p.Language, b.Language)
		set(&p.Role, (*store.Role)(b.Role))
		set(&p.Disabled, b.Disabled)
		if b.Unlink {
			p.Account = store.Account{}
		}
		if b.RemoveFilter != "" {
			return people.RemoveSharedFilter(p, b.RemoveFilter)
		}
		return nil
	})
	if err != nil {
		return nil, personError(err)
	}
	return &bodyOf[view.Person]{view.OfPerson(p)}, nil
}

// set takes over what a patch gives.
func set[T any](field *T, given *T) {
	if given != nil {
		*field = *given
	}
}

func (s *personService) deletePerson(ctx context.Context, in *PersonPath) (*noBody, error) {
	p, err := s.find(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := s.people.Remove(ctx, p.ID); err != nil {
		return nil, personError(err)
	}
	return &noBody{}, nil
}

func (s *personService) invite(ctx context.Context, in *PersonPath) (*bodyOf[Link], error) {
	p, err := s.find(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if p.Disabled {
		return nil, fail(http.StatusConflict, "wrong_state", "", text("api.person_disabled", "this person is disabled"),
			text("api.person_disabled_hint", "enable them first"))
	}
	l, err := s.link(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	return &bodyOf[Link]{*l}, nil
}

// A SessionList is the sessions of a person, the newest first.
type SessionList struct {
	Items []view.Session `json:"items"`
}

func (s *personService) listSessions(ctx context.Context, in *PersonPath) (*bodyOf[SessionList], error) {
	p, err := s.find(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return sessionsOf(ctx, s.people, p.ID)
}

func sessionsOf(ctx context.Context, ps *people.Service, person string) (*bodyOf[SessionList], error) {
	all, err := ps.Sessions(ctx, person)
	if err != nil {
		return nil, err
	}
	out := SessionList{Items: []view.Session{}}
	own := caller(ctx).session
	for i := range all {
		v := view.OfSession(&all[i])
		v.Current = own != nil && own.ID == v.ID
		out.Items = append(out.Items, v)
	}
	return &bodyOf[SessionList]{out}, nil
}

func (s *personService) endSessions(ctx context.Context, in *PersonPath) (*noBody, error) {
	p, err := s.find(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &noBody{}, s.people.EndAll(ctx, p.ID, "")
}

// personError reports what is wrong with a person.
func personError(err error) error {
	var e *people.FieldError
	switch {
	case errors.As(err, &e):
		return fail(http.StatusUnprocessableEntity, "invalid_request", e.Field, passOn(e), adapters.Text{})
	case errors.Is(err, store.ErrLastAdmin):
		return fail(http.StatusConflict, "last_admin", "", text("api.last_admin", "this is the last active administrator"),
			text("api.last_admin_hint", "make another person an administrator first"))
	case errors.Is(err, store.ErrExists):
		return fail(http.StatusConflict, "name_taken", "email", text("api.email_taken", "another person has this address"), adapters.Text{})
	case externalError(err) != nil:
		return externalError(err)
	case passkeyError(err) != nil:
		return passkeyError(err)
	case errors.Is(err, people.ErrEnded):
		return fail(http.StatusGone, "link_ended", "", text("api.link_ended", "this link has ended or was used already"),
			text("api.link_ended_hint", "ask an administrator for a new one"))
	}
	return err
}

// languageOf is the first language of a person who did not choose one.
func languageOf(chosen, header string) string {
	if chosen != "" {
		return chosen
	}
	return strings.ToLower(language(header))
}
