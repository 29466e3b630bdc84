package store

import (
	"encoding/binary"
	"time"
)

// A Window counts events in a rolling span of time, in buckets. The count of a
// span is never too low: an event leaves it up to one bucket late. The zero
// Window is empty. It is a value of a lane; not safe for concurrent use.
type Window struct {
	marks []mark // oldest first
}

type mark struct{ bucket, n int64 }

// A Span says how a Window counts.
type Span struct {
	Length time.Duration
	Bucket time.Duration
}

// Spans of the lanes: contracts B7.9, B7.10, C3.4, C3.8 and D4.
func minuteSpan() Span { return Span{time.Minute, time.Second} }
func daySpan() Span    { return Span{24 * time.Hour, 15 * time.Minute} }

func (s Span) bucket(t time.Time) int64 { return floorDiv(t.UnixMicro(), s.Bucket.Microseconds()) }

// last is the oldest bucket that still counts at now.
func (s Span) last(now time.Time) int64 { return s.bucket(now) - int64(s.Length/s.Bucket) }

// end is when bucket b stops counting.
func (s Span) end(b int64) time.Time {
	return time.UnixMicro((b + int64(s.Length/s.Bucket) + 1) * s.Bucket.Microseconds()).UTC()
}

// Add counts n events at t; a negative n takes back what was counted at t, as
// far as it is still there. What no longer counts at now is forgotten.
func (w *Window) Add(s Span, now, t time.Time, n int64) {
	last := s.last(now)
	for len(w.marks) > 0 && w.marks[0].bucket < last {
		w.marks = w.marks[1:]
	}
	b := s.bucket(t)
	if n == 0 || b < last {
		return
	}
	i := len(w.marks)
	for i > 0 && w.marks[i-1].bucket > b {
		i--
	}
	if i > 0 && w.marks[i-1].bucket == b {
		w.marks[i-1].n = max(0, w.marks[i-1].n+n)
		return
	}
	if n < 0 {
		return
	}
	w.marks = append(w.marks, mark{})
	copy(w.marks[i+1:], w.marks[i:])
	w.marks[i] = mark{b, n}
}

// Sum is the count in the span that ends at now.
func (w *Window) Sum(s Span, now time.Time) int64 {
	var sum int64
	last := s.last(now)
	for _, m := range w.marks {
		if m.bucket >= last {
			sum += m.n
		}
	}
	return sum
}

// freeAt is the first moment, not before now, at which no more than limit
// events count.
func (w *Window) freeAt(s Span, now time.Time, limit int64) time.Time {
	sum, last := w.Sum(s, now), s.last(now)
	at := now
	for _, m := range w.marks {
		if sum <= limit {
			break
		}
		if m.bucket >= last && m.n > 0 {
			sum -= m.n
			at = s.end(m.bucket)
		}
	}
	return at
}

// setClock counts at now what was counted at a later time: the clock was
// wrong then.
func (w *Window) setClock(s Span, now time.Time) {
	b, n := s.bucket(now), len(w.marks)
	var ahead int64
	for ; n > 0 && w.marks[n-1].bucket > b; n-- {
		ahead += w.marks[n-1].n
	}
	w.marks = w.marks[:n]
	w.Add(s, now, now, ahead)
}

// encode returns the stored form: pairs of varints, the bucket as its distance
// from the one before. It is never nil.
func (w *Window) encode() []byte {
	out := []byte{}
	var prev int64
	for _, m := range w.marks {
		if m.n == 0 {
			continue
		}
		out = binary.AppendVarint(out, m.bucket-prev)
		out = binary.AppendVarint(out, m.n)
		prev = m.bucket
	}
	return out
}

// decodeWindow reads the stored form; a corrupt one is empty.
func decodeWindow(b []byte) (w Window) {
	var prev int64
	for len(b) > 0 {
		d, n := binary.Varint(b)
		if n <= 0 || (d <= 0 && prev != 0) {
			return Window{}
		}
		c, k := binary.Varint(b[n:])
		if k <= 0 || c < 0 {
			return Window{}
		}
		prev += d
		w.marks = append(w.marks, mark{prev, c})
		b = b[n+k:]
	}
	return w
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
