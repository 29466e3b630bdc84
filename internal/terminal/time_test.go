package terminal

import (
	"testing"
	"time"
)

// What is shown is the same point in time again, in any zone.
func TestTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 30, 8, 20, 7, 999, time.UTC)
	shown := Time(at.In(time.FixedZone("", 3600)))
	back, err := time.Parse("2006-01-02 15:04:05 -07:00", shown)
	if err != nil || !back.Equal(at.Truncate(time.Second)) {
		t.Errorf("%s: %v, %v", shown, back, err)
	}
}
