package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

// connectionRow is a connection as stored.
type connectionRow struct{ doc, sealed []byte }

func (s *Store) connection(ctx context.Context, cond, arg string) (*adapters.Connection, error) {
	var r connectionRow
	if err := s.read(ctx, `SELECT doc, sealed FROM connections WHERE `+cond+` = ?`, []any{arg}, &r.doc, &r.sealed); err != nil {
		return nil, err
	}
	return store.OpenConnection(r.doc, r.sealed, s.opt.Sealer)
}

// Connection implements store.Connections.
func (s *Store) Connection(ctx context.Context, id string) (*adapters.Connection, error) {
	return s.connection(ctx, "id", id)
}

// ConnectionNamed implements store.Connections.
func (s *Store) ConnectionNamed(ctx context.Context, name string) (*adapters.Connection, error) {
	return s.connection(ctx, "name_key", fold(name))
}

// ConnectionRevisions implements store.Connections.
func (s *Store) ConnectionRevisions(ctx context.Context) (map[string]int64, error) {
	out := map[string]int64{}
	err := s.list(ctx, `SELECT id, revision FROM connections`, nil, func(sc scan) error {
		var id string
		var rev int64
		err := dbErr(sc(&id, &rev))
		out[id] = rev
		return err
	})
	return out, err
}

