package sqlite

import (
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// heard removes what was heard of; the same key may be another message's by now.
func (t *tx) heard(rs []store.Receipt) error {
	for _, r := range rs {
		if err := t.exec(`DELETE FROM unheard WHERE hour = ? AND key = ? AND msg = ?`, r.Hour, r.Key[:], r.Message); err != nil {
			return err
		}
	}
	return nil
}

// resubmitted finds the messages that were accepted before, unheard.
func (t *tx) resubmitted(now time.Time, msgs []newMessage, out []store.Submitted) error {
	for i := range msgs {
		id := msgs[i].Identity
		if id == nil || id.Window <= 0 {
			continue
		}
		r := store.Receipt{Key: id.Key(msgs[i].body.sum)}
		hours := id.Hours(now)
		args := make([]any, 0, len(hours)+2)
		for _, h := range hours {
			args = append(args, h)
		}
		var deliveries []byte
		err := t.row(`SELECT hour, msg, deliveries FROM unheard WHERE hour IN (?`+strings.Repeat(`, ?`, len(hours)-1)+
			`) AND key = ? AND until_at > ? LIMIT 1`,
			append(args, r.Key[:], engine.Micros(now)), &r.Hour, &r.Message, &deliveries)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return err
		}
		n, err := t.change(`UPDATE messages SET resubmitted = resubmitted + 1 WHERE id = ? AND
			EXISTS (SELECT 1 FROM deliveries d WHERE d.msg = messages.seq AND d.state <= 4)`, r.Message)
		if err != nil {
			return err
		}
		if n > 0 {
			out[i] = store.Submitted{ID: r.Message, Deliveries: store.DecodeIDs(deliveries), Resubmitted: true, Receipt: r}
		}
	}
	return nil
}

// unheard notes the acceptances whose answers may be lost.
func (t *tx) unheard(now time.Time, msgs []newMessage, out []store.Submitted) error {
	for i := range msgs {
		id := msgs[i].Identity
		if id == nil || !id.Record || id.Window <= 0 || out[i].Resubmitted {
			continue
		}
		until := id.Until(now)
		r := store.Receipt{Hour: store.HourOf(until), Key: id.Key(msgs[i].body.sum), Message: out[i].ID}
		if err := t.exec(`INSERT OR REPLACE INTO unheard (hour, key, msg, deliveries, until_at) VALUES (?, ?, ?, ?, ?)`,
			r.Hour, r.Key[:], r.Message, store.EncodeIDs(out[i].Deliveries), engine.Micros(until)); err != nil {
			return err
		}
		out[i].Receipt = r
	}
	return nil
}
