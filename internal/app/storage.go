package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/private"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/sqlite"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
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
	if err := private.MkdirAll(dir); err != nil {
		return nil, exit(ExitConfig, texterr.Wrap(mime.NewText("cli.data_not_made", "the data folder cannot be made"), err))
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
		return nil, exit(ExitTempFail, texterr.Wrap(mime.NewText("cli.store_not_opened", "the store cannot be opened"), err))
	}
	if err := keys.fit(ctx, st, dir, where, os.Getenv); err != nil {
		if known := new(ExitError); !errors.As(err, &known) {
			err = exit(ExitTempFail, texterr.Wrap(mime.NewText("cli.key_not_compared", "the key cannot be compared with the store"), err))
		}
		return nil, errors.Join(err, st.Close())
	}
	return st, nil
}

// exists reports whether there is an embedded store in the folder.
func (s Storage) exists() bool {
	_, err := os.Stat(filepath.Join(s.Data, storeFile))
	return err == nil
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
			return exit(ExitConfig, texterr.New(mime.NewText("cli.no_store",
				"there is no store in {folder}: name its folder with --data or POSTINO_DATA", "folder", dir)))
		}
		if err != nil {
			return exit(ExitConfig, texterr.Wrap(text("cli.store_unreachable",
				"the store cannot be reached; is --data right, and may this user read it?"), err))
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
		return wrong(ExitUsage, mime.NewText("cli.no_connection_at_all",
			"there is no connection {connection}, nor any other: make one with 'postino connection add'", "connection", strconv.Quote(name)))
	}
	var names []string
	for _, c := range all[:min(len(all), most)] {
		names = append(names, c.Name)
	}
	list := strings.Join(names, ", ")
	if more := len(all) - len(names); more > 0 {
		return wrong(ExitUsage, text("cli.no_connection_of_many",
			"there is no connection {connection}; there are: {names} and {more} more: see 'postino connection list'", "connection",
			strconv.Quote(name), "names", list, "more", more))
	}
	return wrong(ExitUsage, text("cli.no_connection", "there is no connection {connection}; there are: {names}", "connection",
		strconv.Quote(name), "names", list))
}
