package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/stages"
	"github.com/postino-mail/postino/internal/connections"
	"github.com/postino-mail/postino/internal/doctor"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/prompt"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/internal/vault"
	"github.com/postino-mail/postino/mime"
)

// SetupOptions of `postino setup`.
type SetupOptions struct {
	Storage Storage
	// DataGiven: the folder was named; else it is what a command takes without one.
	DataGiven bool
	CAFile    string
	Set       []string // settings of the connection that are not asked for, PATH=VALUE
	Language  string
	AskLang   bool              // the language was not given
	Chosen    func(lang string) // called with the language of the answer; nil: no one asked
	Again     bool              // kept answers are dropped
	Answers   string            // file that keeps the answers until the end; empty: in the folder of the user's state
	Stdin     io.Reader
	Stdout    io.Writer
}

// Setup asks for what a first connection needs, tests it with a real message, and
// only then stores connection and client. Its answers, secrets apart, are kept
// until then: after an interruption the next run goes on where this one was.
func Setup(ctx context.Context, o SetupOptions) error {
	p, err := prompt.New(o.Stdin, o.Stdout)
	if err != nil {
		return wrong(ExitUsage, mime.NewText("setup.no_terminal",
			"setup asks its questions on a terminal; in a script use 'postino connection add' with flags"))
	}
	s := &setup{SetupOptions: o, questions: questions{p: p, lang: o.Language}}
	if err := s.openAnswers(); err != nil {
		return err
	}
	err = s.run(ctx)
	if kept := len(s.answers.Kept()); s.durable && kept > 0 && interrupted(ctx, err) {
		return wrong(ExitFailure, text("setup.interrupted", "interrupted: no connection was saved. The answers are kept, secrets are not: "+
			"'postino setup' continues there, 'postino setup --again' begins again"))
	}
	return notSaved(ctx, err)
}

// setup is one run.
type setup struct {
	SetupOptions
	questions
	durable bool // the answers are kept in a file
}

// Keys of kept answers, beside those on the connection.
const (
	askLanguage  = "language"
	askData      = "data"
	askTo        = "to"
	askClient    = "client"
	setDelivered = "delivered" // the test message went out by these answers
	setSaved     = "saved"     // id of the connection, which is stored
)

func (s *setup) say(t mime.Text) error {
	_, err := fmt.Fprintln(s.Stdout, t.In(s.lang))
	return err
}

func (s *setup) run(ctx context.Context) (err error) {
	if err := s.resume(ctx); err != nil {
		return err
	}
	if err := s.language(ctx); err != nil {
		return err
	}
	if s.Storage.Database == "" {
		if s.Storage.Data, err = s.line(ctx, askData, text("setup.ask_data", "Folder for the data"), s.proposedData(), absolute); err != nil {
			return err
		}
		if err := s.mayMakeStore(); err != nil {
			return err
		}
	}
	var c *gateway.Connection
	if _, ok := s.answers.Get(setSaved); !ok {
		if c, err = s.verified(ctx); err != nil {
			return err
		}
	}
	client, err := s.line(ctx, askClient, text("setup.ask_client", "Name of the first program that sends, - for none"), "erp", clientName)
	if err != nil {
		return err
	}
	return s.save(ctx, c, client)
}

// clientName refuses what cannot be the login of a client.
func clientName(answer string) (string, error) {
	if answer == "" || strings.ContainsAny(answer, " \t\r\n") {
		return "", texterr.New(text("cli.client_name", "a client's name is its login: it has no spaces"))
	}
	return answer, nil
}

// absolute is a folder as it is named from everywhere.
func absolute(answer string) (string, error) { return filepath.Abs(answer) }

// language asks for the language, where the command line does not say it.
func (s *setup) language(ctx context.Context) (err error) {
	if !s.AskLang {
		return nil
	}
	kept, ok := s.answers.Get(askLanguage)
	if s.lang = kept; !ok {
		languages := []prompt.Option{{Value: "it", Text: "italiano"}, {Value: "en", Text: "English"}}
		if !strings.HasPrefix(strings.ToLower(s.Language), "it") {
			languages[0], languages[1] = languages[1], languages[0]
		}
		const question = "Lingua / Language"
		if s.lang, err = s.p.Choose(ctx, question, "1, 2", languages...); err != nil {
			return err
		}
		if err := s.answers.Put(prompt.Answer{Key: askLanguage, Label: question, Value: s.lang}); err != nil {
			return err
		}
	}
	if s.Chosen != nil {
		s.Chosen(s.lang)
	}
	return nil
}

// verified asks for a connection until a test message went out by it.
func (s *setup) verified(ctx context.Context) (*gateway.Connection, error) {
	roots, err := loadRoots(s.CAFile)
	if err != nil {
		return nil, exit(ExitConfig, err)
	}
	d := newDoctor(roots, nil, nil)
	for {
		c, class, err := s.attempt(ctx, d)
		if err != nil || c != nil {
			return c, err
		}
		// What was wrong is not known: all is asked again, with these answers proposed.
		if err := s.answers.Withdraw(askFrom, askProvider, askTenant, askClientID, askKeyFile, askServer, askLogin, askTo,
			setDelivered); err != nil {
			return nil, err
		}
		again, err := s.p.Confirm(ctx, text("setup.ask_again", "Correct the answers and try again?").In(s.lang),
			text("setup.yes", "yes").In(s.lang), text("setup.no", "no").In(s.lang))
		if err != nil {
			return nil, err
		}
		if !again {
			return nil, exit(exitOfClass(class), wrong(ExitFailure, mime.NewText("setup.not_verified",
				"the connection does not work yet: nothing was saved")))
		}
	}
}

