package app

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/prompt"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/internal/vault"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

// KeyCommands are the jobs of `postino key`. They work on the store; a server
// that runs beside them sees a change at once, a revoked key within a second.
type KeyCommands struct {
	Storage  Storage
	JSON     bool
	Language string
	Stdin    io.Reader
	Stdout   io.Writer
}

// NewKey is what the flags say of a key.
type NewKey struct {
	Name     string // what it is for
	Client   string // name of the client of the key; empty: of none
	Person   string // address of the person of the key; empty: of none
	Scopes   []string
	Lifetime time.Duration // 0: until it is revoked
}

// Add makes a key and prints it, once. One of a client may send and read that
// client's messages and events; one of no client is the administrator's, unless
// scopes say less.
func (k KeyCommands) Add(ctx context.Context, n NewKey) error {
	if n.Name == "" && n.Client == "" && n.Person == "" && len(n.Scopes) == 0 {
		if p, err := prompt.New(k.Stdin, k.Stdout); err == nil {
			if n, err = k.ask(ctx, p, n); err != nil {
				return notSaved(ctx, err)
			}
		}
	}
	n.Name = cmp.Or(n.Name, "command line")
	if n.Client != "" && n.Person != "" {
		return wrong(ExitUsage, mime.NewText("cli.key_of_both",
			"a key belongs to a client or to a person: --client and --person exclude each other"))
	}
	scopes, err := keyScopes(n)
	if err != nil {
		return err
	}
	if n.Lifetime < 0 {
		return wrong(ExitUsage, mime.NewText("cli.key_lifetime", "a key cannot have expired before it is made"))
	}
	work := withStore
	if n.Client == "" {
		work = withNewStore // the first key may come before the server's first start
	}
	return work(ctx, k.Storage, func(st store.Store) error {
		now := time.Now()
		rec := store.APIKey{Name: n.Name, Scopes: scopes, CreatedAt: now}
		var err error
		if rec.Client, rec.Person, err = clientOrPerson(ctx, st, n.Client, n.Person); err != nil {
			return err
		}
		if rec.Person != "" {
			rec.Scopes, rec.PersonScopes = []string{}, scopes
		}
		if n.Lifetime > 0 {
			rec.ExpiresAt = now.Add(n.Lifetime)
		}
		key := vault.NewKey("pk_")
		rec.Hash = vault.HashKey(key)
		stored, err := st.PutAPIKey(ctx, rec)
		if err != nil {
			return err
		}
		if k.JSON {
			shown := view.OfKey(stored)
			shown.Key = key.Reveal()
			return writeJSON(k.Stdout, shown)
		}
		t := terminal.NewTable(k.Stdout)
		t.Row(text("cli.field_id", "id").In(k.Language), stored.ID)
		t.Row(text("cli.field_scopes", "scopes").In(k.Language), strings.Join(view.OfKey(stored).Scopes, " "))
		t.Row(text("cli.field_key", "key").In(k.Language), key.Reveal()+"   "+text("cli.shown_once", "(shown this once)").In(k.Language))
		return t.Flush()
	})
}

// keyScopes checks the scopes, or chooses them where none is given.
func keyScopes(n NewKey) ([]string, error) {
	may := api.Scopes()
	if n.Client != "" {
		may = api.ClientScopes()
	}
	if len(n.Scopes) == 0 {
		if n.Client != "" {
			return may, nil
		}
		if n.Person != "" {
			return nil, nil // all that they may
		}
		return []string{api.ScopeAdmin}, nil
	}
	for i, s := range n.Scopes {
		if !slices.Contains(may, s) {
			t := text("cli.scope_unknown", "scope {scope} is none that a key can have: {scopes}", "scope", strconv.Quote(s), "scopes",
				strings.Join(may, ", "))
			if n.Client != "" {
				t = text("cli.scope_not_of_client", "scope {scope} is none that a client's key can have: {scopes}", "scope", strconv.Quote(s), "scopes",
					strings.Join(may, ", "))
			}
			return nil, wrong(ExitUsage, t)
		}
		if slices.Contains(n.Scopes[:i], s) {
			return nil, exit(ExitUsage, texterr.New(mime.NewText("cli.scope_twice", "scope {scope} is given twice", "scope", strconv.Quote(s))))
		}
	}
	return n.Scopes, nil
}

// ask asks for what the command line lacks.
func (k KeyCommands) ask(ctx context.Context, p *prompt.Prompt, n NewKey) (NewKey, error) {
	q := questions{p: p, lang: k.Language}
	var err error
	if n.Name, err = q.line(ctx, "", text("cli.ask_key_name", "What the key is for"), "", notEmpty); err != nil {
		return n, err
	}
	of, err := p.Choose(ctx, text("cli.ask_key_of", "It belongs to").In(k.Language),
		text("cli.ask_number", "Answer with one of the numbers.").In(k.Language),
		prompt.Option{Value: "client",
			Text: text("cli.key_of_client", "a client: sends as that client and sees its messages alone").In(k.Language)},
		prompt.Option{Value: "person", Text: text("cli.key_of_person", "a person: may what they may").In(k.Language)},
		prompt.Option{Value: "admin", Text: text("cli.key_of_none", "no one: an administrator's, for everything").In(k.Language)})
	switch {
	case err != nil:
	case of == "client":
		n.Client, err = q.line(ctx, "", text("cli.ask_client_name", "Name of the client"), "", notEmpty)
	case of == "person":
		var person mime.Mailbox
		person, err = q.address(ctx, "", text("cli.ask_person", "Address of the person"), "")
		n.Person = person.String()
	}
	return n, err
}

