package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/people"
	"github.com/postino-mail/postino/internal/prompt"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

// PeopleCommands are the jobs of `postino people`. They work on the store; a server
// that runs beside them sees a change within 200 milliseconds.
type PeopleCommands struct {
	Storage  Storage
	Format   Format
	Language string
	URL      string // under which people reach the server; empty: as the server noted it
	Stdin    io.Reader
	Stdout   io.Writer
}

// NewPerson is what the flags say of a person.
type NewPerson struct {
	Email, Name, Language, Role string
	PasswordFile                string // "-": standard input; empty: an invitation is made
}

// A personDoc is a person with the invitation for them, for --json.
type personDoc struct {
	view.Person
	Invitation *invitationDoc `json:"invitation,omitempty"`
}

type invitationDoc struct {
	Token     string    `json:"token"`
	URL       string    `json:"url"` // the page that takes it; its path alone where the server's address is not known
	ExpiresAt time.Time `json:"expires_at"`
}

// invite makes an invitation for a person, and prints them with it.
func (k PeopleCommands) invite(ctx context.Context, st store.Store, ps *people.Service, p *store.Person) error {
	i, err := ps.Invite(ctx, p.ID)
	if err != nil {
		return err
	}
	if k.URL == "" {
		if k.URL, err = notedPageURL(ctx, st); err != nil {
			return err
		}
	}
	return k.print(p, i)
}

// checkURL wants an address of the server that a program can call.
func (k PeopleCommands) checkURL() error {
	if k.URL == "" {
		return nil
	}
	if u, err := url.Parse(k.URL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return wrong(ExitUsage, text("cli.url_scheme", "--url {url} is no address with http:// or https://", "url", strconv.Quote(k.URL)))
	}
	return nil
}

func (k PeopleCommands) with(ctx context.Context, work func(store.Store, *people.Service) error) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		return personFault(work(st, people.New(people.Options{Store: st})))
	})
}

// personFault returns what the flags say wrong of a person as an error of usage, and
// what the store does not do with its exit code.
func personFault(err error) error {
	var f *people.FieldError
	var known *ExitError
	switch {
	case err == nil, errors.As(err, &known), errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &f):
		return wrong(ExitUsage, f.Text)
	case errors.Is(err, store.ErrLastAdmin):
		return exit(ExitNoPerm, err)
	case errors.Is(err, people.ErrDisabled):
		return exit(ExitUnavailable, err)
	}
	return exit(ExitTempFail, err) // changed at the same moment, or the store does not answer
}

// Add adds a person, and prints the link by which they choose a password unless
// one is given.
func (k PeopleCommands) Add(ctx context.Context, n NewPerson) error {
	if err := k.checkURL(); err != nil {
		return err
	}
	password, err := k.password(ctx, n.PasswordFile, false)
	if err != nil {
		return err
	}
	return withNewStore(ctx, k.Storage, func(st store.Store) error { // the first one may come before the server's first start
		ps := people.New(people.Options{Store: st})
		p, err := ps.Add(ctx, store.Person{Email: n.Email, Name: n.Name, Language: n.Language, Role: store.Role(n.Role)}, password)
		if errors.Is(err, store.ErrExists) {
			return wrong(ExitUsage, text("cli.person_exists", "there is a person {email} already", "email", strconv.Quote(n.Email)))
		}
		if err != nil {
			return personFault(err)
		}
		if password != "" {
			return k.print(p, nil)
		}
		return personFault(k.invite(ctx, st, ps, p))
	})
}

