package api

import (
	"context"
	"maps"
	"slices"
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

// Uses implements store.Uses: an operator sees those of their own keys.
func (s confined) Uses(ctx context.Context, kind string, subjects ...string) (map[string]store.Use, error) {
	if caller(ctx).owner() == "" {
		return s.all.Uses(ctx, kind, subjects...)
	}
	if kind != store.UseOfKey {
		return nil, forOthers(ctx)
	}
	own, err := s.APIKeys(ctx, "")
	if err != nil {
		return nil, err
	}
	all, err := s.all.Uses(ctx, kind, subjects...)
	maps.DeleteFunc(all, func(id string, _ store.Use) bool {
		return !slices.ContainsFunc(own, func(k store.APIKey) bool { return k.ID == id })
	})
	return all, err
}

// SawUses implements store.Uses.
func (s confined) SawUses(ctx context.Context, seen []store.Use) error {
	if err := forOthers(ctx); err != nil {
		return err
	}
	return s.all.SawUses(ctx, seen)
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
