package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/people"
	"github.com/postino-mail/postino/internal/search"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
)

// A signInService begins and ends sessions, and shows people themselves.
type signInService struct {
	people *people.Service
	auth   *authenticator
	now    func() time.Time
}

type (
	signInInput struct {
		Body struct {
			Email    string `json:"email" minLength:"1" maxLength:"320"`
			Password string `json:"password" minLength:"1" maxLength:"200"`
		}
	}
	acceptInput struct {
		Language string `header:"Accept-Language"`
		Body     struct {
			Token    string `json:"token" minLength:"1" maxLength:"200" doc:"Of the link"`
			Email    string `json:"email,omitempty" maxLength:"320" doc:"Of the first administrator; others have one"`
			Name     string `json:"name,omitempty" maxLength:"200"`
			Language string `json:"language,omitempty" enum:"en,it"`
			Password string `json:"password,omitempty" maxLength:"200" doc:"12 characters at least; one of password and passkey is needed"`

			Passkey     json.RawMessage `json:"passkey,omitempty" doc:"The browser's answer to begin-invited-passkey"`
			PasskeyName string          `json:"passkey_name,omitempty" maxLength:"100"`
		}
	}
	meInput struct {
		Filters bool `query:"filters" default:"true" doc:"False: without searches and links"`
	}
	mePatch struct {
		Body struct {
			Name     *string `json:"name,omitempty" maxLength:"200"`
			Language *string `json:"language,omitempty" enum:"en,it"`
			Unlink   bool    `json:"unlink,omitempty" doc:"Unlink my account at the identity provider"`

			SaveFilter   *view.Filter `json:"save_filter,omitempty" doc:"Keep a search of messages, in place of one with its name"`
			RemoveFilter string       `json:"remove_filter,omitempty" maxLength:"100" doc:"Name of a search of mine"`
		}
	}
	passwordInput struct {
		Body struct {
			Present string `json:"present,omitempty" maxLength:"200" doc:"The present password"`
			New     string `json:"new" minLength:"1" maxLength:"200" doc:"12 characters at least"`
		}
	}
	sessionPath struct {
		ID string `path:"id" maxLength:"100"`
	}
	withCookie[T any] struct {
		SetCookie http.Cookie `header:"Set-Cookie"`
		Body      T
	}
	cookieOnly struct {
		SetCookie http.Cookie `header:"Set-Cookie"`
	}
)

type requestKey struct{}

// byBrowser lets the handler see the request, and refuses what a page of another
// site has a browser send: no one is signed in as someone else unawares.
func (s *signInService) byBrowser(o huma.Operation) huma.Operation {
	o.Middlewares = append(o.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		if err := s.auth.sameOrigin(r); err != nil {
			writeFailure(w, r, err)
			return
		}
		next(huma.WithValue(ctx, requestKey{}, r))
	})
	return o
}

func requestOf(ctx context.Context) *http.Request {
	r, _ := ctx.Value(requestKey{}).(*http.Request) // byBrowser puts it there
	return r
}

func (s *signInService) routes(rt *router) {
	register(rt, s.byBrowser(op("sign-in", http.MethodPost, "/v1/sign-in", peopleTag, "", "Sign in",
		"Answers with the cookie of a session: it ends after twelve hours without use, and after a week.")), s.signIn)
	s.invitationRoutes(rt)
	register(rt, s.byBrowser(op("accept-invitation", http.MethodPost, "/v1/invitations/accept", peopleTag, "", "Use an invitation",
		"Chooses a password or a passkey by a link, and signs in. With the link of the first start it makes the first administrator.")), s.accept)
	s.passkeyRoutes(rt)
	s.externalRoutes(rt)
	register(rt, s.byBrowser(op("sign-out", http.MethodPost, "/v1/sign-out", peopleTag, scopePerson, "Sign out",
		"Ends the session that asks.")), s.signOut)
	register(rt, op("get-me", http.MethodGet, "/v1/me", peopleTag, scopePerson, "Who am I?",
		"The person who signed in, or the person of the key, with the searches that they keep and those that are shared with them."), s.me)
	register(rt, s.byBrowser(op("patch-me", http.MethodPatch, "/v1/me", peopleTag, scopeSession, "Change my name, language or saved searches",
		"Unlinking ends all my sessions; the answer has the cookie of a new one.")), s.patchMe)
	register(rt, s.byBrowser(op("change-my-password", http.MethodPut, "/v1/me/password", peopleTag, scopeSession, "Change my password",
		"Ends all my sessions; the answer has the cookie of a new one.")), s.changePassword)
	register(rt, op("list-my-sessions", http.MethodGet, "/v1/me/sessions", peopleTag, scopePerson, "List my sessions", ""),
		func(ctx context.Context, _ *struct{}) (*bodyOf[SessionList], error) {
			return sessionsOf(ctx, s.people, caller(ctx).person.ID)
		})
	register(rt, op("end-my-session", http.MethodDelete, "/v1/me/sessions/{id}", peopleTag, scopeSession, "End a session of mine", ""),
		func(ctx context.Context, in *sessionPath) (*noBody, error) {
			return &noBody{}, s.people.End(ctx, caller(ctx).person.ID, in.ID)
		})
}

