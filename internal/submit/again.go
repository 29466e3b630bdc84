package submit

import (
	"context"
	"errors"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// ready is prepare, but what is refused for good because of connections and
// clients is refused by the store, not by a copy of it: mail that comes right
// after "connection add" or an edit on another node is taken, or answered with
// "later" when the store cannot be asked.
func (s *Submitter) ready(ctx context.Context, r *Request, now time.Time, keyed bool) (*prepared, error) {
	if err := checkMetadata(r.Metadata); err != nil {
		return nil, err
	}
	if err := s.Allow(r.Client, 1); err != nil {
		return nil, err
	}
	start := time.Now()
	p, err := s.prepare(ctx, r, now, keyed)
	if !final(err) {
		return p, err
	}
	client, changed, lerr := s.lookAgain(ctx, r.Client, start)
	if lerr != nil {
		return p, lerr
	}
	if !changed {
		return p, err
	}
	r.Client = client
	next, err := s.prepare(ctx, r, now, keyed)
	if p != nil && next != nil { // those of the first time are closed too
		next.spools = append(p.spools, next.spools...)
	}
	return next, err
}

// final reports a refusal for good that hangs on connections or clients: what is
// wrong with the message itself stays so.
func final(err error) bool {
	var r *Refusal
	var bad *mime.Error
	return errors.As(err, &r) && !r.Temporary() && !errors.As(err, &bad)
}

// lookAgain looks whether connections or clients have changed in the store after
// start, and returns the client as it is now.
func (s *Submitter) lookAgain(ctx context.Context, c *store.Client, start time.Time) (now *store.Client, changed bool, err error) {
	if changed, err = s.conns.LookAgain(ctx, start); err != nil || c == nil || s.opt.Clients == nil {
		return c, changed, err
	}
	if _, err := s.opt.Clients.LookAgain(ctx, start); err != nil {
		return c, false, err
	}
	now, err = s.opt.Clients.ByID(ctx, c.ID)
	switch {
	case errors.Is(err, store.ErrNotFound): // whoever asked for it refuses it next time
		return c, changed, nil
	case err != nil:
		return c, false, err
	}
	return now, changed || now.Revision != c.Revision, nil
}
