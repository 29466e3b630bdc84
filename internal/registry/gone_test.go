package registry

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
)

// A connection that was edited or deleted is told once, as it was, whichever way
// the copy learns of it; one that was not is never told.
func TestOnGone(t *testing.T) {
	t.Parallel()
	type read func(context.Context, *Connections, ...string) error
	one := func(ctx context.Context, c *Connections, ids ...string) error {
		for _, id := range ids {
			if _, err := c.ByID(ctx, id); err != nil && err != store.ErrNotFound { //nolint:errorlint // as it is returned
				return err
			}
		}
		return nil
	}
	all := func(ctx context.Context, c *Connections, _ ...string) error {
		_, err := c.All(ctx)
		return err
	}
	for name, look := range map[string]read{"one by one": one, "all": all} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, st := t.Context(), open(t)
			defer st.Close()
			put := func(c *gateway.Connection) *gateway.Connection {
				stored, err := st.PutConnection(ctx, time.Now(), c)
				if err != nil {
					t.Fatal(err)
				}
				return stored
			}
			fresh := func(name string) *gateway.Connection {
				return put(&gateway.Connection{Connection: adapters.Connection{
					Name: name, Provider: adapters.SMTP, Settings: &fallback.Settings{Host: "h"},
				}})
			}
			kept, edited, deleted := fresh("kept"), fresh("edited"), fresh("deleted")
			ids := []string{kept.ID, edited.ID, deleted.ID}
			c := NewConnections(st)
			var gone []string
			c.OnGone(func(old *gateway.Connection) { gone = append(gone, old.Name) })
			if err := look(ctx, c, ids...); err != nil {
				t.Fatal(err)
			}
			fallback.SettingsOf(&edited.Connection).Host = "other"
			put(edited)
			if err := st.DeleteConnection(ctx, time.Now(), deleted.ID); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				c.Invalidate()
				if err := look(ctx, c, ids...); err != nil {
					t.Fatal(err)
				}
			}
			slices.Sort(gone)
			if got := strings.Join(gone, " "); got != "deleted edited" {
				t.Errorf("told of %q", got)
			}
		})
	}
}
