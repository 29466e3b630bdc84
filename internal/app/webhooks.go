package app

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/prompt"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/internal/vault"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/internal/webhook"
	"github.com/postino-mail/postino/mime"
)

// WebhookCommands are the jobs of `postino webhook`. They work on the store; a
// server that runs beside them goes by a change within a second.
type WebhookCommands struct {
	Storage  Storage
	Config   string // of the server; empty: receivers are public ones alone
	JSON     bool
	Language string
	Getenv   func(string) string
	Stdin    io.Reader
	Stdout   io.Writer
}

// NewWebhook is what the flags say of a webhook.
type NewWebhook struct {
	URL      string
	Types    []string
	Client   string // name
	Person   string // address
	Inactive bool
}

// networks are those of receivers that are not public.
func (k WebhookCommands) networks() ([]netip.Prefix, error) {
	if k.Config == "" {
		return nil, nil
	}
	conf, err := (&ServeOptions{ConfigFile: k.Config, Getenv: k.Getenv}).load()
	if err != nil {
		return nil, exit(ExitConfig, err)
	}
	return conf.Webhooks.Prefixes()
}

// checkURL refuses an address that could never be called.
func (k WebhookCommands) checkURL(url string) (string, error) {
	networks, err := k.networks()
	if err != nil {
		return "", err
	}
	if wrongAs, ok := webhook.CheckURL(url, networks); !ok {
		if k.Config == "" {
			wrongAs = text("cli.webhook_url", "{reason} (receivers inside: name them in [webhooks] networks, and the file by --config)", "reason",
				wrongAs)
		}
		return "", wrong(ExitUsage, wrongAs)
	}
	return url, nil
}

// Add makes a webhook and prints its secret, once.
func (k WebhookCommands) Add(ctx context.Context, n NewWebhook) error {
	if n.URL == "" {
		p, err := prompt.New(k.Stdin, k.Stdout)
		if err != nil {
			return wrong(ExitUsage, text("cli.webhook_add_nothing", "which address? name it; on a terminal postino asks"))
		}
		if n, err = k.ask(ctx, p, n); err != nil {
			return notSaved(ctx, err)
		}
	}
	if _, err := k.checkURL(n.URL); err != nil {
		return err
	}
	types, err := typesOf(n.Types)
	if err != nil {
		return err
	}
	if n.Client != "" && n.Person != "" {
		return wrong(ExitUsage, text("cli.webhook_of_both", "a webhook gets the events of a client or of an operator's connections: --client "+
			"and --person exclude each other"))
	}
	return withNewStore(ctx, k.Storage, func(st store.Store) error {
		h := store.Webhook{URL: n.URL, Types: types, Active: !n.Inactive, CreatedAt: store.Micro(time.Now())}
		var err error
		if h.Client, h.Person, err = clientOrPerson(ctx, st, n.Client, n.Person); err != nil {
			return err
		}
		h.Client = cmp.Or(h.Client, h.Person) // no event has a person's id
		sealer, err := vault.Open(k.Storage.Data, k.Getenv)
		if err != nil {
			return err
		}
		if h.Cursor, err = st.LastEvent(ctx); err != nil {
			return err
		}
		stored, secret, err := webhook.Create(ctx, st, sealer, h)
		if err != nil {
			return err
		}
		return k.one(stored, text("cli.added", "added"), secret)
	})
}

// ask asks for what the command line lacks.
func (k WebhookCommands) ask(ctx context.Context, p *prompt.Prompt, n NewWebhook) (NewWebhook, error) {
	q := questions{p: p, lang: k.Language}
	var err error
	if n.URL, err = q.line(ctx, "", text("cli.ask_webhook_url", "Address that the events are sent to"), "", k.checkURL); err != nil {
		return n, err
	}
	if len(n.Types) == 0 {
		if n.Types, err = k.askTypes(ctx, &q, nil); err != nil {
			return n, err
		}
	}
	if n.Client == "" && n.Person == "" {
		n.Client, err = q.line(ctx, "", text("cli.ask_webhook_client", "Only the events of this client; empty: of all"), "", nil)
	}
	return n, err
}

// allTypes stands for all types of events.
const allTypes = "all"

func (k WebhookCommands) askTypes(ctx context.Context, q *questions, now []string) ([]string, error) {
	answer, err := q.line(ctx, "", text("cli.ask_webhook_types", "Types of events, such as delivery.failed; {all} for all of them", "all",
		allTypes), cmp.Or(strings.Join(now, " "), allTypes), func(answer string) (string, error) {
		_, err := typesOf(strings.FieldsFunc(answer, listSeparator))
		return answer, err
	})
	return strings.FieldsFunc(answer, listSeparator), err
}

// typesOf are the types as they are stored: none stands for all.
func typesOf(types []string) ([]string, error) {
	if slices.Contains(types, allTypes) {
		return nil, nil
	}
	if wrongAs, ok := webhook.CheckTypes(types); !ok {
		return nil, wrong(ExitUsage, wrongAs)
	}
	return types, nil
}

