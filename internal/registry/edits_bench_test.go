package registry

import (
	"context"
	"fmt"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
)

type edited struct {
	store.Store
	version int64
	list    []*gateway.Connection
	f       func()
}

func (s *edited) OnChange(f func())                                          { s.f = f }
func (s *edited) ConnectionsVersion(context.Context) (int64, error)          { return s.version, nil }
func (s *edited) Connections(context.Context) ([]*gateway.Connection, error) { return s.list, nil }
func (s *edited) ConnectionRevisions(context.Context) (map[string]int64, error) {
	out := map[string]int64{}
	for _, c := range s.list {
		out[c.ID] = c.Revision
	}
	return out, nil
}
func (s *edited) ConnectionEdits(_ context.Context, since int64) (store.Edits, error) {
	return store.Edits{Version: s.version, IDs: []string{s.list[77].ID}, Known: s.version == since+1}, nil
}
func (s *edited) ConnectionsByID(_ context.Context, ids []string) ([]*gateway.Connection, error) {
	return []*gateway.Connection{s.list[77]}, nil
}

func BenchmarkEdit(b *testing.B) {
	s := &edited{}
	for i := range 20000 {
		s.list = append(s.list, &gateway.Connection{Connection: adapters.Connection{ID: fmt.Sprint("id", i), Name: fmt.Sprintf("C%06d", i)},
			Policy: gateway.Policy{Revision: 1}})
	}
	r := NewConnections(s)
	if _, err := r.All(b.Context()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		c := s.list[77].Clone()
		c.Revision++
		s.list[77] = c
		s.version++
		s.f()
		if _, err := r.All(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