// from is where the request comes from, and whom wrong passwords are counted
// against.
func (s *signInService) from(r *http.Request) (people.From, string, error) {
	o, err := s.auth.proxies.origin(r)
	if err != nil {
		return people.From{}, "", err
	}
	from := people.From{Program: r.UserAgent()}
	if byPage(r) {
		from.Via = store.ViaPage
	}
	if o.peer == nil {
		from.Address = o.addr.String()
	}
	return from, o.limitKey(), nil
}

// guessed runs a check that someone could try again and again, and counts what is
// refused against the address, and against the account more slowly: a person
// cannot be shut out by one who does not know the password, and not guessed from
// everywhere.
func (s *signInService) guessed(ctx context.Context, account string, check func(people.From) (*people.SignedIn, error)) (*people.SignedIn,
	error) {
	from, key, err := s.from(requestOf(ctx))
	if err != nil {
		return nil, err
	}
	// The address first: what it may not try is not charged to the account.
	end, err := s.auth.limiter.begin(ctx, key)
	if err != nil {
		return nil, err
	}
	wrong, refused := false, false
	defer func() { end(wrong) }()
	if account != "" {
		end, err := s.auth.accounts.begin(ctx, account)
		if err != nil {
			return nil, err
		}
		defer func() { end(refused) }()
	}
	in, err := check(from)
	refused = errors.Is(err, people.ErrRefused)
	wrong = refused || errors.Is(err, people.ErrEnded) || errors.Is(err, people.ErrPasskeyRefused)
	if refused {
		f := unauthorized(text("api.sign_in_refused", "address and password do not fit"))
		f.hint, f.challenge = text("api.sign_in_refused_hint", "try again, or ask an administrator for a link to choose a new password"), false
		return nil, f
	}
	return in, personError(err)
}

func (s *signInService) signIn(ctx context.Context, in *signInInput) (*withCookie[view.Person], error) {
	out, err := s.guessed(ctx, strings.ToLower(in.Body.Email), func(from people.From) (*people.SignedIn, error) {
		return s.people.SignIn(ctx, in.Body.Email, adapters.Secret(in.Body.Password), from)
	})
	if err != nil {
		return nil, err
	}
	return s.signedIn(ctx, out), nil
}

func (s *signInService) signedIn(ctx context.Context, in *people.SignedIn) *withCookie[view.Person] {
	return &withCookie[view.Person]{SetCookie: s.auth.sessionCookie(requestOf(ctx), in), Body: view.OfPerson(in.Person)}
}

func (s *signInService) accept(ctx context.Context, in *acceptInput) (*withCookie[view.Person], error) {
	b := &in.Body
	out, err := s.guessed(ctx, "", func(from people.From) (*people.SignedIn, error) {
		token := adapters.Secret(b.Token)
		p, err := s.people.Invited(ctx, token)
		if err != nil {
			return nil, err
		}
		a := people.Accepted{Email: b.Email, Name: b.Name, Language: b.Language, Password: adapters.Secret(b.Password),
			Passkey: b.Passkey, PasskeyName: b.PasskeyName}
		if p.Language == "" {
			a.Language = languageOf(b.Language, in.Language)
		}
		return s.people.Accept(ctx, token, a, from)
	})
	if err != nil {
		return nil, err
	}
	return s.signedIn(ctx, out), nil
}

