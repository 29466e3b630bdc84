package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/presets"
	"github.com/postino-mail/postino/internal/prompt"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/texterr"
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

// interrupted reports an error that comes of Ctrl-C, or of the end of the input.
func interrupted(ctx context.Context, err error) bool {
	return err != nil && (ctx.Err() != nil || errors.Is(err, io.EOF))
}

// notSaved says that an interrupted dialogue has left nothing behind.
func notSaved(ctx context.Context, err error) error {
	if interrupted(ctx, err) {
		return wrong(ExitFailure, mime.NewText("cli.interrupted_nothing_saved", "interrupted: nothing was saved"))
	}
	return err
}

// Keys of kept answers on a connection.
const (
	askFrom     = "from"
	askProvider = "provider"
	askTenant   = "tenant"
	askClientID = "client_id"
	askKeyFile  = "key_file"
	askServer   = "server"
	askLogin    = "login"
)

// questions ask for the settings of a connection.
type questions struct {
	p       *prompt.Prompt
	lang    string
	answers *prompt.Answers // nil: nothing is kept
}

// line asks one question, unless its answer was kept. What check refuses is asked
// again; nil: any answer will do.
func (q *questions) line(ctx context.Context, key string, t mime.Text, proposal string,
	check func(answer string) (clean string, wrong error)) (string, error) {
	if v, ok := q.answers.Get(key); ok {
		return v, nil
	}
	if former := q.answers.Former(key); former != "" {
		proposal = former
	}
	for {
		answer, err := q.p.Line(ctx, t.In(q.lang), proposal)
		if err != nil {
			return "", err
		}
		if check != nil {
			clean, wrong := check(answer)
			if wrong != nil {
				if _, err := fmt.Fprintln(q.p.Out(), texterr.In(wrong, q.lang)); err != nil {
					return "", err
				}
				continue
			}
			answer = clean
		}
		return answer, q.answers.Put(prompt.Answer{Key: key, Label: t.In(q.lang), Value: answer})
	}
}

// proposalsShown is how many of the proposals for an address are offered.
const proposalsShown = 4

// connection asks for an address, looks for its provider, and asks for what that
// needs. The document lacks the name.
func (q *questions) connection(ctx context.Context) (map[string]any, error) {
	from, err := q.address(ctx, askFrom, text("cli.ask_from", "Address that sends"), "")
	if err != nil {
		return nil, err
	}
	doc, err := q.provider(ctx, from.String())
	if err != nil {
		return nil, err
	}
	return doc, q.credentials(ctx, doc, from.String())
}

// provider asks how the address sends, and returns what that says of the settings.
func (q *questions) provider(ctx context.Context, from string) (doc map[string]any, err error) {
	if kept, ok := q.answers.Get(askProvider); ok && json.Unmarshal([]byte(kept), &doc) == nil && doc != nil {
		return doc, nil
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
	question := text("cli.ask_provider", "Provider").In(q.lang)
	choice, err := q.p.Choose(ctx, question, text("cli.ask_number", "Answer with one of the numbers.").In(q.lang), options...)
	if err != nil {
		return nil, err
	}
	doc = map[string]any{"provider": choice, "from": from}
	if n, ok := strings.CutPrefix(choice, "proposal"); ok {
		i, err := strconv.Atoi(n)
		if err != nil {
			return nil, err
		}
		doc = found[i].Document("", from)
	}
	delete(doc, "name")
	kept, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	shown := options[slices.IndexFunc(options, func(o prompt.Option) bool { return o.Value == choice })].Text
	return doc, q.answers.Put(prompt.Answer{Key: askProvider, Label: question, Value: string(kept), Shown: shown})
}

// address asks until the answer is an address.
func (q *questions) address(ctx context.Context, key string, t mime.Text, proposal string) (mime.Mailbox, error) {
	answer, err := q.line(ctx, key, t, proposal, func(answer string) (string, error) {
		a, err := mime.ParseMailbox(answer)
		if err != nil {
			return "", texterr.New(text("cli.ask_address_again", "This is no address: write it as name@example.com."))
		}
		return a.String(), nil
	})
	if err != nil {
		return mime.Mailbox{}, err
	}
	return mime.ParseMailbox(answer)
}

// section is the object of a document under a name, which is made where it lacks.
func section(doc map[string]any, name string) map[string]any {
	m, ok := doc[name].(map[string]any)
	if !ok {
		m = map[string]any{}
		doc[name] = m
	}
	return m
}

// credentials asks for what a connection's provider needs and the document lacks.
// A secret is asked for each time: it is never kept.
func (q *questions) credentials(ctx context.Context, doc map[string]any, from string) error {
	fill := func(m map[string]any, field, key string, t mime.Text, proposal string) error {
		if v, ok := m[field].(string); ok && v != "" {
			proposal = v
		}
		v, err := q.line(ctx, key, t, proposal, nil)
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
		m := section(doc, "graph")
		return first(func() error {
			return fill(m, "tenant", askTenant, text("cli.ask_tenant", "Tenant (id or domain)"), domain)
		},
			func() error {
				return fill(m, "client_id", askClientID, text("cli.ask_client_id", "Application (client) id"), "")
			},
			func() error {
				return secret(m, "client_secret", text("cli.ask_client_secret", "Client secret (it is not shown)"))
			})
	case string(adapters.Gmail):
		return q.serviceAccount(ctx, section(doc, "gmail"))
	}
	m := section(doc, "smtp")
	if m["host"] == nil {
		if err := q.server(ctx, m); err != nil {
			return err
		}
	}
	return first(func() error { return fill(m, "login", askLogin, text("cli.ask_login", "Login"), from) },
		func() error {
			return secret(m, "password", text("cli.ask_server_password", "Password (it is not shown)"))
		})
}

// serviceAccount asks for the file of Google's key until one can be read. Its
// content is a secret: the file is read again where its name was kept.
func (q *questions) serviceAccount(ctx context.Context, m map[string]any) error {
	var content []byte
	read := func(file string) (_ string, err error) {
		if content, err = os.ReadFile(file); err != nil {
			err = texterr.Wrap(text("cli.secret_file_unreadable", "the file of the secret cannot be read"), err)
		}
		return file, err
	}
	if kept, ok := q.answers.Get(askKeyFile); ok {
		if _, err := read(kept); err != nil { // it has gone since
			if err := q.answers.Withdraw(askKeyFile); err != nil {
				return err
			}
		}
	}
	_, err := q.line(ctx, askKeyFile, text("cli.ask_key_file", "File of the service account's key"), "", read)
	m["service_account_json"] = string(adapters.PlainText(content))
	return err
}

// server asks for host and port.
func (q *questions) server(ctx context.Context, m map[string]any) error {
	parse := func(answer string) (string, error) {
		m["host"] = answer
		host, port, err := net.SplitHostPort(answer)
		if err != nil { // without a port
			return answer, nil //nolint:nilerr // whether it is a host says the check of the connection
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return "", texterr.New(text("cli.ask_port_again", "This is no port: write the server as host:587."))
		}
		m["host"], m["port"] = host, n
		return answer, nil
	}
	server, err := q.line(ctx, askServer, text("cli.ask_server", "Server (host, or host:port)"), "", parse)
	if err == nil {
		_, err = parse(server) // where it was kept
	}
	return err
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
