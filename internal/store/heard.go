package store

import (
	"crypto/sha256"
	"slices"
	"sync"
	"time"
)

// An acceptance with an answer that may be lost on its way (the server is killed
// between its commit and the 250, the session breaks) is kept as unheard until
// its client has proved that it heard. The same message again, while it is
// unheard, is the client trying again: it gets the first answer, and nothing is
// stored twice.

// MaxResubmit bounds the window of an Identity.
const MaxResubmit = 24 * time.Hour

// HeardWithin is how long a mark of Heard may wait for a transaction to go with.
const HeardWithin = 250 * time.Millisecond

// An Identity tells a message that is submitted again from another one.
type Identity struct {
	// Digest is of everything but the body: client, envelope, Message-ID. The
	// store adds the digest of the body.
	Digest []byte
	// Window is how long an acceptance that no one heard is remembered; at most
	// MaxResubmit.
	Window time.Duration
	// Record notes this acceptance as unheard: its answer goes over a session
	// that may break. What is asked for is looked up either way.
	Record bool
}

// A Receipt names an acceptance that is unheard; the zero Receipt none.
type Receipt struct {
	Hour    int64 // in which it is forgotten, counted from 1970
	Key     [16]byte
	Message ID
}

// HourOf is the hour of a time, as a Receipt has it.
func HourOf(t time.Time) int64 { return floorDiv(t.Unix(), 3600) }

// Key is what the acceptance of a message with this body is found by.
func (i *Identity) Key(bodySHA256 []byte) (key [16]byte) {
	h := sha256.New()
	h.Write(i.Digest)
	h.Write(bodySHA256)
	copy(key[:], h.Sum(nil))
	return key
}

// Until is when the acceptance is forgotten.
func (i *Identity) Until(now time.Time) time.Time { return now.Add(min(i.Window, MaxResubmit)) }

// Hours are those in which an acceptance that is remembered at now may end, and
// one more: the clock of the node that took it may be ahead of this one's.
func (i *Identity) Hours(now time.Time) (out []int64) {
	for h := HourOf(now); h <= HourOf(i.Until(now))+1; h++ {
		out = append(out, h)
	}
	return out
}

// EncodeIDs and DecodeIDs are how the deliveries of an acceptance are kept.
func EncodeIDs(ids []ID) []byte {
	out := make([]byte, 0, len(ids)*len(ID{}))
	for _, id := range ids {
		out = append(out, id[:]...)
	}
	return out
}

// DecodeIDs reads what EncodeIDs gave; an odd rest is left out.
func DecodeIDs(b []byte) (out []ID) {
	for part := range slices.Chunk(b, len(ID{})) {
		if len(part) == len(ID{}) {
			out = append(out, ID(part))
		}
	}
	return out
}

// EventsAfter are the events to be stored: those of a message that was
// submitted again tell of the first one.
func (s *Submission) EventsAfter(out []Submitted) []NewEvent {
	if !slices.ContainsFunc(out, func(x Submitted) bool { return x.Resubmitted }) {
		return s.Events
	}
	events := slices.Clone(s.Events)
	for i := range events {
		for j := range s.Messages {
			if e := &events[i]; e.Message == s.Messages[j].ID && out[j].Resubmitted {
				e.Type, e.Message = "message.resubmitted", out[j].ID
				break
			}
		}
	}
	return events
}

// Marks are receipts on their way into the store. Safe for concurrent use.
type Marks struct {
	mu    sync.Mutex
	list  []Receipt
	armed bool
}

// Add keeps receipts for the next transaction. It reports true when the caller
// must see to it that there is one within HeardWithin.
func (m *Marks) Add(rs ...Receipt) (first bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range rs {
		if r != (Receipt{}) {
			m.list = append(m.list, r)
		}
	}
	if m.armed || len(m.list) == 0 {
		return false
	}
	m.armed = true
	return true
}

// Take returns what waits, for a transaction that writes it or returns it by Back.
func (m *Marks) Take() []Receipt {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := m.list
	m.list = nil
	return out
}

// Back is for a transaction that failed.
func (m *Marks) Back(rs []Receipt) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list = append(m.list, rs...)
}

// Due is called HeardWithin after Add was true; it reports whether something
// still waits, and then it stays the caller's.
func (m *Marks) Due() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.armed = len(m.list) > 0
	return m.armed
}

// Flush has write run, a transaction that takes the marks along, unless nothing
// waits any more, and again until it succeeds or stop is closed.
func (m *Marks) Flush(stop <-chan struct{}, write func() error) {
	time.AfterFunc(HeardWithin, func() {
		for wait := HeardWithin; m.Due(); wait = min(2*wait, 10*time.Second) {
			if write() == nil {
				continue
			}
			select {
			case <-stop:
				return
			case <-time.After(wait):
			}
		}
	})
}
