package differential

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/internal/app"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/vault"
	"github.com/postino-mail/postino/mime"
)

// Routes; oldSMTP leads to a server without 8BITMIME and SMTPUTF8.
const (
	graphRoute = "graph"
	gmailRoute = "gmail"
	smtpRoute  = "smtp"
	oldSMTP    = "oldsmtp"
)

// A world is fake providers and a server with a connection of each kind to them.
type world struct {
	dir       string
	providers []*sandbox.Sandbox
	at        app.Addresses
	store     store.Store
	key       adapters.Secret
	log       *syncBuffer
	files     map[string]string // route to a connection file
	ca        string
}

type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (w *world) pickup() string { return filepath.Join(w.dir, "pickup") }

// newWorld starts it; it ends with the test. senders are all addresses that the
// connections may send as.
func newWorld(t *testing.T, senders []string) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), key: vault.NewKey("pk_"), log: &syncBuffer{}, files: map[string]string{}}
	w.ca = filepath.Join(w.dir, "ca.pem")
	var roots []byte
	for range 2 {
		sb, err := sandbox.Start(sandbox.Options{AnyMailbox: true, Dir: filepath.Join(w.dir, fmt.Sprint("sandbox", len(w.providers)))})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := sb.Close(); err != nil {
				t.Error(err)
			}
		})
		sb.Configure(func(s *sandbox.Switches) { s.GmailFrom, s.GraphConcurrency = "keep", 0 })
		pem, err := os.ReadFile(sb.CAFile())
		if err != nil {
			t.Fatal(err)
		}
		roots = append(roots, pem...)
		w.providers = append(w.providers, sb)
	}
	w.providers[1].Configure(func(s *sandbox.Switches) { s.SMTPHide = []string{"8BITMIME", "SMTPUTF8", "CHUNKING"} })
	write(t, w.ca, roots)
	if err := os.Mkdir(w.pickup(), 0o700); err != nil {
		t.Fatal(err)
	}
	w.connect(t, senders)
	w.serve(t)
	return w
}

