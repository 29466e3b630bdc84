package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/presets"
	"github.com/postino-mail/postino/internal/prompt"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/mime"
)

// addByQuestions adds a connection by questions, where there is a person to ask.
func (k ConnectionCommands) addByQuestions(ctx context.Context, name string) error {
	p, err := prompt.New(k.Stdin, k.Stdout)
	if err != nil {
		return wrong(ExitUsage, mime.NewText("cli.add_nothing",
			"what to add? name its settings by flags, or a JSON file by --file; on a terminal, without either, postino asks"))
	}
	q := questions{p: p, lang: k.Language}
	doc, err := q.connection(ctx)
	if err != nil {
		return notSaved(ctx, err)
	}
	if name == "" {
		from, _ := doc["from"].(string)
		if name, err = p.Line(ctx, text("cli.ask_name", "Name of the connection").In(k.Language), from); err != nil {
			return notSaved(ctx, err)
		}
	}
	doc["name"] = name
	c, err := newConnection(doc)
	if err != nil {
		return err
	}
	return withNewStore(ctx, k.Storage, func(st store.Store) error {
		return k.put(ctx, st, c, nil, text("cli.connection_added", "added"))
	})
}

// notSaved says that an interrupted dialogue has left nothing behind.
func notSaved(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, io.EOF) {
		return wrong(ExitFailure, mime.NewText("cli.interrupted_nothing_saved", "interrupted: nothing was saved"))
	}
	return err
}

// questions ask for the settings of a connection.
type questions struct {
	p    *prompt.Prompt
	lang string
}

func (q *questions) line(ctx context.Context, t mime.Text, proposal string) (string, error) {
	return q.p.Line(ctx, t.In(q.lang), proposal)
}

// proposalsShown is how many of the proposals for an address are offered.
const proposalsShown = 4

// connection asks for an address, looks for its provider, and asks for what that
// needs. The document lacks the name.
func (q *questions) connection(ctx context.Context) (map[string]any, error) {
	from, err := q.address(ctx, text("cli.ask_from", "Address that sends"), "")
	if err != nil {
		return nil, err
	}
	var found []*presets.Proposal
	if d, err := presets.Detect(ctx, net.DefaultResolver, presets.NewClient(nil), from); err == nil {
		found = d.Proposals[:min(len(d.Proposals), proposalsShown)]
	} else if ctx.Err() != nil {
		return nil, err
	}
	var options []prompt.Option
	for i, p := range found {
		label := terminal.Line(p.Title)
		if p.Provider == adapters.SMTP {
			label += " (SMTP, " + terminal.Line(p.Server.Host) + ":" + strconv.Itoa(p.Server.Port) + ")"
		} else {
			label += " (API)"
		}
		options = append(options, prompt.Option{Value: "proposal" + strconv.Itoa(i), Text: label})
	}
	options = append(options, prompt.Option{Value: "graph", Text: "Microsoft 365 (API)"},
		prompt.Option{Value: "gmail", Text: "Google Workspace (API)"},
		prompt.Option{Value: "smtp", Text: text("cli.ask_other_server", "another SMTP server").In(q.lang)})
	choice, err := q.p.Choose(ctx, text("cli.ask_provider", "Provider").In(q.lang),
		text("cli.ask_number", "Answer with one of the numbers.").In(q.lang), options...)
	if err != nil {
		return nil, err
	}
	doc := map[string]any{"provider": choice, "from": from}
	if n, ok := strings.CutPrefix(choice, "proposal"); ok {
		i, err := strconv.Atoi(n)
		if err != nil {
			return nil, err
		}
		doc = found[i].Document("", from)
	}
	delete(doc, "name")
	return doc, q.credentials(ctx, doc, from)
}

// address asks until the answer is an address.
func (q *questions) address(ctx context.Context, t mime.Text, proposal string) (string, error) {
	for {
		answer, err := q.line(ctx, t, proposal)
		if err != nil {
			return "", err
		}
		a, err := mime.NormalizeAddress(answer)
		if err == nil {
			return a, nil
		}
		again := text("cli.ask_address_again", "This is no address: write it as name@example.com.")
		if _, err := fmt.Fprintln(q.p.Out(), again.In(q.lang)); err != nil {
			return "", err
		}
	}
}

// credentials asks for what a connection's provider needs and the document lacks.
func (q *questions) credentials(ctx context.Context, doc map[string]any, from string) error {
	section := func(name string) map[string]any {
		m, ok := doc[name].(map[string]any)
		if !ok {
			m = map[string]any{}
			doc[name] = m
		}
		return m
	}
	fill := func(m map[string]any, field string, t mime.Text, proposal string) error {
		if v, ok := m[field].(string); ok && v != "" {
			proposal = v
		}
		v, err := q.line(ctx, t, proposal)
		m[field] = v
		return err
	}
	secret := func(m map[string]any, field string, t mime.Text) error {
		v, err := q.p.Secret(ctx, t.In(q.lang))
		m[field] = v
		return err
	}
	domain := from[strings.LastIndexByte(from, '@')+1:]
	switch doc["provider"] {
	case string(adapters.Graph):
		m := section("graph")
		return first(func() error { return fill(m, "tenant", text("cli.ask_tenant", "Tenant (id or domain)"), domain) },
			func() error { return fill(m, "client_id", text("cli.ask_client_id", "Application (client) id"), "") },
			func() error {
				return secret(m, "client_secret", text("cli.ask_client_secret", "Client secret (it is not shown)"))
			})
	case string(adapters.Gmail):
		file, err := q.line(ctx, text("cli.ask_key_file", "File of the service account's key"), "")
		if err != nil {
			return err
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return exit(ExitNoInput, err)
		}
		section("gmail")["service_account_json"] = string(adapters.PlainText(content))
		return nil
	}
	m := section("smtp")
	if m["host"] == nil {
		server, err := q.line(ctx, text("cli.ask_server", "Server (host, or host:port)"), "")
		if err != nil {
			return err
		}
		m["host"] = server
		if host, port, err := net.SplitHostPort(server); err == nil {
			n, err := strconv.Atoi(port)
			if err != nil {
				return exit(ExitUsage, err)
			}
			m["host"], m["port"] = host, n
		}
	}
	return first(func() error { return fill(m, "login", text("cli.ask_login", "Login"), from) },
		func() error {
			return secret(m, "password", text("cli.ask_server_password", "Password (it is not shown)"))
		})
}

// first calls the steps in order up to the first error.
func first(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
