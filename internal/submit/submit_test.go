package submit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters/gmail"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/programs"
	"github.com/postino-mail/postino/internal/spool"
	"github.com/postino-mail/postino/internal/store"
)

func addresses(d store.Delivery) (out []string) {
	for _, r := range d.Recipients {
		out = append(out, r.Address.String())
	}
	return out
}

func TestEnvelope(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, graphConn("box", "erp@contoso.it", nil), smtpConn("relay", "relay@contoso.it", nil))
	const erp, relay = "From: erp@contoso.it\n", "From: relay@contoso.it\n"
	tests := []struct {
		name   string
		head   string
		sender string
		to     []string
		want   []string
		code   string
		smtp   int
	}{
		{name: "the envelope, not the header", head: erp + "To: header@example.com\nSubject: s", to: []string{"envelope@example.com"},
			want: []string{"envelope@example.com"}},
		{name: "no envelope: To, Cc and Bcc", head: erp + "To: a@example.com\nCc: b@example.com\nBcc: c@example.com",
			want: []string{"a@example.com", "b@example.com", "c@example.com"}},
		{name: "each once", head: erp + "To: a@example.com", to: []string{"a@example.com", "a@EXAMPLE.com", "b@example.com"},
			want: []string{"a@example.com", "b@example.com"}},
		{name: "domain in Unicode", head: erp + "To: a@example.com", to: []string{"a@Bücher.example"},
			want: []string{"a@xn--bcher-kva.example"}},
		{name: "no recipient at all", head: erp + "Subject: s", code: "no_recipients", smtp: 554},
		{name: "half a header envelope is none", head: erp + "To: a@example.com, @@@broken", code: "", smtp: 554},
		{name: "bad recipient", head: erp + "To: a@example.com", to: []string{"no address"}, smtp: 554},
		{name: "null sender through an API", head: erp + "To: a@example.com", sender: "<>", to: []string{"a@example.com"},
			want: []string{"a@example.com"}},
		{name: "null sender over SMTP", head: relay + "To: a@example.com", sender: "<>", to: []string{"a@example.com"},
			want: []string{"a@example.com"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, refusal := w.take(letter{head: tt.head, sender: tt.sender, to: tt.to})
			if tt.smtp != 0 {
				if refusal == nil || refusal.SMTP != tt.smtp || tt.code != "" && refusal.Code != tt.code || refusal.Message.In("it") == "" {
					t.Fatalf("got %+v, want a refusal with %d %s", refusal, tt.smtp, tt.code)
				}
				return
			}
			if refusal != nil {
				t.Fatalf("refused: %+v", refusal)
			}
			m, dd := w.stored(got.ID)
			var env []string
			for _, r := range m.Envelope.Recipients {
				env = append(env, r.Address.String())
			}
			if len(dd) != 1 || !slices.Equal(addresses(dd[0]), tt.want) || !slices.Equal(env, tt.want) {
				t.Errorf("envelope %v, deliveries %+v, want %v", env, dd, tt.want)
			}
		})
	}
}

func TestMessageIsCompleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, graphConn("box", "erp@contoso.it", nil))
	got, refusal := w.take(letter{head: "From: erp@contoso.it\nTo: a@example.com\nX-Postino-Connection: box\nX-Other: kept",
		to: []string{"a@example.com"}})
	if refusal != nil {
		t.Fatal(refusal)
	}
	raw := w.raw(got.ID)
	m, _ := w.stored(got.ID)
	if strings.Contains(raw, "X-Postino-Connection") || !strings.Contains(raw, "X-Other: kept\r\n") || !strings.Contains(raw, "\r\nDate: ") {
		t.Errorf("stored:\n%s", raw)
	}
	if m.MessageID == "" || !strings.HasSuffix(m.MessageID, "@mx.contoso.it>") || m.MessageID != got.MessageID ||
		!strings.Contains(raw, m.MessageID) {
		t.Errorf("Message-ID %q, answered %q in\n%s", m.MessageID, got.MessageID, raw)
	}
	if m.Size != int64(len(raw)) || got.Size != m.Size {
		t.Errorf("size %d, answered %d, really %d", m.Size, got.Size, len(raw))
	}
}

