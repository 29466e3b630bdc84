package sandbox

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Fault makes matching requests fail. The first fault in the list that
// matches acts. A fault with nothing but Delay only slows the request down.
// In JSON durations are nanoseconds.
type Fault struct {
	Service     string        `json:"service"`               // entra, graph, upload, google, gmail, smtp
	Op          string        `json:"op"`                    // see the package comment; empty: any
	Match       string        `json:"match,omitempty"`       // only this mailbox, login, tenant or subject; case does not matter
	Times       int           `json:"times"`                 // then it is spent; 0: until Reset
	Probability float64       `json:"probability,omitempty"` // 0 means always
	After       bool          `json:"after,omitempty"`       // act after the message was accepted: the ambiguous case
	Status      int           `json:"status,omitempty"`      // without it: 400 for a Code, 200 for a Body
	Code        string        `json:"code,omitempty"`        // error code or reason in the provider's own error shape
	Message     string        `json:"message,omitempty"`
	Body        string        `json:"body,omitempty"` // raw body in place of the provider's shape (HTML, garbage)
	RetryAfter  time.Duration `json:"retry_after,omitempty"`
	Reply       string        `json:"reply,omitempty"` // SMTP reply line(s), "\n" between
	Reset       bool          `json:"reset,omitempty"` // TCP reset instead of an answer
	Delay       time.Duration `json:"delay,omitempty"` // before answering
}

// onlyDelays reports whether the request goes on after the delay.
func (f Fault) onlyDelays() bool {
	return !f.Reset && f.Status == 0 && f.Code == "" && f.Body == "" && f.Reply == ""
}

// Inject adds a fault at the end of the list.
func (s *Sandbox) Inject(f Fault) { s.faults.add(f) }

// ClearFaults removes all faults.
func (s *Sandbox) ClearFaults() { s.faults.clear() }

// fault finds the fault that acts on a request and uses it up once. Call it
// once a request; the caller looks at After.
func (s *Sandbox) fault(service, op, match string) (Fault, bool) {
	return s.faults.take(service, op, match)
}

type faultList struct {
	mu   sync.Mutex
	list []Fault
}

func (l *faultList) add(f Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, f)
}

func (l *faultList) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = nil
}

func (l *faultList) snapshot() []Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Fault{}, l.list...)
}

func (l *faultList) take(service, op, match string) (Fault, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, f := range l.list {
		if f.Service != service || f.Op != "" && f.Op != op || f.Match != "" && !strings.EqualFold(f.Match, match) {
			continue
		}
		if f.Probability > 0 && rand.Float64() >= f.Probability {
			continue
		}
		if f.Times == 1 {
			l.list = slices.Delete(l.list, i, i+1)
		} else if f.Times > 1 {
			l.list[i].Times--
		}
		return f, true
	}
	return Fault{}, false
}
