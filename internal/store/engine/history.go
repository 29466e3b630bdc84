package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

// A Tally is what a transaction counts for the hours. It is written once, at its end:
// one row for each connection, lane and hour that it has to do with. The lane is locked
// already, so that no transaction waits for another one's count.
type Tally struct{ rows map[TallyKey]*TallyRow }

// A TallyKey is of what and when a row counts.
type TallyKey struct {
	Connection string
	Lane       int64
	Hour       int64 // since 1970
}

// A TallyRow is what is added to a row of hours.
type TallyRow struct {
	TallyKey
	store.Counts
	SentAt, ErrorAt int64
	Error           string // JSON of the attempt that failed last
}

func (t *Tally) of(now time.Time, f *Subqueue) *TallyRow {
	key := TallyKey{f.Name.Connection, f.Lane, hourNumber(now)}
	r := t.rows[key]
	if r == nil {
		if t.rows == nil {
			t.rows = map[TallyKey]*TallyRow{}
		}
		r = &TallyRow{TallyKey: key}
		t.rows[key] = r
	}
	return r
}

// Take returns the rows in the order of their keys, and begins again.
func (t *Tally) Take() []*TallyRow {
	if len(t.rows) == 0 {
		return nil
	}
	rows := slices.SortedFunc(maps.Values(t.rows), func(a, b *TallyRow) int {
		return cmp.Or(cmp.Compare(a.Connection, b.Connection), cmp.Compare(a.Hour, b.Hour), cmp.Compare(a.Lane, b.Lane))
	})
	clear(t.rows)
	return rows
}

// accepted counts a new delivery.
func (t *Tally) accepted(now time.Time, f *Subqueue, state store.State) {
	r := t.of(now, f)
	r.Accepted++
	if state == store.Held {
		r.Held++
	} else {
		r.Waiting++
	}
}

// onItsWay reports that a delivery counts as waiting.
func onItsWay(s store.State) bool {
	return s == store.Queued || s == store.Unverified || s == store.Sending
}

// changed counts a delivery that was in one subqueue and state, and is in another now.
func (t *Tally) changed(now time.Time, from, to *Subqueue, before, after store.State) {
	if onItsWay(before) != onItsWay(after) || from != to && onItsWay(after) {
		if onItsWay(before) {
			t.of(now, from).Waiting--
		}
		if onItsWay(after) {
			t.of(now, to).Waiting++
		}
	}
	if before == after {
		return
	}
	switch after {
	case store.Sent:
		t.of(now, to).Sent++
	case store.Failed:
		t.of(now, to).Failed++
	case store.Expired:
		t.of(now, to).Expired++
	case store.Cancelled:
		t.of(now, to).Cancelled++
	case store.Held:
		t.of(now, to).Held++
	case store.Queued, store.Unverified, store.Sending: // Waiting counts them
	}
}

// attempted counts how an attempt ended.
func (t *Tally) attempted(f *Subqueue, o *store.Outcome, at time.Time) error {
	r := t.of(at, f)
	if o.Class == adapters.Accepted {
		r.SentAt = max(r.SentAt, Micros(at))
		return nil
	}
	switch o.Class {
	case adapters.Throttled:
		r.Throttled++
	case adapters.Transient, adapters.Auth, adapters.Unknown:
		r.Delayed++
	}
	if o.Error == nil || Micros(at) < r.ErrorAt {
		return nil
	}
	doc, err := json.Marshal(o.Error)
	if err != nil {
		return err
	}
	r.ErrorAt, r.Error = Micros(at), string(doc)
	return nil
}

// TallyColumns are those of a row of hours: its key, its Numbers, and what was last.
const TallyColumns = `connection, hour, lane, accepted, sent, failed, expired, cancelled, held, delayed, throttled, waiting, sent_at,
	error_at, error`

// AddTally is what the insertion of such rows does with those that there are.
const AddTally = ` ON CONFLICT (connection, hour, lane) DO UPDATE SET accepted = hours.accepted + excluded.accepted,
	sent = hours.sent + excluded.sent, failed = hours.failed + excluded.failed, expired = hours.expired + excluded.expired,
	cancelled = hours.cancelled + excluded.cancelled, held = hours.held + excluded.held, delayed = hours.delayed + excluded.delayed,
	throttled = hours.throttled + excluded.throttled, waiting = hours.waiting + excluded.waiting,
	sent_at = CASE WHEN excluded.sent_at > hours.sent_at THEN excluded.sent_at ELSE hours.sent_at END,
	error = CASE WHEN excluded.error_at > hours.error_at THEN excluded.error ELSE hours.error END,
	error_at = CASE WHEN excluded.error_at > hours.error_at THEN excluded.error_at ELSE hours.error_at END`

// Numbers are the counts, in the order of TallyColumns.
func (r *TallyRow) Numbers() [9]int64 {
	return [...]int64{r.Accepted, r.Sent, r.Failed, r.Expired, r.Cancelled, r.Held, r.Delayed, r.Throttled, r.Waiting}
}

// namesMost is how many names one query has.
const namesMost = 1000

// inParts calls f with the names part by part; with nil, once, where there are none to
// choose by.
func inParts(names []string, f func([]string) error) error {
	if names == nil {
		return f(nil)
	}
	for part := range slices.Chunk(names, namesMost) {
		if err := f(part); err != nil {
			return err
		}
	}
	return nil
}