func (s *signInService) signOut(ctx context.Context, _ *struct{}) (*cookieOnly, error) {
	p := caller(ctx)
	if p.session != nil {
		if err := s.people.End(ctx, p.person.ID, p.session.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
	}
	return &cookieOnly{s.auth.sessionCookie(requestOf(ctx), nil)}, nil
}

func (s *signInService) me(ctx context.Context, in *meInput) (*bodyOf[view.Me], error) {
	p := caller(ctx).person
	if !in.Filters {
		return &bodyOf[view.Me]{view.Me{Person: view.OfPerson(p)}}, nil
	}
	shared, err := s.people.SharedFilters(ctx)
	if err != nil {
		return nil, err
	}
	out := view.Me{Person: view.OfPerson(p)}
	for _, f := range p.Filters {
		out.Filters = append(out.Filters, view.OfFilter(f))
	}
	for _, f := range shared {
		if f.Person != p.ID {
			out.SharedFilters = append(out.SharedFilters, view.SharedFilter{Filter: view.OfFilter(f.SavedFilter), By: f.By, Person: f.Person})
		}
	}
	links, err := s.people.ScriptLinks(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	for i := range links {
		out.ScriptLinks = append(out.ScriptLinks, view.OfScriptLink(&links[i]))
	}
	return &bodyOf[view.Me]{out}, nil
}

// editFilters is what patch-me does to the searches of a person.
func (s *signInService) editFilters(p *store.Person, in *mePatch) error {
	if name := in.Body.RemoveFilter; name != "" {
		if err := people.RemoveFilter(p, name); err != nil {
			return err
		}
	}
	f := in.Body.SaveFilter
	if f == nil {
		return nil
	}
	if f.Shared && p.Role != store.RoleAdmin {
		return fail(http.StatusForbidden, "not_allowed", "save_filter.shared",
			text("api.share_filter", "an administrator alone shares a search with everyone"), adapters.Text{})
	}
	if _, err := search.Parse(f.Query, search.Options{Now: s.now(), Zone: time.UTC}); err != nil {
		bad := failureOf(badSearch(err))
		bad.field = "save_filter.q"
		return bad
	}
	err := people.SaveFilter(p, store.SavedFilter{Name: strings.TrimSpace(f.Name), Query: f.Query, Shared: f.Shared})
	var wrong *people.FieldError
	if errors.As(err, &wrong) {
		return invalid("save_filter."+wrong.Field, passOn(wrong))
	}
	return err
}

func (s *signInService) patchMe(ctx context.Context, in *mePatch) (*withCookies[view.Person], error) {
	p, err := s.people.Change(ctx, caller(ctx).person.ID, func(p *store.Person) error {
		set(&p.Name, in.Body.Name)
		set(&p.Language, in.Body.Language)
		if err := s.editFilters(p, in); err != nil {
			return err
		}
		if in.Body.Unlink {
			return people.Unlink(p)
		}
		return nil
	})
	if err != nil {
		return nil, personError(err)
	}
	out := &withCookies[view.Person]{Body: view.OfPerson(p)}
	if in.Body.Unlink {
		from, _, err := s.from(requestOf(ctx))
		if err != nil {
			return nil, err
		}
		next, err := s.people.Begin(ctx, p, from)
		if err != nil {
			return nil, err
		}
		out.SetCookie = []http.Cookie{s.auth.sessionCookie(requestOf(ctx), next)}
	}
	return out, nil
}

func (s *signInService) changePassword(ctx context.Context, in *passwordInput) (*withCookie[view.Person], error) {
	p := caller(ctx)
	out, err := s.guessed(ctx, strings.ToLower(p.person.Email), func(from people.From) (*people.SignedIn, error) {
		changed, err := s.people.ChangePassword(ctx, proof(ctx, in.Body.Present), adapters.Secret(in.Body.New))
		if err != nil {
			return nil, err
		}
		return s.people.Begin(ctx, changed, from)
	})
	if err != nil {
		return nil, err
	}
	return s.signedIn(ctx, out), nil
}
