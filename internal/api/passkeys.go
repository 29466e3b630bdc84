package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/people"
	"github.com/postino-mail/postino/internal/view"
)

type (
	passkeyAnswer struct {
		Body struct {
			Credential json.RawMessage `json:"credential" doc:"toJSON of what navigator.credentials.get returned"`
		}
	}
	invitedPasskeyInput struct {
		Body struct {
			Token string `json:"token" minLength:"1" maxLength:"200" doc:"Of the link"`
			Email string `json:"email,omitempty" maxLength:"320" doc:"Of the first administrator; others have one"`
		}
	}
	beginPasskeyInput struct {
		Body struct {
			Present string `json:"present,omitempty" maxLength:"200" doc:"The present password, where there is one"`
		}
	}
	newPasskeyInput struct {
		Body struct {
			Name       string          `json:"name,omitempty" maxLength:"100" doc:"Such as the device that it is on"`
			Credential json.RawMessage `json:"credential" doc:"toJSON of what navigator.credentials.create returned"`
		}
	}
	// PasskeyPath is the passkey of the caller that a path names.
	PasskeyPath struct {
		ID string `path:"id" maxLength:"1400" doc:"Id of the passkey"`
	}
	passkeyPatch struct {
		PasskeyPath
		Body struct {
			Name string `json:"name" minLength:"1" maxLength:"100"`
		}
	}
)

// A PasskeyRequest is what a browser is asked.
type PasskeyRequest struct {
	Options   json.RawMessage `json:"options" doc:"Its publicKey goes to PublicKeyCredential.parseCreationOptionsFromJSON, or parseRequest..."`
	ExpiresAt time.Time       `json:"expires_at" doc:"The answer is good once, and until then"`
}

func (s *signInService) passkeyRoutes(rt *router) {
	register(rt, s.byBrowser(op("begin-passkey-sign-in", http.MethodPost, "/v1/sign-in/passkey/begin", peopleTag, "",
		"Begin to sign in by passkey", "Answers with what the browser is asked.")), s.beginPasskeySignIn)
	register(rt, s.byBrowser(op("passkey-sign-in", http.MethodPost, "/v1/sign-in/passkey", peopleTag, "", "Sign in by passkey",
		"Takes the browser's answer, and answers as sign-in does.")), s.passkeySignIn)
	register(rt, s.byBrowser(op("begin-invited-passkey", http.MethodPost, "/v1/invitations/passkey", peopleTag, "",
		"Begin to make a passkey by an invitation", "The browser's answer goes to accept-invitation.")), s.beginInvitedPasskey)
	register(rt, s.byBrowser(op("begin-my-passkey", http.MethodPost, "/v1/me/passkeys/begin", peopleTag, scopeSession,
		"Begin to make a passkey", "Wants the present password, or of who has none a session that is 15 minutes old at most.")), s.beginPasskey)
	create := s.byBrowser(op("create-my-passkey", http.MethodPost, "/v1/me/passkeys", peopleTag, scopeSession, "Make a passkey",
		"Takes the browser's answer."))
	create.DefaultStatus = http.StatusCreated
	register(rt, create, s.createPasskey)
	register(rt, op("patch-my-passkey", http.MethodPatch, "/v1/me/passkeys/{id}", peopleTag, scopeSession, "Rename a passkey of mine", ""),
		s.renamePasskey)
	register(rt, s.byBrowser(op("delete-my-passkey", http.MethodDelete, "/v1/me/passkeys/{id}", peopleTag, scopeSession,
		"Remove a passkey of mine", "Ends all my sessions; the answer has the cookie of a new one. The last one of who has no password stays.")),
		s.removePasskey)
}

func passkeyRequest(r *people.PasskeyRequest, err error) (*bodyOf[PasskeyRequest], error) {
	if err != nil {
		return nil, personError(err)
	}
	return &bodyOf[PasskeyRequest]{PasskeyRequest{Options: r.Options, ExpiresAt: r.ExpiresAt}}, nil
}

// beginPasskeySignIn is for anyone, and writes a row: an address has so many at once.
func (s *signInService) beginPasskeySignIn(ctx context.Context, _ *struct{}) (*bodyOf[PasskeyRequest], error) {
	_, key, err := s.from(requestOf(ctx))
	if err != nil {
		return nil, err
	}
	end, err := s.auth.ceremonies.begin(ctx, key)
	if err != nil {
		return nil, err
	}
	defer end(true)
	return passkeyRequest(s.people.BeginSignIn(ctx))
}

