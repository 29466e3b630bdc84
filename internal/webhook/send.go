package webhook

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// secretPath is the path under which a webhook's secret is sealed; its owner
// is the webhook's id.
const secretPath = "secret"

// newSecret makes a signing secret as Standard Webhooks writes it.
func newSecret() adapters.Secret {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return adapters.Secret("whsec_" + base64.StdEncoding.EncodeToString(b))
}

// A Payload is the body of a webhook request.
type Payload struct {
	Type      string          `json:"type"`
	Timestamp time.Time       `json:"timestamp"`
	Seq       int64           `json:"seq"`
	Client    string          `json:"client,omitempty"`
	Message   string          `json:"message,omitempty"`
	Delivery  string          `json:"delivery,omitempty"`
	Data      json.RawMessage `json:"data"`
}

// messageID is the webhook-id of an event: the same at every try.
func messageID(hook string, seq int64) string {
	return "evt_" + hook + "_" + strconv.FormatInt(seq, 10)
}

// A Sender calls the receivers of webhooks. Safe for concurrent use.
type Sender struct {
	sealer store.Sealer
	http   *http.Client
	now    func() time.Time
}

// NewSender makes a Sender; networks are those of Options.
func NewSender(sealer store.Sealer, networks []netip.Prefix) *Sender {
	return &Sender{sealer: sealer, http: newClient(networks), now: time.Now}
}

// Close ends connections that wait for a next call.
func (s *Sender) Close() { s.http.CloseIdleConnections() }

// testType is the type of the event that Test sends.
const testType = "webhook.test"

// Test sends an event that tells of nothing, signed and delivered as every other
// one, and returns what came of it. Nothing is stored.
func (s *Sender) Test(ctx context.Context, h *store.Webhook) store.WebhookCall {
	e := store.Event{Type: testType, At: s.now().UTC(), Data: json.RawMessage(`{"test":true}`)}
	secret, err := s.sealer.Open(h.ID, secretPath, h.Secret)
	if err != nil {
		return store.WebhookCall{Type: e.Type, At: e.At, Problem: mime.NewText("webhook.secret_closed",
			"the webhook's secret does not open with this key: rotate it")}
	}
	return s.call(ctx, h, secret, &e, "evt_"+h.ID+"_test_"+store.NewID().String())
}

// call sends one event under the id that the receiver knows it by.
func (s *Sender) call(ctx context.Context, h *store.Webhook, secret adapters.Secret, e *store.Event, id string) store.WebhookCall {
	began := s.now()
	c := store.WebhookCall{ID: id, Seq: e.Seq, Type: e.Type, At: store.Micro(began)}
	var err error
	c.Status, err = s.post(ctx, h, secret, e, id)
	c.Took = max(s.now().Sub(began), 0)
	switch known := new(texterr.Error); {
	case err == nil:
	case errors.As(err, &known) && known.Err == nil:
		c.Problem = known.Text
	default:
		c.Problem = mime.NewText("webhook.unreachable", "the receiver cannot be reached: {reason}", "reason", texterr.Reason{Err: err})
	}
	return c
}

// post returns the status of the answer; 0: there was none. An error of one of our
// texts says what is wrong, any other why there is no answer.
func (s *Sender) post(ctx context.Context, h *store.Webhook, secret adapters.Secret, e *store.Event, id string) (status int, err error) {
	data := e.Data
	if len(data) == 0 {
		data = json.RawMessage("{}")
	}
	body, err := json.Marshal(Payload{Type: e.Type, Timestamp: e.At, Seq: e.Seq, Client: e.Client, Message: e.Message.String(),
		Delivery: e.Delivery.String(), Data: data})
	if err != nil {
		return 0, fmt.Errorf("event %d cannot be written: %w", e.Seq, err)
	}
	signer, err := standardwebhooks.NewWebhook(secret.Reveal())
	if err != nil {
		return 0, texterr.New(mime.NewText("webhook.secret_invalid", "the webhook's secret is not valid: rotate it"))
	}
	now := s.now()
	signature, err := signer.Sign(id, now, body)
	if err != nil {
		return 0, fmt.Errorf("event %d cannot be signed: %w", e.Seq, err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return 0, texterr.New(mime.NewText("webhook.url_invalid", "the webhook's URL cannot be read"))
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "postino-webhooks/1")
	r.Header.Set(standardwebhooks.HeaderWebhookID, id)
	r.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	r.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	res, err := s.http.Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the URL, which may hold a token
		}
		return 0, err
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 4<<10) // so that the connection can be used again; its content does not matter
	switch {
	case res.StatusCode >= 200 && res.StatusCode < 300:
		return res.StatusCode, nil
	case res.StatusCode == http.StatusGone:
		return res.StatusCode, texterr.New(mime.NewText("webhook.gone", "the receiver answered 410 Gone: it wants no more events"))
	}
	return res.StatusCode, texterr.New(mime.NewText("webhook.answered", "the receiver answered {status}", "status", res.StatusCode))
}
