package store

import (
	"testing"
	"time"
)

// The time of an id, and of the bound before all ids of a time, is that time.
func TestTimeOfID(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Time{
		time.UnixMilli(0), time.Date(2026, 12, 1, 1, 10, 4, 693e6, time.UTC), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC),
	} {
		if got := FirstID(at).Time(); !got.Equal(at) {
			t.Errorf("FirstID(%s): %s", at, got)
		}
	}
	before := time.Now().Truncate(time.Millisecond)
	if got := NewID().Time(); got.Before(before) || got.After(time.Now()) {
		t.Errorf("an id made after %s has the time %s", before, got)
	}
}
