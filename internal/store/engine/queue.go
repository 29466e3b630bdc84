package engine

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// Bounds of one transaction: enough to share a sync among all who wait, small
// enough that no one waits long.
const (
	BatchCalls = 256
	batchBytes = 8 << 20
	// How often in a row a writer yields without anything new before it begins
	// with fewer calls than came together lately: a tenth of a millisecond.
	gatherYields = 512
)

// A Call is one call of a port that writes, on its way to a writer.
type Call struct {
	Bytes int64
	taken atomic.Bool // by a writer, or by the caller who gave up
	err   error
	done  chan struct{}
}

// Answer tells the caller.
func (c *Call) Answer(err error) {
	c.err = err
	close(c.done)
}

func (c *Call) call() *Call { return c }

// A Queue holds the calls that wait for writers, which share a transaction among
// those that wait together. C embeds a Call.
type Queue[C interface{ call() *Call }] struct {
	Quit     chan struct{} // closed by Stop
	calls    chan C
	handover sync.RWMutex // held for reading while a call is handed over
	shut     bool
}

// NewQueue returns an empty one.
func NewQueue[C interface{ call() *Call }]() *Queue[C] {
	return &Queue[C]{Quit: make(chan struct{}), calls: make(chan C, BatchCalls)}
}

// ErrClosed is the error of a call after Close.
func ErrClosed() error { return fmt.Errorf("%w: it was closed", store.ErrUnavailable) }

// Do hands a call over and returns when it is answered. When ctx ends before a
// writer took it, nothing was done; after that the result is waited for, so that
// it is never in doubt.
func (q *Queue[C]) Do(ctx context.Context, o C) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := o.call()
	c.done = make(chan struct{})
	if err := q.hand(ctx, o); err != nil {
		return err
	}
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
	}
	if c.taken.CompareAndSwap(false, true) {
		return ctx.Err()
	}
	<-c.done
	return c.err
}

func (q *Queue[C]) hand(ctx context.Context, o C) error {
	q.handover.RLock()
	defer q.handover.RUnlock()
	if q.shut {
		return ErrClosed()
	}
	select {
	case q.calls <- o:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Len is how many calls wait.
func (q *Queue[C]) Len() int { return len(q.calls) }

// Stop has writers do what was handed over, and end.
func (q *Queue[C]) Stop() {
	q.handover.Lock()
	q.shut = true
	q.handover.Unlock()
	close(q.Quit)
}

// Serve is a writer: it runs do with the calls that share a transaction until
// Stop, and other on every tick. do keeps the calls no longer than it runs.
func (q *Queue[C]) Serve(do func([]C), tick <-chan time.Time, other func()) {
	var batch []C
	recent := 0 // how many calls came together lately
	for {
		select {
		case o := <-q.calls:
			batch = q.gather(batch[:0], o, recent)
			recent = max(len(batch), recent-recent/8-1)
			do(batch)
		case <-tick:
			other()
		case <-q.Quit:
			for { // what was handed over before the handover closed
				select {
				case o := <-q.calls:
					batch = q.gather(batch[:0], o, 0)
					do(batch)
				default:
					return
				}
			}
		}
	}
}

// gather takes o and what else waits by now. Those who were answered a moment ago
// are about to ask for the next thing, and a sync for each alone, with the lane of
// a mailbox locked meanwhile, would cost all of them more than this wait: as long
// as there are fewer than lately, they get the processor first (docs/adr/0010).
func (q *Queue[C]) gather(batch []C, o C, recent int) []C {
	var bytes int64
	for idle, some := 0, true; ; {
		if some {
			if c := o.call(); c.taken.CompareAndSwap(false, true) {
				batch = append(batch, o)
				bytes += c.Bytes
			}
			if len(batch) >= BatchCalls || bytes >= batchBytes {
				return batch
			}
		}
		select {
		case o = <-q.calls:
			idle, some = 0, true
			continue
		default:
			some = false
		}
		if len(batch) >= recent || idle >= gatherYields {
			return batch
		}
		idle++
		runtime.Gosched()
	}
}
