package connections

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/store"
)

// edits are what a plan has the store do.
func edits(steps []Step) []store.ConnectionEdit {
	out := make([]store.ConnectionEdit, len(steps))
	for i, step := range steps {
		if step.Action == Remove {
			out[i].Remove = step.Old
		} else {
			out[i].Put = step.Next
		}
	}
	return out
}

// Fingerprint is the same for plans that do the same to the same revisions, and
// shows nothing of a secret.
func Fingerprint(steps []Step) (string, error) {
	h := sha256.New()
	enc := json.NewEncoder(h)
	for _, step := range steps {
		var id string
		var revision int64
		if step.Old != nil {
			id, revision = step.Old.ID, step.Old.Revision
		}
		if err := enc.Encode([]any{step.Action, step.Name, id, revision, step.Next}); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// Apply does a plan in one transaction, and returns when no delivery goes out by
// the settings of before any more. underWay counts those that still did when Wait
// was over. A connection that was changed since the plan was made is
// store.ErrConflict, one to be removed for which messages wait store.ErrInUse, both
// in a *store.EditError: then nothing was changed.
func (s *Service) Apply(ctx context.Context, steps []Step) (stored []*gateway.Connection, underWay int, err error) {
	if stored, err = s.Store.ApplyConnections(ctx, s.now(), edits(steps)); err != nil || len(steps) == 0 {
		return nil, 0, s.inUse(ctx, steps, err)
	}
	s.edited()
	var ids []string
	for i, step := range steps {
		if step.Action == Change && !usedAlike(step.Old, step.Next) || step.Action == Create && step.Next.IsDefault() {
			ids = append(ids, stored[i].ID)
		}
	}
	if len(ids) == 0 {
		return stored, 0, nil
	}
	underWay, err = s.settle(ctx, ids...)
	return stored, underWay, err
}

// inUse says how many messages wait for a connection that was to be removed.
func (s *Service) inUse(ctx context.Context, steps []Step, err error) error {
	var edit *store.EditError
	if !errors.Is(err, store.ErrInUse) || !errors.As(err, &edit) {
		return err
	}
	for _, step := range steps {
		if step.Action != Remove || step.Name != edit.Name {
			continue
		}
		n, cerr := s.count(ctx, step.Old.ID)
		if cerr != nil {
			return errors.Join(err, cerr)
		}
		return &store.EditError{Name: edit.Name, Err: &InUseError{Waiting: max(n, 1), NoMove: true}}
	}
	return err
}

// settle waits until every node routes and sends by what is stored now, and the
// calls that began before that on the connections have ended, or until Wait is
// over: then it returns how many there still are.
func (s *Service) settle(ctx context.Context, ids ...string) (underWay int, err error) {
	if s.Wait < 0 {
		return 0, nil
	}
	if err := s.seenByAll(ctx); err != nil {
		return 0, err
	}
	end := time.Now().Add(s.wait())
	for _, id := range ids {
		n, err := s.ended(ctx, id, end)
		if err != nil {
			return 0, err
		}
		underWay += n
	}
	return underWay, nil
}

// ended waits until the calls that run now on a connection have ended, or until a
// time: then it returns how many have not.
func (s *Service) ended(ctx context.Context, id string, end time.Time) (underWay int, err error) {
	before, err := s.leases(ctx, id)
	for err == nil && len(before) > 0 && time.Now().Before(end) {
		if err = pause.For(ctx, look); err != nil {
			return 0, err
		}
		var now map[store.ID]int64
		if now, err = s.leases(ctx, id); err != nil {
			return 0, err
		}
		for delivery, epoch := range before {
			if now[delivery] != epoch {
				delete(before, delivery)
			}
		}
	}
	return len(before), err
}
