package outbox

import (
	"math/rand/v2"
	"time"

	"github.com/postino-mail/postino/internal/gateway"
)

// A Schedule is when a delivery that failed for now is tried again.
type Schedule struct {
	First  time.Duration // after the first failure
	Max    time.Duration // at most
	GiveUp time.Duration // after so long the delivery has failed
}

func (s *Schedule) fill(d Schedule) {
	if s.First <= 0 {
		s.First = d.First
	}
	if s.Max <= 0 {
		s.Max = max(d.Max, s.First)
	}
	if s.GiveUp <= 0 {
		s.GiveUp = d.GiveUp
	}
}

// ScheduleOf is the connection's own schedule, what it leaves out from d.
func ScheduleOf(c *gateway.Connection, d Schedule) Schedule {
	s := Schedule{}
	if c != nil && c.Retry != nil {
		s = Schedule{First: time.Duration(c.Retry.FirstSeconds) * time.Second, Max: time.Duration(c.Retry.MaxSeconds) * time.Second,
			GiveUp: time.Duration(c.Retry.GiveUpHours) * time.Hour}
	}
	s.fill(d)
	return s
}

// Delay is how long to wait after so many failures in a row (1 or more):
// doubling from First to Max, give or take a fifth, so that what failed
// together does not come back together.
func (s Schedule) Delay(failures int) time.Duration {
	d := s.First
	for i := 1; i < failures && d < s.Max; i++ {
		d *= 2
	}
	d = min(d, s.Max)
	return d - d/5 + rand.N(2*d/5+1)
}
