package engine

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/postino-mail/postino/internal/store"
)

func programs() table[store.Program] {
	return table[store.Program]{name: "programs", id: func(p *store.Program) *string { return &p.ID },
		rev: func(p *store.Program) *int64 { return &p.Revision }, lookup: func(p *store.Program) string { return p.Client + "/" + p.Digest }}
}

// Programs implements store.Programs.
func (r Ports) Programs(ctx context.Context, client string) ([]store.Program, error) {
	list, err := programs().all(ctx, r.DB)
	if client != "" {
		list = slices.DeleteFunc(list, func(p store.Program) bool { return p.Client != client })
	}
	slices.SortStableFunc(list, func(a, b store.Program) int { return b.LastAt.Compare(a.LastAt) })
	return list, err
}

// SawPrograms implements store.Programs.
func (r Ports) SawPrograms(ctx context.Context, seen []store.Program, most int) error {
	// In one order, so that two nodes do not wait for each other's rows.
	seen = slices.Clone(seen)
	slices.SortStableFunc(seen, func(a, b store.Program) int { return strings.Compare(programs().lookup(&a), programs().lookup(&b)) })
	return r.DB.Do(ctx, func(t Tx) error {
		clients := map[string]bool{}
		for i := range seen {
			added, err := sawProgram(t, seen[i])
			if err != nil {
				return err
			}
			clients[seen[i].Client] = clients[seen[i].Client] || added
		}
		for _, client := range slices.Sorted(maps.Keys(clients)) {
			if !clients[client] {
				continue
			}
			if err := evictPrograms(t, client, most); err != nil {
				return err
			}
		}
		return nil
	})
}

// sawProgram stores one; added: it was not known.
func sawProgram(t Tx, p store.Program) (added bool, err error) {
	tb := programs()
	known, err := tb.read(func(dst ...any) error {
		return t.Row(`SELECT doc FROM programs WHERE lookup = $1`+t.Lock(), []any{tb.lookup(&p)}, dst...)
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		p.ID, p.Revision = store.NewID().String(), 1
		_, err = tb.set(t, &p, true)
		return true, err
	case err != nil:
		return false, err
	}
	known.Messages += p.Messages
	known.Revision++
	if p.FirstAt.Before(known.FirstAt) {
		known.FirstAt = p.FirstAt
	}
	if !p.LastAt.Before(known.LastAt) {
		known.LastAt, known.From, known.Connection = p.LastAt, p.From, p.Connection
	}
	_, err = tb.set(t, known, false)
	return false, err
}

// evictPrograms removes the client's programs beyond most, those first that
// submitted longest ago. The keys of a client lie between "id/" and "id0".
func evictPrograms(t Tx, client string, most int) error {
	tb := programs()
	var list []store.Program
	if err := t.Each(`SELECT doc FROM programs WHERE lookup >= $1 AND lookup < $2 ORDER BY lookup`+t.Lock(), []any{client + "/", client + "0"},
		func(sc Scan) error {
			p, err := tb.read(sc)
			if err == nil {
				list = append(list, *p)
			}
			return err
		}); err != nil {
		return err
	}
	slices.SortStableFunc(list, func(a, b store.Program) int { return b.LastAt.Compare(a.LastAt) })
	for i := most; i < len(list); i++ {
		if _, err := t.Exec(`DELETE FROM programs WHERE id = $1`, list[i].ID); err != nil {
			return err
		}
	}
	return nil
}