// print shows a person and, where one was made, the invitation for them.
func (k PeopleCommands) print(p *store.Person, i *people.Invitation) error {
	if k.Format != Text {
		doc := personDoc{Person: view.OfPerson(p)}
		if i != nil {
			doc.Invitation = &invitationDoc{i.Token.Reveal(), i.URL(k.URL), i.ExpiresAt}
		}
		return writeJSON(k.Stdout, doc)
	}
	t := terminal.NewTable(k.Stdout)
	t.Row(text("cli.field_id", "id").In(k.Language), p.ID)
	t.Row(text("cli.field_email", "address").In(k.Language), p.Email)
	t.Row(text("cli.field_name", "name").In(k.Language), p.Name)
	t.Row(text("cli.field_role", "role").In(k.Language), view.RoleLabel(p.Role).In(k.Language))
	t.Row(text("cli.field_state", "state").In(k.Language), personState(p, k.Language))
	if i != nil {
		t.Row(text("cli.field_link", "link").In(k.Language), i.URL(k.URL))
		t.Row("", text("cli.link_once", "(shown this once; good once, until {time})", "time",
			terminal.Time(i.ExpiresAt)).In(k.Language))
	}
	if err := t.Flush(); err != nil || i == nil {
		return err
	}
	use := text("cli.invitation_use", "Send the link to {email}: it opens the page on which they choose a password.",
		"email", terminal.Line(p.Email))
	if k.URL == "" {
		use = text("cli.invitation_without_server", "Put the address of the server before the link (--url does), and send it to {email}: "+
			"it opens the page on which they choose a password.", "email", terminal.Line(p.Email))
	}
	_, err := fmt.Fprintln(k.Stdout, use.In(k.Language))
	return err
}

func personState(p *store.Person, lang string) string {
	switch {
	case p.Disabled:
		return text("cli.person_disabled", "disabled").In(lang)
	case !p.CanSignIn() && p.Account == (store.Account{}):
		return text("cli.person_invited", "has not chosen a password yet").In(lang)
	}
	return text("cli.person_active", "active").In(lang)
}

// List prints all people.
func (k PeopleCommands) List(ctx context.Context) error {
	return k.with(ctx, func(st store.Store, _ *people.Service) error {
		all, err := st.People(ctx)
		if err != nil {
			return err
		}
		if k.Format != Text {
			out := []view.Person{}
			for i := range all {
				out = append(out, view.OfPerson(&all[i]))
			}
			return writeJSON(k.Stdout, out)
		}
		w := terminal.NewTable(k.Stdout, headings(k.Language, text("cli.heading_address", "ADDRESS"), text("cli.heading_name", "NAME"),
			text("cli.heading_role", "ROLE"), text("cli.heading_state", "STATE"), text("cli.heading_created", "CREATED"))...).Whole(0)
		for i := range all {
			p := &all[i]
			w.Row(p.Email, p.Name, view.RoleLabel(p.Role).In(k.Language), personState(p, k.Language), day(p.CreatedAt))
		}
		return w.Flush()
	})
}

// personNamed finds a person by address or id.
func personNamed(ctx context.Context, st store.People, name string) (*store.Person, error) {
	p, err := st.PersonByEmail(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		p, err = st.Person(ctx, name)
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, wrong(ExitUsage, text("cli.no_person", "there is no person {name}: see 'postino people list'", "name", strconv.Quote(name)))
	}
	return p, err
}

// Show prints one person.
func (k PeopleCommands) Show(ctx context.Context, name string) error {
	return k.with(ctx, func(st store.Store, _ *people.Service) error {
		p, err := personNamed(ctx, st, name)
		if err != nil {
			return err
		}
		return k.print(p, nil)
	})
}

// change stores what f does with the person, and prints them.
func (k PeopleCommands) change(ctx context.Context, name string, f func(*store.Person) error) error {
	return k.with(ctx, func(st store.Store, ps *people.Service) error {
		p, err := personNamed(ctx, st, name)
		if err != nil {
			return err
		}
		p, err = ps.Change(ctx, p.ID, f)
		if err != nil {
			return err
		}
		return k.print(p, nil)
	})
}

// Disable keeps a person from signing in, and ends their sessions.
func (k PeopleCommands) Disable(ctx context.Context, name string) error {
	return k.change(ctx, name, func(p *store.Person) error { p.Disabled = true; return nil })
}

// Enable takes Disable back.
func (k PeopleCommands) Enable(ctx context.Context, name string) error {
	return k.change(ctx, name, func(p *store.Person) error { p.Disabled = false; return nil })
}

// Role gives a person another role.
func (k PeopleCommands) Role(ctx context.Context, name, role string) error {
	return k.change(ctx, name, func(p *store.Person) error { p.Role = store.Role(role); return nil })
}

// Unlink removes the link of a person to their account at the identity provider,
// and ends their sessions.
func (k PeopleCommands) Unlink(ctx context.Context, name string) error {
	return k.change(ctx, name, func(p *store.Person) error {
		if p.Account == (store.Account{}) {
			return wrong(ExitUsage, text("cli.not_linked", "{person} is linked with no account of an identity provider", "person", p.Email))
		}
		p.Account = store.Account{}
		return nil
	})
}

