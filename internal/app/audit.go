package app

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/retirement"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

// AuditCommands are the jobs of `postino audit` and `postino client programs`.
type AuditCommands struct {
	Storage  Storage
	JSON     bool
	Language string
	Stdin    io.Reader
	Stdout   io.Writer
}

// Audit says which connections, programs that submit here, and programs of
// tables (files, "-" for standard input) stop when passwords end. Without a store
// the tables alone are looked at.
func (k AuditCommands) Audit(ctx context.Context, tables []string) error {
	var all []retirement.Settings
	for _, file := range tables {
		rows, err := k.table(file)
		if err != nil {
			return err
		}
		all = append(all, rows...)
	}
	report := func(st store.Store) error {
		r, err := k.report(ctx, st, all)
		if err != nil {
			return err
		}
		if k.JSON {
			return writeJSON(k.Stdout, r)
		}
		return k.print(&r)
	}
	if len(tables) > 0 && k.Storage.Database == "" && !k.Storage.exists() {
		return report(nil)
	}
	return withStore(ctx, k.Storage, report)
}

func (k AuditCommands) table(file string) ([]retirement.Settings, error) {
	r := k.Stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, exit(ExitNoInput, texterr.Wrap(text("cli.table_unreadable", "the table cannot be read"), err))
		}
		defer f.Close() // it was only read
		r = f
	}
	rows, err := retirement.ReadCSV(r)
	if err != nil {
		return nil, exit(ExitData, texterr.Wrap(text("cli.table_of", "the table {file}", "file", file), err))
	}
	return rows, nil
}

// report looks at everything; st nil: there is no store.
func (k AuditCommands) report(ctx context.Context, st store.Store, all []retirement.Settings) (view.RetirementReport, error) {
	var out view.RetirementReport
	var programs []store.Program
	names := map[string]string{}
	if st != nil {
		conns, err := st.Connections(ctx)
		if err != nil {
			return out, err
		}
		for _, c := range conns {
			all = append(all, retirement.OfConnection(c))
		}
		if programs, err = st.Programs(ctx, ""); err != nil {
			return out, err
		}
		if names, err = clientNames(ctx, st); err != nil {
			return out, err
		}
	}
	found, err := retirement.Assess(time.Now(), all)
	if err != nil {
		return out, err
	}
	asOf, err := retirement.AsOf()
	if err != nil {
		return out, err
	}
	return view.OfRetirements(asOf, found, programs, names, k.Language), nil
}

// clientNames are the names of the clients by id.
func clientNames(ctx context.Context, st store.Clients) (map[string]string, error) {
	list, err := st.Clients(ctx)
	names := make(map[string]string, len(list))
	for i := range list {
		names[list[i].ID] = list[i].Name
	}
	return names, err
}

// verdict is what a verdict means for people.
func verdict(v, lang string) string {
	switch retirement.Verdict(v) {
	case retirement.Ended:
		return text("audit.ended", "HAS ENDED").In(lang)
	case retirement.Ends:
		return text("audit.ends", "ENDS").In(lang)
	case retirement.Check:
		return text("audit.check", "LOOK AT IT").In(lang)
	}
	return text("audit.stays", "goes on").In(lang)
}

func (k AuditCommands) print(r *view.RetirementReport) error {
	lang := k.Language
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	stops := 0
	for _, x := range r.Items {
		if retirement.Verdict(x.Verdict).Stops() {
			stops++
		}
	}
	line("%s", text("audit.summary", "{stops} of {all} ways of sending stop when passwords end, by what was announced until {date}.",
		"stops", stops, "all", len(r.Items), "date", r.AsOf).In(lang))
	for _, x := range r.Items {
		line("")
		what := text("audit.connection", "connection").In(lang)
		if x.Line > 0 {
			what = text("audit.line", "line {line}", "line", x.Line).In(lang)
		}
		where := x.Provider
		if x.Host != "" {
			where = (&retirement.Settings{Host: x.Host, Port: x.Port}).Address()
		}
		line("%s", terminal.Line(strings.TrimSpace(fmt.Sprintf("%s %s", verdict(x.Verdict, lang), x.Date))+"  "+x.Name+" ("+what+"), "+
			strings.Trim(where+", "+x.From, ", ")))
		line("    %s", terminal.Line(x.Reason))
		if !x.SeenHere.IsZero() {
			line("    %s", text("audit.seen_here", "this sender already submits here: last on {date}", "date",
				x.SeenHere.Local().Format(time.DateOnly)).In(lang))
		}
		for i, s := range x.Steps {
			line("    %d. %s", i+1, terminal.Line(s))
		}
	}
	if len(r.Programs) > 0 {
		line("")
		line("%s", text("audit.programs", "Which programs that submit here will still send:").In(lang))
	}
	if _, err := io.WriteString(k.Stdout, b.String()); err != nil || len(r.Programs) == 0 {
		return err
	}
	return k.programs(r.Programs)
}

// programs prints a table of programs.
func (k AuditCommands) programs(list []view.Program) error {
	lang := k.Language
	w := terminal.NewTable(k.Stdout, headings(lang, text("cli.heading_client", "CLIENT"), text("cli.heading_address", "ADDRESS"),
		text("cli.heading_program", "PROGRAM"), text("cli.heading_security", "LOGIN, TLS"), text("cli.heading_from", "FROM"),
		text("cli.heading_messages", "MESSAGES"), text("cli.heading_last", "LAST"), text("cli.heading_connection", "CONNECTION"),
		text("cli.heading_will_send", "WILL IT SEND"))...).Whole(6).Wrap()
	for _, p := range list {
		answer := verdict(p.Verdict, lang)
		if p.Date != "" {
			answer += " " + p.Date
		}
		w.Row(orDash(p.Client), orDash(p.Address), programName(&p), orDash(strings.Trim(p.Auth+", "+p.TLS, ", ")), p.From, p.Messages,
			terminal.Time(p.LastAt), orDash(p.Route), answer)
	}
	return w.Flush()
}

// programName is what a program says of itself, as far as it does.
func programName(p *view.Program) string {
	for _, s := range []string{p.Agent, p.Hello, p.IDForm} {
		if s != "" {
			return s
		}
	}
	return p.EntryPoint
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// Programs prints the programs that submit, of one client or of all.
func (k AuditCommands) Programs(ctx context.Context, client string) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		if client != "" {
			c, err := clientNamed(ctx, st, client)
			if err != nil {
				return err
			}
			client = c.Name
		}
		r, err := k.report(ctx, st, nil)
		if err != nil {
			return err
		}
		list := []view.Program{}
		for _, p := range r.Programs {
			if client == "" || p.Client == client {
				list = append(list, p)
			}
		}
		if k.JSON {
			return writeJSON(k.Stdout, list)
		}
		if len(list) == 0 {
			_, err := fmt.Fprintln(k.Stdout, mime.NewText("cli.no_programs", "No program has submitted yet.").In(k.Language))
			return err
		}
		return k.programs(list)
	})
}
