package sqlite

import "time"

// A clock is the wall clock as the newest claim had it.
type clock struct {
	began time.Time // of that claim, by the monotonic clock
	now   time.Time
}

// noteClock finds out that the wall clock was set back. A claim that waits goes
// by the wall clock of its beginning, so only the one that began last tells;
// claims of several goroutines may be a little out of order.
func (t *tx) noteClock(now, began time.Time) error {
	if began.Before(t.clock.began) {
		return nil
	}
	back := now.Before(t.clock.now.Add(-time.Second))
	t.clock = clock{began, now} // the writer's with the commit
	if back {
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
	var flows []*flow
	if err := t.each(`SELECT `+flowColumns+` FROM flows WHERE turn_at > ?`, []any{us(now)}, func(sc scan) error {
		f, err := scanFlow(sc)
		if err == nil {
			flows = append(flows, t.keepFlow(f))
		}
		return err
	}); err != nil {
		return err
	}
	for _, f := range flows {
		f.turn = 0
		t.dirtyFlow(f)
	}
	var lanes []*lane
	if err := t.each(`SELECT `+laneColumns+` FROM lanes WHERE turn_at > ?`, []any{us(now)}, func(sc scan) error {
		l, err := scanLane(sc)
		if err == nil {
			lanes = append(lanes, t.keep(l))
		}
		return err
	}); err != nil {
		return err
	}
	for _, l := range lanes {
		l.turn, l.gate, l.now = 0, 0, now
		l.SetClock(now)
		t.dirtyLane(l)
	}
	return nil
}
