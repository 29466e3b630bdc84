package registry

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/sqlite"
)

func open(t *testing.T) store.Store {
	t.Helper()
	st, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestConnections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := open(t)
		defer st.Close()
		put := func(c *gateway.Connection) *gateway.Connection {
			t.Helper()
			out, err := st.PutConnection(t.Context(), time.Now(), c)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		smtp := &fallback.Settings{Host: "h"}
		a := put(&gateway.Connection{Connection: adapters.Connection{Name: "Ufficio", Provider: adapters.SMTP, Settings: smtp}})
		b := put(&gateway.Connection{Connection: adapters.Connection{Name: "aruba", Provider: adapters.SMTP, Settings: smtp}})
		r := NewConnections(st)
		first, err := r.Named(t.Context(), "UFFICIO")
		if err != nil || first.ID != a.ID {
			t.Fatalf("%v, %v", first, err)
		}
		edited := b.Clone()
		edited.From = "new@x.it"
		put(edited)
		if got, _ := r.ByID(t.Context(), b.ID); got.From != "" {
			t.Error("looked at the store again at once")
		}
		time.Sleep(fresh) //nolint:forbidigo // fake time
		if got, _ := r.ByID(t.Context(), b.ID); got.From != "new@x.it" {
			t.Error("an edit stays unseen")
		}
		if again, _ := r.Named(t.Context(), "ufficio"); again != first {
			t.Error("an unchanged connection must stay the same pointer: its adapter hangs on it")
		}
		put(&gateway.Connection{Connection: adapters.Connection{Name: "third", Provider: adapters.SMTP, Settings: smtp}})
		r.Invalidate()
		if all, err := r.All(t.Context()); err != nil || len(all) != 3 {
			t.Errorf("%d connections after Invalidate, %v", len(all), err)
		}
		if _, err := r.ByID(t.Context(), "nobody"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("unknown id: %v", err)
		}
	})
}

// counted counts how connections are read.
type counted struct {
	store.Store
	one, all int
}

func (c *counted) Connection(ctx context.Context, id string) (*gateway.Connection, error) {
	c.one++
	return c.Store.Connection(ctx, id)
}

func (c *counted) Connections(ctx context.Context) ([]*gateway.Connection, error) {
	c.all++
	return c.Store.Connections(ctx)
}

// Those who only ask for a few connections do not have all of them read, not
// even after an edit; those who ask for many do.
func TestByIDReadsFew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := &counted{Store: open(t)}
		defer st.Close()
		var all []*gateway.Connection
		for i := range few + 2 {
			c, err := st.PutConnection(t.Context(), time.Now(),
				&gateway.Connection{Connection: adapters.Connection{Name: fmt.Sprint("c", i), Provider: adapters.SMTP,
					Settings: &fallback.Settings{Host: "h"}}})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, c)
		}
		r := NewConnections(st)
		get := func(i int) *gateway.Connection {
			t.Helper()
			c, err := r.ByID(t.Context(), all[i].ID)
			if err != nil || c.ID != all[i].ID {
				t.Fatalf("%v, %v", c, err)
			}
			return c
		}
		read := func(one, all int) {
			t.Helper()
			if st.one != one || st.all != all {
				t.Errorf("read %d by themselves and all %d times, want %d and %d", st.one, st.all, one, all)
			}
		}
		first := get(0)
		if get(0) != first {
			t.Error("another pointer")
		}
		read(1, 0)
		edited := all[1].Clone()
		edited.From = "new@x.it"
		if _, err := st.PutConnection(t.Context(), time.Now(), edited); err != nil {
			t.Fatal(err)
		}
		r.Invalidate()
		if get(0) != first || get(1).From != "new@x.it" {
			t.Error("after an edit: what is unchanged is another pointer, or the edit stays unseen")
		}
		read(3, 0)
		if _, err := r.ByID(t.Context(), "nobody"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("unknown id: %v", err)
		}
		if err := st.DeleteConnection(t.Context(), time.Now(), all[1].ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(fresh) //nolint:forbidigo // fake time
		if _, err := r.ByID(t.Context(), all[1].ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a deleted connection: %v", err)
		}
		st.one = 0
		for i := range all {
			if i != 1 {
				get(i)
			}
		}
		read(few, 1)
		if list, err := r.All(t.Context()); err != nil || len(list) != len(all)-1 || get(0) != first {
			t.Errorf("%d connections, %v", len(list), err)
		}
		read(few, 1)
	})
}

func TestClientsByAddress(t *testing.T) {
	t.Parallel()
	st := open(t)
	defer st.Close()
	for _, c := range []store.Client{
		{Name: "office", Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
		{Name: "scanner", Networks: []netip.Prefix{netip.MustParsePrefix("10.1.2.3/32"), netip.MustParsePrefix("fd00::/8")}},
		{Name: "gone", Networks: []netip.Prefix{netip.MustParsePrefix("10.1.2.3/32")}, Disabled: true},
	} {
		if _, err := st.PutClient(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	r := NewClients(st)
	for addr, want := range map[string]string{"10.1.2.3": "scanner", "::ffff:10.1.2.3": "scanner", "10.9.9.9": "office", "fd00::1": "scanner",
		"192.0.2.1": ""} {
		c, err := r.ByAddress(t.Context(), netip.MustParseAddr(addr))
		switch {
		case want == "" && !errors.Is(err, store.ErrNotFound):
			t.Errorf("%s: %v, %v", addr, c, err)
		case want != "" && (err != nil || c.Name != want):
			t.Errorf("%s: %v, %v; want %s", addr, c, err, want)
		}
	}
	if c, err := r.Named(t.Context(), "OFFICE"); err != nil || c.Name != "office" {
		t.Errorf("%v, %v", c, err)
	}
}
