package people

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/sqlite"
)

// beside is a store on which another node works in the middle of a call of this one.
type beside struct {
	store.Store
	told        func()
	other       func(session string)
	read, touch bool // in which call
	put         func()
}

func (b *beside) OnChange(f func()) { b.told = f }

func (b *beside) SessionByHash(ctx context.Context, hash string) (*store.Session, error) {
	s, err := b.Store.SessionByHash(ctx, hash)
	if err == nil && b.read {
		b.read = false
		b.other(s.ID)
	}
	return s, err
}

func (b *beside) PutSession(ctx context.Context, s store.Session) (*store.Session, error) {
	if b.put != nil {
		b.put()
	}
	return b.Store.PutSession(ctx, s)
}

func (b *beside) TouchSession(ctx context.Context, id string, seen, idleUntil time.Time) error {
	if b.touch {
		b.touch = false
		b.other(id)
	}
	return b.Store.TouchSession(ctx, id, seen, idleUntil)
}

// A session that another node ends while this one reads it, or notes its use, is
// not kept: it counts once more at most.
func TestSessionEndsBesideItsUse(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]struct {
		read, touch bool
		later       time.Duration // than the sign-in
	}{
		"while it is read":        {read: true},
		"while its use is noted":  {touch: true, later: 2 * seenEvery},
		"when it was read before": {later: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			st, err := sqlite.Open(ctx, sqlite.Options{Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			now := time.Now()
			b := &beside{Store: st}
			s := New(Options{Store: b, Now: func() time.Time { return now }})
			p, err := st.PutPerson(ctx, store.Person{Email: "anna@contoso.it", Role: store.RoleAdmin, PasswordHash: "h"})
			if err != nil {
				t.Fatal(err)
			}
			signed, err := s.Begin(ctx, p, From{})
			if err != nil {
				t.Fatal(err)
			}
			use := func() error { _, _, err := s.BySession(ctx, signed.Token); return err }
			b.other = func(id string) {
				if err := st.DeleteSession(ctx, id); err != nil {
					t.Error(err)
				}
				b.told()
				if err := s.copies.look(ctx); err != nil { // as another request does meanwhile
					t.Error(err)
				}
			}
			if !in.read {
				if err := use(); err != nil {
					t.Fatal(err)
				}
			}
			now = now.Add(in.later)
			switch b.read, b.touch = in.read, in.touch; {
			case in.read: // it was there when it was read
				if err := use(); err != nil {
					t.Error(err)
				}
			case in.touch:
				if err := use(); !errors.Is(err, ErrEnded) {
					t.Errorf("when it has just ended: %v", err)
				}
			default:
				b.other(signed.Session.ID)
			}
			for range 2 {
				if err := use(); !errors.Is(err, ErrEnded) {
					t.Errorf("after it was ended: %v", err)
				}
			}
		})
	}
}

// Whoever signs in with a password that is changed meanwhile, or as a person who is
// disabled or removed, has no session afterwards.
func TestSignInBesideAChange(t *testing.T) {
	t.Parallel()
	const password = adapters.Secret("correct horse battery")
	for name, c := range map[string]struct {
		change func(p *store.Person)
		want   error
	}{
		"password": {func(p *store.Person) { p.PasswordHash = "another" }, ErrRefused},
		"disabled": {func(p *store.Person) { p.Disabled = true }, ErrRefused},
		"name":     {func(p *store.Person) { p.Name = "Anna" }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			st, err := sqlite.Open(ctx, sqlite.Options{Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			b := &beside{Store: st}
			s := New(Options{Store: b})
			if _, err := s.Add(ctx, store.Person{Email: "boss@contoso.it", Role: store.RoleAdmin}, password); err != nil {
				t.Fatal(err)
			}
			p, err := s.Add(ctx, store.Person{Email: "anna@contoso.it", Role: store.RoleOperator}, password)
			if err != nil {
				t.Fatal(err)
			}
			b.put = func() {
				c.change(p)
				if _, err := st.PutPerson(ctx, *p); err != nil {
					t.Error(err)
				}
			}
			if _, err := s.SignIn(ctx, p.Email, password, From{}); !errors.Is(err, c.want) {
				t.Errorf("signed in: %v", err)
			}
			left, err := st.Sessions(ctx, p.ID)
			if err != nil || (len(left) > 0) != (c.want == nil) {
				t.Errorf("%d sessions, %v", len(left), err)
			}
		})
	}
}
