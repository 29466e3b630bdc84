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
			use := func() error { _, _, err := s.BySession(ctx, adapters.Secret(signed.Token)); return err }
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
