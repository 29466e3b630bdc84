// Package webhook delivers events to the programs that subscribed to them:
// signed as Standard Webhooks asks, in the order of the event log, each
// repeated until its receiver has confirmed it.
//
// The stored cursor of a webhook is the last event that was confirmed. A node
// takes a webhook by moving its NextAt ahead under the record's revision: of
// several nodes one succeeds. When it dies, the lease ends by itself and
// another goes on; an event that was confirmed but not yet noted is then sent
// again with the same webhook-id, by which receivers recognise a repeat.
package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// Bounds of the work on one webhook.
const (
	maxPage     = 50               // events in one lease
	lease       = 2 * time.Minute  // how long a node may work on one page
	timeout     = 15 * time.Second // of one request
	parallel    = 16               // webhooks at once
	giveUpAfter = 40               // failures in a row: about a day and a half
)

// A Store is what the worker needs of one.
type Store interface {
	store.Events
}

// Options of a Worker; zero fields take the defaults.
type Options struct {
	Store  Store
	Sealer store.Sealer
	// Networks are those of receivers that may be called although their
	// addresses are not public; there, and only there, without TLS too.
	Networks []netip.Prefix
	// Owned are the ids of the connections of the person of the webhook; false:
	// they may not sign in any more, and nothing is sent. nil: no webhook of a
	// person is served.
	Owned  func(ctx context.Context, person string) (connections []string, active bool, err error)
	Poll   time.Duration // how often work is looked for; 500 ms
	Client *http.Client  // for tests; NewClient(Networks)
	Log    *slog.Logger
	Now    func() time.Time
}

// A Worker delivers events to webhooks.
type Worker struct {
	opt  Options
	send *Sender

	mu   sync.Mutex
	busy map[string]bool // ids of webhooks in work here
}