// Hours implements store.History. Of all connections, the hours that are over have been
// added up.
func (p Ports) Hours(ctx context.Context, r store.HistoryRequest) (out []store.HourOfMail, err error) {
	if r.Connections == nil && r.Lanes == nil {
		if out, err = p.summed(ctx, &r); err != nil || !r.Until.IsZero() && r.Since.After(r.Until) {
			return out, err
		}
	}
	sum := map[store.HourOfMail]*store.Counts{} // by hour and name
	err = inParts(r.Lanes, func(lanes []string) error {
		return inParts(r.Connections, func(connections []string) error {
			part := r
			part.Lanes, part.Connections = lanes, connections
			found, err := p.someHours(ctx, part)
			for _, h := range found {
				key := store.HourOfMail{Hour: h.Hour, Of: h.Of}
				if sum[key] == nil {
					sum[key] = &store.Counts{}
				}
				sum[key].Add(h.Counts)
			}
			return err
		})
	})
	for h, c := range sum {
		h.Counts = *c
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b store.HourOfMail) int { return cmp.Or(a.Hour.Compare(b.Hour), cmp.Compare(a.Of, b.Of)) })
	return out, err
}

func (p Ports) someHours(ctx context.Context, r store.HistoryRequest) (out []store.HourOfMail, err error) {
	w := &where{}
	w.and("h.hour >= %s", hourNumber(r.Since))
	if !r.Until.IsZero() {
		w.and("h.hour <= %s", hourNumber(r.Until))
	}
	from, of := ` FROM hours h`, `''`
	switch {
	case r.Lanes != nil:
		from, of = ` FROM lanes l JOIN hours h ON h.lane = l.id`, `l.key`
		w.among("l.key", r.Lanes)
	case r.Connections != nil:
		of = `h.connection`
	default:
		from += p.Schema.By("hours_hour")
	}
	if r.Connections != nil {
		w.among("h.connection", r.Connections)
	}
	if !r.Each {
		of = `''`
	}
	err = p.DB.List(ctx, `SELECT hour, name, `+hourSums+` FROM (SELECT h.*, `+of+` AS name`+from+w.String()+`) x GROUP BY hour, name`,
		w.args, func() { out = nil }, func(sc Scan) error {
			var h store.HourOfMail
			err := scanHour(sc, &h, &h.Of)
			out = append(out, h)
			return err
		})
	return out, err
}

const secondsOfHour = int64(time.Hour / time.Second)

// hourNumber is the hour of t since 1970.
func hourNumber(t time.Time) int64 { return t.Unix() / secondsOfHour }

// OnTheirWay implements store.History.
func (p Ports) OnTheirWay(ctx context.Context, connections []string) (n int64, err error) {
	err = inParts(connections, func(part []string) error {
		w := &where{}
		of := ""
		if part != nil {
			w.among("f.connection", part)
			of = " AND " + w.conds[0]
		}
		var some int64
		err := p.DB.Read(ctx, `SELECT (SELECT CAST(coalesce(sum(f.queued), 0) AS BIGINT) FROM flows f WHERE f.queued > 0`+of+`) +
			(SELECT count(*) FROM deliveries d`+p.Schema.By("deliveries_leased")+` JOIN flows f ON f.id = d.flow WHERE d.state = 2`+of+`)`,
			w.args, &some)
		n += some
		return err
	})
	return n, err
}

// LastUses implements store.History. The last hour in which something was sent, or
// failed, is found from the end: as a rule it is the last one of all.
func (p Ports) LastUses(ctx context.Context, connections []string) (out []store.LastUse, err error) {
	if connections == nil {
		return nil, nil
	}
	err = inParts(connections, func(part []string) error {
		found, err := p.someUses(ctx, part)
		out = append(out, found...)
		return err
	})
	return out, err
}

func (p Ports) someUses(ctx context.Context, connections []string) (out []store.LastUse, err error) {
	w := &where{}
	values := ""
	for i, id := range connections {
		if i > 0 {
			values += ", "
		}
		values += "(" + w.arg(id) + ")"
	}
	last := func(column, value string) string {
		return `(SELECT ` + value + ` FROM hours h WHERE h.connection = c.id AND h.` + column + ` > 0 ORDER BY h.hour DESC, h.` + column +
			` DESC LIMIT 1)`
	}
	err = p.DB.List(ctx, `WITH c (id) AS (VALUES `+values+`) SELECT c.id, coalesce(`+last("sent_at", "h.sent_at")+`, 0), coalesce(`+
		last("error_at", "h.error_at")+`, 0), coalesce(`+last("error_at", "h.error")+`, '') FROM c`, w.args,
		func() { out = nil }, func(sc Scan) error {
			var u store.LastUse
			var sent, failed int64
			var doc string
			if err := sc(&u.Connection, &sent, &failed, &doc); err != nil {
				return err
			}
			if sent == 0 && failed == 0 {
				return nil
			}
			u.Sent, u.Failed = At(sent), At(failed)
			if e := (&adapters.Error{}); doc != "" && json.Unmarshal([]byte(doc), e) == nil {
				u.Error = e
			}
			out = append(out, u)
			return nil
		})
	return out, err
}

// hours removes those that are no longer kept, oldest first.
func (p *purge) hours() error {
	n, err := p.Tx.Exec(`DELETE FROM hours WHERE (connection, hour, lane) IN (SELECT connection, hour, lane FROM hours
		WHERE hour < $1 ORDER BY hour LIMIT `+strconv.Itoa(10*p.R.Max)+skipLocked(p.Tx)+`)`, hourNumber(p.R.Hours))
	if err != nil {
		return err
	}
	p.Res.Hours = int(n)
	p.Res.More = p.Res.More || int(n) == 10*p.R.Max
	_, err = p.Tx.Exec(`DELETE FROM hours_over WHERE hour < $1`, hourNumber(p.R.Hours))
	return err
}
