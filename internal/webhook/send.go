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
	"net/url"
	"strconv"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

// SecretPath is the path under which a webhook's secret is sealed; its owner
// is the webhook's id.
const SecretPath = "secret"

// NewSecret makes a signing secret as Standard Webhooks writes it.
func NewSecret() adapters.Secret {
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

// MessageID is the webhook-id of an event: the same at every try.
func MessageID(hook string, seq int64) string {
	return "evt_" + hook + "_" + strconv.FormatInt(seq, 10)
}

// A goneError: the receiver answered 410, which means never again.
type goneError struct{}

func (*goneError) Error() string { return "the receiver answered 410 Gone: it wants no more events" }

func (w *Worker) send(ctx context.Context, h *store.Webhook, secret adapters.Secret, e *store.Event) error {
	data := e.Data
	if len(data) == 0 {
		data = json.RawMessage("{}")
	}
	body, err := json.Marshal(Payload{Type: e.Type, Timestamp: e.At, Seq: e.Seq, Client: e.Client, Message: e.Message.String(),
		Delivery: e.Delivery.String(), Data: data})
	if err != nil {
		return fmt.Errorf("event %d cannot be written: %w", e.Seq, err)
	}
	signer, err := standardwebhooks.NewWebhook(secret.Reveal())
	if err != nil {
		return errors.New("the webhook's secret is not valid: rotate it")
	}
	id, now := MessageID(h.ID, e.Seq), w.opt.Now()
	signature, err := signer.Sign(id, now, body)
	if err != nil {
		return fmt.Errorf("event %d cannot be signed: %w", e.Seq, err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("the webhook's URL cannot be read")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "postino-webhooks/1")
	r.Header.Set(standardwebhooks.HeaderWebhookID, id)
	r.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	r.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	res, err := w.http.Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the URL, which may hold a token
		}
		return fmt.Errorf("the receiver cannot be reached: %w", err)
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 4<<10) // so that the connection can be used again; its content does not matter
	switch {
	case res.StatusCode >= 200 && res.StatusCode < 300:
		return nil
	case res.StatusCode == http.StatusGone:
		return &goneError{}
	}
	return fmt.Errorf("the receiver answered %d", res.StatusCode)
}
