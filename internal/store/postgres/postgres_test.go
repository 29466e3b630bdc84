package postgres

import (
	"context"

	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/storetest"
)

// server returns the URL of the server that the tests may use.
func server(t testing.TB) string {
	t.Helper()
	u := os.Getenv("POSTINO_TEST_POSTGRES")
	if u == "" {
		if os.Getenv("POSTINO_PEERS") == "1" {
			t.Fatal("POSTINO_PEERS asks for real servers, and POSTINO_TEST_POSTGRES names none: see testdata/peers/postgres.sh")
		}
		t.Skip("POSTINO_TEST_POSTGRES names no server: see testdata/peers/postgres.sh")
	}
	return u
}

// schema makes an empty schema for one test and returns the URL that leads to it.
func schema(t testing.TB) string {
	t.Helper()
	u, err := url.Parse(server(t))
	if err != nil {
		t.Fatal(err)
	}
	name := "t_" + strings.ToLower(store.NewID().String())
	run := func(q string) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second)
		defer cancel()
		conn, err := pgx.Connect(ctx, u.String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(ctx, q); err != nil {
			t.Error(err)
		}
		if err := conn.Close(ctx); err != nil {
			t.Error(err)
		}
	}
	run(`CREATE SCHEMA ` + name)
	t.Cleanup(func() { run(`SET client_min_messages = warning; DROP SCHEMA ` + name + ` CASCADE`) })
	own := *u
	q := own.Query()
	q.Set("search_path", name)
	own.RawQuery = q.Encode()
	return own.String()
}

func open(t testing.TB, o Options) *Store {
	t.Helper()
	if o.URL == "" {
		o.URL = schema(t)
	}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Sealer == nil {
		o.Sealer = storetest.Sealer()
	}
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestConformance(t *testing.T) {
	t.Parallel()
	server(t)
	storetest.Run(t, harness(""))
}

// Without the walk along an index what is asked for in an order is sorted: records with
// the same time lie in another order each time.
func TestTiesWithOtherPlans(t *testing.T) {
	t.Parallel()
	server(t)
	storetest.RunTies(t, harness("&enable_indexscan=off&enable_indexonlyscan=off"))
}

func harness(settings string) storetest.Harness {
	return storetest.Harness{
		Nodes: true,
		Open:  func(t *testing.T) store.Store { return open(t, Options{URL: schema(t) + settings}) },
		Reopen: func(t *testing.T, s store.Store) store.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, Options{URL: s.(*Store).opt.URL, Dir: s.(*Store).opt.Dir})
		},
		Second: func(t *testing.T, s store.Store) store.Store {
			return open(t, Options{URL: s.(*Store).opt.URL, Dir: s.(*Store).opt.Dir})
		},
		Corrupt: func(t *testing.T, s store.Store, what string, id store.ID) {
			q := map[string]string{
				"recipients":    `UPDATE deliveries SET recipients = '[{"add' WHERE id = $1`,
				"no recipients": `UPDATE deliveries SET recipients = '[]' WHERE id = $1`,
				"word":          `UPDATE deliveries SET word = '{' WHERE id = $1`,
				"message":       `UPDATE messages SET doc = '{' WHERE id = (SELECT msg FROM deliveries WHERE id = $1)`,
				"lane": `UPDATE lanes SET minute = '\x80', day = '\x80', reason = '{' WHERE id = (SELECT lane FROM flows WHERE id = ` +
					`(SELECT flow FROM deliveries WHERE id = $1))`,
				"secrets": `UPDATE connections SET sealed = '{"smtp.password":"AAAA"}' WHERE $1::uuid IS NOT NULL`,
				"states":  `UPDATE connection_states SET doc = '{' WHERE $1::uuid IS NOT NULL`,
			}[what]
			if _, err := s.(*Store).pool.Exec(t.Context(), q, [16]byte(id)); err != nil {
				t.Fatal(err)
			}
		},
	}
}