// The Message-ID that came stays, but for a connection that is Gmail; what
// stands before a message and around an address is no part of them.
func TestAsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, smtpConn("box", "erp@contoso.it", func(c *gateway.Connection) { c.Fallback = []string{"google"} }),
		gmailConn("google", "g@contoso.it", nil))
	for from, kept := range map[string]bool{"erp@contoso.it": true, "g@contoso.it": false} {
		got, refusal := w.take(letter{head: "\ufeffFrom: " + from +
			"\nTo: \u200banna@example.com\nCc:\nMessage-ID: <1@host>\nDate: Sun,29 Nov 2026 10:00:00 Z",
			to: []string{"\u202aanna@example.com\u202c"}})
		if refusal != nil {
			t.Fatal(refusal)
		}
		m, d := w.stored(got.ID)
		raw := w.raw(got.ID)
		if (m.MessageID == "<1@host>") != kept || strings.Contains(raw, "X-Postino-Original-Message-ID: <1@host>\r\n") == kept {
			t.Errorf("%s: Message-ID %q in\n%s", from, m.MessageID, raw)
		}
		if !strings.HasPrefix(raw, "From: "+from+"\r\nTo: anna@example.com\r\n") || strings.Contains(raw, "Cc:") ||
			!strings.Contains(raw, "Date: Sun,29 Nov 2026 10:00:00 Z\r\n") {
			t.Errorf("stored:\n%s", raw)
		}
		if fmt.Sprint(addresses(d[0])) != "[anna@example.com]" {
			t.Errorf("delivery to %q", addresses(d[0]))
		}
	}
}

// Default mode always replaces From and Reply-To and keeps the original on record.
func TestAlways(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, graphConn("all", "noreply@contoso.it", func(c *gateway.Connection) {
		c.Default, c.DisplayName, c.ReplyTo = gateway.DefaultAlways, "Contoso è", "help@contoso.it"
	}))
	got, refusal := w.take(letter{head: "From: Scanner <scan@printer.lan>\nReply-To: x@y.it\nSender: z@y.it\nTo: a@example.com\nSubject: s",
		to: []string{"a@example.com"}, sender: "scan@printer.lan"})
	if refusal != nil {
		t.Fatal(refusal)
	}
	m, _ := w.stored(got.ID)
	raw := w.raw(got.ID)
	if m.From.String() != "noreply@contoso.it" || m.OriginalFrom.String() != "scan@printer.lan" ||
		m.Envelope.From.String() != "noreply@contoso.it" {
		t.Errorf("from %q, original %q, envelope %q", m.From, m.OriginalFrom, m.Envelope.From)
	}
	if !strings.Contains(raw, "<noreply@contoso.it>") || !strings.Contains(raw, "Reply-To: ") || !strings.Contains(raw, "help@contoso.it") ||
		strings.Contains(raw, "scan@printer.lan") || strings.Contains(raw, "x@y.it") || strings.Contains(raw, "Sender: z") {
		t.Errorf("stored:\n%s", raw)
	}
}