// Invite prints a link by which the person chooses a password.
func (k PeopleCommands) Invite(ctx context.Context, name string) error {
	if err := k.checkURL(); err != nil {
		return err
	}
	return k.with(ctx, func(st store.Store, ps *people.Service) error {
		p, err := personNamed(ctx, st, name)
		if err != nil {
			return err
		}
		return k.invite(ctx, st, ps, p)
	})
}

// Remove removes a person with sessions and keys.
func (k PeopleCommands) Remove(ctx context.Context, name string) error {
	return k.with(ctx, func(st store.Store, ps *people.Service) error {
		p, err := personNamed(ctx, st, name)
		if err != nil {
			return err
		}
		if err := ps.Remove(ctx, p.ID); err != nil {
			return err
		}
		if k.Format != Text {
			return writeJSON(k.Stdout, view.OfPerson(p))
		}
		_, err = fmt.Fprintf(k.Stdout, "%s: %s\n", terminal.Line(p.Email), text("cli.removed", "removed").In(k.Language))
		return err
	})
}

// Password sets a person's password and ends their sessions.
func (k PeopleCommands) Password(ctx context.Context, name, file string) error {
	return k.with(ctx, func(st store.Store, ps *people.Service) error {
		p, err := personNamed(ctx, st, name)
		if err != nil {
			return err
		}
		password, err := k.password(ctx, file, true)
		if err != nil {
			return err
		}
		if p, err = ps.SetPassword(ctx, p.ID, password); err != nil {
			return err
		}
		return k.print(p, nil)
	})
}

// password reads one from a file or standard input; ask: from the terminal where
// no file is named. It is never on a command line, which other users see.
func (k PeopleCommands) password(ctx context.Context, file string, ask bool) (adapters.Secret, error) {
	switch {
	case file == "-":
		b, err := io.ReadAll(io.LimitReader(k.Stdin, 4*people.PasswordMax))
		return adapters.Secret(strings.TrimRight(string(b), "\r\n")), err
	case file != "":
		b, err := os.ReadFile(file)
		if err != nil {
			return "", exit(ExitNoInput, err)
		}
		return adapters.Secret(strings.TrimRight(string(b), "\r\n")), nil
	case !ask:
		return "", nil
	}
	p, err := prompt.New(k.Stdin, k.Stdout)
	if err != nil {
		return "", wrong(ExitUsage, mime.NewText("cli.password_no_terminal",
			"there is no terminal to ask for the password: use --password-file"))
	}
	first, err := p.Secret(ctx, text("cli.ask_password", "New password (it is not shown)").In(k.Language))
	if err != nil {
		return "", err
	}
	second, err := p.Secret(ctx, text("cli.ask_password_again", "Once more").In(k.Language))
	if err == nil && first != second {
		err = wrong(ExitUsage, mime.NewText("cli.passwords_differ", "the two passwords differ"))
	}
	return adapters.Secret(first), err
}

// Sessions prints a person's sessions, or ends them all.
func (k PeopleCommands) Sessions(ctx context.Context, name string, end bool) error {
	return k.with(ctx, func(st store.Store, ps *people.Service) error {
		p, err := personNamed(ctx, st, name)
		if err != nil {
			return err
		}
		if end {
			if err := ps.EndAll(ctx, p.ID, ""); err != nil {
				return err
			}
		}
		all, err := ps.Sessions(ctx, p.ID)
		if err != nil {
			return err
		}
		if k.Format != Text {
			out := []view.Session{}
			for i := range all {
				out = append(out, view.OfSession(&all[i]))
			}
			return writeJSON(k.Stdout, out)
		}
		w := terminal.NewTable(k.Stdout, headings(k.Language, text("cli.heading_signed_in", "SIGNED IN"),
			text("cli.heading_last_used", "LAST USED"),
			text("cli.heading_ends", "ENDS"), text("cli.heading_address", "ADDRESS"), text("cli.heading_program", "PROGRAM"))...).Whole(0, 1, 2)
		for i := range all {
			s := view.OfSession(&all[i])
			w.Row(terminal.Time(s.CreatedAt), terminal.Time(s.SeenAt), terminal.Time(s.ExpiresAt),
				s.Address, clip(s.Program, 60))
		}
		return w.Flush()
	})
}
