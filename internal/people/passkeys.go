package people

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/go-webauthn/webauthn/protocol"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// Bounds of passkeys.
const (
	maxPasskeys    = 20  // of one person
	maxPasskeyName = 100 // bytes
)

// A PasskeyRequest is what a browser is asked: Options is the argument of
// navigator.credentials.create or get as JSON ({"publicKey": ...}, WebAuthn Level 3
// section 5.1.8 and 5.1.9); the answer (its toJSON) is good once, and until ExpiresAt.
type PasskeyRequest struct {
	Options   json.RawMessage
	ExpiresAt time.Time
}

// BeginPasskey asks the person's browser for a new passkey; FinishPasskey takes the
// answer. ErrRefused and ErrProve: as the Proof says; ErrNoPasskeys.
func (s *Service) BeginPasskey(ctx context.Context, by Proof) (*PasskeyRequest, error) {
	p, err := s.store.Person(ctx, by.Person)
	if err != nil {
		return nil, err
	}
	if err := s.prove(ctx, p, by); err != nil {
		return nil, err
	}
	return s.beginPasskey(ctx, purposeAdd, p, "")
}

// FinishPasskey gives the person the passkey that their browser has made. The error is
// a *FieldError where it is not accepted; ErrEnded: it answers nothing that was asked.
func (s *Service) FinishPasskey(ctx context.Context, person, name string, answer json.RawMessage) (*store.Person, error) {
	return s.Change(ctx, person, func(p *store.Person) error {
		return s.finishPasskey(ctx, purposeAdd, p, "", name, answer)
	})
}

// BeginInvitedPasskey asks the browser of whoever has the link for a passkey; Accept
// takes the answer. email is for the first administrator alone, as in Accepted.
func (s *Service) BeginInvitedPasskey(ctx context.Context, token adapters.Secret, email string) (*PasskeyRequest, error) {
	p, err := s.Invited(ctx, token)
	if err != nil {
		return nil, err
	}
	if p.ID == "" {
		p.Email = email
	}
	if err := check(p); err != nil {
		return nil, err
	}
	return s.beginPasskey(ctx, purposeInvited, p, invitationHash(token))
}

// RenamePasskey gives a passkey of the person another name. store.ErrNotFound: they
// have no such one.
func (s *Service) RenamePasskey(ctx context.Context, person, id, name string) (*store.Person, error) {
	return s.Change(ctx, person, func(p *store.Person) error {
		k := passkeyOf(p, id)
		if k == nil {
			return store.ErrNotFound
		}
		k.Name = name
		return checkPasskeyName(name)
	})
}

// RemovePasskey removes a passkey of the person and ends all their sessions: one of
// them may have begun with it. ErrLastCredential: they could not sign in any more.
func (s *Service) RemovePasskey(ctx context.Context, person, id string) (*store.Person, error) {
	return s.Change(ctx, person, func(p *store.Person) error {
		if passkeyOf(p, id) == nil {
			return store.ErrNotFound
		}
		if p.PasswordHash == "" && len(p.Passkeys) == 1 && !s.linkedHere(p) {
			return ErrLastCredential
		}
		p.Passkeys = slices.DeleteFunc(p.Passkeys, func(k store.Passkey) bool { return k.ID == id })
		return nil
	})
}

// passkeyOf returns the passkey of a person; nil: there is none with the id.
func passkeyOf(p *store.Person, id string) *store.Passkey {
	for i := range p.Passkeys {
		if p.Passkeys[i].ID == id {
			return &p.Passkeys[i]
		}
	}
	return nil
}

func checkPasskeyName(name string) error {
	if name == "" || len(name) > maxPasskeyName || strings.ContainsFunc(name, unicode.IsControl) {
		return &FieldError{"name", mime.NewText("people.passkey_name", "a passkey needs a name of at most {max} characters, such as the "+
			"device that it is on", "max", maxPasskeyName)}
	}
	return nil
}

// addPasskey adds a passkey to the person.
func addPasskey(p *store.Person, k store.Passkey) error {
	if k.Name == "" {
		k.Name = fmt.Sprintf("Passkey %d", len(p.Passkeys)+1)
	}
	if err := checkPasskeyName(k.Name); err != nil {
		return err
	}
	if len(p.Passkeys) >= maxPasskeys {
		return &FieldError{"passkey", mime.NewText("people.passkeys_many", "there are {max} passkeys already: remove one first",
			"max", maxPasskeys)}
	}
	p.Passkeys = append(p.Passkeys, k)
	return nil
}

// refusedPasskey is why a browser's answer is not taken, for the log: what the library
// says has no secret, but the challenge is left out all the same.
func refusedPasskey(err error) string {
	var e *protocol.Error
	if errors.As(err, &e) {
		return e.Details
	}
	return "it cannot be read"
}