// New makes a Worker.
func New(o Options) (*Worker, error) {
	if o.Store == nil || o.Sealer == nil {
		return nil, errors.New("webhook: a store and a sealer are needed")
	}
	if o.Poll <= 0 {
		o.Poll = 500 * time.Millisecond
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	w := &Worker{opt: o, send: &Sender{sealer: o.Sealer, http: o.Client, now: o.Now}, busy: map[string]bool{}}
	if w.send.http == nil {
		w.send.http = newClient(o.Networks)
	}
	return w, nil
}

// Run works until ctx ends; requests under way are given up then and repeated
// by the next run.
func (w *Worker) Run(ctx context.Context) {
	t := time.NewTicker(w.opt.Poll)
	defer t.Stop()
	defer w.send.Close()
	var all sync.WaitGroup
	defer all.Wait()
	for {
		if err := w.start(ctx, &all); err != nil && ctx.Err() == nil {
			w.opt.Log.Error("webhooks wait", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// Once delivers one page of events to every webhook that is due.
func (w *Worker) Once(ctx context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	return w.start(ctx, &all)
}

// start begins a page for every webhook that is due and not in work already: a
// receiver that is slow does not hold up the others.
func (w *Worker) start(ctx context.Context, all *sync.WaitGroup) error {
	last, err := w.opt.Store.LastEvent(ctx)
	if err != nil {
		return err
	}
	hooks, err := w.opt.Store.Webhooks(ctx)
	if err != nil {
		return err
	}
	for i := range hooks {
		h := hooks[i]
		if !h.Active || h.Cursor >= last || h.NextAt.After(w.opt.Now()) || !w.take(h.ID) {
			continue
		}
		all.Go(func() {
			defer w.leave(h.ID)
			if err := w.serve(ctx, h, last); err != nil && ctx.Err() == nil {
				w.opt.Log.Error("a webhook waits", "webhook", h.ID, "err", err)
			}
		})
	}
	return nil
}

func (w *Worker) take(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy[id] || len(w.busy) >= parallel {
		return false
	}
	w.busy[id] = true
	return true
}

func (w *Worker) leave(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.busy, id)
}

// serve delivers one page. Nothing is written where there is nothing to send,
// save that a cursor far behind moves up.
func (w *Worker) serve(ctx context.Context, h store.Webhook, last int64) error {
	events, through, err := w.events(ctx, &h, last)
	if err != nil {
		return err
	}
	if len(events) == 0 {
		if through-h.Cursor < 1000 {
			return nil
		}
		h.Cursor = through
		_, err := w.put(ctx, h)
		return err
	}
	h.NextAt = w.opt.Now().Add(lease)
	taken, err := w.put(ctx, h)
	if taken == nil || err != nil {
		return err
	}
	done := *taken
	done.Recent = slices.Clone(taken.Recent)
	done.NextAt = time.Time{}
	if err := w.page(ctx, taken, &done, events); err != nil {
		if ctx.Err() != nil { // stopped: neither the receiver's fault nor a reason to wait
			return w.finish(done)
		}
		failed(&done, w.opt.Now(), err)
	}
	return w.finish(done)
}

// events reads the next page of a webhook's events, and up to which one it looked.
func (w *Worker) events(ctx context.Context, h *store.Webhook, last int64) (events []store.Event, through int64, err error) {
	if h.Person == "" {
		events, err = w.opt.Store.Events(ctx, h.Cursor, maxPage, h.Client, h.Types)
		return events, last, err
	}
	if w.opt.Owned == nil {
		return nil, h.Cursor, nil
	}
	own, active, err := w.opt.Owned(ctx, h.Person)
	if err != nil || !active {
		return nil, h.Cursor, err
	}
	return w.opt.Store.EventsAmong(ctx, own, h.Cursor, maxPage, h.Types)
}

// page sends events in order until one fails; done.Cursor is the last that was
// confirmed. It stops in time for the lease.
func (w *Worker) page(ctx context.Context, h, done *store.Webhook, events []store.Event) error {
	secret, err := w.opt.Sealer.Open(h.ID, secretPath, h.Secret)
	if err != nil {
		return err
	}
	for i := range events {
		if w.opt.Now().Add(2 * timeout).After(h.NextAt) {
			return nil
		}
		c := w.send.call(ctx, h, secret, &events[i], messageID(h.ID, events[i].Seq))
		if ctx.Err() != nil && !c.OK() {
			return ctx.Err() // given up here, which says nothing of the receiver
		}
		done.Recent = append(done.Recent, c)
		done.Recent = done.Recent[max(len(done.Recent)-store.WebhookCallsKept, 0):]
		if !c.OK() {
			return &callError{c}
		}
		done.Cursor, done.Failures, done.LastError = events[i].Seq, 0, ""
	}
	return nil
}

// A callError is a call that its receiver did not confirm.
type callError struct{ store.WebhookCall }

func (e *callError) Error() string { return e.Problem.String() }

// failed notes a failure: the next try comes later each time, and after
// giveUpAfter of them, or when the receiver answers that it is gone, there is
// none until a person activates the webhook again.
func failed(h *store.Webhook, now time.Time, err error) {
	h.Failures++
	h.LastError = err.Error()
	h.NextAt = now.Add(delay(h.Failures))
	call := new(callError)
	if h.Failures >= giveUpAfter || errors.As(err, &call) && call.Status == http.StatusGone {
		h.Active = false
	}
}

// delay grows from five seconds to an hour (Standard Webhooks, "Deliverability
// and reliability").
func delay(failures int) time.Duration {
	d := 5 * time.Second
	for range min(failures-1, 12) {
		d *= 2
	}
	return min(d, time.Hour)
}

// finish notes the outcome even when the worker is being stopped.
func (w *Worker) finish(h store.Webhook) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err := w.put(ctx, h)
	return err
}

func (w *Worker) put(ctx context.Context, h store.Webhook) (*store.Webhook, error) {
	out, err := w.opt.Store.PutWebhook(ctx, h)
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
		return nil, nil // another node has it, or it was edited: what is stored now counts
	}
	if err != nil {
		return nil, fmt.Errorf("the webhook cannot be stored: %w", err)
	}
	return out, nil
}
