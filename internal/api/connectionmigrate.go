package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/postino-mail/postino/adapters/stages"
	"github.com/postino-mail/postino/internal/connections"
	"github.com/postino-mail/postino/internal/doctor"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
)

type (
	migrateInput struct {
		ConnectionPath
		Body MigrationRequest
	}
	// MigrationRequest says to which connection another one moves.
	MigrationRequest struct {
		To string `json:"to" enum:"graph,gmail" doc:"Provider"`

		Connection map[string]any `json:"connection" doc:"At least the provider's object; what is left out is the old connection's"`
	}
	// Migrated is what came of a migration.
	Migrated struct {
		Connection view.Connection      `json:"connection" doc:"To which mail goes now"`
		Moved      view.Moved           `json:"moved" doc:"What waited on the other one"`
		Removed    bool                 `json:"removed,omitempty" doc:"Of an undo: the successor was removed; else it is inactive"`
		Test       *view.ConnectionTest `json:"test,omitempty" doc:"Of the new connection"`
	}
)

// migrationRoutes are the operations by which a connection moves to another provider.
func (s *connectionTestService) migrationRoutes(rt *router) {
	register(rt, op("migrate-connection", http.MethodPost, "/v1/connections/{id}/migrate", connectionsTag, ScopeAdmin,
		"Move a connection to another provider", "The new connection is tested first; where a stage fails nothing changes, and the problem "+
			"(test_failed) has the stage's message. Then, in one transaction, it takes the old one's senders, default, place in chains of "+
			"fallbacks and clients, with the old one as its first fallback, and what waited moves to it."), s.migrate)
	register(rt, op("undo-migration", http.MethodPost, "/v1/connections/{id}/migrate/undo", connectionsTag, ScopeAdmin,
		"Take a migration back", "The old connection has its senders and places again, and waiting mail returns. The new one is removed, "+
			"or inactive where a message in the queue names it."), s.undoMigration)
}

func (s *connectionTestService) migrate(ctx context.Context, in *migrateInput) (*bodyOf[Migrated], error) {
	old, err := s.stored(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	next, err := connections.Successor(old, in.Body.Connection, in.Body.To)
	if err != nil {
		return nil, planFailure(invalidConnection(err))
	}
	lang := language(in.Language)
	leave, err := s.enter(caller(ctx).quotaKey())
	if err != nil {
		return nil, err
	}
	result := s.doctor.Connection(ctx, doctor.Test{Connection: next, Language: lang}, nil)
	leave()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if !result.OK {
		return nil, testFailed(result)
	}
	done, err := s.service().Migrate(ctx, old, next)
	if err != nil {
		return nil, err
	}
	out, err := s.migrated(ctx, done, lang)
	if err == nil {
		test := view.OfConnectionTest(result.OK, result.Stages, lang)
		out.Body.Test = &test
	}
	return out, err
}

// testFailed reports the first stage that failed.
func testFailed(result doctor.Result) error {
	for _, stage := range result.Stages {
		if stage.Status == stages.Failed {
			return fail(http.StatusUnprocessableEntity, "test_failed", "connection", stage.Message, stage.Hint)
		}
	}
	return errors.New("api: a test failed at no stage")
}

func (s *connectionTestService) undoMigration(ctx context.Context, in *ConnectionPath) (*bodyOf[Migrated], error) {
	old, err := s.stored(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	done, err := s.service().MigrateBack(ctx, old.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, fail(http.StatusConflict, "no_successor", "",
			text("api.no_successor", "this connection has no successor that could be taken back"), text("api.no_successor_hint",
				"a migration is taken back on the connection that was migrated, not on its successor"))
	}
	if err != nil {
		return nil, err
	}
	return s.migrated(ctx, done, language(in.Language))
}

func (s *connectionTestService) migrated(ctx context.Context, m connections.Migrated, lang string) (*bodyOf[Migrated], error) {
	c, err := s.viewConnection(ctx, m.Connection, lang)
	if err != nil {
		return nil, err
	}
	c.Body.State.UnderWay = m.UnderWay
	return &bodyOf[Migrated]{Migrated{Connection: c.Body, Moved: view.OfMoved(m.Moved, lang), Removed: m.Removed}}, nil
}