// ConnectionsByID implements store.Connections.
func (s *Store) ConnectionsByID(ctx context.Context, ids []string) (out []*adapters.Connection, err error) {
	for _, id := range ids {
		c, err := s.Connection(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// OnChange implements store.Store: what runs beside the server is another
// process, of which nothing is heard here.
func (s *Store) OnChange(func()) {}

// Connections implements store.Connections.
func (s *Store) Connections(ctx context.Context) ([]*adapters.Connection, error) {
	var out []*adapters.Connection
	err := s.list(ctx, `SELECT doc, sealed FROM connections ORDER BY name_key`, nil, func(sc scan) error {
		var r connectionRow
		if err := sc(&r.doc, &r.sealed); err != nil {
			return dbErr(err)
		}
		c, err := store.OpenConnection(r.doc, r.sealed, s.opt.Sealer)
		out = append(out, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// PutConnection implements store.Connections.
func (s *Store) PutConnection(ctx context.Context, now time.Time, c *adapters.Connection) (*adapters.Connection, error) {
	now = store.Micro(now)
	var out *adapters.Connection
	err := s.do(ctx, func(t *tx) (err error) {
		out, err = t.putConnection(now, c.Clone(), s.opt.Sealer)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (t *tx) putConnection(now time.Time, c *adapters.Connection, sealer store.Sealer) (*adapters.Connection, error) {
	var old *adapters.Connection
	if c.ID == "" {
		c.ID = store.NewID().String()
	}
	var r connectionRow
	switch err := t.row(`SELECT doc, sealed FROM connections WHERE id = ?`, []any{c.ID}, &r.doc, &r.sealed); {
	case errors.Is(err, sql.ErrNoRows):
		if c.Revision != 0 {
			return nil, store.ErrNotFound
		}
	case err != nil:
		return nil, err
	default:
		if old, err = store.OpenConnection(r.doc, r.sealed, sealer); err != nil {
			return nil, err
		}
		if old.Revision != c.Revision {
			return nil, store.ErrConflict
		}
	}
	var other string
	if err := t.row(`SELECT id FROM connections WHERE name_key = ? AND id <> ?`, []any{fold(c.Name), c.ID}, &other); err == nil {
		return nil, store.ErrExists
	} else if !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	store.KeepSecrets(c, old)
	c.Revision++
	isDefault := c.Default != "" && c.Default != adapters.DefaultNo
	edited := []string{c.ID}
	if isDefault {
		others, err := t.noOtherDefault(c.ID, sealer)
		if err != nil {
			return nil, err
		}
		edited = append(edited, others...)
	}
	if err := t.writeConnection(c, isDefault, sealer, r.sealed); err != nil {
		return nil, err
	}
	if err := t.noteEdit(edited...); err != nil {
		return nil, err
	}
	// Somebody has looked at it: what was wrong may be right now.
	if err := t.exec(`DELETE FROM connection_states WHERE connection = ?`, c.ID); err != nil {
		return nil, err
	}
	limits := c.EffectiveLimits()
	return c, t.regate(now, c.ID, &limits)
}

// writeConnection writes c over one whose sealed secrets were old.
func (t *tx) writeConnection(c *adapters.Connection, isDefault bool, sealer store.Sealer, old []byte) error {
	doc, sealed, err := store.SealConnection(c, sealer, old)
	if err != nil {
		return err
	}
	return t.exec(`INSERT OR REPLACE INTO connections (id, name_key, revision, active, is_default, doc, sealed) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		c.ID, fold(c.Name), c.Revision, c.IsActive(), isDefault, string(doc), string(sealed))
}

// noOtherDefault returns the ids of those that were the default.
func (t *tx) noOtherDefault(id string, sealer store.Sealer) (changed []string, err error) {
	var others []*adapters.Connection
	var sealed [][]byte
	if err := t.each(`SELECT doc, sealed FROM connections WHERE is_default = 1 AND id <> ?`, []any{id}, func(sc scan) error {
		var r connectionRow
		if err := sc(&r.doc, &r.sealed); err != nil {
			return dbErr(err)
		}
		c, err := store.OpenConnection(r.doc, r.sealed, sealer)
		others, sealed = append(others, c), append(sealed, r.sealed)
		return err
	}); err != nil {
		return nil, err
	}
	for i, c := range others {
		c.Default = adapters.DefaultNo
		c.Revision++
		if err := t.writeConnection(c, false, sealer, sealed[i]); err != nil {
			return nil, err
		}
		changed = append(changed, c.ID)
	}
	return changed, nil
}

// noteEdit counts a change of connections and notes whose it is.
func (t *tx) noteEdit(ids ...string) error {
	if err := t.bump("connections_version"); err != nil {
		return err
	}
	return t.exec(`INSERT INTO settings (name, value)
		SELECT 'connections_edits', value || ' ' || ? || char(10) FROM settings WHERE name = 'connections_version'
		ON CONFLICT (name) DO UPDATE SET value = substr(settings.value || excluded.value, -?)`, strings.Join(ids, ","), store.EditsKept)
}

// ConnectionEdits implements store.Connections.
func (s *Store) ConnectionEdits(ctx context.Context, since int64) (store.Edits, error) {
	var version int64
	var log string
	err := s.read(ctx, `SELECT CAST(value AS INTEGER), coalesce((SELECT value FROM settings WHERE name = 'connections_edits'), '')
		FROM settings WHERE name = 'connections_version'`, nil, &version, &log)
	if err != nil {
		return store.Edits{}, err
	}
	return store.EditsSince(log, since, version), nil
}

// bump counts a change that caches compare.
func (t *tx) bump(name string) error {
	return t.exec(`UPDATE settings SET value = CAST(value AS INTEGER) + 1 WHERE name = ?`, name)
}

func (s *Store) version(ctx context.Context, name string) (v int64, err error) {
	err = s.read(ctx, `SELECT CAST(value AS INTEGER) FROM settings WHERE name = ?`, []any{name}, &v)
	return v, err
}

// ConnectionsVersion implements store.Connections.
func (s *Store) ConnectionsVersion(ctx context.Context) (int64, error) {
	return s.version(ctx, "connections_version")
}

// DeleteConnection implements store.Connections.
func (s *Store) DeleteConnection(ctx context.Context, now time.Time, id string) error {
	now = store.Micro(now)
	return s.do(ctx, func(t *tx) error {
		var used bool
		// The unary plus keeps SQLite from walking all that is open: a
		// connection's flows are few.
		if err := t.row(`SELECT EXISTS (SELECT 1 FROM flows f WHERE f.connection = ?1 AND f.queued > 0)
			OR EXISTS (SELECT 1 FROM deliveries d INDEXED BY deliveries_leased JOIN flows f ON f.id = d.flow WHERE d.state = 2 AND +f.connection = ?1)
			OR EXISTS (SELECT 1 FROM deliveries d INDEXED BY deliveries_open JOIN flows f ON f.id = d.flow WHERE d.state = 3 AND d.state <> 2 AND d.state <> 4 AND +f.connection = ?1)`,
			[]any{id}, &used); err != nil {
			return err
		}
		if used {
			return store.ErrInUse
		}
		n, err := t.change(`DELETE FROM connections WHERE id = ?`, id)
		if err != nil {
			return err
		}
		if n == 0 {
			return store.ErrNotFound
		}
		if err := errors.Join(t.exec(`DELETE FROM connection_states WHERE connection = ?`, id), t.noteEdit(id)); err != nil {
			return err
		}
		return t.regate(now, id, nil)
	})
}

// ConnectionState implements store.Connections.
func (s *Store) ConnectionState(ctx context.Context, id string) (store.ConnectionState, error) {
	st := store.ConnectionState{Connection: id}
	var doc []byte
	err := s.read(ctx, `SELECT doc FROM connection_states WHERE connection = ?`, []any{id}, &doc)
	if errors.Is(err, store.ErrNotFound) {
		return st, nil
	}
	if err != nil {
		return st, err
	}
	return store.DecodeState(id, doc), nil
}

// ConnectionStates implements store.Connections.
func (s *Store) ConnectionStates(ctx context.Context) (out []store.ConnectionState, err error) {
	err = s.list(ctx, `SELECT connection, doc FROM connection_states ORDER BY connection`, nil, func(sc scan) error {
		var id string
		var doc []byte
		if err := sc(&id, &doc); err != nil {
			return dbErr(err)
		}
		out = append(out, store.DecodeState(id, doc))
		return nil
	})
	return out, err
}

// ChangeConnection implements store.Connections.
func (s *Store) ChangeConnection(ctx context.Context, now time.Time, id string, c store.ConnectionChange) error {
	now = store.Micro(now)
	return s.do(ctx, func(t *tx) error { return t.changeConnection(now, id, c) })
}

func (t *tx) changeConnection(now time.Time, id string, c store.ConnectionChange) error {
	var doc []byte
	err := t.row(`SELECT doc FROM connection_states WHERE connection = ?`, []any{id}, &doc)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	st := store.DecodeState(id, doc)
	before := st.PausedUntil
	st.Change(now, c)
	if doc, err = json.Marshal(st); err != nil {
		return err
	}
	if err := t.exec(`INSERT OR REPLACE INTO connection_states (connection, paused_until, doc) VALUES (?, ?, ?)`, id, us(st.PausedUntil), string(doc)); err != nil {
		return err
	}
	if st.PausedUntil.Equal(before) {
		return nil
	}
	return t.regate(now, id, nil)
}
