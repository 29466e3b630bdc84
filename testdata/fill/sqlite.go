//go:build unix

package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// fillSQLite writes the rows as the store would, without waiting for the disk.
func fillSQLite(ctx context.Context, o *options) (err error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(o.dir, "postino.db")+"?_pragma=synchronous(OFF)&_pragma=cache_size(-200000)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for i := range o.connections {
		doc, err := json.Marshal(connection(i))
		if err != nil {
			return err
		}
		name := fmt.Sprint("conn-", i)
		for _, s := range []struct {
			q    string
			args []any
		}{
			{`INSERT OR IGNORE INTO connections (id, name_key, revision, active, is_default, doc, sealed) VALUES (?, ?, 1, 1, 0, ?, '{}')`,
				[]any{name, strings.ToLower(fmt.Sprint("Connection ", i)), string(doc)}},
			{`INSERT OR IGNORE INTO lanes (id, key, ready_at) VALUES (?, ?, ?)`, []any{i + 1, "lane-" + name, engine.Never()}},
			{`INSERT OR IGNORE INTO flows (id, lane, connection, client, due_at, gate_at, ready_at) VALUES (?, ?, ?, ?, ?, 0, ?)`,
				[]any{i + 1, i + 1, name, fmt.Sprint("client-", i%50), engine.Never(), engine.Never()}},
		} {
			if _, err := tx.ExecContext(ctx, s.q, s.args...); err != nil {
				return err
			}
		}
	}
	var last int64
	if err := tx.QueryRowContext(ctx, `SELECT max(coalesce((SELECT max(seq) FROM messages), 0),
		coalesce((SELECT max(seq) FROM deliveries), 0))`).
		Scan(&last); err != nil {
		return err
	}
	statements := []string{
		`INSERT INTO messages (seq, id, client, received_at, size, sha256, kept, message_id, from_addr, env_from, tag, doc)
			VALUES (?, ?, ?, ?, ?, x'00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff', 0, ?, ?, ?, '', ?)`,
		`INSERT INTO deliveries (seq, id, msg, flow, position, state, next_at, deadline_at, created_at, expires_at, warn_at, finished_at,
			attempts, epoch, node, kind, since, recipients, word) VALUES (?, ?, ?, ?, 0, ?, 0, 0, ?, ?, 0, ?, 1, 2, '', '', 0, ?, '')`,
		`INSERT INTO attempts (delivery, no, kind, flow, node, epoch, started_at, recipients, outcome) VALUES (?, 1, 'send', ?, 'n', 1, ?, 1, ?)`,
		`INSERT INTO search_flows (flow, seq) VALUES (?, ?)`,
		`INSERT INTO search (rowid, terms) VALUES (?, ?)`,
	}
	prepared := make([]*sql.Stmt, len(statements))
	prepare := func() (err error) {
		for i, q := range statements {
			if prepared[i], err = tx.PrepareContext(ctx, q); err != nil { //nolint:sqlclosecheck // the transaction's end closes it
				return err
			}
		}
		return nil
	}
	if err := prepare(); err != nil {
		return err
	}
	seq := last
	if err := letters(o, func(l *letter) error {
		seq++
		doc, err := l.m.EncodeDoc()
		if err != nil {
			return err
		}
		recipients, err := store.EncodeRecipients(l.d.Recipients)
		if err != nil {
			return err
		}
		for i, args := range [][]any{
			{seq, l.m.ID, l.m.Client, l.received, l.m.Size, l.m.MessageID, l.m.From.String(), l.m.From.String(), doc},
			{seq, l.d.ID, seq, l.flow + 1, int(l.state), l.received, l.received, l.received, recipients},
			{seq, l.flow + 1, l.received, outcome},
			{l.flow + 1, seq},
			{seq, strings.Join(engine.TermsOf(&l.m, &l.d), " ")},
		} {
			if _, err := prepared[i].ExecContext(ctx, args...); err != nil {
				return err
			}
		}
		if seq%100_000 != 0 {
			return nil
		}
		if err := errors.Join(marks(ctx, tx, seq), tx.Commit()); err != nil {
			return err
		}
		if tx, err = db.BeginTx(ctx, nil); err != nil {
			return err
		}
		return prepare()
	}); err != nil {
		return err
	}
	if err := marks(ctx, tx, seq); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, hours()); err != nil {
		return err
	}
	return tx.Commit()
}

// marks says that all rows up to seq are in the index of words.
func marks(ctx context.Context, tx *sql.Tx, seq int64) error {
	_, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO settings (name, value) VALUES ('search_from', '-'), ('search_to', ?)`, radix36(seq))
	return err
}
