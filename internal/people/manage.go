package people

import (
	"context"
	"errors"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/internal/vault"
	"github.com/postino-mail/postino/mime"
)

// A FieldError says what is wrong with one field of a person.
type FieldError struct {
	Field string // email, name, role, language, password
	Text  mime.Text
}

// Error is the English text.
func (e *FieldError) Error() string { return e.Text.String() }

// In is the text in a language.
func (e *FieldError) In(lang string) string { return e.Text.In(lang) }

// Languages are those in which a person can be addressed.
func Languages() []string { return []string{"en", "it"} }

// Roles are those that a person can have.
func Roles() []store.Role { return []store.Role{store.RoleAdmin, store.RoleOperator} }

// Check reports what is wrong with a person's fields; the error is a *FieldError.
func Check(p *store.Person) error {
	a, err := mail.ParseAddress(p.Email)
	if err != nil || a.Address != p.Email || len(p.Email) > 320 {
		return &FieldError{"email", mime.NewText("people.email", "the address is none: write name@example.com")}
	}
	if len(p.Name) > 200 || strings.ContainsFunc(p.Name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return &FieldError{"name", mime.NewText("people.name", "the name is longer than 200 characters, or has control characters")}
	}
	if !slices.Contains(Roles(), p.Role) {
		return &FieldError{"role", mime.NewText("people.role", "the role is neither admin nor operator")}
	}
	if p.Language != "" && !slices.Contains(Languages(), p.Language) {
		return &FieldError{"language", mime.NewText("people.language", "the language is neither en nor it")}
	}
	return nil
}

// CheckPassword reports why a password is none for the person; the error is a
// *FieldError.
func CheckPassword(p *store.Person, password adapters.Secret) error {
	text := password.Reveal()
	switch {
	case len(text) < PasswordMin, len(text) > PasswordMax:
		return &FieldError{"password", mime.NewText("people.password_length", "a password has {min} to {max} characters: three or four words "+
			"that nobody would put together are a good one", "min", PasswordMin, "max", PasswordMax)}
	case strings.EqualFold(text, p.Email), len(p.Email) > 0 && strings.Contains(strings.ToLower(text), strings.ToLower(p.Email)):
		return &FieldError{"password", mime.NewText("people.password_is_address", "the password must not contain the address")}
	case fewer(text, 5):
		return &FieldError{"password", mime.NewText("people.password_simple", "the password repeats a few characters: it would be guessed")}
	}
	return nil
}

// fewer reports that s has fewer different characters than n.
func fewer(s string, n int) bool {
	seen := map[rune]bool{}
	for _, r := range s {
		seen[r] = true
	}
	return len(seen) < n
}

// Add stores a new person. Without a password they need an invitation.
func (s *Service) Add(ctx context.Context, p store.Person, password adapters.Secret) (*store.Person, error) {
	p.ID, p.Revision, p.CreatedAt = "", 0, store.Micro(s.now())
	p.ChangedAt = p.CreatedAt
	if err := s.secure(ctx, &p, password); err != nil {
		return nil, err
	}
	return s.edited(s.store.PutPerson(ctx, p))
}

// secure checks the fields, and sets the password where one is given.
func (s *Service) secure(ctx context.Context, p *store.Person, password adapters.Secret) error {
	if err := Check(p); err != nil || password == "" {
		return err
	}
	if err := CheckPassword(p, password); err != nil {
		return err
	}
	hash, err := s.hasher.Hash(ctx, password)
	if err == nil {
		p.PasswordHash = hash
	}
	return err
}

func (s *Service) edited(p *store.Person, err error) (*store.Person, error) {
	s.copies.forget()
	return p, err
}

// Change stores what f does with the person as they are stored now.
func (s *Service) Change(ctx context.Context, id string, f func(*store.Person) error) (*store.Person, error) {
	p, err := s.store.Person(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := f(p); err != nil {
		return nil, err
	}
	if err := Check(p); err != nil {
		return nil, err
	}
	p.ChangedAt = store.Micro(s.now())
	return s.edited(s.store.PutPerson(ctx, *p))
}

// SetPassword gives the person a new password and ends their sessions.
func (s *Service) SetPassword(ctx context.Context, id string, password adapters.Secret) (*store.Person, error) {
	return s.Change(ctx, id, func(p *store.Person) error {
		if password == "" {
			return CheckPassword(p, password)
		}
		return s.secure(ctx, p, password)
	})
}

// ChangePassword is SetPassword by the person, who shows the present one.
// ErrRefused: it is another one.
func (s *Service) ChangePassword(ctx context.Context, id string, present, password adapters.Secret) (*store.Person, error) {
	return s.Change(ctx, id, func(p *store.Person) error {
		if p.PasswordHash != "" {
			fits, err := s.hasher.Verify(ctx, p.PasswordHash, present)
			if err != nil {
				return err
			}
			if !fits {
				return ErrRefused
			}
		}
		if password == "" {
			return CheckPassword(p, password)
		}
		return s.secure(ctx, p, password)
	})
}

// Remove removes the person with all that is theirs but their connections.
func (s *Service) Remove(ctx context.Context, id string) error {
	_, err := s.edited(nil, s.store.DeletePerson(ctx, id))
	return err
}

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
		return nil, texterr.New(mime.NewText("people.invite_disabled", "{email} is disabled: enable them first", "email", p.Email))
	}
	return s.invitation(ctx, id)
}

func (s *Service) invitation(ctx context.Context, person string) (*Invitation, error) {
	now := store.Micro(s.now())
	token := vault.NewKey(invitationPrefix)
	i, err := s.store.PutInvitation(ctx, store.Invitation{Hash: vault.HashKey(token), Person: person, CreatedAt: now,
		ExpiresAt: now.Add(InvitationLife)})
	if err != nil {
		return nil, err
	}
	return &Invitation{Token: token, ExpiresAt: i.ExpiresAt}, nil
}

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
	i, err := s.store.InvitationByHash(ctx, vault.HashKey(token))
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
// alone; an empty name or language leaves what is stored.
type Accepted struct {
	Email    string
	Name     string
	Language string
	Password adapters.Secret
}

// Accept uses an invitation: the person has the password, and is signed in.
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
	if a.Password == "" {
		return nil, CheckPassword(p, a.Password)
	}
	if err := s.secure(ctx, p, a.Password); err != nil {
		return nil, err
	}
	first := p.ID == ""
	p, err = s.store.Redeem(actor(ctx, p, from, now), now, vault.HashKey(token), *p)
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

// Sessions returns the sessions of a person that have not ended, the newest first.
func (s *Service) Sessions(ctx context.Context, person string) ([]store.Session, error) {
	all, err := s.store.Sessions(ctx, person)
	now := s.now()
	return slices.DeleteFunc(all, func(x store.Session) bool { return x.Ended(now) }), err
}

// End ends a session of the person; store.ErrNotFound: they have no such one.
func (s *Service) End(ctx context.Context, person, session string) error {
	all, err := s.store.Sessions(ctx, person)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(all, func(x store.Session) bool { return x.ID == session }) {
		return store.ErrNotFound
	}
	_, err = s.edited(nil, s.store.DeleteSession(ctx, session))
	return err
}

// EndAll ends all sessions of the person but the one with the id except.
func (s *Service) EndAll(ctx context.Context, person, except string) error {
	_, err := s.store.DeleteSessions(ctx, person, except)
	_, err = s.edited(nil, err)
	return err
}
