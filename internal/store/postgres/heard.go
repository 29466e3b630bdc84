package postgres

import (
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// An identityNeed is a message that may have been accepted before.
type identityNeed struct {
	key   [16]byte
	hours []int64
	now   time.Time
}

// An acceptance is an unheard one, of the database or of this transaction.
type acceptance struct {
	engine.Acceptance
	counts bool // it is known to the database, and not all of it has failed
	fresh  bool // to be written
}

func (n *needs) identity(now time.Time, m *engine.NewMessage) {
	if id := m.Identity; id != nil && id.Window > 0 {
		n.identities = append(n.identities, identityNeed{id.Key(m.Sum), id.Hours(now), now})
	}
}

// loadUnheard reads the acceptances that messages may be the repeats of.
func (t *tx) loadUnheard(b *pgx.Batch, list []identityNeed) {
	if len(list) == 0 {
		return
	}
	var hours, nows []int64
	var keys [][]byte
	for i := range list {
		for _, h := range list[i].hours {
			hours, keys, nows = append(hours, h), append(keys, list[i].key[:]), append(nows, engine.Micros(list[i].now))
		}
	}
	b.Queue(`SELECT u.hour, u.key, u.msg, u.deliveries, u.until_at, u.until_at > x.now AND EXISTS (SELECT FROM deliveries d WHERE d.msg = `+
		`u.msg AND d.state <= 4)
		FROM unnest($1::bigint[], $2::bytea[], $3::bigint[]) AS x (hour, key, now)
		CROSS JOIN LATERAL (SELECT * FROM unheard WHERE hour = x.hour AND key = x.key OFFSET 0) u`, hours, keys,
		nows).Query(each(func(sc scan) error {
		a := &acceptance{}
		var key, deliveries []byte
		var until int64
		if err := sc(&a.Hour, &key, (*[16]byte)(&a.Message), &deliveries, &until, &a.counts); err != nil {
			return err
		}
		a.Key, a.Deliveries, a.Until = [16]byte(key), store.DecodeIDs(deliveries), engine.At(until)
		if old := t.known[a.Key]; old == nil || !old.counts {
			t.known[a.Key] = a
		}
		return nil
	}))
}

// Accepted implements engine.Work.
func (t *tx) Accepted(_ time.Time, _ *store.Identity, key [16]byte) (*engine.Acceptance, error) {
	if a := t.known[key]; a != nil && a.counts {
		return &a.Acceptance, nil
	}
	return nil, nil
}

// Resubmitted implements engine.Work.
func (t *tx) Resubmitted(id store.ID) error {
	t.exec(`UPDATE messages SET resubmitted = resubmitted + 1 WHERE id = $1`, [16]byte(id))
	return nil
}

// Unheard implements engine.Work.
func (t *tx) Unheard(a *engine.Acceptance) error {
	if old := t.known[a.Key]; old != nil && !old.fresh { // gone by, or all of it has failed
		t.forgotten = append(t.forgotten, old.Receipt)
	}
	t.known[a.Key] = &acceptance{Acceptance: *a, counts: true, fresh: true}
	return nil
}

// writeUnheard removes what was heard of and adds what is new. When another
// node has just added the same, the primary key fails the transaction: it
// begins again and finds that one.
func (t *tx) writeUnheard(b *pgx.Batch, heard []store.Receipt) {
	if gone := append(t.forgotten, heard...); len(gone) > 0 {
		hours, keys, msgs := make([]int64, len(gone)), make([][]byte, len(gone)), make([][16]byte, len(gone))
		for i := range gone {
			hours[i], keys[i], msgs[i] = gone[i].Hour, gone[i].Key[:], gone[i].Message
		}
		b.Queue(`DELETE FROM unheard u USING unnest($1::bigint[], $2::bytea[], $3::uuid[]) AS x (hour, key, msg)
			WHERE u.hour = x.hour AND u.key = x.key AND u.msg = x.msg`, hours, keys, msgs)
	}
	var hours, untils []int64
	var keys, deliveries [][]byte
	var msgs [][16]byte
	for key, a := range t.known {
		if a.fresh {
			hours, keys, msgs = append(hours, a.Hour), append(keys, key[:]), append(msgs, a.Message)
			deliveries, untils = append(deliveries, store.EncodeIDs(a.Deliveries)), append(untils, engine.Micros(a.Until))
		}
	}
	if len(hours) > 0 {
		b.Queue(`INSERT INTO unheard (hour, key, msg, deliveries, until_at)
			SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::uuid[], $4::bytea[], $5::bigint[]) AS x ORDER BY 1, 2`, hours, keys, msgs,
			deliveries, untils)
	}
}
