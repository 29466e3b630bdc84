package engine

import (
	"context"
	"slices"
	"time"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
)

// ApplyConnections implements store.Connections.
func (p Ports) ApplyConnections(ctx context.Context, now time.Time, edits []store.ConnectionEdit) (out []*gateway.Connection, err error) {
	if len(edits) == 0 {
		return nil, nil
	}
	edits = slices.Clone(edits)
	var known []string // what is new has no deliveries that could be held
	for i, e := range edits {
		switch {
		case e.Put == nil:
			known = append(known, e.Remove.ID)
		case e.Put.ID != "":
			known = append(known, e.Put.ID)
		default:
			edits[i].Put = e.Put.Clone()
			edits[i].Put.ID = store.NewID().String()
		}
	}
	if len(known) > store.MostEdits {
		return nil, store.ErrTooManyEdits
	}
	err = p.DB.Work(ctx, Needs{Edits: true, Connections: known}, func(w Work) error {
		t, err := w.Records()
		if err != nil {
			return err
		}
		out = make([]*gateway.Connection, len(edits))
		for _, i := range inOrder(edits) {
			e := edits[i]
			if e.Put == nil {
				err = p.applyRemoval(ctx, t, e.Remove)
			} else {
				out[i] = e.Put.Clone()
				err = p.writeConnection(ctx, t, out[i])
			}
			if err != nil {
				return store.NewEditError(e, err)
			}
		}
		for i, e := range edits {
			switch {
			case e.Put == nil:
				err = holdConnection(w, store.Micro(now), e.Remove.ID, nil, nil)
			case slices.Contains(known, e.Put.ID):
				err = p.holdAs(w, now, out[i])
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	p.DB.Edited()
	return out, nil
}

// inOrder are the places of edits in the order in which they can be made: a name
// is free once its connection is removed, and whoever becomes the default takes
// that from one that has not given it up yet.
func inOrder(edits []store.ConnectionEdit) []int {
	rank := func(i int) int {
		switch e := edits[i]; {
		case e.Put == nil:
			return 0
		case !isDefault(e.Put):
			return 1
		}
		return 2
	}
	out := make([]int, len(edits))
	for i := range out {
		out[i] = i
	}
	slices.SortStableFunc(out, func(a, b int) int { return rank(a) - rank(b) })
	return out
}

// applyRemoval removes a connection that is as it was read.
func (p Ports) applyRemoval(ctx context.Context, t Tx, c *gateway.Connection) error {
	now, err := p.connectionIn(t, c.ID)
	if err != nil {
		return err
	}
	if now.Revision != c.Revision {
		return store.ErrConflict
	}
	return p.removeConnection(ctx, t, c.ID)
}
