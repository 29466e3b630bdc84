package core

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/postino-mail/postino/adapters/sandbox/control"
)

// Inject adds a fault at the end of the list.
func (c *Core) Inject(f control.Fault) { c.faults.add(f) }

// Faults are those that are not spent.
func (c *Core) Faults() []control.Fault { return c.faults.snapshot() }

// ClearFaults removes all faults.
func (c *Core) ClearFaults() { c.faults.clear() }

// Fault finds the fault that acts on a request and uses it up once. Call it
// once a request; the caller looks at After.
func (c *Core) Fault(service, op, match string) (control.Fault, bool) {
	return c.faults.take(service, op, match)
}

type faultList struct {
	mu   sync.Mutex
	list []control.Fault
}

func (l *faultList) add(f control.Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, f)
}

func (l *faultList) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = nil
}

func (l *faultList) snapshot() []control.Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]control.Fault{}, l.list...)
}

func (l *faultList) take(service, op, match string) (control.Fault, bool) {
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
	return control.Fault{}, false
}

// onlyDelays reports whether the request goes on after the delay.
func onlyDelays(f control.Fault) bool {
	return !f.Reset && f.Status == 0 && f.Code == "" && f.Body == "" && f.Reply == ""
}
