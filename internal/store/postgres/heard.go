package postgres

import (
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// errLookAgain: the message was accepted before, and its client may have proved
// to another node a moment ago that it heard: that node's mark is on its way.
var errLookAgain = errors.New("look again whether the first acceptance is unheard")

// lookAgainAfter is when marks that were on their way have been written.
const lookAgainAfter = 3 * store.HeardWithin

// An identityNeed is a message that may have been accepted before.
type identityNeed struct {
	key   [16]byte
	hours []int64
	now   time.Time
}

// An acceptance is an unheard one, of the database or of this transaction.
type acceptance struct {
	hour       int64
	msg        store.ID
	deliveries []store.ID
	until      time.Time
	counts     bool // it is known to the database, and not all of it has failed
	fresh      bool // to be written
}

func (n *needs) identity(now time.Time, m *newMessage) {
	if id := m.Identity; id != nil && id.Window > 0 {
		n.identities = append(n.identities, identityNeed{id.Key(m.body.sum), id.Hours(now), now})
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
		if err := sc(&a.hour, &key, (*[16]byte)(&a.msg), &deliveries, &until, &a.counts); err != nil {
			return err
		}
		a.deliveries, a.until = store.DecodeIDs(deliveries), engine.At(until)
		k := [16]byte(key)
		if old := t.known[k]; old == nil || !old.counts {
			t.known[k] = a
		}
		return nil
	}))
}

// resubmitted finds the messages that were accepted before, unheard. It changes
// nothing when it wants a second look.
func (t *tx) resubmitted(msgs []newMessage, out []store.Submitted, look bool) error {
	found := make([]*acceptance, len(msgs))
	some := false
	for i := range msgs {
		if id := msgs[i].Identity; id != nil && id.Window > 0 {
			if a := t.known[id.Key(msgs[i].body.sum)]; a != nil && a.counts {
				found[i], some = a, true
			}
		}
	}
	if some && look {
		for i := range msgs {
			t.discard(&msgs[i])
		}
		return errLookAgain
	}
	for i, a := range found {
		if a == nil {
			continue
		}
		r := store.Receipt{Hour: a.hour, Key: msgs[i].Identity.Key(msgs[i].body.sum), Message: a.msg}
		out[i] = store.Submitted{ID: a.msg, Deliveries: a.deliveries, Resubmitted: true, Receipt: r}
		t.exec(`UPDATE messages SET resubmitted = resubmitted + 1 WHERE id = $1`, [16]byte(a.msg))
	}
	return nil
}

// unheard notes the acceptances whose answers may be lost.
func (t *tx) unheard(now time.Time, msgs []newMessage, out []store.Submitted) {
	for i := range msgs {
		id := msgs[i].Identity
		if id == nil || !id.Record || id.Window <= 0 || out[i].Resubmitted {
			continue
		}
		until := id.Until(now)
		key := id.Key(msgs[i].body.sum)
		if old := t.known[key]; old != nil && !old.fresh { // gone by, or all of it has failed
			t.forgotten = append(t.forgotten, store.Receipt{Hour: old.hour, Key: key, Message: old.msg})
		}
		t.known[key] = &acceptance{hour: store.HourOf(until), msg: out[i].ID, deliveries: out[i].Deliveries, until: until, counts: true,
			fresh: true}
		out[i].Receipt = store.Receipt{Hour: store.HourOf(until), Key: key, Message: out[i].ID}
	}
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
			hours, keys, msgs = append(hours, a.hour), append(keys, key[:]), append(msgs, a.msg)
			deliveries, untils = append(deliveries, store.EncodeIDs(a.deliveries)), append(untils, engine.Micros(a.until))
		}
	}
	if len(hours) > 0 {
		b.Queue(`INSERT INTO unheard (hour, key, msg, deliveries, until_at)
			SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::uuid[], $4::bytea[], $5::bigint[]) AS x ORDER BY 1, 2`, hours, keys, msgs,
			deliveries, untils)
	}
}
