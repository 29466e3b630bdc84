package api

import (
	"context"
	"time"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
)

// Programs implements store.Programs: they name clients and connections of all.
func (s confined) Programs(ctx context.Context, client string) ([]store.Program, error) {
	if err := forOthers(ctx); err != nil {
		return nil, err
	}
	return s.all.Programs(ctx, client)
}

// SawPrograms implements store.Programs.
func (s confined) SawPrograms(ctx context.Context, seen []store.Program, most int) error {
	if err := forOthers(ctx); err != nil {
		return err
	}
	return s.all.SawPrograms(ctx, seen, most)
}

// Succeed implements store.Successions.
func (s confined) Succeed(ctx context.Context, now time.Time, old, next *gateway.Connection) (*gateway.Connection, error) {
	if err := forOthers(ctx); err != nil {
		return nil, err
	}
	return s.all.Succeed(ctx, now, old, next)
}

// TakeBack implements store.Successions.
func (s confined) TakeBack(ctx context.Context, now time.Time, old string) (*store.Succession, error) {
	if err := forOthers(ctx); err != nil {
		return nil, err
	}
	return s.all.TakeBack(ctx, now, old)
}
