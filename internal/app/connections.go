package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/connections"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

// ConnectionCommands are the jobs of `postino connection`.
type ConnectionCommands struct {
	Storage  Storage
	JSON     bool
	Language string
	Wait     time.Duration // for calls that began before a change; 0: as long as usual, negative: not at all
	Stdin    io.Reader
	Stdout   io.Writer
	Getenv   func(string) string // nil: os.Getenv
}

// parse reads the connection of a JSON file, "-" for standard input.
func (k ConnectionCommands) parse(file string) (*gateway.Connection, error) {
	content, err := k.read(text("cli.connection_file_unreadable", "the connection file cannot be read"), file)
	if err != nil {
		return nil, err
	}
	c, err := gateway.Parse(content)
	if err != nil {
		return nil, exit(ExitConfig, err)
	}
	return c, nil
}

// read reads a file, "-" for standard input; unreadable is the error where it cannot.
func (k ConnectionCommands) read(unreadable mime.Text, file string) (content []byte, err error) {
	if file == "-" {
		content, err = io.ReadAll(k.Stdin)
	} else {
		content, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, exit(ExitNoInput, texterr.Wrap(unreadable, err))
	}
	return adapters.PlainText(content), nil
}

// put stores the connection, in place of old where there is one, and reports it.
func (k ConnectionCommands) put(ctx context.Context, st store.Store, c, old *gateway.Connection, done mime.Text) error {
	return k.watching(ctx, st, func() error {
		stored, underWay, err := (&connections.Service{Store: st, Wait: k.Wait}).Put(ctx, c, old)
		if errors.Is(err, store.ErrExists) {
			return wrong(ExitConfig, mime.NewText("cli.connection_exists",
				"there is a connection {connection} already: edit it or choose another name", "connection", strconv.Quote(c.Name)))
		}
		var invalid *adapters.InvalidError
		if errors.As(err, &invalid) {
			return exit(ExitConfig, err)
		}
		if err != nil {
			return err
		}
		if err := k.one(ctx, st, stored, done); err != nil {
			return err
		}
		return k.stillUnderWay(underWay)
	})
}

// stillUnderWay says how many messages still go out by the settings of before.
func (k ConnectionCommands) stillUnderWay(n int) error {
	if n == 0 || k.JSON {
		return nil
	}
	_, err := fmt.Fprintln(k.Stdout, mime.NewCount("cli.connection_under_way", n,
		"one message that was being handed over before is still under way",
		"{count} messages that were being handed over before are still under way").In(k.Language))
	return err
}

// watching does change and warns of fallbacks that lost their effect by it: a
// name that is misspelt, or of a connection that was renamed or removed.
func (k ConnectionCommands) watching(ctx context.Context, st store.Store, change func() error) error {
	if k.JSON { // which has no room for a warning
		return change()
	}
	before, err := st.Connections(ctx)
	if err != nil {
		return err
	}
	if err := change(); err != nil {
		return err
	}
	after, err := st.Connections(ctx)
	if err != nil {
		return err
	}
	known := registry.LooseFallbacks(before)
	for _, l := range registry.LooseFallbacks(after) {
		if !slices.Contains(known, l) {
			t := text("cli.loose_fallback", "warning: {connection} names the fallback {fallback}, but no connection is called so: it has no effect",
				"connection", strconv.Quote(l.Connection), "fallback", strconv.Quote(l.Fallback))
			if _, err := fmt.Fprintln(k.Stdout, t.In(k.Language)); err != nil {
				return err
			}
		}
	}
	return nil
}

// SetActive switches a connection on or off.
func (k ConnectionCommands) SetActive(ctx context.Context, name string, active bool) error {
	done := text("cli.connection_on", "switched on")
	if !active {
		done = text("cli.connection_off", "switched off; its mail waits")
	}
	return k.change(ctx, name, done, func(c *gateway.Connection) (*gateway.Connection, error) {
		next := c.Clone()
		next.Active = &active
		return next, nil
	})
}

// SetDefault makes a connection the default one in a mode, or none ("no").
func (k ConnectionCommands) SetDefault(ctx context.Context, name, mode string) error {
	return k.change(ctx, name, text("cli.connection_default", "default: {mode}", "mode", view.DefaultLabel(gateway.DefaultMode(mode))),
		func(c *gateway.Connection) (*gateway.Connection, error) {
			next := c.Clone()
			next.Default = gateway.DefaultMode(mode)
			return next, next.Validate()
		})
}

func (k ConnectionCommands) change(ctx context.Context, name string, done mime.Text,
	change func(*gateway.Connection) (*gateway.Connection, error)) error {
	return k.storedConnection(ctx, name, func(st store.Store, c *gateway.Connection) error {
		next, err := change(c)
		if err != nil {
			return err
		}
		return k.put(ctx, st, next, c, done)
	})
}

// Resume ends the pauses of a connection and of its lanes, and closes its breaker.
func (k ConnectionCommands) Resume(ctx context.Context, name string) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		id, err := named(ctx, st, name)
		if err != nil {
			return err
		}
		if err := registry.Resume(ctx, st, id, time.Now()); err != nil {
			return err
		}
		c, err := st.Connection(ctx, id)
		if err != nil {
			return err
		}
		return k.one(ctx, st, c, text("cli.connection_resumed", "resumed"))
	})
}

// view reads how a connection is shown, with its state.
func (k ConnectionCommands) view(ctx context.Context, st store.Store, c *gateway.Connection) (view.Connection, error) {
	status, err := registry.StatusOf(ctx, st, c)
	return view.OfConnection(c, status, time.Now(), k.Language), err
}

// Show prints one connection as JSON, without secrets.
func (k ConnectionCommands) Show(ctx context.Context, name string) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		id, err := named(ctx, st, name)
		if err != nil {
			return err
		}
		c, err := st.Connection(ctx, id)
		if err != nil {
			return err
		}
		shown, err := k.view(ctx, st, c)
		if err != nil {
			return err
		}
		return writeJSON(k.Stdout, shown)
	})
}

// stateOf is what people see of a connection first.
func stateOf(c *gateway.Connection, st store.ConnectionState, lang string) string {
	if c.RedactedSecret() != "" {
		return text("cli.secret_closed", "its secret does not open with this key: enter it again").In(lang)
	}
	return connectionState(st, lang)
}

func connectionState(st store.ConnectionState, lang string) string {
	if !st.PausedUntil.After(time.Now()) {
		return text("cli.ok", "ok").In(lang)
	}
	s := text("cli.paused_until", "paused until {time}", "time", terminal.Time(st.PausedUntil)).In(lang)
	if st.Error != nil {
		s += ": " + st.Error.Message.In(lang)
		if r := st.Error.Hint.In(lang); r != "" {
			s += " -> " + r
		}
	}
	return s
}

// one reports what was done with a connection.
func (k ConnectionCommands) one(ctx context.Context, st store.Store, c *gateway.Connection, done mime.Text) error {
	if k.JSON {
		shown, err := k.view(ctx, st, c)
		if err != nil {
			return err
		}
		return writeJSON(k.Stdout, shown)
	}
	_, err := fmt.Fprintf(k.Stdout, "%s: %s\n", terminal.Line(c.Name), done.In(k.Language))
	return err
}
