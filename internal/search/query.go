package search

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/postino-mail/postino/internal/search/terms"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// A Field is what a condition is about.
type Field string

// The fields; Text is a word without an operator.
const (
	Text       Field = ""
	To         Field = "to"
	From       Field = "from"
	Subject    Field = "subject"
	State      Field = "state"
	Connection Field = "connection"
	Client     Field = "client"
	Tag        Field = "tag"
	ID         Field = "id"
	Before     Field = "before"
	After      Field = "after"
)

// fields are those with an operator, as help and completion list them.
func fields() []Field {
	return []Field{To, From, Subject, State, Connection, Client, Tag, ID, Before, After}
}

// A Condition is one part of a query.
type Condition struct {
	Field  Field
	Value  string    // without quotes and without the * at its end
	Not    bool      // it must not hold
	Prefix bool      // Value is the beginning of a word
	Time   time.Time // of Before and After
	Pos    int       // where the condition begins in the text, in characters
	Len    int       // in characters
}

// A Query is what someone looks for: all of its conditions hold. The zero Query
// finds everything.
type Query struct {
	Conditions []Condition
}

// Names finds what a query names, by id or by name: for an operator, what is
// theirs. store.ErrNotFound: there is none.
type Names interface {
	ConnectionID(ctx context.Context, name string) (string, error)
	ClientID(ctx context.Context, name string) (string, error)
}

// Bind returns the filter that the query asks for. An *Error says which condition
// names what there is not, or has no effect.
func (q *Query) Bind(ctx context.Context, names Names) (f store.Filter, err error) {
	for i := range q.Conditions {
		c := &q.Conditions[i]
		switch c.Field {
		case State:
			err = c.state(&f)
		case Connection:
			err = c.connection(ctx, names, &f)
		case Client:
			err = c.client(ctx, names, &f)
		case ID:
			err = c.id(&f)
		case After:
			f.NarrowTime(c.Time, time.Time{})
		case Before:
			f.NarrowTime(time.Time{}, c.Time)
		default:
			err = c.match(&f)
		}
		if err != nil {
			return store.Filter{}, err
		}
	}
	return f, nil
}

func (c *Condition) match(f *store.Filter) error {
	m := terms.Match{Part: map[Field]terms.Part{From: terms.Sender, To: terms.Recipients, Subject: terms.Subject, Tag: terms.Tag}[c.Field],
		Value: c.Value, Prefix: c.Prefix, Not: c.Not}
	if len(terms.Compile([]terms.Match{m})) == 0 {
		return c.wrong(text("search.no_word", "\"{value}\" has no letter or digit to look for", "value", c.Value),
			text("search.no_word_hint", "leave it out, or write a word"))
	}
	f.Match = append(f.Match, m)
	return nil
}

// state adds states; of several conditions one state that all of them allow is
// enough.
func (c *Condition) state(f *store.Filter) error {
	var chosen []store.State
	for _, name := range commas(c.Value) {
		s, err := store.ParseState(name)
		if err != nil {
			var all []string
			for _, s := range store.States() {
				all = append(all, s.String())
			}
			return c.wrong(text("search.unknown_state", "there is no state \"{state}\"", "state", name),
				suggestion(name, all, text("search.unknown_state_hint", "use one of {states}", "states", list(all))))
		}
		chosen = append(chosen, s)
	}
	if c.Not {
		chosen = slices.DeleteFunc(store.States(), func(s store.State) bool { return slices.Contains(chosen, s) })
	}
	if !f.NarrowStates(chosen) {
		return c.wrong(text("search.no_state", "no state meets these conditions"),
			text("search.no_state_hint", "several states stand in one condition: state:queued,held"))
	}
	return nil
}

func (c *Condition) connection(ctx context.Context, names Names, f *store.Filter) error {
	if err := c.positive(); err != nil {
		return err
	}
	var ids []string
	for _, name := range commas(c.Value) {
		id, err := names.ConnectionID(ctx, name)
		if errors.Is(err, store.ErrNotFound) {
			return c.wrong(text("search.unknown_connection", "there is no connection \"{name}\"", "name", name),
				text("search.unknown_connection_hint", "write its name as the list of connections shows it, in quotes where it has blanks"))
		}
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	f.NarrowTo(ids...)
	return nil
}

func (c *Condition) client(ctx context.Context, names Names, f *store.Filter) error {
	if err := c.positive(); err != nil {
		return err
	}
	id, err := names.ClientID(ctx, c.Value)
	if errors.Is(err, store.ErrNotFound) {
		return c.wrong(text("search.unknown_client", "there is no client \"{name}\"", "name", c.Value),
			text("search.unknown_client_hint", "write its name as the list of clients shows it, in quotes where it has blanks"))
	}
	if err == nil && f.Client != "" && f.Client != id {
		err = c.wrong(text("search.two_clients", "a message has one client, and two are named"),
			text("search.two_clients_hint", "leave one of them out"))
	}
	f.Client = id
	return err
}

func (c *Condition) id(f *store.Filter) error {
	if err := c.positive(); err != nil {
		return err
	}
	if id, err := store.ParseID(c.Value); err == nil {
		f.ID = id
		return nil
	}
	if v, ok := messageID(c.Value); ok {
		f.Match = append(f.Match, terms.Match{Part: terms.MessageID, Value: v})
		return nil
	}
	return c.wrong(text("search.bad_id", "\"{value}\" is no id of a message", "value", c.Value),
		text("search.bad_id_hint", "an id has 26 letters and digits; a Message-ID has an @ in it"))
}

// positive refuses a minus that would need a look at everything else.
func (c *Condition) positive() error {
	if !c.Not {
		return nil
	}
	return c.wrong(text("search.not_negated", "{field}: cannot be excluded", "field", string(c.Field)),
		text("search.not_negated_hint", "leave the minus out, or name what you look for"))
}

func (c *Condition) wrong(message, hint mime.Text) error {
	return &Error{Message: message, Hint: hint, Pos: c.Pos, Len: c.Len}
}
