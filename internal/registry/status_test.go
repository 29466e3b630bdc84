package registry

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
	"github.com/postino-mail/postino/tokens/credential"
)

// How all connections do, read together, is how each does, also where there are
// more lanes than one page has.
func TestStatuses(t *testing.T) {
	t.Parallel()
	st := open(t)
	defer st.Close()
	now := time.Now()
	put := func(c gateway.Connection) *gateway.Connection {
		t.Helper()
		out, err := st.PutConnection(t.Context(), now, &c)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	smtp := &fallback.Settings{Host: "h", Login: "a"}
	used := put(gateway.Connection{Connection: adapters.Connection{Name: "used", Provider: adapters.SMTP, From: "a@x.it", Settings: smtp}})
	paused := put(gateway.Connection{Connection: adapters.Connection{Name: "paused", Provider: adapters.SMTP, From: "b@x.it",
		Settings: &fallback.Settings{Host: "i", Login: "b"}}})
	several := put(gateway.Connection{Connection: adapters.Connection{Name: "several", Provider: adapters.Graph, From: "*@x.it",
		Settings: &graph.Settings{Entra: credential.Entra{Tenant: "t", ClientID: "c"}}}})
	lanes := []string{used.Lane(mime.Mailbox{})}
	for i := range 1500 {
		lanes = append(lanes, fmt.Sprintf("lane %d", i))
	}
	for _, key := range lanes {
		if err := st.ChangeLane(t.Context(), now, key, store.LaneChange{}); err != nil {
			t.Fatal(err)
		}
	}
	until := now.Add(time.Hour)
	if err := st.ChangeConnection(t.Context(), now, paused.ID, store.ConnectionChange{PauseUntil: &until}); err != nil {
		t.Fatal(err)
	}
	all, err := Lanes(t.Context(), st)
	if err != nil || len(all) != len(lanes) {
		t.Errorf("%d lanes, want %d: %v", len(all), len(lanes), err)
	}
	statusOf, err := Statuses(t.Context(), st, []*gateway.Connection{used, paused, several})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*gateway.Connection{used, paused, several} {
		one, err := StatusOf(t.Context(), st, c)
		if err != nil {
			t.Fatal(err)
		}
		if got := statusOf(c); !reflect.DeepEqual(got, one) {
			t.Errorf("%s: %+v together, %+v alone", c.Name, got, one)
		}
		if (one.Lane != nil) != (c == used) || one.State.PausedUntil.After(now) != (c == paused) || one.State.Connection != c.ID {
			t.Errorf("%s: %+v", c.Name, one)
		}
	}
}