func TestSplitting(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, gmailConn("gmail", "erp@contoso.it", nil), smtpConn("relay", "relay@contoso.it", nil))
	all := recipients(1201)
	got, refusal := w.take(letter{to: all})
	if refusal != nil {
		t.Fatal(refusal)
	}
	m, dd := w.stored(got.ID)
	if len(m.Envelope.Recipients) != len(all) {
		t.Errorf("%d recipients in the envelope", len(m.Envelope.Recipients))
	}
	var sum []string
	for _, d := range dd {
		if len(d.Recipients) > 500 { // contracts C3.2
			t.Errorf("a delivery with %d recipients", len(d.Recipients))
		}
		sum = append(sum, addresses(d)...)
	}
	if !slices.Equal(sum, all) {
		t.Errorf("%d deliveries hold %d recipients", len(dd), len(sum))
	}
	if got, refusal = w.take(letter{head: "From: relay@contoso.it\nSubject: s", to: all}); refusal != nil {
		t.Fatal(refusal)
	} else if _, dd := w.stored(got.ID); len(dd) != 1 {
		t.Errorf("%d deliveries over SMTP, want one", len(dd))
	}
	if _, refusal = w.take(letter{to: recipients(10001)}); refusal == nil || !refusal.Temporary() || refusal.Code != "too_many_recipients" {
		t.Errorf("10,001 recipients: %+v", refusal)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	small := func(o *Options) { o.MaxSize = 1 << 20 }
	w := newWorld(t, small, graphConn("box", "erp@contoso.it", nil))
	senders := &store.Client{ID: "c", Name: "c", Senders: []string{"*@printer.lan"}}
	quick := &store.Client{ID: "q", Name: "q", PerMinute: 2}
	tests := []struct {
		name  string
		l     letter
		times int
		code  string
		smtp  int
		text  string
	}{
		{name: "no From", l: letter{head: "To: a@example.com\nSubject: s"}, smtp: 554, code: "no_from"},
		{name: "From that cannot be read", l: letter{head: "From: Contoso <erp@contoso.it\nTo: a@example.com"}, smtp: 554, code: "bad_address",
			text: `"Contoso <erp@contoso.it"`},
		{name: "one From of two cannot be read", l: letter{head: "From: erp@contoso.it, scanner\nTo: a@example.com"}, smtp: 554,
			code: "bad_address", text: `"scanner"`},
		{name: "empty From", l: letter{head: "From:\nTo: a@example.com"}, smtp: 554, code: "no_from"},
		{name: "words run together", l: letter{head: "From: erp@contoso.it\nTo: Anna Rossi anna@example.com"}, smtp: 554, code: "bad_address",
			text: `"Anna Rossi anna@example.com"`},
		{name: "invisible inside", l: letter{head: "From: erp@contoso.it\nTo: an\u200bna@example.com"}, smtp: 554,
			code: "bad_address", text: "U+200B"},
		{name: "UTF-16", l: letter{head: "\xff\xfeF\x00r\x00o\x00m\x00"}, smtp: 554, code: "utf16"},
		{name: "NUL", l: letter{body: "a\x00b\r\n", to: []string{"a@example.com"}}, smtp: 554},
		{name: "a sender that the client may not use", l: letter{to: []string{"a@example.com"}, Request: Request{Client: senders}}, smtp: 550,
			code: "sender_not_allowed"},
		{name: "too fast", l: letter{to: []string{"a@example.com"}, Request: Request{Client: quick}}, times: 3, smtp: 450, code: "rate"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var refusal *Refusal
			for range max(1, tt.times) {
				_, refusal = w.take(tt.l)
			}
			if refusal == nil || refusal.SMTP != tt.smtp || tt.code != "" && refusal.Code != tt.code || refusal.Message.In("it") == "" ||
				!strings.Contains(refusal.Message.String(), cmp.Or(tt.text, " ")) {
				t.Errorf("got %+v, want %d %s", refusal, tt.smtp, tt.code)
			}
		})
	}
	by := programs.Peer{}
	if err := w.CheckMail(t.Context(), nil, by, mailboxtest.Of("erp@contoso.it"), 2<<20); AsRefusal(err) == nil || AsRefusal(err).SMTP != 552 {
		t.Errorf("2 MiB announced at MAIL FROM: %v", err)
	}
	if err := w.CheckMail(t.Context(), senders, by, mailboxtest.Of("erp@contoso.it"), 0); AsRefusal(err) == nil ||
		AsRefusal(err).Code != "sender_not_allowed" {
		t.Errorf("a foreign sender at MAIL FROM: %v", err)
	}
	if err := w.CheckMail(t.Context(), senders, by, mailboxtest.Of("scan@printer.lan"), 1000); err != nil {
		t.Errorf("an allowed sender at MAIL FROM: %v", err)
	}
}

// What the chosen route cannot carry takes its fallback, or is refused.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	body := strings.Repeat(strings.Repeat("x", 76)+"\r\n", gmail.MaxSize/78+1)
	w := newWorld(t, nil, gmailConn("alone", "a@contoso.it", nil),
		gmailConn("helped", "b@contoso.it", func(c *gateway.Connection) { c.Fallback = []string{"relay"} }),
		smtpConn("relay", "x@other.it", nil))
	if _, refusal := w.take(letter{head: "From: a@contoso.it\nSubject: s", body: body, to: []string{"a@example.com"},
		sender: "a@contoso.it"}); refusal == nil || refusal.SMTP != 552 {
		t.Errorf("without a fallback: %+v", refusal)
	}
	got, refusal := w.take(letter{head: "From: b@contoso.it\nSubject: s", body: body, to: []string{"a@example.com"}, sender: "b@contoso.it"})
	if refusal != nil {
		t.Fatal(refusal)
	}
	if got.Connection.Name != "relay" {
		t.Errorf("through %s", got.Connection.Name)
	}
	if raw := w.raw(got.ID); !strings.HasSuffix(raw, "\r\n\r\n"+body) {
		t.Error("the stored body is another one")
	}
}

// AsRefusal never shows a cause, and never makes a fault of ours permanent.
func TestAsRefusal(t *testing.T) {
	t.Parallel()
	if AsRefusal(nil) != nil {
		t.Error("nil is a refusal")
	}
	for _, err := range []error{store.ErrUnavailable, fmt.Errorf("disk: %w", store.ErrUnavailable), errors.New("secret cause"),
		context.DeadlineExceeded, spool.ErrTooLarge} {
		r := AsRefusal(err)
		if errors.Is(err, spool.ErrTooLarge) {
			continue // the entry points count bytes themselves
		}
		if !r.Temporary() || r.HTTP < 500 || strings.Contains(r.Error(), "secret") || !errors.Is(r, err) {
			t.Errorf("%v: %+v", err, r)
		}
	}
}
