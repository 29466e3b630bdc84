package view

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/all"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// What programs read does not change by accident: each record in its form.
func TestForms(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 8, 30, 0, 0, time.UTC)
	later := now.Add(time.Hour)
	var slow mime.Text
	if err := json.Unmarshal([]byte(`{"en":"slow down","it":"rallentare"}`), &slow); err != nil {
		t.Fatal(err)
	}
	failure := &adapters.Error{Class: adapters.Throttled, Status: 429, Message: slow, RetryAfter: 90 * time.Second}
	lane := &store.Lane{Key: "graph:a@contoso.it", Queued: 2, PausedUntil: later, Reason: slow}
	minutes := 5
	for name, c := range map[string]struct {
		got  any
		want string
	}{
		"error":    {OfError(failure, "it"), `{"class":"throttled","status":429,"message":"rallentare","retry_after_seconds":90}`},
		"no error": {OfError(nil, "en"), `null`},
		"delivery": {OfDelivery(&store.Delivery{Attempts: 1, CreatedAt: now, ExpiresAt: later,
			Progress:   store.Progress{NotifyFailed: true, Error: failure},
			Recipients: []store.Recipient{{Recipient: mime.Recipient{Address: mailboxtest.Of("a@example.com")}, State: store.Pending}}},
			ConnectionRef{ID: "c1", Name: "Office"}, "en"),
			`{"id":"","message":"","state":"queued","connection":{"id":"c1","name":"Office"},"lane":"",` +
				`"recipients":[{"address":"a@example.com","state":"pending"}],"attempts":1,"created_at":"2026-01-31T08:30:00Z",` +
				`"expires_at":"2026-01-31T09:30:00Z","notify_failed":true,` +
				`"error":{"class":"throttled","status":429,"message":"slow down","retry_after_seconds":90}}`},
		"lane": {OfLane(lane, now, "en"), `{"key":"graph:a@contoso.it","queued":2,"in_flight":0,"used_today":0,"recipients_per_day":0,` +
			`"concurrency":0,"per_minute":0,"paused":true,"paused_until":"2026-01-31T09:30:00Z","reason":"slow down"}`},
		"lane after its pause": {OfLane(lane, later, "en"), `{"key":"graph:a@contoso.it","queued":2,"in_flight":0,"used_today":0,` +
			`"recipients_per_day":0,"concurrency":0,"per_minute":0,"paused":false}`},
		"connection state that waits for a person": {
			OfConnection(&gateway.Connection{}, registry.Status{State: store.ConnectionState{PausedUntil: store.Never()}}, now, "en").State,
			`{"paused":true,"breaker":"closed"}`},
		"client": {OfClient(&store.Client{ID: "1", Name: "erp", SecretHash: "x", ResubmitMinutes: &minutes, CreatedAt: now}),
			`{"id":"1","revision":0,"has_secret":true,"name":"erp","resubmit_minutes":5,"created_at":"2026-01-31T08:30:00Z"}`},
		"key": {OfKey(&store.APIKey{ID: "1", Name: "shop", Hash: "x", Scopes: []string{"admin"}, CreatedAt: now}),
			`{"id":"1","name":"shop","scopes":["admin"],"created_at":"2026-01-31T08:30:00Z"}`},
		"webhook": {OfWebhook(&store.Webhook{ID: "1", URL: "https://example.com/", Secret: []byte("x"), Active: true, Cursor: 7, CreatedAt: now}),
			`{"id":"1","url":"https://example.com/","active":true,"cursor":7,"created_at":"2026-01-31T08:30:00Z"}`},
		"event": {OfEvent(&store.Event{Seq: 3, Type: "delivery.sent", At: now}), `{"seq":3,"type":"delivery.sent","at":"2026-01-31T08:30:00Z"}`},
	} {
		got, err := json.Marshal(c.got)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

// A connection that was shown can be given back: whatever its view adds is read
// over, and what is misspelt is refused still.
func TestShownConnectionIsReadAgain(t *testing.T) {
	t.Parallel()
	c, err := gateway.Parse([]byte(`{"name":"x","provider":"smtp","from":"a@example.com","smtp":{"host":"smtp.example.com"},"owner":"o"}`))
	if err != nil {
		t.Fatal(err)
	}
	status := registry.Status{State: store.ConnectionState{Error: &adapters.Error{Class: adapters.Auth}}, Lane: &store.Lane{Key: "k"}}
	shown, err := json.Marshal(OfConnection(c, status, time.Now(), "en"))
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(shown, &fields); err != nil || fields["state"] == nil || fields["lane"] == nil {
		t.Fatalf("%s, %v", shown, err)
	}
	if again, err := gateway.Parse(shown); err != nil || !reflect.DeepEqual(again, c) {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := all.ParseConnection(shown); err != nil {
		t.Errorf("a program of one's own: %v", err)
	}
	fields["stat"] = fields["state"]
	misspelt, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gateway.Parse(misspelt); err == nil {
		t.Error("a misspelt field was taken")
	}
}
