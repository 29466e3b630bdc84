package registry

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

// telling is a store that tells of edits, and counts what is read of it.
type telling struct {
	store.Store
	f         []func()
	all, some int
}

func (s *telling) OnChange(f func()) { s.f = append(s.f, f) }

func (s *telling) Connections(ctx context.Context) ([]*adapters.Connection, error) {
	s.all++
	return s.Store.Connections(ctx)
}

func (s *telling) ConnectionsByID(ctx context.Context, ids []string) ([]*adapters.Connection, error) {
	s.some += len(ids)
	return s.Store.ConnectionsByID(ctx, ids)
}

// An edit of which the store tells is seen by the next call, and costs the
// reading of what changed.
func TestEditOfOneAmongMany(t *testing.T) {
	t.Parallel()
	st := &telling{Store: open(t)}
	defer st.Close()
	put := func(c *adapters.Connection) *adapters.Connection {
		t.Helper()
		out, err := st.PutConnection(t.Context(), time.Now(), c)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	var conns []*adapters.Connection
	for i := range 10 {
		conns = append(conns, put(&adapters.Connection{Name: fmt.Sprint("c", i), Provider: adapters.SMTP, SMTP: &adapters.SMTPSettings{Host: "h"}}))
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
	put(&adapters.Connection{Name: "c90", Provider: adapters.SMTP, SMTP: &adapters.SMTPSettings{Host: "h"}})
	for _, f := range st.f {
		f()
	}
	after, err := r.All(t.Context())
	if err != nil || len(after) != 10 || st.all != 1 || st.some != 2 {
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
