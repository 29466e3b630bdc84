package api

import (
	"context"
	"slices"

	"github.com/postino-mail/postino/internal/store"
)

// Hours implements store.History.
func (s confined) Hours(ctx context.Context, r store.HistoryRequest) ([]store.HourOfMail, error) {
	own, limited, err := s.own(ctx)
	if err != nil {
		return nil, err
	}
	if limited {
		r.Connections = amongOwn(own, r.Connections)
	}
	return s.all.Hours(ctx, r)
}

// amongOwn are the caller's own, of those that are asked for; nil: of all.
func amongOwn(own, asked []string) []string {
	if asked == nil {
		return own
	}
	return slices.DeleteFunc(slices.Clone(asked), func(id string) bool { return !slices.Contains(own, id) })
}

// OnTheirWay implements store.History.
func (s confined) OnTheirWay(ctx context.Context, connections []string) (int64, error) {
	own, limited, err := s.own(ctx)
	if err != nil {
		return 0, err
	}
	if limited {
		connections = amongOwn(own, connections)
	}
	return s.all.OnTheirWay(ctx, connections)
}

// LastUses implements store.History.
func (s confined) LastUses(ctx context.Context, connections []string) ([]store.LastUse, error) {
	own, limited, err := s.own(ctx)
	if err != nil {
		return nil, err
	}
	if limited {
		connections = amongOwn(own, connections)
	}
	return s.all.LastUses(ctx, connections)
}
