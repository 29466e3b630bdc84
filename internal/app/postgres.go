package app

import (
	"context"
	"log/slog"
	"path/filepath"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/postgres"
)

// openPostgres opens the store that several nodes share. data is this node's
// own folder: nothing in its spool is needed after a restart. The nodes need
// one key for the connections' secrets (see package vault).
func openPostgres(ctx context.Context, url, data string, keys store.Sealer, log *slog.Logger) (store.Store, error) {
	return postgres.Open(ctx, postgres.Options{URL: url, Dir: filepath.Join(data, "spool"), Sealer: keys, Log: log})
}