// one reports what was done with a webhook.
func (k WebhookCommands) one(h *store.Webhook, done mime.Text, secret adapters.Secret) error {
	if k.JSON {
		shown := view.OfWebhook(h)
		shown.Secret = secret.Reveal()
		return writeJSON(k.Stdout, shown)
	}
	if _, err := fmt.Fprintf(k.Stdout, "%s: %s\n", h.ID, done.In(k.Language)); err != nil || secret == "" {
		return err
	}
	t := terminal.NewTable(k.Stdout)
	t.Row(text("cli.field_secret", "secret").In(k.Language), secret.Reveal()+"   "+text("cli.shown_once", "(shown this once)").In(k.Language))
	return t.Flush()
}

// List prints all webhooks, or those of a person.
func (k WebhookCommands) List(ctx context.Context, person string) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		all, err := st.Webhooks(ctx)
		if err != nil {
			return err
		}
		if person != "" {
			p, err := personNamed(ctx, st, person)
			if err != nil {
				return err
			}
			all = slices.DeleteFunc(all, func(h store.Webhook) bool { return h.Person != p.ID })
		}
		if k.JSON {
			out := []view.Webhook{}
			for i := range all {
				out = append(out, view.OfWebhook(&all[i]))
			}
			return writeJSON(k.Stdout, out)
		}
		names, err := namesOf(ctx, st)
		if err != nil {
			return err
		}
		w := terminal.NewTable(k.Stdout, headings(k.Language, text("cli.heading_id", "ID"), text("cli.heading_url", "ADDRESS"),
			text("cli.heading_key_of", "CLIENT OR PERSON"), text("cli.heading_types", "TYPES"), text("cli.heading_state", "STATE"))...).
			Whole(0).Wrap()
		for i := range all {
			h := &all[i]
			w.Row(h.ID, h.URL, names[cmp.Or(h.Person, h.Client)], cmp.Or(strings.Join(h.Types, " "), allTypes), k.state(h))
		}
		return w.Flush()
	})
}

// clientOrPerson are the ids of a client and of a person; empty for one that is not named.
func clientOrPerson(ctx context.Context, st store.Store, client, person string) (clientID, personID string, err error) {
	if client != "" {
		c, err := clientNamed(ctx, st, client)
		if err != nil {
			return "", "", err
		}
		clientID = c.ID
	}
	if person != "" {
		p, err := personNamed(ctx, st, person)
		if err != nil {
			return "", "", err
		}
		personID = p.ID
	}
	return clientID, personID, nil
}

// namesOf are the names of clients and the addresses of people by their ids.
func namesOf(ctx context.Context, st store.Store) (map[string]string, error) {
	clients, err := st.Clients(ctx)
	if err != nil {
		return nil, err
	}
	people, err := st.People(ctx)
	names := map[string]string{}
	for i := range people {
		names[people[i].ID] = people[i].Email
	}
	for i := range clients {
		names[clients[i].ID] = clients[i].Name
	}
	return names, err
}

// state is what people see of a webhook first.
func (k WebhookCommands) state(h *store.Webhook) string {
	switch {
	case !h.Active && h.Failures > 0:
		return mime.NewCount("cli.webhook_gave_up", h.Failures, "given up after one failure: {reason}",
			"given up after {count} failures: {reason}", "reason", webhookProblem(h, k.Language)).In(k.Language)
	case !h.Active:
		return text("cli.webhook_paused", "not active").In(k.Language)
	case h.Failures > 0:
		return text("cli.webhook_failing", "next try {time}: {reason}", "time", terminal.Time(h.NextAt), "reason",
			webhookProblem(h, k.Language)).In(k.Language)
	}
	return text("cli.ok", "ok").In(k.Language)
}

// webhookProblem is what the last call met, in the language where it was kept.
func webhookProblem(h *store.Webhook, lang string) string {
	if n := len(h.Recent); n > 0 && !h.Recent[n-1].OK() {
		return h.Recent[n-1].Problem.In(lang)
	}
	return h.LastError
}

// webhookNamed finds a webhook by its id or an unambiguous beginning of it.
func webhookNamed(ctx context.Context, st store.Store, id string) (*store.Webhook, error) {
	all, err := st.Webhooks(ctx)
	if err != nil {
		return nil, err
	}
	var found []*store.Webhook
	for i := range all {
		if all[i].ID == id {
			return &all[i], nil
		}
		if id != "" && strings.HasPrefix(all[i].ID, id) {
			found = append(found, &all[i])
		}
	}
	if len(found) != 1 {
		return nil, exit(ExitUsage, texterr.New(text("cli.no_webhook", "there is no webhook {id}, or more than one: see "+
			"'postino webhook list'", "id", strconv.Quote(id))))
	}
	return found[0], nil
}
