package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/internal/connections"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// A Migration says where `postino connection migrate` leads.
type Migration struct {
	To         string // graph or gmail
	File       string // JSON of the new connection, "-" for standard input; what it leaves out is the old one's
	Undo       bool
	ConfigFile string // of the server, for its networks and listeners
	CAFile     string
}

// Migrate makes a connection beside an old one, tests it, and has it take the old
// one's place, with the old one as its fallback; or takes that back.
func (k ConnectionCommands) Migrate(ctx context.Context, name string, m Migration) error {
	switch {
	case m.Undo && (m.To != "" || m.File != ""):
		return wrong(ExitUsage, text("cli.migrate_undo_alone", "--undo takes neither --to nor --file"))
	case m.Undo:
		return k.moving(ctx, name, "", func(_ store.Store, s *connections.Service, old, _ *gateway.Connection) error {
			return k.migrateBack(ctx, s, old)
		})
	case m.To == "" || m.File == "":
		return wrong(ExitUsage, text("cli.migrate_what", "say where to with --to graph or gmail, and give the new connection with --file"))
	}
	return k.moving(ctx, name, "", func(st store.Store, s *connections.Service, old, _ *gateway.Connection) error {
		next, err := k.successor(old, m)
		if err != nil {
			return err
		}
		roots, err := loadRoots(m.CAFile)
		if err != nil {
			return exit(ExitConfig, err)
		}
		sender := newSender(roots, nil, nil, nil, nil)
		defer func() { err = errors.Join(err, sender.Close()) }()
		s.Adapters = sender
		test := ConnectionTestOptions{JSON: false, Language: k.Language, Stdout: k.Stdout, ConfigFile: m.ConfigFile, CAFile: m.CAFile,
			Getenv: k.Getenv}
		if test.Getenv == nil {
			test.Getenv = os.Getenv
		}
		var stages bytes.Buffer
		if k.JSON { // one document is printed: that of the test where it fails, else the connection
			test.JSON, test.Stdout = true, &stages
		}
		if err := testSuccessor(ctx, &test, next); err != nil {
			if _, werr := stages.WriteTo(k.Stdout); werr != nil {
				return exit(ExitSoftware, werr)
			}
			return err
		}
		done, err := s.Migrate(ctx, old, next)
		switch {
		case errors.Is(err, store.ErrExists):
			return wrong(ExitConfig, text("cli.migrate_exists",
				"{connection} has a successor already, or there is a connection {name}: take it back with --undo, or name the new one in the file",
				"connection", strconv.Quote(old.Name), "name", strconv.Quote(next.Name)))
		case errors.Is(err, store.ErrConflict):
			return exit(ExitTempFail, err)
		case err != nil:
			return exit(ExitFailure, err)
		}
		return k.migrated(ctx, st, done, text("cli.migrated",
			"takes the place of {old}, which is its fallback now; 'postino connection migrate {old} --undo' takes it back", "old",
			strconv.Quote(old.Name)))
	})
}

func (k ConnectionCommands) migrateBack(ctx context.Context, s *connections.Service, old *gateway.Connection) error {
	done, err := s.MigrateBack(ctx, old.ID)
	if errors.Is(err, store.ErrNotFound) {
		return wrong(ExitUsage, text("cli.migrate_none", "{connection} has no successor that could be taken back", "connection",
			strconv.Quote(old.Name)))
	}
	if err != nil {
		return exit(ExitFailure, err)
	}
	t := text("cli.migrated_back", "has its place again; its successor is removed")
	if !done.Removed {
		t = text("cli.migrated_back_kept", "has its place again; its successor is switched off, and can be removed once no message names it")
	}
	return k.migrated(ctx, s.Store, done, t)
}

// migrated reports what came of it.
func (k ConnectionCommands) migrated(ctx context.Context, st store.Store, m connections.Migrated, done mime.Text) error {
	if err := k.one(ctx, st, m.Connection, done); err != nil || k.JSON {
		return err
	}
	line := mime.NewCount("cli.migrated_mail", m.Moved.Moved,
		"one message that waited goes with it; being sent, or sent perhaps, and staying where they are: {staying}",
		"{count} messages that waited go with it; being sent, or sent perhaps, and staying where they are: {staying}", "staying", m.Moved.Staying)
	if _, err := fmt.Fprintln(k.Stdout, line.In(k.Language)); err != nil {
		return err
	}
	for _, r := range m.Moved.Refused {
		if _, err := fmt.Fprintf(k.Stdout, "  %s: %s\n", r.Delivery, r.Reason.In(k.Language)); err != nil {
			return err
		}
	}
	return nil
}

// testSuccessor tests a connection that is not stored.
func testSuccessor(ctx context.Context, o *ConnectionTestOptions, c *gateway.Connection) error {
	d, t, err := o.doctor()
	if err != nil {
		return err
	}
	t.Connection = c
	return o.run(ctx, d, t)
}

// successor reads the new connection; what the file leaves out is the old one's.
func (k ConnectionCommands) successor(old *gateway.Connection, m Migration) (*gateway.Connection, error) {
	content, err := k.read(text("cli.connection_file_unreadable", "the connection file cannot be read"), m.File)
	if err != nil {
		return nil, err
	}
	var doc map[string]any
	if err := json.Unmarshal(content, &doc); err != nil {
		return nil, exit(ExitConfig, texterr.Wrap(text("cli.migrate_not_json", "the connection is no JSON object"), err))
	}
	if err := fieldTwice(content); err != nil {
		return nil, exit(ExitConfig, err)
	}
	if strings.EqualFold(m.To, providerOf(doc, m.To)) {
		c, err := connections.Successor(old, doc, m.To)
		return c, exit(ExitConfig, err)
	}
	_, err = connections.Successor(old, doc, m.To)
	return nil, exit(ExitUsage, err)
}

// providerOf is the provider that a document names; none: usual.
func providerOf(doc map[string]any, usual string) string {
	if p, given := doc["provider"]; given {
		name, _ := p.(string)
		return name
	}
	return usual
}