func (s *signInService) passkeySignIn(ctx context.Context, in *passkeyAnswer) (*withCookie[view.Person], error) {
	out, err := s.guessed(ctx, "", func(from people.From) (*people.SignedIn, error) {
		return s.people.SignInByPasskey(ctx, in.Body.Credential, from)
	})
	if err != nil {
		return nil, err
	}
	return s.signedIn(ctx, out), nil
}

func (s *signInService) beginInvitedPasskey(ctx context.Context, in *invitedPasskeyInput) (*bodyOf[PasskeyRequest], error) {
	var asked *people.PasskeyRequest
	_, err := s.guessed(ctx, "", func(people.From) (_ *people.SignedIn, err error) {
		asked, err = s.people.BeginInvitedPasskey(ctx, adapters.Secret(in.Body.Token), in.Body.Email)
		return nil, err
	})
	return passkeyRequest(asked, err)
}

// proof is what the caller shows of being the person of the session.
func proof(ctx context.Context, present string) people.Proof {
	p := caller(ctx)
	return people.Proof{Person: p.person.ID, Password: adapters.Secret(present), Session: p.session}
}

func (s *signInService) beginPasskey(ctx context.Context, in *beginPasskeyInput) (*bodyOf[PasskeyRequest], error) {
	var asked *people.PasskeyRequest
	_, err := s.guessed(ctx, strings.ToLower(caller(ctx).person.Email), func(people.From) (_ *people.SignedIn, err error) {
		asked, err = s.people.BeginPasskey(ctx, proof(ctx, in.Body.Present))
		return nil, err
	})
	return passkeyRequest(asked, err)
}

func (s *signInService) createPasskey(ctx context.Context, in *newPasskeyInput) (*bodyOf[view.Person], error) {
	p, err := s.people.FinishPasskey(ctx, caller(ctx).person.ID, in.Body.Name, in.Body.Credential)
	if err != nil {
		return nil, personError(err)
	}
	return &bodyOf[view.Person]{view.OfPerson(p)}, nil
}

func (s *signInService) renamePasskey(ctx context.Context, in *passkeyPatch) (*bodyOf[view.Person], error) {
	p, err := s.people.RenamePasskey(ctx, caller(ctx).person.ID, in.ID, in.Body.Name)
	if err != nil {
		return nil, personError(err)
	}
	return &bodyOf[view.Person]{view.OfPerson(p)}, nil
}

func (s *signInService) removePasskey(ctx context.Context, in *PasskeyPath) (*withCookie[view.Person], error) {
	p, err := s.people.RemovePasskey(ctx, caller(ctx).person.ID, in.ID)
	if err != nil {
		return nil, personError(err)
	}
	from, _, err := s.from(requestOf(ctx))
	if err != nil {
		return nil, err
	}
	out, err := s.people.Begin(ctx, p, from)
	if err != nil {
		return nil, err
	}
	return s.signedIn(ctx, out), nil
}

type personPasskeyPath struct {
	PersonPath
	Passkey string `path:"passkey" maxLength:"1400" doc:"Id of the passkey"`
}

// removePasskey is for a device that was lost, where its person cannot do it.
func (s *personService) removePasskey(ctx context.Context, in *personPasskeyPath) (*bodyOf[view.Person], error) {
	p, err := s.find(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if p, err = s.people.RemovePasskey(ctx, p.ID, in.Passkey); err != nil {
		return nil, personError(err)
	}
	return &bodyOf[view.Person]{view.OfPerson(p)}, nil
}

// passkeyError reports why a passkey is not made, not removed, or does not sign in; nil:
// err is something else.
func passkeyError(err error) error {
	var known interface{ In(lang string) string }
	switch {
	case !errors.As(err, &known):
		return nil
	case errors.Is(err, people.ErrPasskeyRefused):
		f := unauthorized(passOn(known))
		f.hint, f.challenge = adapters.Text{}, false
		return f
	case errors.Is(err, people.ErrProve):
		return fail(http.StatusForbidden, "sign_in_again", "", passOn(known), adapters.Text{})
	case errors.Is(err, people.ErrLastCredential):
		return fail(http.StatusConflict, "last_credential", "", passOn(known), adapters.Text{})
	case errors.Is(err, people.ErrNoPasskeys):
		return fail(http.StatusConflict, "no_passkeys", "", passOn(known), adapters.Text{})
	}
	return nil
}