func write(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (w *world) storage() app.Storage { return app.Storage{Data: filepath.Join(w.dir, "data")} }

func (w *world) connect(t *testing.T, senders []string) {
	t.Helper()
	st, err := app.OpenStore(t.Context(), w.storage(), false, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	w.store = st
	if _, err := st.PutAPIKey(t.Context(), store.APIKey{Name: "test", Hash: vault.HashKey(w.key), Scopes: []string{"admin"},
		CreatedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	for route, c := range map[string]*adapters.Connection{
		graphRoute: w.providers[0].GraphConnection("sender@diff.example"), gmailRoute: w.providers[0].GmailConnection("sender@diff.example"),
		smtpRoute: w.providers[0].SMTPConnection("sender@diff.example"), oldSMTP: w.providers[1].SMTPConnection("sender@diff.example"),
	} {
		none, many := 0, 16
		c.Name, c.Aliases = route, senders
		c.Limits = adapters.Limits{Concurrency: &many, PerMinute: &none, RecipientsPerDay: &none}
		if _, err := st.PutConnection(t.Context(), time.Now(), &gateway.Connection{Connection: *c}); err != nil {
			t.Fatal(err)
		}
		data, err := sandbox.ConnectionJSON(c)
		if err != nil {
			t.Fatal(err)
		}
		w.files[route] = filepath.Join(w.dir, route+".json")
		write(t, w.files[route], data)
	}
}

// settings: the first listener takes what the standard says, the second what old devices send.
const settings = `
[limits]
join_window = "-1s"

[notify]
off = true

[outbox]
retry_first = "100ms"
retry_max = "1s"
give_up = "20s"

[pickup]
dir = %q
pause = "10ms"

[[smtp]]
address = "127.0.0.1:0"

[[smtp]]
address = "127.0.0.1:0"
networks = ["127.0.0.1"]
auth = "off"
bare_lf = true
missing_headers = true
`

func (w *world) serve(t *testing.T) {
	t.Helper()
	config := filepath.Join(w.dir, "postino.toml")
	write(t, config, fmt.Appendf(nil, settings, w.pickup()))
	ready, ended := make(chan app.Addresses, 1), make(chan error, 1)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	go func() {
		ended <- app.Serve(ctx, app.ServeOptions{ConfigFile: config, Data: w.storage().Data, HTTP: "127.0.0.1:0", CAFile: w.ca, Stderr: w.log,
			Getenv: func(string) string { return "" }, Ready: func(a app.Addresses) { ready <- a }})
	}()
	select {
	case w.at = <-ready:
	case err := <-ended:
		stop()
		t.Fatalf("the server does not start: %v", err)
	}
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the server ended badly: %v", err)
		}
	})
}

// A refusal is what an entry point says when it does not take a message.
type refusal struct{ code, text string }

func (r refusal) Error() string { return r.code + " " + r.text }

// clear reports whether it tells what is wrong, and that it is for good.
func (r refusal) clear() bool { return len(r.code) >= 2 && len(r.text) > 15 }

// failures are deliveries that the provider or the route refused, by the key of their submission.
func (w *world) failures(ctx context.Context, t *testing.T) map[string]refusal {
	t.Helper()
	out := map[string]refusal{}
	r := store.ListRequest{Filter: store.Filter{States: []store.State{store.Failed, store.Expired}}, Limit: 1000}
	for {
		page, err := w.store.List(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entries {
			said := refusal{}
			if e.Delivery.Error != nil {
				said = refusal{code: string(e.Delivery.Error.Code), text: e.Delivery.Error.Message.String()}
			}
			out[w.keyOf(ctx, t, e.Message.ID)] = said
		}
		if r.After = page.Next; page.Next == "" {
			return out
		}
	}
}

func (w *world) keyOf(ctx context.Context, t *testing.T, id store.ID) string {
	t.Helper()
	c, err := w.store.Content(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(mime.NewReader(c))
	if err := errors.Join(err, c.Close()); err != nil {
		t.Fatal(err)
	}
	return keyIn(string(raw))
}

// keyIn is the key of the submission that a message came by. It may stand in
// the text: a message that begins with an empty line has no header.
func keyIn(raw string) string {
	_, rest, _ := strings.Cut(raw, keyField+": ")
	key, _, _ := strings.Cut(rest, "\r\n")
	return key
}

const keyField = "X-Differential"

// settle waits until nothing is on its way any more.
func (w *world) settle(ctx context.Context, t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Minute)
	for {
		files, err := filepath.Glob(filepath.Join(w.pickup(), "*.eml"))
		if err != nil {
			t.Fatal(err)
		}
		working, err := filepath.Glob(filepath.Join(w.pickup(), "work", "*"))
		if err != nil {
			t.Fatal(err)
		}
		stats, err := w.store.Stats(ctx, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		waiting := 0
		for _, s := range []store.State{store.Queued, store.Sending, store.Unverified, store.Held} {
			waiting += int(stats.States[s])
		}
		if len(files)+len(working)+waiting == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d files and %d deliveries still wait", len(files)+len(working), waiting)
		}
		select {
		case <-ctx.Done():
			t.Fatal(ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// received are the messages as the providers got them, by key.
func (w *world) received(t *testing.T) map[string][]arrival {
	t.Helper()
	out := map[string][]arrival{}
	for _, sb := range w.providers {
		for _, d := range sb.Deliveries() {
			rc, err := sb.Open(d)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := io.ReadAll(rc)
			if err := errors.Join(err, rc.Close()); err != nil {
				t.Fatal(err)
			}
			key := keyIn(string(raw))
			out[key] = append(out[key], arrival{delivery: d, raw: string(raw)})
		}
	}
	return out
}

// An arrival is a message as a provider got it.
type arrival struct {
	delivery sandbox.Delivery
	raw      string
}
