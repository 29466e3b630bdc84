package sqlite

import (
	"errors"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// SpoolDir implements store.Submitter.
func (s *Store) SpoolDir() string { return s.spool.incoming.Dir }

// stored removes a spool file that no row names. After an error that leaves the
// commit in doubt it stays: Sweep knows.
func (s *Store) stored(m *engine.NewMessage, named bool, err error) {
	if named || errors.Is(err, store.ErrUnavailable) {
		s.spool.written(m.File)
	} else {
		s.spool.discard(s.opt.Log, m.File)
	}
}

// Answer implements engine.Work.
func (t *tx) Answer(now time.Time, k *store.Idempotency) ([]store.Submitted, error) {
	var request, stored []byte
	err := t.Row(`SELECT request, answer FROM idempotency WHERE client = ? AND key = ? AND expires_at > ?`,
		[]any{k.Client, k.Key, engine.Micros(now)}, &request, &stored)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return k.Answer(request, stored)
}

// SetAnswer implements engine.Work.
func (t *tx) SetAnswer(k *store.Idempotency, stored string) error {
	return t.exec(`INSERT OR REPLACE INTO idempotency (client, key, request, answer, expires_at) VALUES (?, ?, ?, ?, ?)`,
		k.Client, k.Key, engine.NonNil(k.Request), stored, engine.Micros(k.ExpiresAt))
}

// InsertMessage implements engine.Work.
func (t *tx) InsertMessage(m *engine.NewMessage) (err error) {
	doc, err := m.EncodeDoc()
	if err != nil {
		return err
	}
	if m.Seq, err = t.insert(`INSERT INTO messages (id, client, received_at, size, sha256, kept, message_id, from_addr, env_from, tag, doc)
		VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?)`, m.ID, m.Client, engine.Micros(m.ReceivedAt), m.Size, m.Sum, m.MessageID,
		engine.Fold(m.From.String()), engine.Fold(m.Envelope.From.String()), m.Tag, doc); err != nil {
		return err
	}
	var inline any
	if !m.Apart {
		inline = engine.NonNil(m.Inline)
	}
	return t.exec(`INSERT INTO bodies (msg, head, body, start, head_sum) VALUES (?, ?, ?, ?, ?)`, m.Seq, m.Head, inline, m.Start,
		store.HeadSum(m.Head))
}

// Drop implements engine.Work: what is in no row is a file, which stored removes.
func (t *tx) Drop(*engine.NewMessage) {}

// Sibling implements engine.Work.
func (t *tx) Sibling(now time.Time, key string) (found *engine.Sibling, err error) {
	err = t.Each(`SELECT `+deliveryColumns+`, `+engine.MessageColumns+` FROM deliveries d INDEXED BY deliveries_join`+deliveryTables+
		` WHERE d.join_key = ? AND d.state = 0 AND d.next_at > ? ORDER BY d.seq DESC LIMIT 1`, []any{key, engine.Micros(now)},
		func(sc scan) error {
			var m messageRow
			r := &deliveryRow{}
			if err := sc(m.Columns(columns(r), idColumn)...); err != nil {
				return err
			}
			r.Decode()
			if msg, ok := m.Decode(); ok && !r.Corrupt {
				found = &engine.Sibling{Row: r, Message: msg}
			}
			return nil
		})
	return found, err
}

// Grown implements engine.Work.
func (t *tx) Grown(s *engine.Sibling) error {
	doc, err := s.Message.EncodeDoc()
	if err != nil {
		return err
	}
	recipients, err := store.EncodeRecipients(s.Row.D.Recipients)
	if err != nil {
		return err
	}
	return errors.Join(t.exec(`UPDATE messages SET doc = ? WHERE seq = ?`, doc, s.Row.Msg),
		t.exec(`UPDATE deliveries SET recipients = ? WHERE seq = ?`, recipients, s.Row.Seq), t.wordsAgain(s))
}

// heard removes what was heard of; the same key may be another message's by now.
func (t *tx) heard(rs []store.Receipt) error {
	for _, r := range rs {
		if err := t.exec(`DELETE FROM unheard WHERE hour = ? AND key = ? AND msg = ?`, r.Hour, r.Key[:], r.Message); err != nil {
			return err
		}
	}
	return nil
}

// Accepted implements engine.Work.
func (t *tx) Accepted(now time.Time, id *store.Identity, key [16]byte) (*engine.Acceptance, error) {
	args := []any{key[:], engine.Micros(now)}
	for _, h := range id.Hours(now) {
		args = append(args, h)
	}
	a := &engine.Acceptance{Receipt: store.Receipt{Key: key}}
	var deliveries []byte
	// Without rows of deliveries: they were placed in this transaction.
	err := t.Row(`SELECT u.hour, u.msg, u.deliveries FROM unheard u CROSS JOIN messages m ON m.id = u.msg
		WHERE u.key = ? AND u.until_at > ? AND u.hour IN (?`+strings.Repeat(`, ?`, len(args)-3)+`)
		AND (EXISTS (SELECT 1 FROM deliveries d WHERE d.msg = m.seq AND d.state <= 4)
			OR NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.msg = m.seq)) LIMIT 1`, args, &a.Hour, &a.Message, &deliveries)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	a.Deliveries = store.DecodeIDs(deliveries)
	return a, err
}

// Resubmitted implements engine.Work.
func (t *tx) Resubmitted(id store.ID) error {
	return t.exec(`UPDATE messages SET resubmitted = resubmitted + 1 WHERE id = ?`, id)
}

// Unheard implements engine.Work.
func (t *tx) Unheard(a *engine.Acceptance) error {
	return t.exec(`INSERT OR REPLACE INTO unheard (hour, key, msg, deliveries, until_at) VALUES (?, ?, ?, ?, ?)`,
		a.Hour, a.Key[:], a.Message, store.EncodeIDs(a.Deliveries), engine.Micros(a.Until))
}
