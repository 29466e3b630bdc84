package api

import (
	"context"
	"slices"

	"github.com/postino-mail/postino/internal/store"
)

// Hours implements store.History.
func (s confined) Hours(ctx context.Context, r store.HistoryRequest) (out []store.HourOfMail, err error) {
	if r.Connections, err = s.ownAmong(ctx, r.Connections); err != nil {
		return nil, err
	}
	return s.all.Hours(ctx, r)
}

// OnTheirWay implements store.History.
func (s confined) OnTheirWay(ctx context.Context, connections []string) (int64, error) {
	connections, err := s.ownAmong(ctx, connections)
	if err != nil {
		return 0, err
	}
	return s.all.OnTheirWay(ctx, connections)
}

// LastUses implements store.History.
func (s confined) LastUses(ctx context.Context, connections []string) ([]store.LastUse, error) {
	connections, err := s.ownAmong(ctx, connections)
	if err != nil {
		return nil, err
	}
	return s.all.LastUses(ctx, connections)
}

// ownAmong are those of the connections that the caller may see; nil: of all.
func (s confined) ownAmong(ctx context.Context, asked []string) ([]string, error) {
	own, limited, err := s.own(ctx)
	if err != nil || !limited {
		return asked, err
	}
	if asked == nil {
		return own, nil
	}
	return slices.DeleteFunc(slices.Clone(asked), func(id string) bool { return !slices.Contains(own, id) }), nil
}
