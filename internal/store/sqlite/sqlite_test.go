package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/storetest"
)

func open(t testing.TB, o Options) *Store {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
		if err := os.WriteFile(filepath.Join(o.Dir, "postino.db"), fresh(), 0o600); err != nil {
			t.Fatal(err)
		}
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

// fresh is a database that was just made: making it takes most of a short
// test's time. TestMigrate makes one from nothing.
var fresh = sync.OnceValue(func() []byte {
	dir, err := os.MkdirTemp("", "postino-test-*")
	if err != nil {
		panic(err) //nolint:forbidigo // no test to fail in a once-function
	}
	defer os.RemoveAll(dir)
	s, err := Open(context.Background(), Options{Dir: dir})
	if err != nil {
		panic(err) //nolint:forbidigo // no test to fail in a once-function
	}
	if err := s.Close(); err != nil {
		panic(err) //nolint:forbidigo // no test to fail in a once-function
	}
	b, err := os.ReadFile(filepath.Join(dir, "postino.db"))
	if err != nil {
		panic(err) //nolint:forbidigo // no test to fail in a once-function
	}
	return b
})

func TestMigrate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "too")
	open(t, Options{Dir: dir})
	for name, mode := range map[string]os.FileMode{"postino.db": 0o600, ".": 0o700} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	open(t, Options{Dir: dir}) // nothing to do
}

// A store of every earlier schema is brought up to date with what it holds.
func TestMigrateFromEarlier(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for version := range int64(len(files)) {
		if version == 0 {
			continue
		}
		t.Run(fmt.Sprint("from ", version), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "postino.db")
			if err := create(t.Context(), file); err != nil {
				t.Fatal(err)
			}
			db, err := sql.Open("sqlite", dsn(file, true))
			if err != nil {
				t.Fatal(err)
			}
			sub, err := fs.Sub(migrations, "migrations")
			if err != nil {
				t.Fatal(err)
			}
			p, err := goose.NewProvider(goose.DialectSQLite3, db, sub)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.UpTo(t.Context(), version); err != nil {
				t.Fatal(err)
			}
			id, sum := store.NewID(), sha256.Sum256([]byte("ciao"))
			for _, q := range []struct {
				text string
				args []any
			}{
				{`INSERT INTO messages (seq, id, client, received_at, size, sha256, kept, message_id, from_addr, env_from, tag, doc) VALUES (1, ?, ` +
					`'c', 1, 13, ?, 1, '<1@x>', 'a@x', 'a@x', '', '{"e":{}}')`, []any{id[:], sum[:]}},
				{`INSERT INTO bodies (msg, head, body, start) VALUES (1, ?, ?, 0)`, []any{[]byte("From: a\r\n"), []byte("ciao")}},
			} {
				if _, err := db.ExecContext(t.Context(), q.text, q.args...); err != nil {
					t.Fatal(err)
				}
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			s := open(t, Options{Dir: dir, Server: true})
			c, err := s.Content(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if c.Size() != 13 {
				t.Errorf("%d bytes", c.Size())
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			if _, err := submitBody(t, s, []byte("x")); err != nil {
				t.Error(err)
			}
		})
	}
}

// Servers and commands that are started together on a new folder all get the
// same database.
func TestMadeAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s, err := Open(t.Context(), Options{Dir: dir})
			if err != nil {
				t.Error(err)
				return
			}
			var size int
			if err := s.DB.Read(t.Context(), "PRAGMA page_size", nil, &size); err != nil || size != 8192 {
				t.Errorf("pages of %d: %v", size, err)
			}
			if err := s.Ping(t.Context()); err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Harness{
		Open: func(t *testing.T) store.Store { return open(t, Options{Server: true}) },
		Reopen: func(t *testing.T, s store.Store) store.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, Options{Server: true, Dir: s.(*Store).dir})
		},
		Second: func(t *testing.T, s store.Store) store.Store { return open(t, Options{Dir: s.(*Store).dir}) },
		Corrupt: func(t *testing.T, s store.Store, what string, id store.ID) {
			q := map[string]string{
				"recipients":    `UPDATE deliveries SET recipients = '[{"add' WHERE id = ?`,
				"no recipients": `UPDATE deliveries SET recipients = '[]' WHERE id = ?`,
				"word":          `UPDATE deliveries SET word = '{' WHERE id = ?`,
				"message":       `UPDATE messages SET doc = '{' WHERE seq = (SELECT msg FROM deliveries WHERE id = ?)`,
				"lane": `UPDATE lanes SET minute = x'80', day = x'80', reason = '{' WHERE id = (SELECT lane FROM flows WHERE id = (SELECT ` +
					`flow FROM deliveries WHERE id = ?))`,
				"secrets": `UPDATE connections SET sealed = '{"smtp.password":"AAAA"}' WHERE ?1 = ?1`,
				"states":  `UPDATE connection_states SET doc = '{' WHERE ?1 = ?1`,
			}[what]
			if err := s.(*Store).do(t.Context(), func(t *tx) error { return t.exec(q, id) }); err != nil {
				t.Fatal(err)
			}
		},
	})
}