// notEmpty asks again after an empty answer.
func notEmpty(answer string) (string, error) {
	if answer == "" {
		return "", texterr.New(text("cli.ask_not_empty", "An answer is needed."))
	}
	return answer, nil
}

// List prints all keys, or those of a client or of a person.
func (k KeyCommands) List(ctx context.Context, client, person string) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		of, by, err := clientOrPerson(ctx, st, client, person)
		if err != nil {
			return err
		}
		all, err := st.APIKeys(ctx, of)
		if err != nil {
			return err
		}
		if by != "" {
			all = slices.DeleteFunc(all, func(key store.APIKey) bool { return key.Person != by })
		}
		uses, err := st.Uses(ctx, store.UseOfKey)
		if err != nil {
			return err
		}
		if k.JSON {
			out := []view.Key{}
			for i := range all {
				out = append(out, view.OfUsedKey(&all[i], uses, k.Language))
			}
			return writeJSON(k.Stdout, out)
		}
		names, err := namesOf(ctx, st)
		if err != nil {
			return err
		}
		now := time.Now()
		w := terminal.NewTable(k.Stdout, headings(k.Language, text("cli.heading_id", "ID"), text("cli.heading_name", "NAME"),
			text("cli.heading_key_of", "CLIENT OR PERSON"), text("cli.heading_scopes", "SCOPES"), text("cli.heading_created", "CREATED"),
			text("cli.heading_last_used", "LAST USED"), text("cli.heading_last_refusal", "LAST REFUSAL"), text("cli.heading_state", "STATE"))...).
			Whole(0)
		for i := range all {
			a := &all[i]
			w.Row(a.ID, a.Name, names[cmp.Or(a.Client, a.Person)], strings.Join(view.OfKey(a).Scopes, " "),
				day(a.CreatedAt), day(a.LastUsedAt), lastRefusal(uses[a.ID], k.Language), keyState(a, now, k.Language))
		}
		return w.Flush()
	})
}

func day(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.DateOnly)
}

func keyState(k *store.APIKey, now time.Time, lang string) string {
	switch {
	case !k.RevokedAt.IsZero():
		return text("cli.key_revoked", "revoked {date}", "date", day(k.RevokedAt)).In(lang)
	case k.ExpiresAt.IsZero():
		return text("cli.key_valid", "valid").In(lang)
	case now.Before(k.ExpiresAt):
		return text("cli.key_valid_until", "valid until {date}", "date", day(k.ExpiresAt)).In(lang)
	}
	return text("cli.key_expired", "expired {date}", "date", day(k.ExpiresAt)).In(lang)
}

// Revoke ends a key, named by its id or by a name that no other key in force has.
func (k KeyCommands) Revoke(ctx context.Context, name string) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		all, err := st.APIKeys(ctx, "")
		if err != nil {
			return err
		}
		found, err := keyNamed(all, name)
		if err != nil {
			return err
		}
		if found.RevokedAt.IsZero() {
			found.RevokedAt = store.Micro(time.Now())
			if found, err = st.PutAPIKey(ctx, *found); err != nil {
				return err
			}
		}
		if k.JSON {
			return writeJSON(k.Stdout, view.OfKey(found))
		}
		_, err = fmt.Fprintf(k.Stdout, "%s: %s\n", terminal.Line(found.Name), text("cli.revoked", "revoked").In(k.Language))
		return err
	})
}

func keyNamed(all []store.APIKey, name string) (*store.APIKey, error) {
	var ids []string
	var found *store.APIKey
	for i := range all {
		switch {
		case all[i].ID == name:
			return &all[i], nil
		case all[i].Name == name && all[i].RevokedAt.IsZero():
			found, ids = &all[i], append(ids, all[i].ID)
		}
	}
	if strings.HasPrefix(name, "pk_") {
		return nil, exit(ExitUsage, texterr.New(mime.NewText("cli.key_by_id",
			"name the key by its id, not by itself: a command line is seen by other users; 'postino key list' shows the ids")))
	}
	switch len(ids) {
	case 0:
		return nil, wrong(ExitUsage, mime.NewText("cli.no_key", "there is no key {key} in force: see 'postino key list'", "key",
			strconv.Quote(name)))
	case 1:
		return found, nil
	}
	return nil, wrong(ExitUsage, mime.NewText("cli.several_keys", "several keys are called {key}: give the id of one: {ids}", "key",
		strconv.Quote(name), "ids", strings.Join(ids, ", ")))
}
