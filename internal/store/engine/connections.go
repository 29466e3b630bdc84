package engine

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// A storedConnection is a connection with its secrets as they are sealed.
type storedConnection struct {
	*gateway.Connection
	sealed []byte
}

const connectionColumns = `SELECT doc, sealed FROM connections`

func (r Ports) scanConnection(sc Scan) (storedConnection, error) {
	var doc, sealed string
	if err := sc(&doc, &sealed); err != nil {
		return storedConnection{}, err
	}
	c, err := store.OpenConnection([]byte(doc), []byte(sealed), r.Sealer)
	return storedConnection{c, []byte(sealed)}, err
}

func (r Ports) connection(ctx context.Context, cond, arg string) (*gateway.Connection, error) {
	c, err := r.scanConnection(func(dst ...any) error { return r.DB.Read(ctx, connectionColumns+cond, []any{arg}, dst...) })
	if err != nil {
		return nil, err
	}
	return c.Connection, nil
}

func (r Ports) connections(ctx context.Context, cond string, args ...any) (out []*gateway.Connection, err error) {
	err = r.DB.List(ctx, connectionColumns+cond, args, func() { out = nil }, func(sc Scan) error {
		c, err := r.scanConnection(sc)
		out = append(out, c.Connection)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Connection implements store.Connections.
func (r Ports) Connection(ctx context.Context, id string) (*gateway.Connection, error) {
	return r.connection(ctx, ` WHERE id = $1`, id)
}

// ConnectionNamed implements store.Connections.
func (r Ports) ConnectionNamed(ctx context.Context, name string) (*gateway.Connection, error) {
	return r.connection(ctx, ` WHERE name_key = $1`, Fold(name))
}

// Connections implements store.Connections.
func (r Ports) Connections(ctx context.Context) ([]*gateway.Connection, error) {
	return r.connections(ctx, ` ORDER BY name_key`)
}

// ConnectionsByID implements store.Connections.
func (r Ports) ConnectionsByID(ctx context.Context, ids []string) ([]*gateway.Connection, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	return r.connections(ctx, ` WHERE id IN (`+params(1, len(ids))+`)`, args...)
}

// params is a list of n parameters from the one with number first on.
func params(first, n int) string {
	out := make([]string, n)
	for i := range out {
		out[i] = "$" + strconv.Itoa(first+i)
	}
	return strings.Join(out, ", ")
}

// ConnectionRevisions implements store.Connections.
func (r Ports) ConnectionRevisions(ctx context.Context) (out map[string]int64, err error) {
	reset := func() { out = map[string]int64{} }
	reset()
	err = r.DB.List(ctx, `SELECT id, revision FROM connections`, nil, reset, func(sc Scan) error {
		var id string
		var rev int64
		err := sc(&id, &rev)
		out[id] = rev
		return err
	})
	return out, err
}

// ConnectionsVersion implements store.Connections.
func (r Ports) ConnectionsVersion(ctx context.Context) (int64, error) {
	return r.version(ctx, connectionsVersion)
}

// writeConnection stores c under its ID in a transaction that no one else
// who writes connections runs at the same time. It counts the revision up, and
// forgets the connection's state: someone has looked at it, and what was wrong
// may be right now.
func (r Ports) writeConnection(ctx context.Context, t Tx, c *gateway.Connection) error {
	var old storedConnection
	var others []storedConnection // what bears on c: its name, or that it is the default
	name := Fold(c.Name)
	if err := t.Each(connectionColumns+` WHERE id = $1 OR name_key = $2 OR is_default`, []any{c.ID, name}, func(sc Scan) error {
		o, err := r.scanConnection(sc)
		switch {
		case err != nil:
		case o.ID == c.ID:
			old = o
		default:
			others = append(others, o)
		}
		return err
	}); err != nil {
		return err
	}
	switch {
	case old.Connection == nil && c.Revision != 0:
		return store.ErrNotFound
	case old.Connection != nil && old.Revision != c.Revision:
		return store.ErrConflict
	}
	for _, o := range others {
		if Fold(o.Name) == name {
			return store.ErrExists
		}
	}
	store.KeepSecrets(c, old.Connection)
	if err := ownerByAddress(t, c, old.Connection); err != nil {
		return err
	}
	c.Revision++
	edited := []string{c.ID}
	for _, o := range others {
		if !isDefault(c) || !isDefault(o.Connection) {
			continue
		}
		before := o.Clone()
		o.Default = gateway.DefaultNo
		o.Revision++
		if err := errors.Join(r.setConnection(t, o.Connection, o.sealed), auditConnection(ctx, t, before, o.Connection)); err != nil {
			return err
		}
		edited = append(edited, o.ID)
	}
	if err := r.setConnection(t, c, old.sealed); err != nil {
		return err
	}
	if err := auditConnection(ctx, t, old.Connection, c); err != nil {
		return err
	}
	if old.Connection != nil && Fold(old.Name) != name {
		renamed, err := r.renameInChains(ctx, t, old.Name, c.Name)
		if err != nil {
			return err
		}
		edited = append(edited, renamed...)
	}
	return errors.Join(forgetState(t, c.ID), noteEdit(t, edited...))
}

// ownerByAddress puts the id of a person where their address stands, and refuses
// one of no one unless it stood there before.
func ownerByAddress(t Tx, c, old *gateway.Connection) error {
	if !strings.Contains(c.Owner, "@") {
		return nil
	}
	err := t.Row(`SELECT id FROM people WHERE lookup = $1`, []any{anyText(Fold(c.Owner))}, &c.Owner)
	if errors.Is(err, store.ErrNotFound) {
		if old != nil && old.Owner == c.Owner {
			return nil
		}
		v := adapters.NewValidator()
		v.Add("owner", mime.NewText("store.owner_unknown", "{owner} is the address of no person", "owner", strconv.Quote(c.Owner)))
		return v.Err()
	}
	return err
}

func isDefault(c *gateway.Connection) bool {
	return c.Default != "" && c.Default != gateway.DefaultNo
}

// setConnection writes c over one with old sealed secrets.
func (r Ports) setConnection(t Tx, c *gateway.Connection, old []byte) error {
	doc, sealed, err := store.SealConnection(c, r.Sealer, old)
	if err != nil {
		return err
	}
	_, err = t.Exec(`INSERT INTO connections (id, name_key, revision, active, is_default, doc, sealed) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (id) DO UPDATE SET name_key = excluded.name_key, revision = excluded.revision, active = excluded.active,
			is_default = excluded.is_default, doc = excluded.doc, sealed = excluded.sealed`,
		c.ID, Fold(c.Name), c.Revision, c.IsActive(), isDefault(c), string(doc), string(sealed))
	return err
}

// removeConnection removes a connection in a transaction in which nothing that
// is queued on it is claimed; ErrInUse while something needs it.
func (r Ports) removeConnection(ctx context.Context, t Tx, id string) error {
	var used bool
	// A connection's subqueues are few; what is sending, or held, is little
	// beside what is sent. The conditions are those of the partial indices.
	if err := t.Row(`SELECT EXISTS (SELECT 1 FROM flows f WHERE f.connection = $1 AND f.queued > 0)
		OR EXISTS (SELECT 1 FROM deliveries d CROSS JOIN flows f WHERE d.state = 2 AND f.id = d.flow AND f.connection || '' = $1)
		OR EXISTS (SELECT 1 FROM deliveries d CROSS JOIN flows f
			WHERE d.state = 3 AND d.state <> 2 AND d.state <> 4 AND f.id = d.flow AND f.connection || '' = $1)`, []any{id}, &used); err != nil {
		return err
	}
	if used {
		return store.ErrInUse
	}
	old, err := r.scanConnection(func(dst ...any) error { return t.Row(connectionColumns+` WHERE id = $1`+t.Lock(), []any{id}, dst...) })
	if err != nil {
		return err
	}
	if _, err := t.Exec(`DELETE FROM connections WHERE id = $1`, id); err != nil {
		return err
	}
	if err := auditConnection(ctx, t, old.Connection, nil); err != nil {
		return err
	}
	return errors.Join(forgetState(t, id), noteEdit(t, id))
}

// noteEdit counts a change of connections and notes the connection.
func noteEdit(t Tx, ids ...string) error {
	if err := bump(t, connectionsVersion); err != nil {
		return err
	}
	var version, log string
	if err := t.Row(`SELECT value, coalesce((SELECT value FROM settings WHERE name = $2), '') FROM settings WHERE name = $1`,
		[]any{connectionsVersion, connectionsEdits}, &version, &log); err != nil {
		return err
	}
	log += version + " " + strings.Join(ids, ",") + "\n"
	_, err := t.Exec(setSetting, connectionsEdits, log[max(0, len(log)-store.EditsKept):])
	return err
}

// ConnectionEdits implements store.Connections.
func (r Ports) ConnectionEdits(ctx context.Context, since int64) (store.Edits, error) {
	var version int64
	var log string
	err := r.DB.Read(ctx, `SELECT CAST(value AS BIGINT), coalesce((SELECT value FROM settings WHERE name = $2), '') FROM settings WHERE `+
		`name = $1`,
		[]any{connectionsVersion, connectionsEdits}, &version, &log)
	if err != nil {
		return store.Edits{}, err
	}
	return store.EditsSince(log, since, version), nil
}

func forgetState(t Tx, id string) error {
	_, err := t.Exec(`DELETE FROM connection_states WHERE connection = $1`, id)
	return err
}

// ConnectionState implements store.Connections.
func (r Ports) ConnectionState(ctx context.Context, id string) (store.ConnectionState, error) {
	var doc string
	err := r.DB.Read(ctx, `SELECT doc FROM connection_states WHERE connection = $1`, []any{id}, &doc)
	if errors.Is(err, store.ErrNotFound) {
		return store.ConnectionState{Connection: id}, nil
	}
	if err != nil {
		return store.ConnectionState{Connection: id}, err
	}
	return store.DecodeState(id, []byte(doc)), nil
}

// ConnectionStates implements store.Connections.
func (r Ports) ConnectionStates(ctx context.Context) (out []store.ConnectionState, err error) {
	q := `SELECT connection, doc FROM connection_states ORDER BY connection`
	err = r.DB.List(ctx, q, nil, func() { out = nil }, func(sc Scan) error {
		var id, doc string
		if err := sc(&id, &doc); err != nil {
			return err
		}
		out = append(out, store.DecodeState(id, []byte(doc)))
		return nil
	})
	return out, err
}
