package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/config"
	"github.com/postino-mail/postino/internal/prompt"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/internal/vault"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

// ClientCommands are the jobs of `postino client`.
type ClientCommands struct {
	Storage  Storage
	JSON     bool
	Language string
	Stdin    io.Reader
	Stdout   io.Writer
}

// NewClient is what the flags say of a client.
type NewClient struct {
	Name        string
	Networks    []string
	Senders     []string
	Connections []string // names it may use
	Connection  string   // its own
	PerMinute   int
	Class       string
	NotifyOff   bool
	NoSecret    bool // known by its networks alone

	ResubmitMinutes *int // nil: the default
}

// Add makes a client and prints its secret, once.
func (k ClientCommands) Add(ctx context.Context, n NewClient) error {
	if n.Name == "" {
		p, err := prompt.New(k.Stdin, k.Stdout)
		if err != nil {
			return wrong(ExitUsage, text("cli.client_add_nothing", "which client? name it; on a terminal postino asks"))
		}
		if n, err = k.ask(ctx, p, n); err != nil {
			return notSaved(ctx, err)
		}
	}
	if _, err := clientName(n.Name); err != nil {
		return exit(ExitUsage, err)
	}
	if err := oneOf(n.Class, submit.ClassTransactional, submit.ClassBulk); err != nil {
		return err
	}
	networks, err := config.ParsePrefixes(n.Networks)
	if err != nil {
		return exit(ExitUsage, err)
	}
	if n.NoSecret && len(networks) == 0 {
		return exit(ExitUsage, texterr.New(mime.NewText("cli.client_needs_networks",
			"a client without a secret needs networks: nothing else identifies it")))
	}
	if m := n.ResubmitMinutes; m != nil && (*m < 0 || time.Duration(*m)*time.Minute > store.MaxResubmit) {
		return exit(ExitUsage, texterr.New(mime.NewText("cli.resubmit_minutes", "--resubmit-minutes is from 0 to 1440")))
	}
	if config.Everyone(networks) {
		return wrong(ExitUsage, config.EveryoneText())
	}
	var senders []string
	for _, s := range n.Senders {
		clean, err := mime.CheckSender(s)
		if err != nil {
			return exit(ExitUsage, fmt.Errorf("--sender: %w", err))
		}
		senders = append(senders, clean)
	}
	return withNewStore(ctx, k.Storage, func(st store.Store) error {
		now := time.Now()
		c := store.Client{Name: n.Name, Networks: networks, Senders: senders, PerMinute: n.PerMinute, Class: n.Class, NotifyOff: n.NotifyOff,
			CreatedAt: now, ChangedAt: now,
			ResubmitMinutes: n.ResubmitMinutes}
		for _, name := range n.Connections {
			id, err := named(ctx, st, name)
			if err != nil {
				return err
			}
			c.Connections = append(c.Connections, id)
		}
		if n.Connection != "" {
			if c.Connection, err = named(ctx, st, n.Connection); err != nil {
				return err
			}
		}
		secret := ""
		if !n.NoSecret {
			key := vault.NewClientSecret()
			secret, c.SecretHash = key.Reveal(), vault.HashGenerated(key)
		}
		stored, err := st.PutClient(ctx, c)
		if errors.Is(err, store.ErrExists) {
			return exit(ExitConfig, texterr.New(mime.NewText("cli.client_exists", "there is a client {client} already", "client",
				strconv.Quote(n.Name))))
		}
		if err != nil {
			return err
		}
		return k.one(stored, text("cli.added", "added"), secret)
	})
}

// ask asks for what the command line lacks.
func (k ClientCommands) ask(ctx context.Context, p *prompt.Prompt, n NewClient) (NewClient, error) {
	q := questions{p: p, lang: k.Language}
	var err error
	if n.Name, err = q.line(ctx, "", text("cli.ask_client_login", "Name of the program or device, which is its login"), "",
		clientName); err != nil {
		return n, err
	}
	if len(n.Senders) == 0 {
		var senders string
		senders, err = q.line(ctx, "", text("cli.ask_senders", "Senders it may use, as *@contoso.it or addresses; empty: any"), "", nil)
		n.Senders = strings.FieldsFunc(senders, listSeparator)
	}
	if err == nil && len(n.Networks) == 0 && !n.NoSecret {
		var networks string
		networks, err = q.line(ctx, "", text("cli.ask_networks",
			"Addresses that it is known by without a secret, as 192.168.1.40; empty: it signs in with its secret"), "", nil)
		n.Networks = strings.FieldsFunc(networks, listSeparator)
		n.NoSecret = len(n.Networks) > 0
	}
	return n, err
}

// listSeparator is what stands between the parts of an answer.
func listSeparator(r rune) bool { return r == ',' || r == ';' || r == ' ' }

func (k ClientCommands) one(c *store.Client, done mime.Text, secret string) error {
	if k.JSON {
		shown := view.OfClient(c)
		shown.Secret = secret
		return writeJSON(k.Stdout, shown)
	}
	if _, err := fmt.Fprintf(k.Stdout, "%s: %s\n", terminal.Line(c.Name), done.In(k.Language)); err != nil || secret == "" {
		return err
	}
	t := terminal.NewTable(k.Stdout)
	t.Row(text("cli.field_login", "login").In(k.Language), c.Name)
	t.Row(text("cli.field_secret", "secret").In(k.Language), secret+"   "+text("cli.shown_once", "(shown this once)").In(k.Language))
	return t.Flush()
}

