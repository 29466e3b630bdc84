package differential

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/corpus"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/sandboxtest"
	"github.com/postino-mail/postino/mime"
)

// TestProperties sends some of the messages over SMTP, half of them to a server
// without 8BITMIME and SMTPUTF8: no address is made up, and what this
// package's own parser finds before it finds after.
func TestProperties(t *testing.T) {
	t.Parallel()
	sb, adapter := sandboxtest.Start(t, func(s *sandbox.Sandbox) *adapters.Connection { return s.SMTPConnection("sender@diff.example") },
		func(c *adapters.Connection, ts adapters.TokenSources, _ *http.Client) (adapters.Adapter, error) {
			return fallback.New(c, fallback.Options{Tokens: ts})
		})
	all := generate(600)
	sent, refused, seven := 0, 0, []string{"8BITMIME", "SMTPUTF8"}
	for i := 0; i < len(all); i += 4 {
		if i >= len(all)/2 && i-4 < len(all)/2 {
			sb.Configure(func(s *sandbox.Switches) { s.SMTPHide = seven })
		}
		s := all[i]
		if slices.Contains(s.kinds, "shape=large-file") {
			continue
		}
		name := strings.Join(s.kinds, " ")
		raw, mailed, err := sendOne(t.Context(), sb, adapter, s, fmt.Sprint("q", i))
		if err != nil {
			refused++
			if !s.loose {
				t.Errorf("%s: well-made mail is refused: %v", name, err)
			}
			continue
		}
		sent++
		before, err := corpus.Accept([]byte(strings.ReplaceAll(s.raw, "KEY", fmt.Sprint("q", i))), true)
		if err != nil {
			t.Fatal(err)
		}
		after, err := mime.Read(mime.Bytes(raw), mime.Limits{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, want := leavesOf(t, after), leavesOf(t, before); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		if after.Subject() != before.Subject() {
			t.Errorf("%s: subject %q, want %q", name, after.Subject(), before.Subject())
		}
		for _, a := range slices.Concat(after.From(), after.To(), after.Cc(), after.Bcc()) {
			mailed = append(mailed, a.Address.String())
		}
		known := set(append([]string{"hidden@example.org"}, s.holds...))
		for _, a := range set(mailed) {
			if !slices.Contains(known, a) {
				t.Errorf("%s: invented %q", name, a)
			}
		}
	}
	if sent < 100 {
		t.Errorf("%d sent and %d refused", sent, refused)
	}
}

// sendOne takes a message in, sends it, and gives what the server received.
func sendOne(ctx context.Context, sb *sandbox.Sandbox, adapter adapters.Adapter, s sample, key string) (raw []byte, mailed []string,
	err error) {
	m, err := corpus.Accept([]byte(strings.ReplaceAll(s.raw, "KEY", key)), true)
	if err != nil {
		return nil, nil, err
	}
	out := adapters.Outgoing{Message: m, Envelope: mime.Envelope{From: mailboxtest.Of("sender@diff.example")}}
	for _, a := range m.Recipients() {
		out.Envelope.Recipients = append(out.Envelope.Recipients, mime.Recipient{Address: a})
	}
	if len(out.Envelope.Recipients) == 0 {
		out.Envelope.Recipients = []mime.Recipient{{Address: mailboxtest.Of("hidden@example.org")}}
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	seq := len(sb.Deliveries())
	if _, err := adapter.Send(ctx, out); err != nil {
		return nil, nil, err
	}
	list := sb.DeliveriesSince(seq)
	if len(list) != 1 {
		return nil, nil, fmt.Errorf("%d deliveries", len(list))
	}
	rc, err := sb.Open(list[0])
	if err != nil {
		return nil, nil, err
	}
	defer rc.Close()
	raw, err = io.ReadAll(rc)
	return raw, list[0].Recipients, err
}

// leavesOf describes what is in a message, line ends and encodings apart.
func leavesOf(t *testing.T, m *mime.Message) (out []string) {
	t.Helper()
	root, err := m.Structure()
	if err != nil {
		t.Fatal(err)
	}
	root.Walk(true, func(p *mime.Part) bool {
		if p.Multipart() || p.Message != nil {
			out = append(out, p.MediaType)
			return true
		}
		data, err := io.ReadAll(m.Open(p))
		sum := corpus.Hash("text/plain", data)
		if err != nil {
			sum = "unreadable"
		}
		out = append(out, fmt.Sprintf("%s %q %q %.12s", p.MediaType, p.Params["charset"], p.Filename, sum))
		return true
	})
	return out
}
