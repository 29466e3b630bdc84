package app

import (
	"context"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/search"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// filter is what the flags and the searches choose together.
func (f QueueFilter) filter(ctx context.Context, st store.Store) (store.Filter, error) {
	out, err := f.searched(ctx, st)
	if err != nil {
		return out, exit(ExitUsage, err)
	}
	out.MessageID, out.From, out.Recipient, out.Tag = f.MessageID, f.From, f.To, f.Tag
	var states []store.State
	for _, name := range f.States {
		s, err := store.ParseState(name)
		if err != nil {
			return out, exit(ExitUsage, err)
		}
		states = append(states, s)
	}
	if len(f.States) > 0 && !out.NarrowStates(states) {
		return out, wrong(ExitUsage, text("cli.no_common_state", "--state and the search have no state in common"))
	}
	if f.Connection != "" {
		id, err := named(ctx, st, f.Connection)
		if err != nil {
			return out, err
		}
		out.NarrowTo(id)
	}
	if f.Client != "" {
		c, err := clientNamed(ctx, st, f.Client)
		if err != nil {
			return out, err
		}
		if out.Client != "" && out.Client != c.ID {
			return out, wrong(ExitUsage, text("cli.two_clients", "--client and the search name two clients"))
		}
		out.Client = c.ID
	}
	if f.Since < 0 {
		return out, exit(ExitUsage, texterr.New(mime.NewText("cli.since", "--since is how long ago: 90m, 24h or 7d")))
	}
	if f.Since > 0 {
		out.NarrowTime(time.Now().Add(-f.Since), time.Time{})
	}
	return out, nil
}

// searched is what the searches choose.
func (f QueueFilter) searched(ctx context.Context, st store.Store) (store.Filter, error) {
	all := &search.Query{}
	for _, s := range []string{oneSearch(f.Words), f.Query} {
		q, err := search.Parse(s, search.Options{Now: time.Now(), Zone: time.Local})
		if err != nil {
			return store.Filter{}, err
		}
		all.Conditions = append(all.Conditions, q.Conditions...)
	}
	return all.Bind(ctx, storeNames{st})
}

// oneSearch makes one search of the arguments of a command. The shell has taken the
// quotes of connection:"Ufficio Nord": where there are several arguments, the
// blanks in one belong to its value.
func oneSearch(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	out := make([]string, 0, len(words))
	for _, w := range words {
		if strings.ContainsAny(w, " \t") && !strings.Contains(w, `"`) {
			name, value, operator := strings.Cut(w, ":")
			switch {
			case operator && !strings.ContainsAny(name, " \t"):
				w = name + `:"` + value + `"`
			default:
				w = `"` + w + `"`
			}
		}
		out = append(out, w)
	}
	return strings.Join(out, " ")
}

// storeNames finds what a search names.
type storeNames struct{ st store.Store }

// ConnectionID implements search.Names.
func (n storeNames) ConnectionID(ctx context.Context, name string) (string, error) {
	if c, err := n.st.Connection(ctx, name); err == nil {
		return c.ID, nil
	}
	c, err := n.st.ConnectionNamed(ctx, name)
	if err != nil {
		return "", err
	}
	return c.ID, nil
}

// ClientID implements search.Names.
func (n storeNames) ClientID(ctx context.Context, name string) (string, error) {
	if c, err := n.st.Client(ctx, name); err == nil {
		return c.ID, nil
	}
	c, err := n.st.ClientNamed(ctx, name)
	if err != nil {
		return "", err
	}
	return c.ID, nil
}
