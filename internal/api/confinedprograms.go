package api

import (
	"context"

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
