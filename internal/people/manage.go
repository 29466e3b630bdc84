package people

import (
	"context"
	"net/mail"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
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

// languages are those in which a person can be addressed.
func languages() []string { return []string{"en", "it"} }

// roles are those that a person can have.
func roles() []store.Role { return []store.Role{store.RoleAdmin, store.RoleOperator} }

// maxName is how many characters the name of a person has at most.
const maxName = 200

// check reports what is wrong with a person's fields; the error is a *FieldError.
func check(p *store.Person) error {
	a, err := mail.ParseAddress(p.Email)
	if err != nil || a.Address != p.Email || len(p.Email) > 320 {
		return &FieldError{"email", mime.NewText("people.email", "the address is none: write name@example.com")}
	}
	if utf8.RuneCountInString(p.Name) > maxName || strings.ContainsFunc(p.Name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return &FieldError{"name", mime.NewText("people.name", "the name is longer than 200 characters, or has control characters")}
	}
	if !slices.Contains(roles(), p.Role) {
		return &FieldError{"role", mime.NewText("people.role", "the role is neither admin nor operator")}
	}
	if p.Language != "" && !slices.Contains(languages(), p.Language) {
		return &FieldError{"language", mime.NewText("people.language", "the language is neither en nor it")}
	}
	return nil
}

// checkPassword reports why a password is none for the person; the error is a
// *FieldError.
func checkPassword(p *store.Person, password adapters.Secret) error {
	text := password.Reveal()
	switch {
	case len(text) < PasswordMin, len(text) > PasswordMax:
		return &FieldError{"password", mime.NewText("people.password_length", "a password has {min} to {max} characters: three or four words "+
			"that no one would put together are a good one", "min", PasswordMin, "max", PasswordMax)}
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
	if err := check(p); err != nil || password == "" {
		return err
	}
	if err := checkPassword(p, password); err != nil {
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
	if err := check(p); err != nil {
		return nil, err
	}
	p.ChangedAt = store.Micro(s.now())
	return s.edited(s.store.PutPerson(ctx, *p))
}

// SetPassword gives the person a new password and ends their sessions.
func (s *Service) SetPassword(ctx context.Context, id string, password adapters.Secret) (*store.Person, error) {
	return s.Change(ctx, id, func(p *store.Person) error {
		if password == "" {
			return checkPassword(p, password)
		}
		return s.secure(ctx, p, password)
	})
}

// ChangePassword is SetPassword by the person themselves. ErrRefused and ErrProve: as
// the Proof says.
func (s *Service) ChangePassword(ctx context.Context, by Proof, password adapters.Secret) (*store.Person, error) {
	return s.Change(ctx, by.Person, func(p *store.Person) error {
		if err := s.prove(ctx, p, by); err != nil {
			return err
		}
		if password == "" {
			return checkPassword(p, password)
		}
		return s.secure(ctx, p, password)
	})
}

// A Proof shows that it is the person who changes what they sign in with, and not
// someone at their open browser: by the password where they have one (ErrRefused: it
// is another one), else by a session that began a moment ago (ErrProve).
type Proof struct {
	Person   string // id
	Password adapters.Secret
	Session  *store.Session
}

func (s *Service) prove(ctx context.Context, p *store.Person, by Proof) error {
	if p.PasswordHash == "" {
		if by.Session == nil || by.Session.Person != p.ID || s.now().Sub(by.Session.CreatedAt) > ProofLife {
			return ErrProve
		}
		return nil
	}
	if by.Password == "" || len(by.Password) > PasswordMax {
		return ErrRefused
	}
	fits, err := s.hasher.Verify(ctx, p.PasswordHash, by.Password)
	if err == nil && !fits {
		return ErrRefused
	}
	return err
}

// Remove removes the person with all that is theirs but their connections.
func (s *Service) Remove(ctx context.Context, id string) error {
	_, err := s.edited(nil, s.store.DeletePerson(ctx, id))
	return err
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
