package postgres

import (
	"context"
	"io/fs"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
)

// with adds to the migrations.
func with(t testing.TB, more map[string]string) fs.FS {
	t.Helper()
	out := fstest.MapFS{}
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		b, err := fs.ReadFile(migrations, n)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimPrefix(n, "migrations/")] = &fstest.MapFile{Data: b}
	}
	for n, q := range more {
		out[n] = &fstest.MapFile{Data: []byte(q)}
	}
	return out
}

// Two nodes of the next version start at once beside one of this version: its
// transactions keep the table locked now and then. It works all the while and
// afterwards, and starts again on the newer schema.
func TestMigratesBesideNodes(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	if _, err := send(t, s, "l", []byte("x")); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), s.opt.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	for _, q := range []string{`BEGIN`, `SELECT count(*) FROM messages`} { // as a dump does, for longer than a migration waits
		if _, err := conn.Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	next := with(t, map[string]string{
		"90001_column.sql": "-- +goose Up\nALTER TABLE messages ADD COLUMN IF NOT EXISTS next text;\n",
		"90002_index.sql": "-- +goose NO TRANSACTION\n-- +goose Up\nSET lock_timeout = 0;\nCREATE INDEX CONCURRENTLY IF NOT EXISTS n ON " +
			"messages (next) WHERE next IS NOT NULL;\n",
	})
	var starting sync.WaitGroup
	for range 2 {
		starting.Go(func() {
			n, err := Open(t.Context(), Options{URL: s.opt.URL, Dir: t.TempDir(), migrations: next})
			if err != nil {
				t.Errorf("a node of the next version: %v", err)
				return
			}
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	until(t, "the migration waits for the table", func() bool {
		var n int
		return s.DB.Read(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'postino schema'
			AND wait_event_type = 'Lock' AND query LIKE 'ALTER TABLE messages ADD%'`, nil, &n) == nil && n > 0
	})
	began := time.Now()
	if _, err := send(t, s, "l", []byte("x")); err != nil {
		t.Errorf("a submission meanwhile: %v", err)
	}
	if took := time.Since(began); took > 10*time.Second { // it waits behind the migration, which gives way
		t.Errorf("a submission waited %v for the migration", took)
	}
	if _, err := conn.Exec(t.Context(), `COMMIT`); err != nil {
		t.Fatal(err)
	}
	starting.Wait()
	if _, err := send(t, s, "l", []byte("x")); err != nil {
		t.Errorf("a submission on the newer schema: %v", err)
	}
	again := open(t, Options{URL: s.opt.URL})
	if _, err := send(t, again, "l", []byte("x")); err != nil {
		t.Errorf("this version started on the newer schema: %v", err)
	}
	if err := s.SetSetting(t.Context(), schemaOldest, "90001"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Options{URL: s.opt.URL, Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "newer postino") {
		t.Errorf("on a schema that this version cannot work with: %v", err)
	}
}

// Migrations since nodes run beside them change one table each and take nothing
// away.
func TestMigrationsAreSmall(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	allowed := regexp.MustCompile(`(?i)^(SET lock_timeout|DROP INDEX CONCURRENTLY IF EXISTS|CREATE (UNIQUE )?INDEX CONCURRENTLY|CREATE ` +
		`TABLE IF NOT EXISTS|INSERT INTO settings|` +
		`ALTER TABLE \w+ (ADD COLUMN IF NOT EXISTS|SET \())`)
	table := regexp.MustCompile(`(?i)(?:ALTER TABLE| ON) (\w+)`)
	comment := regexp.MustCompile(`--[^\n]*`)
	for _, n := range names {
		b, err := fs.ReadFile(migrations, n)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(n, "/00001_") || strings.Contains(n, "/00002_") {
			continue
		}
		tables := map[string]bool{}
		for q := range strings.SplitSeq(comment.ReplaceAllString(string(b), ""), ";") {
			if q = strings.TrimSpace(q); q == "" {
				continue
			}
			if !allowed.MatchString(q) {
				t.Errorf("%s: nodes of the version before may not live with %.60q", n, q)
			}
			for _, m := range table.FindAllStringSubmatch(q, -1) {
				tables[strings.ToLower(m[1])] = true
			}
		}
		if len(tables) > 1 {
			t.Errorf("%s changes %v: one table each", n, tables)
		}
	}
}
