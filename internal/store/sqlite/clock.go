package sqlite

import (
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/engine"
)

// noteClock mends what a clock that was set back would keep from being done.
func (t *tx) noteClock(now, began time.Time) error {
	if t.clock.SetBack(now, began) { // the writer's with the commit
		return t.setClock(now)
	}
	return nil
}

// setClock forgets turns that were taken in the future, and what counts then:
// the clock was wrong, and they would put off what is due.
func (t *tx) setClock(now time.Time) error {
	if err := t.flush(); err != nil {
		return err
	}
	var flows []*subqueue
	if err := t.each(`SELECT `+subqueueColumns+` FROM flows WHERE turn_at > ?`, []any{engine.Micros(now)}, func(sc scan) error {
		f, err := scanSubqueue(sc)
		if err == nil {
			flows = append(flows, t.keepFlow(f))
		}
		return err
	}); err != nil {
		return err
	}
	for _, f := range flows {
		f.Turn = 0
		t.SubqueueChanged(f)
	}
	var lanes []*lane
	if err := t.each(`SELECT `+laneColumns+` FROM lanes WHERE turn_at > ?`, []any{engine.Micros(now)}, func(sc scan) error {
		l, err := scanLane(sc)
		if err == nil {
			lanes = append(lanes, t.keep(l))
		}
		return err
	}); err != nil {
		return err
	}
	for _, l := range lanes {
		l.SetClock(now, engine.At(l.Turn))
		l.Turn, l.NotBefore, l.Now = 0, 0, now
		t.LaneChanged(l)
	}
	return t.takenAhead(now)
}

// takenAhead moves what was taken in while the clock was ahead to now. The ids
// are made of the time, so their index finds it (the unary plus keeps SQLite
// from walking all that is open).
func (t *tx) takenAhead(now time.Time) error {
	var rows []*deliveryRow
	if err := t.each(`SELECT `+deliveryColumns+` FROM deliveries d`+deliveryTables+
		` WHERE d.id > ? AND d.created_at > ? AND (+d.state <= 1 OR +d.state = 3)`,
		[]any{store.FirstID(now), engine.Micros(now)}, func(sc scan) error {
			r := &deliveryRow{}
			rows = append(rows, r)
			return dbErr(sc(columns(r)...))
		}); err != nil {
		return err
	}
	for _, r := range rows {
		r.Decode()
		if err := engine.Save(t, now, r, func(d *store.Delivery) { d.SetClock(now) }); err != nil {
			return err
		}
	}
	return nil
}
