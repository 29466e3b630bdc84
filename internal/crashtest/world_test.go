//go:build unix

package crashtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/internal/app"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/vault"
)

// A world is fake providers, a store with connections to them, and nodes that
// serve it.
type world struct {
	sandbox *sandbox.Sandbox
	where   app.Storage
	store   store.Store
	senders []string
	key     adapters.Secret // of the API, for the machine itself
	nodes   []*node
}

func newWorld(t *testing.T, where app.Storage, nodes int) *world {
	t.Helper()
	sb, err := sandbox.Start(sandbox.Options{AnyMailbox: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	st, err := app.OpenStore(t.Context(), where, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{sandbox: sb, where: where, store: st, senders: connect(t, sb, st), key: vault.NewKey("pk_")}
	if _, err := st.PutAPIKey(t.Context(), store.APIKey{Name: "clients", Hash: vault.HashKey(w.key), Scopes: []string{"admin"},
		CreatedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "postino.toml")
	if err := os.WriteFile(config, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	binary := build(t)
	for i := range nodes {
		args := []string{"--data", where.Data, "--ca-file", sb.CAFile()}
		if where.Database != "" {
			args = append(args, "--database", where.Database)
		}
		n := newNode(t, fmt.Sprint("n", i+1), binary, config, args...)
		n.env = []string{"POSTINO_MAILDROP=" + w.maildrop()}
		if err := n.start(); err != nil {
			t.Fatal(err)
		}
		w.nodes = append(w.nodes, n)
	}
	return w
}

// clients are who will submit so many messages to all nodes.
func (w *world) clients(messages int) *clients {
	return &clients{nodes: w.nodes, senders: w.senders, drop: w.maildrop(), key: w.key, want: int64(messages), known: map[string]*try{},
		said: map[string]int{}, codes: map[int]int{}}
}

// maildrop is the folder that `postino sendmail` leaves messages in: the nodes share it.
func (w *world) maildrop() string { return filepath.Join(w.where.Data, "maildrop") }

// stop ends the nodes as an administrator does.
func (w *world) stop(t *testing.T) {
	t.Helper()
	for _, n := range w.nodes {
		if err := n.stop(); err != nil {
			t.Error(err)
		}
	}
}

// misbehave makes the providers fail at random, before and after they accept.
func misbehave(sb *sandbox.Sandbox) {
	for _, f := range []sandbox.Fault{
		{Service: "graph", Op: "sendMail", Probability: .02, Status: 429, Code: "ApplicationThrottled", RetryAfter: time.Second},
		{Service: "graph", Op: "sendMail", Probability: .02, Status: 503, Code: "serviceNotAvailable"},
		{Service: "graph", Op: "sendMail", Probability: .01, Reset: true},
		{Service: "graph", Op: "sendMail", Probability: .03, Reset: true, After: true},
		{Service: "graph", Op: "sendMail", Probability: .01, Status: 504, After: true},
		{Service: "graph", Op: "list", Probability: .05, Status: 503, Code: "serviceNotAvailable"},
		{Service: "graph", Op: "create", Probability: .05, Status: 503, Code: "serviceNotAvailable"},
		{Service: "graph", Op: "create", Probability: .05, Reset: true, After: true},
		{Service: "graph", Op: "attach", Probability: .1, Status: 503, Code: "serviceNotAvailable"},
		{Service: "graph", Op: "createUploadSession", Probability: .1, Status: 429, Code: "ApplicationThrottled", RetryAfter: time.Second},
		{Service: "upload", Op: "chunk", Probability: .05, Status: 503},
		{Service: "upload", Op: "chunk", Probability: .05, Reset: true, After: true},
		{Service: "graph", Op: "send", Probability: .05, Status: 503, Code: "serviceNotAvailable"},
		{Service: "graph", Op: "send", Probability: .1, Reset: true, After: true},
		{Service: "graph", Op: "send", Probability: .05, Status: 504, After: true},
		{Service: "graph", Op: "get", Probability: .05, Status: 503, Code: "serviceNotAvailable"},
		{Service: "graph", Op: "delete", Probability: .05, Status: 503, Code: "serviceNotAvailable"},
		{Service: "entra", Op: "token", Probability: .05, Status: 503},
		{Service: "gmail", Op: "send", Probability: .02, Status: 429, Code: "rateLimitExceeded", RetryAfter: time.Second},
		{Service: "gmail", Op: "send", Probability: .02, Status: 503, Code: "backendError"},
		{Service: "gmail", Op: "send", Probability: .01, Reset: true},
		{Service: "gmail", Op: "send", Probability: .03, Reset: true, After: true},
		{Service: "gmail", Op: "start", Probability: .05, Status: 503, Code: "backendError"},
		{Service: "gmail", Op: "chunk", Probability: .05, Status: 503, Code: "backendError"},
		{Service: "gmail", Op: "chunk", Probability: .05, Reset: true, After: true},
		{Service: "gmail", Op: "status", Probability: .05, Status: 503, Code: "backendError"},
		{Service: "gmail", Op: "search", Probability: .05, Status: 503, Code: "backendError"},
		{Service: "google", Op: "token", Probability: .05, Status: 503},
		{Service: "smtp", Op: "dot", Probability: .02, Reply: "451 4.3.0 try again"},
		{Service: "smtp", Op: "dot", Probability: .01, Reset: true},
		{Service: "smtp", Op: "dot", Probability: .03, Reset: true, After: true},
		{Service: "smtp", Op: "rcpt", Probability: .01, Reply: "450 4.2.0 try again"},
	} {
		sb.Inject(f)
	}
	sb.Configure(func(s *sandbox.Switches) {
		s.GraphSettle = 500 * time.Millisecond
		s.GraphLatency, s.GmailLatency, s.SMTPLatency = 10*time.Millisecond, 10*time.Millisecond, 10*time.Millisecond
	})
}

// hasten makes half an hour pass at Graph every few seconds, until ctx ends: a
// draft of a sender that was killed counts as left lying only then, and its
// message is sent again.
func hasten(ctx context.Context, sb *sandbox.Sandbox) {
	t := time.NewTicker(5 * time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			// Not while a request is answered: what a killed server had sent on its
			// way is no draft that lay still for half an hour.
			for sb.InFlight("graph") > 0 {
				select {
				case <-ctx.Done():
					return
				case <-time.After(2 * time.Millisecond):
				}
			}
			sb.Configure(func(s *sandbox.Switches) { s.GraphAhead += 31 * time.Minute })
		}
	}
}

// connect puts two connections of each provider into the store.
func connect(t *testing.T, sb *sandbox.Sandbox, st store.Store) (senders []string) {
	t.Helper()
	for i := range 2 {
		for _, c := range []*adapters.Connection{
			sb.GraphConnection(fmt.Sprintf("graph%d@crash.example", i)),
			sb.GmailConnection(fmt.Sprintf("gmail%d@crash.example", i)),
			sb.SMTPConnection(fmt.Sprintf("smtp%d@crash.example", i)),
		} {
			c.Name = fmt.Sprint(c.Name, i)
			none, four := 0, 4
			c.Limits = adapters.Limits{Concurrency: &four, PerMinute: &none, RecipientsPerDay: &none}
			if _, err := st.PutConnection(t.Context(), time.Now(), &gateway.Connection{Connection: *c}); err != nil {
				t.Fatal(err)
			}
			senders = append(senders, c.From)
		}
	}
	return senders
}
