package postgres

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/postino-mail/postino/internal/store/engine"
)

// share runs the ops in one transaction. When a value of one of them fails
// it, each runs again by itself, so that it harms no one else; when someone
// keeps a lane locked, the ops of each lane run by themselves, and those of the
// locked one wait apart, so that the writer goes on with the others.
func (w *writers) share(ops []*op) {
	if ops = w.apart(ops); len(ops) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	errs := make([]error, len(ops))
	err := w.s.commit(ctx, ops, errs, true)
	var d *dbError
	switch {
	case locked(err):
		parts := byLane(ops)
		for _, part := range parts {
			if len(parts) == 1 {
				if lane := part[0].locks(); lane != "" {
					w.backoff.Store(lane, time.Now().Add(backoffFor))
				}
				w.wait(slices.Clone(part))
			} else {
				w.share(part)
			}
		}
	case err != nil && len(ops) > 1 && errors.As(err, &d) && !global(err):
		for _, o := range ops {
			w.share([]*op{o})
		}
	default:
		tell(ops, errs, err)
	}
}

// backoffFor is how long a lane that was found locked is left to transactions of
// its own.
const backoffFor = 5 * time.Second

// apart takes out the ops of lanes that were locked a moment ago.
func (w *writers) apart(ops []*op) []*op {
	var some bool
	w.backoff.Range(func(lane, until any) bool {
		if t, ok := until.(time.Time); ok && time.Now().After(t) {
			w.backoff.Delete(lane)
		} else {
			some = true
		}
		return true
	})
	if !some {
		return ops
	}
	var rest []*op
	for _, part := range byLane(ops) {
		if _, backoff := w.backoff.Load(part[0].locks()); backoff {
			w.wait(part)
		} else {
			rest = append(rest, part...)
		}
	}
	return rest
}

// tell answers the callers.
func tell(ops []*op, errs []error, err error) {
	for i, o := range ops {
		if err != nil {
			errs[i] = err
		}
		o.Answer(outward(errs[i]))
	}
}

// wait runs ops of a locked lane beside the writer, with the patience of
// the database's lock_timeout.
func (w *writers) wait(ops []*op) {
	errs := make([]error, len(ops))
	select {
	case w.late <- struct{}{}:
	default:
		tell(ops, errs, errLocked())
		return
	}
	w.end.Go(func() {
		defer func() { <-w.late }()
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		w.s.endStuckSessions(ctx)
		tell(ops, errs, w.s.commit(ctx, ops, errs, false))
	})
}

// byLane parts ops by the lane that they lock; one that locks several, or that
// is not known, is a part of its own.
func byLane(ops []*op) (parts [][]*op) {
	of := map[string]int{}
	for _, o := range ops {
		lane := o.locks()
		i, known := of[lane]
		if !known || lane == "" {
			i = len(parts)
			of[lane] = i
			parts = append(parts, nil)
		}
		parts[i] = append(parts[i], o)
	}
	return parts
}

// locks is the one lane that the op locks; empty: several, or not known.
func (o *op) locks() string {
	if o.lane != "" {
		return o.lane
	}
	n := gatherNeeds([]*op{o})
	if len(n.deliveries)+len(n.holds)+len(n.nodes)+len(n.lanes) > 0 || len(n.routes) == 0 {
		return ""
	}
	for _, r := range n.routes {
		if r.lane != n.routes[0].lane {
			return ""
		}
	}
	return n.routes[0].lane
}

// commit runs the ops in one transaction, and again when it lost against
// another one or when they turn out to need more. errs are what the ops
// themselves decided. brief: a lock is not waited for long.
func (s *Store) commit(ctx context.Context, ops []*op, errs []error, brief bool) (err error) {
	var extra []routeNeed
	for try := 1; ; try++ {
		var missing []routeNeed
		missing, err = s.try(ctx, ops, extra, errs, brief)
		switch {
		case errors.Is(err, errMissing) && try < tries:
			extra = append(extra, missing...)
			if err := s.make(ctx, ops, extra); err != nil {
				return err
			}
		case errors.Is(err, errMissing):
			return &dbError{err: errors.New("other nodes change the same deliveries all the time")}
		case again(err) && try < tries && ctx.Err() == nil:
			s.opt.Log.Debug("a transaction begins again", "err", err)
			waitAgain(ctx, try)
		default:
			return err
		}
	}
}

// make makes the lanes and subqueues that ops need.
func (s *Store) make(ctx context.Context, ops []*op, extra []routeNeed) error {
	n := gatherNeeds(ops)
	if len(extra)+len(n.lanes) == 0 {
		return nil
	}
	return s.ensure(ctx, n.lanes, extra)
}

func gatherNeeds(ops []*op) *needs {
	n := &needs{}
	for _, o := range ops {
		if o.need != nil {
			o.need(n)
		}
	}
	return n
}

func (s *Store) try(ctx context.Context, ops []*op, extra []routeNeed, errs []error, brief bool) (missing []routeNeed, err error) {
	err = s.withConn(ctx, func(conn *pgxpool.Conn) (err error) {
		t := newTx(s, conn)
		defer func() {
			missing = t.missing
			if err != nil {
				rollback(ctx, conn)
			}
		}()
		for _, o := range ops {
			if o.lead != nil {
				if err := o.lead(ctx, conn); err != nil {
					return err
				}
			}
		}
		n := gatherNeeds(ops)
		n.routes = append(n.routes, extra...)
		if err := t.load(ctx, n, brief); err != nil {
			return err
		}
		for i, o := range ops {
			if errs[i] = o.run(ctx, t); errs[i] == nil {
				continue
			}
			if errors.Is(errs[i], errMissing) {
				err = errMissing // the others say what they miss too
				continue
			}
			var kept *engine.KeptError
			if errors.As(errs[i], &kept) {
				errs[i] = kept.Err
			} else if isDB(errs[i]) || len(ops) == 1 {
				return errs[i]
			}
		}
		if err != nil {
			return err
		}
		// From here on the caller's patience must not put the result in doubt.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer cancel()
		if err := t.commit(ctx); err != nil {
			return err
		}
		if t.wake {
			s.Changed.All()
			s.notifier.tell()
		}
		return nil
	})
	return missing, err
}

// rollback ends a transaction that failed; a connection that cannot even do
// that is closed when it goes back to the pool.
func rollback(ctx context.Context, conn *pgxpool.Conn) {
	if conn.Conn().IsClosed() || conn.Conn().PgConn().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if _, err := conn.Exec(ctx, `ROLLBACK`); err != nil {
		return // Release sees the open transaction and closes the connection
	}
}
