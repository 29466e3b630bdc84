package store

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestWindow compares with a list of every event: the count is never too low,
// and never too high by more than what happened in one bucket's time.
func TestWindow(t *testing.T) {
	t.Parallel()
	for name, span := range map[string]Span{"minute": minuteSpan(), "day": daySpan()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(1, 2))
			now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
			var w Window
			type event struct {
				at time.Time
				n  int64
			}
			var all []event
			sum := func(from time.Time) (n int64) {
				for _, e := range all {
					if e.at.After(from) {
						n += e.n
					}
				}
				return n
			}
			for range 1000 {
				now = now.Add(time.Duration(rnd.Int64N(int64(span.Length) / 50)))
				e := event{now, rnd.Int64N(5)}
				all = append(all, e)
				w.Add(span, now, e.at, e.n)
				w = decodeWindow(w.encode())
				got := w.Sum(span, now)
				if low, high := sum(now.Add(-span.Length)), sum(now.Add(-span.Length-span.Bucket-1)); got < low || got > high {
					t.Fatalf("counted %d, between %d and %d happened", got, low, high)
				}
				limit := rnd.Int64N(100)
				at := w.freeAt(span, now, limit)
				if w.Sum(span, at) > limit || at.After(now) && w.Sum(span, at.Add(-1)) <= limit {
					t.Fatalf("%d count at %v and %d just before, the limit is %d", w.Sum(span, at), at, w.Sum(span, at.Add(-1)), limit)
				}
			}
			if len(w.marks) > int(span.Length/span.Bucket)+1 {
				t.Errorf("%d buckets are kept", len(w.marks))
			}
			had := w.Sum(span, now)
			w.Add(span, now, now, 7)
			w.Add(span, now, now, -3)
			if got := w.Sum(span, now); got != had+4 {
				t.Errorf("taking back: %d, want %d", got, had+4)
			}
			w.Add(span, now, now.Add(-2*span.Length), -100)
			if got := w.Sum(span, now); got != had+4 {
				t.Errorf("taking back what is over: %d, want %d", got, had+4)
			}
		})
	}
}

// When a clock is set back, what was counted meanwhile counts from now on, and
// no longer.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	s, now := minuteSpan(), time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	var w Window
	w.Add(s, now, now, 2)
	for _, ahead := range []time.Duration{time.Hour, time.Hour + time.Second, 2 * time.Hour} {
		w.Add(s, now, now.Add(ahead), 3)
	}
	if at := w.freeAt(s, now, 5); !at.After(now.Add(time.Hour)) {
		t.Fatalf("free at %v: nothing counts ahead", at)
	}
	w.setClock(s, now)
	if n := w.Sum(s, now); n != 11 {
		t.Errorf("%d count, want 11", n)
	}
	if at := w.freeAt(s, now, 5); at.After(now.Add(s.Length + s.Bucket)) {
		t.Errorf("free only at %v", at)
	}
	if n := w.Sum(s, now.Add(s.Length+s.Bucket)); n != 0 {
		t.Errorf("%d count when the span is over", n)
	}
}

func FuzzWindow(f *testing.F) {
	var w Window
	w.Add(minuteSpan(), time.Unix(1e9, 0), time.Unix(1e9, 0), 3)
	f.Add(w.encode())
	f.Add([]byte{0x80})
	f.Fuzz(func(t *testing.T, b []byte) {
		w := decodeWindow(b)
		w.Sum(daySpan(), time.Unix(1e9, 0))
		w.freeAt(daySpan(), time.Unix(1e9, 0), 1)
		w.Add(daySpan(), time.Unix(1e9, 0), time.Unix(1e9, 0), 1)
	})
}

func TestID(t *testing.T) {
	t.Parallel()
	a, b := NewID(), NewID()
	if a.String() >= b.String() || len(a.String()) != 26 {
		t.Errorf("%s and %s", a, b)
	}
	got, err := ParseID(a.String())
	if err != nil || got != a {
		t.Errorf("parsed %v: %v", got, err)
	}
	if d := time.Since(a.Time()); d < 0 || d > time.Minute {
		t.Errorf("made %v ago", d)
	}
	for _, s := range []string{"", "x", a.String()[:25], a.String() + "0", "................"} {
		if _, err := ParseID(s); err == nil {
			t.Errorf("%q is an id", s)
		}
	}
	var z ID
	if err := z.UnmarshalText(nil); err != nil || !z.IsZero() || z.String() != "" {
		t.Errorf("zero: %v, %v", z, err)
	}
}

func TestStates(t *testing.T) {
	t.Parallel()
	for _, s := range States() {
		got, err := ParseState(s.String())
		if err != nil || got != s {
			t.Errorf("%v: %v, %v", s, got, err)
		}
	}
	if _, err := ParseState("nothing"); err == nil {
		t.Error("an unknown state was read")
	}
}
