package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/sqlite"
)

// storeFile is there where an embedded store is.
const storeFile = "postino.db"

// Storage is where the store is.
type Storage struct {
	Data     string // folder of the embedded store, and of the key
	Database string // postgres://…: used in place of the embedded store
}

// OpenStore opens the store. server takes the embedded store's folder for this
// process alone; commands leave it false and work beside the server.
func OpenStore(ctx context.Context, s Storage, server bool, log *slog.Logger) (store.Store, error) {
	dir, err := filepath.Abs(s.Data)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, exit(ExitConfig, fmt.Errorf("the data folder cannot be made: %w", err))
	}
	keys := new(storeKey)
	if err := keys.find(dir, os.Getenv); err != nil {
		return nil, exit(ExitConfig, err)
	}
	var st store.Store
	where := dir
	if s.Database != "" {
		st, err = openPostgres(ctx, s.Database, dir, keys, log)
		where = "the database"
	} else {
		st, err = sqlite.Open(ctx, sqlite.Options{Dir: dir, Server: server, Sealer: keys, Log: log})
	}
	if err != nil {
		return nil, exit(ExitTempFail, fmt.Errorf("the store cannot be opened: %w", err))
	}
	if err := keys.fit(ctx, st, dir, where, os.Getenv); err != nil {
		if known := new(ExitError); !errors.As(err, &known) {
			err = exit(ExitTempFail, fmt.Errorf("the key cannot be compared with the store: %w", err))
		}
		return nil, errors.Join(err, st.Close())
	}
	return st, nil
}

// withStore runs a command's work on a store that exists: after a slip of the
// pen an empty one would say that nothing waits.
func withStore(ctx context.Context, s Storage, work func(store.Store) error) error {
	if s.Database == "" {
		dir, err := filepath.Abs(s.Data) // a relative folder is often the mistake
		if err != nil {
			return err
		}
		_, err = os.Stat(filepath.Join(dir, storeFile))
		if errors.Is(err, os.ErrNotExist) {
			return exit(ExitConfig, fmt.Errorf("there is no store in %s: name its folder with --data or POSTINO_DATA", dir))
		}
		if err != nil {
			return exit(ExitConfig, fmt.Errorf("the store cannot be reached; is --data right, and may this user read it? %w", err))
		}
	}
	return withNewStore(ctx, s, work)
}

// withNewStore is withStore for what may come first: it makes the store.
func withNewStore(ctx context.Context, s Storage, work func(store.Store) error) (err error) {
	st, err := OpenStore(ctx, s, false, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	return work(st)
}

// named finds a connection by name or id.
func named(ctx context.Context, st store.Store, name string) (string, error) {
	c, err := st.ConnectionNamed(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		c, err = st.Connection(ctx, name)
	}
	if errors.Is(err, store.ErrNotFound) {
		all, lerr := st.Connections(ctx)
		if lerr != nil {
			return "", lerr
		}
		return "", noConnection(name, all)
	}
	if err != nil {
		return "", err
	}
	return c.ID, nil
}

// noConnection names those there are, as far as a person reads them.
func noConnection(name string, all []*gateway.Connection) error {
	const most = 20
	if len(all) == 0 {
		return wrong(ExitUsage, fmt.Sprintf("there is no connection %q, nor any other: make one with 'postino connection add'", name),
			fmt.Sprintf("non esiste una connessione %q, né altre: se ne crea una con 'postino connection add'", name))
	}
	var names []string
	for _, c := range all[:min(len(all), most)] {
		names = append(names, c.Name)
	}
	list, see, vedi := strings.Join(names, ", "), "", ""
	if more := len(all) - len(names); more > 0 {
		see = fmt.Sprintf(" and %d more: see 'postino connection list'", more)
		vedi = fmt.Sprintf(" e altre %d: vedi 'postino connection list'", more)
	}
	return wrong(ExitUsage, fmt.Sprintf("there is no connection %q; there are: %s%s", name, list, see),
		fmt.Sprintf("non esiste una connessione %q; ci sono: %s%s", name, list, vedi))
}