// List prints all clients.
func (k ClientCommands) List(ctx context.Context) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		all, err := st.Clients(ctx)
		if err != nil {
			return err
		}
		uses, err := st.Uses(ctx, store.UseOfClient)
		if err != nil {
			return err
		}
		if k.JSON {
			out := []view.Client{}
			for i := range all {
				out = append(out, view.OfUsedClient(&all[i], uses, k.Language))
			}
			return writeJSON(k.Stdout, out)
		}
		w := terminal.NewTable(k.Stdout, headings(k.Language, text("cli.heading_name", "NAME"), text("cli.heading_secret", "SECRET"),
			text("cli.heading_networks", "NETWORKS"), text("cli.heading_senders", "SENDERS"), text("cli.heading_per_minute", "PER MINUTE"),
			text("cli.heading_class", "CLASS"), text("cli.heading_enabled", "ENABLED"), text("cli.heading_last_used", "LAST USED"),
			text("cli.heading_last_refusal", "LAST REFUSAL"))...).Whole(0)
		for _, c := range all {
			var nets []string
			for _, n := range c.Networks {
				nets = append(nets, n.String())
			}
			w.Row(c.Name, either(c.SecretHash != "", k.Language), strings.Join(nets, " "), strings.Join(c.Senders, " "), c.PerMinute, c.Class,
				either(!c.Disabled, k.Language), day(uses[c.ID].UsedAt), lastRefusal(uses[c.ID], k.Language))
		}
		return w.Flush()
	})
}

// lastRefusal is when and why something was refused the last time, in a table.
func lastRefusal(u store.Use, lang string) string {
	if u.RefusedAt.IsZero() {
		return "-"
	}
	return day(u.RefusedAt) + " " + cmp.Or(u.Reason.In(lang), u.Code)
}

// Show prints one client, with when it was used and refused the last time.
func (k ClientCommands) Show(ctx context.Context, name string) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		c, err := clientNamed(ctx, st, name)
		if err != nil {
			return err
		}
		uses, err := st.Uses(ctx, store.UseOfClient, c.ID)
		if err != nil {
			return err
		}
		v := view.OfUsedClient(c, uses, k.Language)
		if k.JSON {
			return writeJSON(k.Stdout, v)
		}
		t := terminal.NewTable(k.Stdout)
		row := func(name mime.Text, value any) { t.Row(name.In(k.Language), value) }
		row(text("cli.field_login", "login"), c.Name)
		row(text("cli.field_id", "id"), c.ID)
		row(text("cli.client_field_secret", "has a secret"), either(c.SecretHash != "", k.Language))
		row(text("cli.client_field_networks", "networks"), strings.Join(v.Networks, " "))
		row(text("cli.client_field_senders", "senders"), strings.Join(v.Senders, " "))
		row(text("cli.client_field_enabled", "enabled"), either(!c.Disabled, k.Language))
		row(text("cli.client_field_since", "since"), terminal.Time(c.CreatedAt))
		if v.LastUsedAt.IsZero() {
			row(text("cli.client_field_last_used", "last used"), text("cli.never", "never").In(k.Language))
		} else {
			row(text("cli.client_field_last_used", "last used"), strings.TrimSpace(terminal.Time(v.LastUsedAt)+"   "+v.LastUsedFrom))
		}
		if r := v.LastRefusal; r == nil {
			row(text("cli.client_field_last_refusal", "last refusal"), text("cli.never", "never").In(k.Language))
		} else {
			row(text("cli.client_field_last_refusal", "last refusal"), strings.TrimSpace(terminal.Time(r.At)+"   "+r.From))
			row(text("cli.client_field_refusal_reason", "reason"), strings.TrimSpace(r.Reason+" ("+r.Code+")"))
		}
		return t.Flush()
	})
}

// Remove deletes a client with its keys. Its messages stay.
func (k ClientCommands) Remove(ctx context.Context, name string) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		c, err := clientNamed(ctx, st, name)
		if err != nil {
			return err
		}
		if err := st.DeleteClient(ctx, c.ID); err != nil {
			return err
		}
		return k.one(c, text("cli.removed", "removed"), "")
	})
}

// Rotate makes a new secret for a client; the old one is invalid at once.
func (k ClientCommands) Rotate(ctx context.Context, name string) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		c, err := clientNamed(ctx, st, name)
		if err != nil {
			return err
		}
		key := vault.NewClientSecret()
		c.SecretHash, c.ChangedAt = vault.HashGenerated(key), time.Now()
		stored, err := st.PutClient(ctx, *c)
		if err != nil {
			return err
		}
		return k.one(stored, text("cli.new_secret", "has a new secret"), key.Reveal())
	})
}

func clientNamed(ctx context.Context, st store.Store, name string) (*store.Client, error) {
	c, err := st.ClientNamed(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return nil, wrong(ExitUsage, mime.NewText("cli.no_client", "there is no client {client}: see 'postino client list'", "client",
			strconv.Quote(name)))
	}
	return c, err
}
