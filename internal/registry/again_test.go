package registry

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// versions counts the looks at the store.
type versions struct {
	store.Store
	looks atomic.Int64
	fails atomic.Bool
}

func (v *versions) ConnectionsVersion(ctx context.Context) (int64, error) {
	v.looks.Add(1)
	if v.fails.Load() {
		return 0, store.ErrUnavailable
	}
	return v.Store.ConnectionsVersion(ctx)
}

func (v *versions) ClientsVersion(ctx context.Context) (int64, error) {
	v.looks.Add(1)
	if v.fails.Load() {
		return 0, store.ErrUnavailable
	}
	return v.Store.ClientsVersion(ctx)
}

// While the store is away a client that is known is answered from the copy; that
// one is not there is never said from it.
func TestClientsWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		v := &versions{Store: open(t)}
		defer v.Close()
		nets := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		known, err := v.PutClient(ctx, store.Client{Name: "erp", Networks: nets})
		if err != nil {
			t.Fatal(err)
		}
		clients := NewClients(v)
		if _, err := clients.Named(ctx, "erp"); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			time.Sleep(2 * fresh) //nolint:forbidigo // fake time
			v.fails.Store(true)
			before := v.looks.Load()
			for range 50 {
				if c, err := clients.Named(ctx, "erp"); err != nil || c.ID != known.ID {
					t.Errorf("by name: %v, %v", c, err)
				}
				if c, err := clients.ByAddress(ctx, netip.MustParseAddr("10.1.2.3")); err != nil || c.ID != known.ID {
					t.Errorf("by address: %v, %v", c, err)
				}
				_, err1 := clients.Named(ctx, "new")
				_, err2 := clients.ByID(ctx, "new")
				if !errors.Is(err1, store.ErrUnavailable) || !errors.Is(err2, store.ErrUnavailable) {
					t.Errorf("who is not known: %v, %v", err1, err2)
				}
				if _, err := clients.ByAddress(ctx, netip.MustParseAddr("192.0.2.1")); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("an address of no client: %v", err)
				}
			}
			if n := v.looks.Load() - before; n != 1 {
				t.Errorf("%d looks at a store that is away", n)
			}
			if _, err := clients.LookAgain(ctx, time.Now().Add(-time.Hour)); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("a refusal for good: %v", err)
			}
			v.fails.Store(false)
			time.Sleep(2 * fresh) //nolint:forbidigo // fake time
			if _, err := clients.Named(ctx, "new"); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("the store is back: %v", err)
			}
		}
	})
}

func TestLookAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &versions{Store: open(t)}
		defer v.Close()
		conns, clients := NewConnections(v), NewClients(v)
		if _, err := conns.All(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := clients.Named(t.Context(), "erp"); !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) //nolint:forbidigo // fake time
		since := time.Now()
		if changed, err := conns.LookAgain(t.Context(), since); changed || err != nil {
			t.Errorf("nothing has changed, it says %v, %v", changed, err)
		}
		since = time.Now()
		if _, err := v.PutClient(t.Context(), store.Client{Name: "erp"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) //nolint:forbidigo // fake time
		if changed, err := clients.LookAgain(t.Context(), since); !changed || err != nil {
			t.Errorf("a client was added, it says %v, %v", changed, err)
		}
		if c, err := clients.Named(t.Context(), "erp"); err != nil || c.Name != "erp" {
			t.Errorf("the new client is not seen: %v", err)
		}

		// However many refusals there are, the store is asked twenty times a second.
		v.looks.Store(0)
		begin := time.Now()
		var wg sync.WaitGroup
		for range 500 {
			wg.Go(func() {
				for time.Since(begin) < time.Second {
					if _, err := conns.LookAgain(t.Context(), time.Now()); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		if n := v.looks.Load(); n > 22 {
			t.Errorf("%d looks in a second", n)
		}

		// The order of the calls that fail and of those that do not is theirs alone.
		v.fails.Store(true)
		if _, err := conns.LookAgain(t.Context(), time.Now()); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("a store that cannot be read: %v", err)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := conns.LookAgain(gone, time.Now()); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller that left: %v", err)
		}
	})
}
