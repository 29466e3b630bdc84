package submit

import (
	"encoding/json"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// FuzzAcceptedEvent compares with what encoding/json makes of the same fields.
func FuzzAcceptedEvent(f *testing.F) {
	for _, s := range []string{"", "Fattura 12", "<1@contoso.it>", "Citt\u00e0 \u2028 & <b>\"x\"\\</b>\x00\x7f\t", "\xff\xfe", "a\u00ff"} {
		f.Add(s, "anna@example.com", "")
		f.Add("<1@x.it>", `"`+s+`"@x.it`, s)
	}
	f.Fuzz(func(t *testing.T, subject, to, tag string) {
		var pairs store.Metadata
		if tag != "" {
			pairs = store.Metadata{tag: subject, "b": to}
		}
		m := &store.NewMessage{Message: store.Message{MessageID: "<1@x.it>", From: mailboxtest.Of("a@x.it"), Subject: subject, Tag: tag,
			Metadata: pairs,
			Envelope: mime.Envelope{Recipients: []mime.Recipient{{Address: mailboxtest.Of(to)}, {Address: mailboxtest.Of("b@x.it")}}}}}
		want, err := json.Marshal(struct {
			MessageID      string `json:"message_id"`
			Connection     string `json:"connection"`
			From           string `json:"from"`
			Subject        string `json:"subject"`
			Tag            string `json:"tag,omitempty"`
			store.Metadata `json:"metadata,omitempty"`
			Recipients     []string `json:"recipients"`
		}{m.MessageID, "c1", m.From.String(), m.Subject, m.Tag, pairs, []string{mailboxtest.Of(to).String(), "b@x.it"}})
		if err != nil {
			t.Fatal(err)
		}
		if got := accepted(m, &gateway.Connection{Connection: adapters.Connection{ID: "c1"}}); string(got.Data) != string(want) ||
			got.Message.IsZero() || got.Message != m.ID {
			t.Errorf("got  %s\nwant %s", got.Data, want)
		}
	})
}
