package people

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/vault"
)

// An Invitation is a link that was just made: Token is its secret part.
type Invitation struct {
	Token     adapters.Secret
	ExpiresAt time.Time
}

// Invite makes a link by which the person chooses a password, good once and for a
// day. Links made for them before are void.
func (s *Service) Invite(ctx context.Context, id string) (*Invitation, error) {
	p, err := s.store.Person(ctx, id)
	if err != nil {
		return nil, err
	}
	if p.Disabled {
		return nil, ErrDisabled
	}
	return s.invitation(ctx, id)
}

func (s *Service) invitation(ctx context.Context, person string) (*Invitation, error) {
	now := store.Micro(s.now())
	token := vault.NewKey(invitationPrefix)
	i, err := s.store.PutInvitation(ctx, store.Invitation{Hash: invitationHash(token), Person: person, CreatedAt: now,
		ExpiresAt: now.Add(InvitationLife)})
	if err != nil {
		return nil, err
	}
	return &Invitation{Token: token, ExpiresAt: i.ExpiresAt}, nil
}

func invitationHash(token adapters.Secret) string { return vault.HashKey(token) }

// Setup makes the link by which the first administrator is made; nil when there is
// a person already.
func (s *Service) Setup(ctx context.Context) (*Invitation, error) {
	all, err := s.store.People(ctx)
	if err != nil || len(all) > 0 {
		return nil, err
	}
	return s.invitation(ctx, "")
}

// Invited returns for whom an invitation is: an administrator without ID where it
// is for the first one. ErrEnded: it is good no more.
func (s *Service) Invited(ctx context.Context, token adapters.Secret) (*store.Person, error) {
	i, err := s.store.InvitationByHash(ctx, invitationHash(token))
	if errors.Is(err, store.ErrNotFound) || err == nil && !s.now().Before(i.ExpiresAt) {
		return nil, ErrEnded
	}
	if err != nil {
		return nil, err
	}
	if i.Person == "" {
		all, err := s.store.People(ctx)
		if err == nil && len(all) > 0 {
			err = ErrEnded // someone was added by command since
		}
		return &store.Person{Role: store.RoleAdmin}, err
	}
	p, err := s.store.Person(ctx, i.Person)
	if errors.Is(err, store.ErrNotFound) || err == nil && p.Disabled {
		return nil, ErrEnded
	}
	return p, err
}

// Accepted is what an invited person chooses. Email is for the first administrator
// alone; an empty name or language leaves what is stored. One of Password and Passkey
// is needed.
type Accepted struct {
	Email    string
	Name     string
	Language string
	Password adapters.Secret

	Passkey     json.RawMessage // what the browser answered to BeginInvitedPasskey
	PasskeyName string
}

// Accept uses an invitation: the person has the password, the passkey or both, and is
// signed in.
func (s *Service) Accept(ctx context.Context, token adapters.Secret, a Accepted, from From) (*SignedIn, error) {
	p, err := s.Invited(ctx, token)
	if err != nil {
		return nil, err
	}
	now := store.Micro(s.now())
	if p.ID == "" {
		p.Email, p.CreatedAt = a.Email, now
	}
	if a.Name != "" {
		p.Name = a.Name
	}
	if a.Language != "" {
		p.Language = a.Language
	}
	p.ChangedAt = now
	if a.Password == "" && a.Passkey == nil {
		return nil, checkPassword(p, a.Password)
	}
	if err := s.secure(ctx, p, a.Password); err != nil {
		return nil, err
	}
	if a.Passkey != nil {
		if err := s.finishPasskey(ctx, purposeInvited, p, invitationHash(token), a.PasskeyName, a.Passkey); err != nil {
			return nil, err
		}
	}
	first := p.ID == ""
	p, err = s.store.Redeem(actor(ctx, p, from, now), now, invitationHash(token), *p)
	if errors.Is(err, store.ErrNotFound) || first && errors.Is(err, store.ErrExists) {
		return nil, ErrEnded // used a moment ago, or no longer the first
	}
	if _, err := s.edited(p, err); err != nil {
		return nil, err
	}
	return s.Begin(ctx, p, from)
}

// URL is the page that takes the invitation, that of the first start too; without a
// base its path alone.
func (i *Invitation) URL(base string) string {
	return strings.TrimSuffix(base, "/") + "/setup/" + i.Token.Reveal()
}
