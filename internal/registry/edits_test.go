package registry

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
)

// telling is a store that tells of edits, and counts what is read of it.
type telling struct {
	store.Store
	f         []func()
	all, some int
	corrupt   string // a connection with a record that cannot be read
}

func (s *telling) OnChange(f func()) { s.f = append(s.f, f) }

func (s *telling) Connections(ctx context.Context) ([]*gateway.Connection, error) {
	s.all++
	if s.corrupt != "" {
		return nil, errCorrupt
	}
	return s.Store.Connections(ctx)
}

var errCorrupt = errors.New("the record cannot be read")

func (s *telling) Connection(ctx context.Context, id string) (*gateway.Connection, error) {
	if id == s.corrupt {
		return nil, errCorrupt
	}
	return s.Store.Connection(ctx, id)
}

func (s *telling) ConnectionsByID(ctx context.Context, ids []string) ([]*gateway.Connection, error) {
	s.some += len(ids)
	if slices.Contains(ids, s.corrupt) {
		return nil, errCorrupt
	}
	return s.Store.ConnectionsByID(ctx, ids)
}

// An edit of which the store tells is seen by the next call, and costs the
// reading of what changed.
func TestEditOfOneAmongMany(t *testing.T) {
	t.Parallel()
	st := &telling{Store: open(t)}
	defer st.Close()
	put := func(c *gateway.Connection) *gateway.Connection {
		t.Helper()
		out, err := st.PutConnection(t.Context(), time.Now(), c)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	var conns []*gateway.Connection
	for i := range 10 {
		conns = append(conns, put(&gateway.Connection{Connection: adapters.Connection{Name: fmt.Sprint("c", i), Provider: adapters.SMTP,
			Settings: &fallback.Settings{Host: "h"}}}))
	}
	r := NewConnections(st)
	before, err := r.All(t.Context())
	if err != nil || len(before) != 10 {
		t.Fatal(before, err)
	}
	edited := conns[3].Clone()
	edited.From = "new@x.it"
	put(edited)
	if err := st.DeleteConnection(t.Context(), time.Now(), conns[4].ID); err != nil {
		t.Fatal(err)
	}
	put(&gateway.Connection{Connection: adapters.Connection{Name: "c90", Provider: adapters.SMTP, Settings: &fallback.Settings{Host: "h"}}})
	for _, f := range st.f {
		f()
	}
	after, err := r.All(t.Context())
	if err != nil || len(after) != 10 || st.all != 1 || st.some != 3 {
		t.Errorf("%d connections, %d times all read and %d by themselves; %v", len(after), st.all, st.some, err)
	}
	if got, err := r.Named(t.Context(), "c3"); err != nil || got.From != "new@x.it" {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := r.Named(t.Context(), "c4"); err == nil {
		t.Errorf("%v is still there", got)
	}
	if after[0] != before[0] {
		t.Error("an unchanged connection must stay the same pointer: its adapter hangs on it")
	}
}

// However connections are edited, renamed, made the default and deleted, the
// copy that follows the edits is the one that a new reader makes.
func TestFollowedCopyIsTheWhole(t *testing.T) {
	t.Parallel()
	st := &telling{Store: open(t)}
	defer st.Close()
	ctx := t.Context()
	followed := NewConnections(st)
	rng := rand.New(rand.NewPCG(1, 2))
	put := func(c *gateway.Connection) {
		if _, err := st.PutConnection(ctx, time.Now(), c); err != nil {
			t.Fatal(err)
		}
	}
	name := func() string { return fmt.Sprint("c", rng.IntN(1_000_000)) }
	for i := range 300 {
		all, err := st.Store.Connections(ctx)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case len(all) < 20 || rng.IntN(4) == 0:
			put(&gateway.Connection{Connection: adapters.Connection{Name: name(), Provider: adapters.SMTP, Settings: &fallback.Settings{Host: "h"}}})
		case rng.IntN(3) == 0:
			if err := st.DeleteConnection(ctx, time.Now(), all[rng.IntN(len(all))].ID); err != nil {
				t.Fatal(err)
			}
		default:
			c := all[rng.IntN(len(all))]
			if rng.IntN(2) == 0 {
				c.Name = name()
			} else {
				c.Default = gateway.DefaultUnrouted
			}
			put(c)
		}
		if rng.IntN(3) > 0 && i < 299 {
			continue // several edits at once
		}
		followed.Invalidate()
		got, err := followed.All(ctx)
		if err != nil {
			t.Fatal(err)
		}
		fresh := NewConnections(st)
		want, err := fresh.All(ctx)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%d connections, not %d; %v", len(got), len(want), err)
		}
		for j, c := range want {
			byID, err1 := followed.ByID(ctx, c.ID)
			byName, err2 := followed.Named(ctx, c.Name)
			if got[j].ID != c.ID || got[j].Revision != c.Revision || byID != got[j] || byName != got[j] || err1 != nil || err2 != nil {
				t.Fatalf("%d: %+v, not %+v", j, got[j], c)
			}
		}
		if len(followed.now.ids) != len(want) || len(followed.now.names) != len(want) {
			t.Fatalf("%d ids and %d names of %d", len(followed.now.ids), len(followed.now.names), len(want))
		}
	}
	if st.all < 2 || st.some == 0 {
		t.Errorf("all read %d times, %d by themselves", st.all, st.some)
	}
}

// One edit that cannot be read, as after damage on the disk, leaves the other
// connections to be found, edited ones too; it is reported where it is asked for.
func TestUnreadableEdit(t *testing.T) {
	t.Parallel()
	st := &telling{Store: open(t)}
	defer st.Close()
	var conns []*gateway.Connection
	for i := range 3 {
		c, err := st.PutConnection(t.Context(), time.Now(), &gateway.Connection{Connection: adapters.Connection{
			Name: fmt.Sprint("c", i), Provider: adapters.SMTP, Settings: &fallback.Settings{Host: "h"}}})
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	r := NewConnections(st)
	if _, err := r.All(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range conns[:2] {
		c.From = "new@x.it"
		if _, err := st.PutConnection(t.Context(), time.Now(), c); err != nil {
			t.Fatal(err)
		}
	}
	st.corrupt = conns[0].ID
	r.Invalidate()
	for range 2 {
		for _, c := range conns[1:] {
			if got, err := r.ByID(t.Context(), c.ID); err != nil || got.From != c.From {
				t.Errorf("%s: %v, %v", c.Name, got, err)
			}
		}
		if got, err := r.ByID(t.Context(), conns[0].ID); !errors.Is(err, errCorrupt) {
			t.Errorf("the one that cannot be read: %v, %v", got, err)
		}
	}
	st.corrupt = ""
	if got, err := r.Named(t.Context(), "c0"); err != nil || got.From != "new@x.it" {
		t.Errorf("once it can be read: %v, %v", got, err)
	}
}
