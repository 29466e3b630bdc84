package postgres

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

// allConnections is the lock of those who put or delete one.
const allConnections = "connections"

func (s *Store) connection(ctx context.Context, cond, arg string) (*adapters.Connection, error) {
	var doc, sealed string
	if err := s.read(ctx, `SELECT doc, sealed FROM connections WHERE `+cond+` = $1`, []any{arg}, &doc, &sealed); err != nil {
		return nil, err
	}
	return store.OpenConnection([]byte(doc), []byte(sealed), s.opt.Sealer)
}

// Connection implements store.Connections.
func (s *Store) Connection(ctx context.Context, id string) (*adapters.Connection, error) {
	return s.connection(ctx, "id", id)
}

// ConnectionNamed implements store.Connections.
func (s *Store) ConnectionNamed(ctx context.Context, name string) (*adapters.Connection, error) {
	return s.connection(ctx, "name_key", fold(name))
}

// Connections implements store.Connections.
func (s *Store) Connections(ctx context.Context) (out []*adapters.Connection, err error) {
	err = s.list(ctx, `SELECT doc, sealed FROM connections ORDER BY name_key`, nil, func() { out = nil }, func(sc scan) error {
		c, err := s.scanConnection(sc)
		out = append(out, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ConnectionRevisions implements store.Connections.
func (s *Store) ConnectionRevisions(ctx context.Context) (out map[string]int64, err error) {
	err = s.list(ctx, `SELECT id, revision FROM connections`, nil, func() { out = map[string]int64{} }, func(sc scan) error {
		var id string
		var rev int64
		err := sc(&id, &rev)
		out[id] = rev
		return err
	})
	return out, err
}

// ConnectionsByID implements store.Connections.
func (s *Store) ConnectionsByID(ctx context.Context, ids []string) (out []*adapters.Connection, err error) {
	err = s.list(ctx, `SELECT doc, sealed FROM connections WHERE id = ANY($1)`, []any{ids}, func() { out = nil }, func(sc scan) error {
		c, err := s.scanConnection(sc)
		out = append(out, c)
		return err
	})
	return out, err
}

func (s *Store) scanConnection(sc scan) (*adapters.Connection, error) {
	c, _, err := s.scanSealed(sc)
	return c, err
}

// scanSealed gives the sealed secrets too.
func (s *Store) scanSealed(sc scan) (*adapters.Connection, []byte, error) {
	var doc, sealed string
	if err := sc(&doc, &sealed); err != nil {
		return nil, nil, dbErr(err)
	}
	c, err := store.OpenConnection([]byte(doc), []byte(sealed), s.opt.Sealer)
	return c, []byte(sealed), err
}

// PutConnection implements store.Connections.
func (s *Store) PutConnection(ctx context.Context, now time.Time, c *adapters.Connection) (*adapters.Connection, error) {
	now = store.Micro(now)
	in := c.Clone()
	if in.ID == "" {
		in.ID = store.NewID().String()
	}
	var out *adapters.Connection
	err := s.doByItself(ctx, func(n *needs) {
		n.names = append(n.names, allConnections)
		n.gate(in.ID)
	}, func(ctx context.Context, t *tx) error {
		put := in.Clone()
		if err := t.putConnection(ctx, put); err != nil {
			return err
		}
		out = put
		// Somebody has looked at it: what was wrong may be right now.
		t.exec(`DELETE FROM connection_states WHERE connection = $1`, put.ID)
		t.gates[put.ID] = &gate{inactive: !put.IsActive(), state: store.ConnectionState{Connection: put.ID}}
		limits := put.EffectiveLimits()
		return t.regate(now, put.ID, &limits)
	})
	if err != nil {
		return nil, err
	}
	s.edited()
	return out, nil
}

// putConnection writes c, its revision counted up.
func (t *tx) putConnection(ctx context.Context, c *adapters.Connection) error {
	var all []*adapters.Connection
	var old *adapters.Connection
	sealed := map[string][]byte{}
	rows, err := t.conn.Query(ctx, `SELECT doc, sealed FROM connections WHERE id = $1 OR name_key = $2 OR is_default`, c.ID, fold(c.Name))
	if err != nil {
		return dbErr(err)
	}
	if err := each(func(sc scan) error {
		o, secrets, err := t.s.scanSealed(sc)
		if err == nil {
			all, sealed[o.ID] = append(all, o), secrets
		}
		return err
	})(rows); err != nil {
		return err
	}
	for _, o := range all {
		switch {
		case o.ID == c.ID:
			old = o
		case fold(o.Name) == fold(c.Name):
			err = store.ErrExists
		}
	}
	switch {
	case old == nil && c.Revision != 0:
		return store.ErrNotFound
	case old != nil && old.Revision != c.Revision:
		return store.ErrConflict
	case err != nil:
		return err
	}
	store.KeepSecrets(c, old)
	c.Revision++
	isDefault := c.Default != "" && c.Default != adapters.DefaultNo
	edited := []string{c.ID}
	for _, o := range all {
		if !isDefault || o.ID == c.ID || o.Default == "" || o.Default == adapters.DefaultNo {
			continue
		}
		o.Default = adapters.DefaultNo
		o.Revision++
		if err := t.writeConnection(o, false, sealed[o.ID]); err != nil {
			return err
		}
		edited = append(edited, o.ID)
	}
	t.exec(noteEdit, strings.Join(edited, ","), store.EditsKept)
	return t.writeConnection(c, isDefault, sealed[c.ID])
}

// writeConnection writes c over one whose sealed secrets were old.
func (t *tx) writeConnection(c *adapters.Connection, isDefault bool, old []byte) error {
	doc, sealed, err := store.SealConnection(c, t.s.opt.Sealer, old)
	if err != nil {
		return err
	}
	t.exec(`INSERT INTO connections (id, name_key, revision, active, is_default, doc, sealed) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (id) DO UPDATE SET name_key = $2, revision = $3, active = $4, is_default = $5, doc = $6, sealed = $7`,
		c.ID, fold(c.Name), c.Revision, c.IsActive(), isDefault, string(doc), string(sealed))
	return nil
}

// noteEdit counts a change and notes whose it is.
const noteEdit = `WITH v AS (UPDATE settings SET value = (value::bigint + 1)::text WHERE name = 'connections_version' RETURNING value)
	INSERT INTO settings (name, value) SELECT 'connections_edits', value || ' ' || $1::text || E'\n' FROM v
	ON CONFLICT (name) DO UPDATE SET value = right(settings.value || excluded.value, $2)`

// ConnectionEdits implements store.Connections.
func (s *Store) ConnectionEdits(ctx context.Context, since int64) (store.Edits, error) {
	var version int64
	var log string
	err := s.read(ctx, `SELECT value::bigint, coalesce((SELECT value FROM settings WHERE name = 'connections_edits'), '')
		FROM settings WHERE name = 'connections_version'`, nil, &version, &log)
	if err != nil {
		return store.Edits{}, err
	}
	return store.EditsSince(log, since, version), nil
}

// ConnectionsVersion implements store.Connections.
func (s *Store) ConnectionsVersion(ctx context.Context) (int64, error) {
	return s.version(ctx, "connections_version")
}

// DeleteConnection implements store.Connections. The lanes of its flows are
// locked while it looks whether they are empty.
func (s *Store) DeleteConnection(ctx context.Context, now time.Time, id string) error {
	now = store.Micro(now)
	return s.edit(s.doByItself(ctx, func(n *needs) {
		n.names = append(n.names, allConnections)
		n.gate(id)
	}, func(ctx context.Context, t *tx) error {
		var used, exists bool
		if err := t.conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM flows f WHERE f.connection = $1 AND f.queued > 0)
			OR EXISTS (SELECT FROM deliveries d JOIN flows f ON f.id = d.flow WHERE d.state = 2 AND f.connection = $1)
			OR EXISTS (SELECT FROM deliveries d JOIN flows f ON f.id = d.flow WHERE d.state = 3 AND d.state <> 2 AND d.state <> 4 AND f.connection = $1),
			EXISTS (SELECT FROM connections WHERE id = $1)`, id).Scan(&used, &exists); err != nil {
			return dbErr(err)
		}
		switch {
		case used:
			return store.ErrInUse
		case !exists:
			return store.ErrNotFound
		}
		t.exec(`DELETE FROM connections WHERE id = $1`, id)
		t.exec(`DELETE FROM connection_states WHERE connection = $1`, id)
		t.exec(noteEdit, id, store.EditsKept)
		t.gates[id] = &gate{} // what still names it is the outbox's to hold
		return t.regate(now, id, nil)
	}))
}

// ConnectionState implements store.Connections.
func (s *Store) ConnectionState(ctx context.Context, id string) (store.ConnectionState, error) {
	st := store.ConnectionState{Connection: id}
	var doc string
	err := s.read(ctx, `SELECT doc FROM connection_states WHERE connection = $1`, []any{id}, &doc)
	if errors.Is(err, store.ErrNotFound) {
		return st, nil
	}
	if err != nil {
		return st, err
	}
	return store.DecodeState(id, []byte(doc)), nil
}

// ConnectionStates implements store.Connections.
func (s *Store) ConnectionStates(ctx context.Context) (out []store.ConnectionState, err error) {
	err = s.list(ctx, `SELECT connection, doc FROM connection_states ORDER BY connection`, nil, func() { out = nil }, func(sc scan) error {
		var id, doc string
		if err := sc(&id, &doc); err != nil {
			return dbErr(err)
		}
		out = append(out, store.DecodeState(id, []byte(doc)))
		return nil
	})
	return out, err
}

// ChangeConnection implements store.Connections.
func (s *Store) ChangeConnection(ctx context.Context, now time.Time, id string, c store.ConnectionChange) error {
	now = store.Micro(now)
	return s.do(ctx, func(n *needs) { n.gate(id) }, func(_ context.Context, t *tx) error { return t.changeConnection(now, id, c) })
}

// changeConnection alters the state of a connection whose gate is loaded.
func (t *tx) changeConnection(now time.Time, id string, c store.ConnectionChange) error {
	g := t.gates[id]
	before := g.paused
	g.state.Change(now, c)
	g.paused = us(g.state.PausedUntil)
	t.states = append(t.states, g.state)
	if g.paused == before {
		return nil
	}
	return t.regate(now, id, nil)
}
