package adapters_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/gmail"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/corpus"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/mime"
	"github.com/postino-mail/postino/tokens"
)

// newWorld is a sandbox and a router over the three real adapters.
func newWorld(t testing.TB) (*sandbox.Sandbox, *adapters.Router) {
	t.Helper()
	sb, err := sandbox.Start(sandbox.Options{AnyMailbox: true, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	router, closeRouter := newRouter(sb)
	t.Cleanup(func() {
		closeRouter(t)
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	return sb, router
}

func newRouter(sb *sandbox.Sandbox) (*adapters.Router, func(testing.TB)) {
	cache := tokens.NewCache(tokens.Options{HTTPClient: sb.HTTPClient()})
	router := adapters.NewRouter(factories(cache, sb.HTTPClient(), sb))
	return router, func(t testing.TB) {
		t.Helper()
		if err := router.Close(); err != nil {
			t.Error(err)
		}
		if err := cache.Close(); err != nil {
			t.Error(err)
		}
	}
}

func factories(cache *tokens.Cache, client *http.Client, sb *sandbox.Sandbox) map[adapters.Provider]adapters.Factory {
	return map[adapters.Provider]adapters.Factory{
		adapters.Graph: graph.Factory(graph.Options{Tokens: cache, HTTPClient: client}),
		adapters.Gmail: gmail.Factory(gmail.Options{Tokens: cache, HTTPClient: client}),
		adapters.SMTP:  fallback.Factory(fallback.Options{Tokens: cache, RootCAs: sb.CertPool()}),
	}
}

// routes are a connection of each provider that may send as from and aliases.
func routes(sb *sandbox.Sandbox, from string, aliases ...string) []*adapters.Connection {
	all := []*adapters.Connection{sb.GraphConnection(from), sb.GmailConnection(from), sb.SMTPConnection(from)}
	for _, c := range all {
		c.Aliases = aliases
		c.Name += " of " + from // the router tells connections apart by name
	}
	return all
}

func outgoing(m *mime.Message, from string, rcpts ...string) adapters.Outgoing {
	out := adapters.Outgoing{Message: m, Envelope: mime.Envelope{From: mailboxtest.Of(from)}}
	for _, r := range rcpts {
		out.Envelope.Recipients = append(out.Envelope.Recipients, mime.Recipient{Address: mailboxtest.Of(r)})
	}
	return out
}

// An arrival is one message of the corpus as one provider delivered it.
type arrival struct {
	file     string
	message  *mime.Message // as it was taken in
	envelope []string
	receipt  adapters.Receipt
	delivery sandbox.Delivery
	shown    string // as a recipient sees it
}

// refusedOn are the routes that cannot carry a message, with the code that says so.
var refusedOn = map[string]string{
	"gmail long-to.eml":               "too_many_recipients",
	"gmail long-to-one-line.eml":      "too_many_recipients",
	"graph comments-in-addresses.eml": "ErrorInvalidRecipients", // a domain literal
}

// sendCorpus sends every message that a listener accepts over every route.
func sendCorpus(t *testing.T) map[adapters.Provider][]arrival {
	t.Helper()
	sb, router := newWorld(t)
	// The senders are verified aliases; the limit of four belongs to the lanes above.
	sb.Configure(func(s *sandbox.Switches) { s.GmailFrom, s.GraphConcurrency = "keep", 0 })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var (
		mu    sync.Mutex
		wg    sync.WaitGroup
		slots = make(chan struct{}, 8)
		out   = map[adapters.Provider][]arrival{}
	)
	for file, want := range corpus.Index(t) {
		if want.Lenient != "ok" {
			continue
		}
		m, err := corpus.Accept(corpus.Raw(t, file), true)
		if err != nil {
			t.Fatal(err)
		}
		envelope := append([]string{strings.TrimSuffix(file, ".eml") + ".hidden@example.net"}, want.Recipients...)
		aliases := want.From
		for _, s := range m.Sender() {
			aliases = append(slices.Clone(aliases), s.Address.String())
		}
		for _, c := range routes(sb, want.From[0], aliases...) {
			c.Name += " for " + file
			wg.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				r, err := router.Send(ctx, c, outgoing(m, want.From[0], envelope...))
				if code, refused := refusedOn[string(c.Provider)+" "+file]; err != nil || refused {
					if e := adapters.AsError(err); e == nil || e.Class != adapters.Permanent || e.ShownCode() != code {
						t.Errorf("%s over %s: %v", file, c.Provider, err)
					}
					return
				}
				mu.Lock()
				defer mu.Unlock()
				out[c.Provider] = append(out[c.Provider], arrival{file: file, message: m, envelope: envelope, receipt: r})
			})
		}
	}
	wg.Wait()
	for _, d := range sb.Deliveries() {
		list := out[adapters.Provider(d.Service)]
		for i := range list {
			if slices.Contains(d.Recipients, list[i].envelope[0]) {
				list[i].delivery, list[i].shown = d, shown(t, sb, d)
			}
		}
	}
	return out
}

func shown(t testing.TB, sb *sandbox.Sandbox, d sandbox.Delivery) string {
	t.Helper()
	rc, err := sb.OpenShown(d)
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	b, err := io.ReadAll(rc)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestCorpusOverAllRoutes: what arrives differs between the routes in its
// address lines alone, reaches exactly the envelope, and says what the original
// said to an independent parser.
func TestCorpusOverAllRoutes(t *testing.T) {
	t.Parallel()
	index := corpus.Index(t)
	arrived := sendCorpus(t)
	content := map[string]string{}
	views := map[string]string{}
	for _, p := range []adapters.Provider{adapters.Graph, adapters.Gmail, adapters.SMTP} {
		if len(arrived[p]) < 80 {
			t.Errorf("%s: %d messages only", p, len(arrived[p]))
		}
		for _, a := range arrived[p] {
			name := string(p) + " " + a.file
			if a.delivery.Seq == 0 {
				t.Errorf("%s: accepted, and nothing arrived", name)
				continue
			}
			if a.delivery.SHA256 != a.receipt.SHA256 {
				t.Errorf("%s: other bytes arrived than the receipt says", name)
			}
			if first, ok := content[a.file]; ok && first != a.delivery.ContentSHA256 {
				t.Errorf("%s: not only the address lines differ from the other routes", name)
			}
			content[a.file] = a.delivery.ContentSHA256
			checkReached(t, name, a)
			compareShown(t, name, a, index[a.file])
			views[name] = a.shown
		}
	}
	for name, got := range corpus.Python(t, views) {
		_, file, _ := strings.Cut(name, " ")
		if want := index[file].Seen; !want.Same(got) {
			t.Errorf("%s: the independent parser sees\n%+v, before\n%+v", name, got, want)
		}
	}
}

// checkReached: everyone of the envelope is mailed or named as refused.
func checkReached(t *testing.T, name string, a arrival) {
	t.Helper()
	var got, want []string
	for _, r := range a.envelope {
		want = append(want, strings.ToLower(r))
	}
	got = append(got, a.delivery.Recipients...)
	for _, r := range a.receipt.Recipients {
		switch {
		case r.Err == nil:
		case r.Err.Class == adapters.Transient && r.Err.Code == adapters.CodeTooManyRecipients: // more than a transaction takes
			got = append(got, strings.ToLower(r.Address.String()))
		default:
			t.Errorf("%s: %s: %v", name, r.Address, r.Err)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if want = slices.Compact(want); !slices.Equal(got, want) {
		t.Errorf("%s: reached %q, want %q", name, got, want)
	}
}

func compareShown(t *testing.T, name string, a arrival, want corpus.Expected) {
	t.Helper()
	m, err := mime.Read(mime.Bytes([]byte(a.shown)), mime.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if strings.Contains(a.shown, a.envelope[0]) || len(m.Bcc()) > 0 {
		t.Errorf("%s: a hidden recipient shows", name)
	}
	visible := want
	visible.Recipients = nil
	for _, r := range want.Recipients {
		if !slices.ContainsFunc(a.message.Bcc(), func(b mime.Address) bool { return b.Address.String() == r }) ||
			slices.Contains(mailboxtest.Strings(m.Recipients()), r) {
			visible.Recipients = append(visible.Recipients, r)
		}
	}
	corpus.Compare(t, name, m, visible)
}
