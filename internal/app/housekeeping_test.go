package app

import (
	"testing"
	"time"
)

func TestNextBatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		size        int
		took        time.Duration
		next        int
		pauseAtMost time.Duration
	}{
		{"as long as it should", 1000, 25 * time.Millisecond, 1000, 13 * time.Millisecond},
		{"quick: twice as many", 1000, time.Millisecond, 2000, time.Millisecond},
		{"slow: half as many", 1000, time.Second, 500, 500 * time.Millisecond},
		{"a little slow", 1000, 50 * time.Millisecond, 500, 25 * time.Millisecond},
		{"never none", 11, time.Minute, 10, 30 * time.Second},
		{"never too many", 5000, time.Microsecond, 5000, time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			next, pause := batchOf(false).next(c.size, c.took)
			if next != c.next || pause > c.pauseAtMost || pause < c.took/3 {
				t.Errorf("next(%d, %v) = %d, %v; want %d and at most %v", c.size, c.took, next, pause, c.next, c.pauseAtMost)
			}
		})
	}
}
