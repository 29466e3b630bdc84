package submit

import (
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
)

// A null sender stays one, whatever the route; where an API loses it, the
// header says that no program is to answer (RFC 3834).
func TestNullSender(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, graphConn("box", "erp@contoso.it", nil), smtpConn("relay", "relay@contoso.it", nil),
		smtpConn("second", "second@contoso.it", func(c *gateway.Connection) { c.Fallback = []string{"box"} }))
	for from, c := range map[string]struct{ head, want string }{
		"API":                       {"From: erp@contoso.it", "auto-generated"},
		"API, marked already":       {"From: erp@contoso.it\nAuto-Submitted: auto-replied", "auto-replied"},
		"API, marked as the other":  {"From: erp@contoso.it\nAuto-Submitted: No", "auto-generated"},
		"SMTP":                      {"From: relay@contoso.it", ""},
		"SMTP, API as its fallback": {"From: second@contoso.it", "auto-generated"},
	} {
		got, refusal := w.take(letter{head: c.head, sender: "<>", to: []string{"a@example.com"}})
		if refusal != nil {
			t.Fatalf("%s: %v", from, refusal)
		}
		m, _ := w.stored(got.ID)
		raw := w.raw(got.ID)
		_, value, found := strings.Cut(raw, "Auto-Submitted: ")
		value, _, _ = strings.Cut(value, "\r\n")
		if !m.Envelope.From.IsZero() || value != c.want || found != (c.want != "") {
			t.Errorf("%s: sender %q, marked %q, want %q\n%s", from, m.Envelope.From, value, c.want, raw)
		}
	}
	got, refusal := w.take(letter{head: "From: erp@contoso.it", to: []string{"a@example.com"}})
	if refusal != nil || strings.Contains(w.raw(got.ID), "Auto-Submitted") {
		t.Errorf("mail of a person is marked: %v", refusal)
	}
}

// Resent-From and Resent-Sender say who sends as From and Sender do (RFC 5322
// section 3.6.6); an earlier re-sending is history.
func TestResentSenderOfAClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, graphConn("box", "erp@contoso.it", nil))
	client := &store.Client{ID: "c1", Name: "erp", Senders: []string{"erp@contoso.it"}}
	for head, code := range map[string]string{
		"Resent-From: erp@contoso.it\nResent-To: x@example.com":                                                "",
		"Resent-From: ceo@contoso.it\nResent-To: x@example.com":                                                "sender_not_allowed",
		"Resent-From: erp@contoso.it\nResent-Sender: ceo@contoso.it\nResent-To: x@example.com":                 "sender_not_allowed",
		"Resent-From: erp@contoso.it\nResent-To: x@example.com\nResent-From: a@b.it\nResent-To: y@example.com": "",
	} {
		l := letter{head: head + "\nFrom: erp@contoso.it", sender: "erp@contoso.it", to: []string{"a@example.com"}}
		l.Client = client
		_, refusal := w.take(l)
		if refusal == nil && code != "" || refusal != nil && refusal.Code != code {
			t.Errorf("%s: %v, want %q", head, refusal, code)
		}
	}
}

// A client's senders bound the envelope as well as the header, whatever entry
// point it came by.
func TestEnvelopeSenderOfAClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, graphConn("box", "erp@contoso.it", nil))
	client := &store.Client{ID: "c1", Name: "erp", Senders: []string{"erp@contoso.it"}}
	for sender, code := range map[string]string{"erp@contoso.it": "", "<>": "", "ceo@contoso.it": "sender_not_allowed"} {
		l := letter{head: "From: erp@contoso.it", sender: sender, to: []string{"a@example.com"}}
		l.Client = client
		_, refusal := w.take(l)
		if refusal == nil && code != "" || refusal != nil && refusal.Code != code {
			t.Errorf("%s: %v, want %q", sender, refusal, code)
		}
	}
}
