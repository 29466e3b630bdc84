package store

import "time"

// A Clock finds out that a machine's wall clock was set back, by the claims made
// there. Callers lock it.
type Clock struct {
	began time.Time // of the newest claim, by the monotonic clock
	now   time.Time // the wall clock as that claim had it
}

// SetBack notes a claim and reports that the clock was set back since the one
// before. A claim that waits goes by the wall clock of its beginning, so only
// the one that began last tells; claims of several goroutines may be a little
// out of order.
func (c *Clock) SetBack(now, began time.Time) bool {
	if began.Before(c.began) {
		return false
	}
	back := now.Before(c.now.Add(-time.Second))
	*c = Clock{began, now}
	return back
}