// attempt asks for a connection and tests it. It returns no connection where the
// answers do not fit or the test failed, with that class.
func (s *setup) attempt(ctx context.Context, d *doctor.Doctor) (*gateway.Connection, adapters.Class, error) {
	doc, err := s.connection(ctx)
	if err != nil {
		return nil, "", err
	}
	for _, set := range s.Set {
		path, value, _ := strings.Cut(set, "=")
		connections.SetPath(doc, path, jsonOrText(value))
	}
	from, _ := doc["from"].(string)
	doc["name"] = from
	c, err := newConnection(doc)
	if err != nil {
		_, err = fmt.Fprintln(s.Stdout, texterr.In(err, s.lang))
		return nil, adapters.Permanent, err
	}
	to, err := s.address(ctx, askTo, text("setup.ask_to", "Address that receives the test message"), from)
	if err != nil {
		return nil, "", err
	}
	test := doctor.Test{Connection: c, To: to, Language: s.lang}
	if _, ok := s.answers.Get(setDelivered); ok {
		test.To = mime.Mailbox{} // the credential is tested alone: the message is there already
	}
	var printed error
	result := d.Connection(ctx, test, func(stage stages.Stage) {
		if printed == nil {
			_, printed = io.WriteString(s.Stdout, stageText(stage, s.lang))
		}
	})
	if printed != nil || ctx.Err() != nil {
		return nil, "", errors.Join(printed, ctx.Err())
	}
	if err := s.say(resultText(c.Name, result)); err != nil {
		return nil, "", err
	}
	if !result.OK {
		return nil, result.Class(), nil
	}
	return c, "", s.answers.Put(prompt.Answer{Key: setDelivered, Label: text("setup.delivered", "Test message sent").In(s.lang),
		Value: to.String()})
}

// save stores the connection and the client, and says what comes next. c is nil
// where the connection was stored before an interruption.
func (s *setup) save(ctx context.Context, c *gateway.Connection, client string) error {
	return withNewStore(ctx, s.Storage, func(st store.Store) error {
		if c != nil {
			if err := s.saveConnection(ctx, st, c); err != nil {
				return err
			}
		}
		if client != "-" {
			add := ClientCommands{Storage: s.Storage, Language: s.lang, Stdout: s.Stdout}
			if err := add.store(ctx, st, client); err != nil {
				return err
			}
		}
		if err := s.answers.Forget(); err != nil {
			return err
		}
		if err := s.say(text("setup.next", "Start the gateway: postino serve --data {folder}\nPrograms of this machine hand over by SMTP to "+
			"127.0.0.1:2525.", "folder", s.where())); err != nil || s.where() != packagedData {
			return err
		}
		return s.say(text("setup.next_service", "As a service: systemctl enable --now postino, after the package is installed."))
	})
}

// saveConnection stores the connection under a name that is free.
func (s *setup) saveConnection(ctx context.Context, st store.Store, c *gateway.Connection) error {
	all, err := st.Connections(ctx)
	if err != nil {
		return err
	}
	if err := s.another(ctx, all, c); err != nil {
		return err
	}
	if len(all) == 0 {
		c.Default = gateway.DefaultUnrouted
	}
	name := c.Name
	for n := 2; taken(all, c.Name); n++ {
		c.Name = name + " " + strconv.Itoa(n)
	}
	stored, err := st.PutConnection(ctx, time.Now(), c)
	if err != nil {
		return err
	}
	saved := text("setup.saved", "{connection} is saved in {folder}.", "connection", strconv.Quote(stored.Name), "folder", s.where())
	if err := s.answers.Put(prompt.Answer{Key: setSaved, Label: saved.In(s.lang), Value: stored.ID}); err != nil {
		return err
	}
	return s.say(saved)
}

// another asks before a connection is stored beside one that gets the mail of its
// sender already.
func (s *setup) another(ctx context.Context, all []*gateway.Connection, c *gateway.Connection) error {
	for _, o := range all {
		if !o.IsActive() || !strings.EqualFold(o.From, c.From) {
			continue
		}
		if err := s.say(text("setup.another", "{connection} sends for {from} already: a second connection may get no mail.", "connection",
			strconv.Quote(o.Name), "from", c.From)); err != nil {
			return err
		}
		sure, err := s.p.Confirm(ctx, text("setup.ask_another", "Save it all the same?").In(s.lang), text("setup.yes", "yes").In(s.lang),
			text("setup.no", "no").In(s.lang))
		if err == nil && !sure {
			err = wrong(ExitFailure, text("setup.not_another", "nothing was saved: 'postino connection edit' changes the connection that is there"))
		}
		return err
	}
	return nil
}

// where is the folder of the store, or that it is a database.
func (s *setup) where() string {
	if s.Storage.Database != "" {
		return "PostgreSQL"
	}
	if dir, err := filepath.Abs(s.Storage.Data); err == nil {
		return dir
	}
	return s.Storage.Data
}

func taken(all []*gateway.Connection, name string) bool {
	for _, c := range all {
		if strings.EqualFold(c.Name, name) {
			return true
		}
	}
	return false
}

// store makes a client with a secret, which is printed once; one that is there
// stays as it is.
func (k ClientCommands) store(ctx context.Context, st store.Store, name string) error {
	now, key := time.Now(), vault.NewClientSecret()
	c, err := st.PutClient(ctx, store.Client{Name: name, SecretHash: vault.HashGenerated(key), CreatedAt: now, ChangedAt: now})
	if errors.Is(err, store.ErrExists) {
		_, err = fmt.Fprintln(k.Stdout, text("setup.client_there",
			"The client {client} was there already and stays as it is; 'postino client rotate' gives it a new secret.", "client",
			strconv.Quote(name)).In(k.Language))
		return err
	}
	if err != nil {
		return err
	}
	return k.one(c, text("setup.client_added", "may submit"), key.Reveal())
}
