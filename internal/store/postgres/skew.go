package postgres

import (
	"context"
	"sync"
	"time"
)

// A skew is how much later it is by the database's clock than by this
// machine's. Leases of nodes go by the database's clock, which all share: a
// machine with a wrong clock would otherwise end the leases of nodes that
// live, or keep its own when it is dead.
type skew struct {
	mu    sync.Mutex
	is    time.Duration
	warnd time.Time
}

const (
	// sameClock is a difference that says more about the network than about clocks.
	sameClock = time.Second
	// otherClock is one that an administrator is to hear of.
	otherClock = 2 * time.Second
)

func (k *skew) difference() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.is
}

// compareClocks asks the database for the time.
func (s *Store) compareClocks(ctx context.Context) error {
	before := time.Now()
	var theirs time.Time
	if err := s.DB.Read(ctx, `SELECT clock_timestamp()`, nil, &theirs); err != nil {
		return err
	}
	after := time.Now()
	s.skew.note(s, theirs.Sub(before.Add(after.Sub(before)/2)), after)
	return nil
}

func (k *skew) note(s *Store, difference time.Duration, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.is = difference.Round(time.Microsecond); k.is.Abs() < sameClock {
		k.is = 0
	}
	if k.is.Abs() >= otherClock && now.Sub(k.warnd) > time.Minute {
		k.warnd = now
		s.opt.Log.Warn("this machine's clock is not the database's: set both by NTP, or mail leaves early or late",
			"this_machine", now.UTC().Format(time.RFC3339), "database_later_by", k.is.Round(time.Millisecond).String())
	}
}

// ClockSkew asks the database for the time and returns how much later it is by
// its clock than by this machine's; 0 within a second.
func (s *Store) ClockSkew(ctx context.Context) (time.Duration, error) {
	if err := s.compareClocks(ctx); err != nil {
		return 0, err
	}
	return s.skew.difference(), nil
}
