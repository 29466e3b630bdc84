package outbox

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

// The event of a delivery is what the API's document says of it: no field more.
func TestEventDataIsDocumented(t *testing.T) {
	t.Parallel()
	failure := &adapters.Error{Class: adapters.Throttled, Scope: "mailbox", Provider: adapters.Graph, Code: "x", ProviderCode: "y",
		Status: 429, Enhanced: "4.7.0", RetryAfter: time.Second, Message: mime.NewText("outbox.test", "a"),
		Hint:      mime.NewText("outbox.test", "b"),
		RequestID: "r", ProviderID: "p", NoRetry: true, TooLarge: true, Concurrency: true, Err: errors.New("never shown")}
	data, err := json.Marshal(eventData{"<a@b>", store.Failed, adapters.Throttled, "c", []store.Recipient{{
		Recipient: mime.Recipient{Address: mailboxtest.Of("a@example.com"), Notify: []mime.Notify{mime.NotifyNever},
			ORcpt: "rfc822;a@example.com"},
		State: store.RecipientFailed, Error: failure, At: time.Now()}}, failure, store.Label{Tag: "t", Metadata: store.Metadata{"order": "42"}}})
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(new(view.DeliveryData)); err != nil {
		t.Errorf("%v in %s", err, data)
	}
}
