package app

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postino-mail/postino/adapters/all"
	"github.com/postino-mail/postino/adapters/stages"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/config"
	"github.com/postino-mail/postino/internal/doctor"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

// ConnectionTestOptions say which connection `postino connection test` tests, and how.
type ConnectionTestOptions struct {
	Storage    Storage
	Name       string // of a stored connection; empty: File
	File       string // JSON of a connection, "-" for standard input
	From, To   string // see doctor.Test
	ConfigFile string // of the server; may be empty
	CAFile     string
	JSON       bool
	Language   string
	Getenv     func(string) string
	Stdin      io.Reader
	Stdout     io.Writer
}

// newDoctor makes the doctor of connections: each test has connections and tokens
// of its own, and does not wait for as long as sending does.
func newDoctor(roots *x509.CertPool, networks []netip.Prefix, own *ownListeners) *doctor.Doctor {
	const wait = 20 * time.Second
	return doctor.New(doctor.Options{Sender: func() doctor.Sender {
		return all.New(all.Options{RootCAs: roots, SMTP: fallback.Options{Networks: networks, OwnListener: own.at,
			Timeouts: fallback.Timeouts{Dial: wait, TLS: wait, Greeting: wait, Command: wait, DataInit: wait, DataEnd: time.Minute}}})
	}})
}

// doctor makes the doctor, and the test without its connection.
func (o *ConnectionTestOptions) doctor() (*doctor.Doctor, doctor.Test, error) {
	t := doctor.Test{Language: o.Language}
	roots, err := loadRoots(o.CAFile)
	if err != nil {
		return nil, t, exit(ExitConfig, err)
	}
	conf, err := config.Load(o.ConfigFile, o.Getenv)
	if err != nil {
		return nil, t, exit(ExitConfig, err)
	}
	networks, err := conf.Connections.Prefixes()
	if err != nil {
		return nil, t, exit(ExitConfig, err)
	}
	return newDoctor(roots, networks, newOwnListeners(conf.SMTP)), t, nil
}

// TestConnection tests a connection and prints each stage as it ends. The error
// carries the exit code of the class that failed.
func TestConnection(ctx context.Context, o ConnectionTestOptions) error {
	d, t, err := o.doctor()
	if err != nil {
		return err
	}
	for _, a := range []struct {
		given string
		set   *mime.Mailbox
	}{{o.From, &t.From}, {o.To, &t.To}} {
		if a.given == "" {
			continue
		}
		if *a.set, err = mime.ParseMailbox(a.given); err != nil {
			return exit(ExitUsage, err)
		}
	}
	switch {
	case (o.Name == "") == (o.File == ""):
		return wrong(ExitUsage, text("cli.test_what", "name a stored connection, or the file of one with --file"))
	case o.File != "":
		c, err := ConnectionCommands{Stdin: o.Stdin}.parse(o.File)
		if err != nil {
			return err
		}
		t.Connection = c
		return o.run(ctx, d, t)
	}
	return withStore(ctx, o.Storage, func(st store.Store) error {
		id, err := named(ctx, st, o.Name)
		if err != nil {
			return err
		}
		if t.Connection, err = st.Connection(ctx, id); err != nil {
			return err
		}
		if t.State, err = stateOfConnection(ctx, st, t.Connection); err != nil {
			return err
		}
		return o.run(ctx, d, t)
	})
}

func stateOfConnection(ctx context.Context, st store.Store, c *gateway.Connection) (*doctor.State, error) {
	status, err := registry.StatusOf(ctx, st, c)
	if err != nil {
		return nil, err
	}
	return doctor.StateOf(c, status.State, status.Lane), nil
}

// run tests and prints.
func (o *ConnectionTestOptions) run(ctx context.Context, d *doctor.Doctor, t doctor.Test) error {
	var printed error // the reader is gone: the test goes on, and its exit code counts
	res := d.Connection(ctx, t, func(s stages.Stage) {
		if !o.JSON && printed == nil {
			_, printed = io.WriteString(o.Stdout, stageText(s, o.Language))
		}
	})
	if o.JSON {
		printed = writeJSON(o.Stdout, view.OfConnectionTest(res.OK, res.Stages, o.Language))
	} else if printed == nil {
		_, printed = fmt.Fprintln(o.Stdout, resultText(t.Connection.Name, res).In(o.Language))
	}
	if printed != nil {
		return exit(ExitSoftware, printed)
	}
	if !res.OK {
		return exit(exitOfClass(res.Class()), errReported)
	}
	return nil
}

// stageText is one stage as people read it: status, name, time, what was found
// and, below, what to do.
func stageText(s stages.Stage, lang string) string {
	message := terminal.Line(s.Message.In(lang))
	if s.Err != nil && s.Err.ShownCode() != "" {
		message += " (" + terminal.Line(s.Err.ShownCode()) + ")"
	}
	line := fmt.Sprintf("%s %s %6d ms  %s\n", padded(doctor.StatusLabel(s.Status).In(lang), 12), padded(doctor.Label(s.Name).In(lang), 20),
		s.Took.Milliseconds(), message)
	if hint := s.Hint.In(lang); hint != "" {
		line += "             -> " + terminal.Line(hint) + "\n"
	}
	return line
}

func padded(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

// resultText sums up a test.
func resultText(name string, res doctor.Result) mime.Text {
	var unproven mime.Text
	for _, s := range res.Stages {
		switch s.Status {
		case stages.Failed:
			return text("cli.test_failed", "{connection}: failed at {stage}", "connection", terminal.Line(name), "stage",
				doctor.Label(s.Name))
		case stages.Unproven:
			unproven = joined(unproven, doctor.Label(s.Name))
		}
	}
	if !unproven.IsZero() {
		return text("cli.test_unproven", "{connection}: nothing failed; not proven: {stages}", "connection", terminal.Line(name),
			"stages", unproven)
	}
	return text("cli.test_ok", "{connection}: in order", "connection", terminal.Line(name))
}

func joined(all, one mime.Text) mime.Text {
	if all.IsZero() {
		return one
	}
	return text("cli.listed", "{all}, {one}", "all", all, "one", one)
}
