//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

func radix36(n int64) string { return strconv.FormatInt(n, 36) }

// chunk is how many messages are copied at once.
const chunk = 50_000

// fillPostgres copies the rows into the tables, search records by way of a table of
// their texts.
func fillPostgres(ctx context.Context, o *options) (err error) {
	conn, err := pgx.Connect(ctx, o.database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	for _, q := range []string{
		`SET synchronous_commit = off`,
		`CREATE TEMPORARY TABLE words (id uuid, flow bigint, terms text)`,
		`CREATE TEMPORARY TABLE conns (id text, name_key text, doc text, n bigint)`,
	} {
		if _, err := conn.Exec(ctx, q); err != nil {
			return err
		}
	}
	var conns [][]any
	for i := range o.connections {
		doc, err := json.Marshal(connection(i))
		if err != nil {
			return err
		}
		conns = append(conns, []any{fmt.Sprint("conn-", i), strings.ToLower(fmt.Sprint("Connection ", i)), string(doc), int64(i)})
	}
	if err := copyRows(ctx, conn, "conns", []string{"id", "name_key", "doc", "n"}, conns); err != nil {
		return err
	}
	for _, q := range []string{
		`INSERT INTO connections (id, name_key, revision, active, is_default, doc, sealed)
			SELECT id, name_key, 1, true, false, doc, '{}' FROM conns ON CONFLICT DO NOTHING`,
		`INSERT INTO lanes (key, ready_at) SELECT 'lane-' || id, ` + fmt.Sprint(engine.Never()) + ` FROM conns ON CONFLICT DO NOTHING`,
		`INSERT INTO flows (lane, connection, client, due_at, gate_at, ready_at)
			SELECT l.id, c.id, 'client-' || (c.n % 50), ` + fmt.Sprint(engine.Never()) + `, 0, ` + fmt.Sprint(engine.Never()) + `
			FROM conns c JOIN lanes l ON l.key = 'lane-' || c.id ON CONFLICT DO NOTHING`,
	} {
		if _, err := conn.Exec(ctx, q); err != nil {
			return err
		}
	}
	flows := make([]int64, o.connections)
	rows, err := conn.Query(ctx, `SELECT f.id, c.n FROM flows f JOIN conns c ON c.id = f.connection`)
	if err != nil {
		return err
	}
	var id, n int64
	if _, err := pgx.ForEachRow(rows, []any{&id, &n}, func() error { flows[n] = id; return nil }); err != nil {
		return err
	}
	p := &pgFiller{conn: conn, flows: flows}
	if err := letters(o, func(l *letter) error { return p.add(ctx, l) }); err != nil {
		return err
	}
	if err := p.flush(ctx); err != nil {
		return err
	}
	for _, q := range []string{hours(), `INSERT INTO settings VALUES ('search_from', '-') ON CONFLICT (name) DO UPDATE SET value = '-'`,
		`VACUUM ANALYZE messages`, `VACUUM ANALYZE deliveries`, `VACUUM ANALYZE search`, `VACUUM ANALYZE attempts`, `CHECKPOINT`} {
		if _, err := conn.Exec(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

type pgFiller struct {
	conn                                  *pgx.Conn
	flows                                 []int64
	messages, deliveries, attempts, words [][]any
}

func (p *pgFiller) add(ctx context.Context, l *letter) error {
	doc, err := l.m.EncodeDoc()
	if err != nil {
		return err
	}
	recipients, err := store.EncodeRecipients(l.d.Recipients)
	if err != nil {
		return err
	}
	flow := p.flows[l.flow]
	p.messages = append(p.messages, []any{[16]byte(l.m.ID), l.m.Client, l.received, l.m.Size, make([]byte, 32), false,
		[]byte(l.m.MessageID),
		[]byte(l.m.From.String()), []byte(l.m.From.String()), []byte{}, doc})
	p.deliveries = append(p.deliveries, []any{[16]byte(l.d.ID), [16]byte(l.m.ID), flow, 0, int(l.state), int64(0), int64(0), l.received,
		l.received, int64(0), l.received, 1, int64(2), "", "", int64(0), recipients, ""})
	p.attempts = append(p.attempts, []any{[16]byte(l.d.ID), 1, "send", flow, "n", int64(1), l.received, 1, outcome})
	list := append(engine.TermsOf(&l.m, &l.d), engine.DayTerm(l.d.ID))
	p.words = append(p.words, []any{[16]byte(l.d.ID), flow, "'" + strings.Join(list, "' '") + "'"})
	if len(p.messages) < chunk {
		return nil
	}
	return p.flush(ctx)
}

func (p *pgFiller) flush(ctx context.Context) error {
	for _, c := range []struct {
		table, columns string
		rows           *[][]any
	}{
		{"messages", "id client received_at size sha256 kept message_id from_addr env_from tag doc", &p.messages},
		{"deliveries", "id msg flow position state next_at deadline_at created_at expires_at warn_at finished_at attempts epoch node kind " +
			"since recipients word", &p.deliveries},
		{"attempts", "delivery no kind flow node epoch started_at recipients outcome", &p.attempts},
		{"words", "id flow terms", &p.words},
	} {
		if err := copyRows(ctx, p.conn, c.table, strings.Fields(c.columns), *c.rows); err != nil {
			return err
		}
		*c.rows = (*c.rows)[:0]
	}
	if _, err := p.conn.Exec(ctx, `INSERT INTO search (id, flow, terms) SELECT id, flow, CAST(terms AS tsvector) FROM words`); err != nil {
		return err
	}
	_, err := p.conn.Exec(ctx, `TRUNCATE words`)
	return err
}

func copyRows(ctx context.Context, conn *pgx.Conn, table string, columns []string, rows [][]any) error {
	_, err := conn.CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromRows(rows))
	return err
}
