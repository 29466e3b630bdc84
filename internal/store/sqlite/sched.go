package sqlite

import (
	"database/sql"
	"errors"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

type (
	lane         = engine.Lane
	subqueue     = engine.Subqueue
	subqueueName = engine.SubqueueName
	deliveryRow  = engine.DeliveryRow
)

const laneColumns = engine.LaneColumns

func scanLane(sc scan) (*lane, error) {
	return engine.ScanLane(sc)
}

func (t *tx) keep(l *lane) *lane {
	if have := t.lanes[l.ID]; have != nil {
		return have
	}
	t.lanes[l.ID], t.keys[l.Key], t.served[l.ID] = l, l, l.Served
	return l
}

// LaneByKey implements engine.Work; it makes the lane when there is none.
func (t *tx) LaneByKey(key string) (*lane, error) {
	if l := t.keys[key]; l != nil {
		return l, nil
	}
	var l *lane
	err := t.Each(`SELECT `+laneColumns+` FROM lanes WHERE key = ?`, []any{key}, func(sc scan) (err error) {
		l, err = scanLane(sc)
		return err
	})
	if err != nil {
		return nil, err
	}
	if l == nil {
		l = &lane{}
		l.Key, l.Ready = key, engine.Never()
		if l.ID, err = t.insert(`INSERT INTO lanes (key, ready_at) VALUES (?, ?)`, key, engine.Never()); err != nil {
			return nil, err
		}
		t.first[l.ID] = engine.Never()
	}
	return t.keep(l), nil
}

// LaneByID implements engine.Work.
func (t *tx) LaneByID(id int64) (*lane, error) {
	if l := t.lanes[id]; l != nil {
		return l, nil
	}
	var l *lane
	err := t.Each(`SELECT `+laneColumns+` FROM lanes WHERE id = ?`, []any{id}, func(sc scan) (err error) {
		l, err = scanLane(sc)
		return err
	})
	if err == nil && l == nil {
		err = dbErr(errors.New("a lane that is named does not exist"))
	}
	if err != nil {
		return nil, err
	}
	return t.keep(l), nil
}

const subqueueColumns = engine.SubqueueColumns

func scanSubqueue(sc scan) (*subqueue, error) { return engine.ScanSubqueue(sc) }

func (t *tx) keepSubqueue(f *subqueue) *subqueue {
	if have := t.subqueues[f.ID]; have != nil {
		return have
	}
	t.subqueues[f.ID], t.names[f.Name] = f, f
	return f
}

// SubqueueOf implements engine.Work; it makes lane and subqueue when they are missing.
func (t *tx) SubqueueOf(now time.Time, r store.Route, client string) (*subqueue, error) {
	known := t.keys[r.Lane] != nil
	l, err := t.LaneByKey(r.Lane)
	if err != nil {
		return nil, err
	}
	if l.TakeLimits(r) || !known {
		t.LaneChanged(l)
	}
	l.Now = now
	name := subqueueName{Lane: l.ID, Connection: r.Connection, Client: client}
	if f := t.names[name]; f != nil {
		return f, nil
	}
	var f *subqueue
	err = t.Each(`SELECT `+subqueueColumns+` FROM flows WHERE lane = ? AND connection = ? AND client = ?`,
		[]any{name.Lane, name.Connection, name.Client}, func(sc scan) (err error) {
			f, err = scanSubqueue(sc)
			return err
		})
	if err != nil {
		return nil, err
	}
	if f == nil {
		f = &subqueue{Lane: l.ID, Name: name, Due: engine.Never()}
		hold, err := t.Hold(name.Connection)
		if err != nil {
			return nil, err
		}
		f.NotBefore = hold.Until()
		if f.ID, err = t.insert(`INSERT INTO flows (lane, connection, client, due_at, gate_at, ready_at) VALUES (?, ?, ?, ?, ?, ?)`,
			f.Lane, name.Connection, name.Client, engine.Never(), f.NotBefore, engine.Never()); err != nil {
			return nil, err
		}
	}
	return t.keepSubqueue(f), nil
}

func (t *tx) SubqueueByID(id int64) (*subqueue, error) {
	if f := t.subqueues[id]; f != nil {
		return f, nil
	}
	var f *subqueue
	err := t.Each(`SELECT `+subqueueColumns+` FROM flows WHERE id = ?`, []any{id}, func(sc scan) (err error) {
		f, err = scanSubqueue(sc)
		return err
	})
	if err != nil {
		return nil, err
	}
	if f == nil {
		return nil, dbErr(errors.New("a flow that is named does not exist"))
	}
	return t.keepSubqueue(f), nil
}

// Hold implements engine.Work.
func (t *tx) Hold(connection string) (*engine.ConnectionHold, error) {
	var active sql.NullBool
	var doc []byte
	if err := t.Row(`SELECT (SELECT active FROM connections WHERE id = ?1), (SELECT doc FROM connection_states WHERE connection = ?1)`,
		[]any{connection}, &active, &doc); err != nil {
		return nil, err
	}
	return &engine.ConnectionHold{Inactive: active.Valid && !active.Bool, State: store.DecodeState(connection, doc)}, nil
}

// WriteState implements engine.Work.
func (t *tx) WriteState(st store.ConnectionState) error {
	doc, err := store.EncodeState(st)
	if err != nil {
		return err
	}
	return t.exec(`INSERT OR REPLACE INTO connection_states (connection, paused_until, doc) VALUES (?, ?, ?)`,
		st.Connection, engine.Micros(st.PausedUntil), string(doc))
}

// SubqueuesOf implements engine.Work.
func (t *tx) SubqueuesOf(connection string) (found []*subqueue, err error) {
	err = t.Each(`SELECT `+subqueueColumns+` FROM flows WHERE connection = ?`, []any{connection}, func(sc scan) error {
		f, err := scanSubqueue(sc)
		if err == nil {
			found = append(found, t.keepSubqueue(f))
		}
		return err
	})
	return found, err
}

// Wake implements engine.Work.
func (t *tx) Wake() { t.wake = true }

// LaneChanged and SubqueueChanged implement engine.Work: flush writes them.
func (t *tx) LaneChanged(l *lane) {
	t.writes++ // flush will write
	if !l.Dirty {
		l.Dirty = true
		t.touched = append(t.touched, l)
	}
}

func (t *tx) SubqueueChanged(f *subqueue) {
	t.writes++
	if !f.Dirty {
		f.Dirty = true
		t.touchedSubqueues = append(t.touchedSubqueues, f)
	}
}

// flush writes what the transaction has put off. It was counted as writes of who
// put it off, not of who asks for the flush.
func (t *tx) flush() error {
	counted := t.writes
	defer func() { t.writes = counted }()
	if err := t.writePlaced(); err != nil {
		return err
	}
	if err := t.flushLanes(); err != nil {
		return err
	}
	if err := t.writeHours(); err != nil {
		return err
	}
	return t.writeEvents()
}

// flushLanes writes the subqueues and lanes that were touched, with when each is
// ready next.
func (t *tx) flushLanes() error {
	counted := t.writes
	defer func() { t.writes = counted }()
	for _, f := range t.touchedSubqueues {
		l, err := t.LaneByID(f.Lane)
		if err != nil {
			return err
		}
		if err := t.flushSubqueue(f); err != nil {
			return err
		}
		t.LaneChanged(l)
	}
	for _, l := range t.touched {
		if err := t.flushLane(l); err != nil {
			return err
		}
	}
	t.touched, t.touchedSubqueues = t.touched[:0], t.touchedSubqueues[:0]
	return nil
}

func (t *tx) flushSubqueue(f *subqueue) error {
	if f.Queued == 0 {
		f.Due = engine.Never()
	} else if f.Stale {
		f.Due = engine.Never()
		err := t.Row(`SELECT next_at FROM deliveries INDEXED BY deliveries_queue WHERE flow = ? AND state <= 1 ORDER BY next_at LIMIT 1`,
			[]any{f.ID}, &f.Due)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	f.Dirty, f.Stale = false, false
	ready := readyAt(f)
	if was, known := t.ready[f.ID]; !known || ready != was {
		t.ready[f.ID] = ready
		delete(t.first, f.Lane)
	}
	return t.exec(`UPDATE flows SET queued = ?, due_at = ?, gate_at = ?, turn_at = ?, served = ?, ready_at = ? WHERE id = ?`,
		f.Queued, f.Due, f.NotBefore, f.Turn, f.Served, ready, f.ID)
}

func (t *tx) flushLane(l *lane) error {
	l.Dirty = false
	first, known := t.first[l.ID]
	if !known {
		first = engine.Never()
		err := t.Row(`SELECT ready_at FROM flows INDEXED BY flows_ready WHERE lane = ? ORDER BY ready_at LIMIT 1`, []any{l.ID}, &first)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		t.first[l.ID] = first
	}
	was := l.Ready
	if l.Ready = first; first < engine.Never() {
		l.Ready = max(first, l.Floor())
	}
	reason, minute, day, err := l.EncodeColumns()
	if err != nil {
		return dbErr(err)
	}
	switch {
	case l.Ready <= t.next: // it need not be asked for
		t.next = l.Ready
	case was == t.next:
		t.next = 0
	}
	// Parameters with numbers would be looked up by name for each argument.
	args := append(make([]any, 0, 16), l.LimitsOf, l.Limits.Concurrency, l.Limits.PerMinute, l.Limits.RecipientsPerDay,
		engine.Micros(l.PausedUntil), reason, l.Cap, engine.Micros(l.CapUntil), l.InFlight, minute, day, l.NotBefore, l.Turn)
	if l.Ready == was && l.Served == t.served[l.ID] { // the index stays as it is
		return t.exec(`UPDATE lanes SET limits_of = ?, concurrency = ?, per_minute = ?, per_day = ?, paused_until = ?, reason = ?, cap = ?,
			cap_until = ?, in_flight = ?, minute = ?, day = ?, gate_at = ?, turn_at = ? WHERE id = ?`, append(args, l.ID)...)
	}
	t.served[l.ID] = l.Served
	return t.exec(`UPDATE lanes SET limits_of = ?, concurrency = ?, per_minute = ?, per_day = ?, paused_until = ?, reason = ?, cap = ?,
		cap_until = ?, in_flight = ?, minute = ?, day = ?, gate_at = ?, turn_at = ?, served = ?, ready_at = ? WHERE id = ?`,
		append(args, l.Served, l.Ready, l.ID)...)
}
