package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/postino-mail/postino/internal/store"
)

// resealBatch is how many records are sealed again in one transaction.
const resealBatch = 50

// webhookSecret is the path of the secret of a webhook.
const webhookSecret = "secret"

// Reseal implements store.Resealing.
func (p Ports) Reseal(ctx context.Context, stale func([]byte) bool, dry bool) (out store.Resealed, err error) {
	for _, part := range []struct {
		ids    string
		reseal func(Tx, string, func([]byte) bool, bool) (store.Resealed, error)
	}{
		{ids: `SELECT id FROM connections ORDER BY id`, reseal: p.resealConnection},
		{ids: `SELECT id FROM webhooks ORDER BY id`, reseal: p.resealWebhook},
	} {
		var ids []string
		if err := p.DB.List(ctx, part.ids, nil, func() { ids = nil }, func(sc Scan) error {
			var id string
			err := sc(&id)
			ids = append(ids, id)
			return err
		}); err != nil {
			return out, err
		}
		for some := range slices.Chunk(ids, resealBatch) {
			var sum store.Resealed
			if err := p.DB.Do(ctx, func(t Tx) error {
				sum = store.Resealed{}
				for _, id := range some {
					n, err := part.reseal(t, id, stale, dry)
					if err != nil && !errors.Is(err, store.ErrNotFound) { // removed meanwhile
						return err
					}
					sum.Done += n.Done
					sum.Closed += n.Closed
				}
				return nil
			}); err != nil {
				return out, err
			}
			out.Done += sum.Done
			out.Closed += sum.Closed
		}
	}
	out.Answers, err = p.staleAnswers(ctx, stale)
	return out, err
}

func (p Ports) resealConnection(t Tx, id string, stale func([]byte) bool, dry bool) (n store.Resealed, err error) {
	var text string
	if err := t.Row(`SELECT sealed FROM connections WHERE id = $1`+t.Lock(), []any{id}, &text); err != nil {
		return n, err
	}
	secrets := map[string][]byte{}
	if err := json.Unmarshal([]byte(text), &secrets); err != nil { // corrupt: there is nothing to seal again
		n.Closed++
		return n, nil //nolint:nilerr // it is counted
	}
	for _, path := range slices.Sorted(maps.Keys(secrets)) {
		if !stale(secrets[path]) {
			continue
		}
		next, err := p.resealed(id, path, secrets[path], &n)
		if err != nil {
			return n, err
		}
		secrets[path] = next
	}
	if n.Done == 0 || dry {
		return n, nil
	}
	sealed, err := json.Marshal(secrets)
	if err != nil {
		return n, err
	}
	_, err = t.Exec(`UPDATE connections SET sealed = $2 WHERE id = $1`, id, string(sealed))
	return n, err
}

// resealed seals a secret again, and counts it. One that does not open stays.
func (p Ports) resealed(owner, path string, sealed []byte, n *store.Resealed) ([]byte, error) {
	secret, err := p.Sealer.Open(owner, path, sealed)
	if err != nil {
		n.Closed++
		return sealed, nil //nolint:nilerr // it is counted
	}
	n.Done++
	return p.Sealer.Seal(owner, path, secret)
}

func (p Ports) resealWebhook(t Tx, id string, stale func([]byte) bool, dry bool) (n store.Resealed, err error) {
	var doc string
	if err := t.Row(`SELECT doc FROM webhooks WHERE id = $1`+t.Lock(), []any{id}, &doc); err != nil {
		return n, err
	}
	var h store.Webhook
	if err := json.Unmarshal([]byte(doc), &h); err != nil {
		n.Closed++
		return n, nil //nolint:nilerr // it is counted
	}
	if len(h.Secret) == 0 || !stale(h.Secret) {
		return n, nil
	}
	if h.Secret, err = p.resealed(id, webhookSecret, h.Secret, &n); err != nil || n.Done == 0 || dry {
		return n, err
	}
	b, err := json.Marshal(h)
	if err != nil {
		return n, err
	}
	_, err = t.Exec(`UPDATE webhooks SET doc = $2 WHERE id = $1`, id, string(b))
	return n, err
}

// keepResealed keeps the stored secret of a webhook where it is the one that h has: who
// read h before it was sealed again must not bring back what the old key opens.
func (p Ports) keepResealed(t Tx, h *store.Webhook) error {
	var doc string
	err := t.Row(`SELECT doc FROM webhooks WHERE id = $1`+t.Lock(), []any{h.ID}, &doc)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	var stored store.Webhook
	if err != nil || json.Unmarshal([]byte(doc), &stored) != nil || bytes.Equal(stored.Secret, h.Secret) {
		return err
	}
	was, err := p.Sealer.Open(h.ID, webhookSecret, stored.Secret)
	if err != nil {
		return nil //nolint:nilerr // what does not open is not worth keeping
	}
	if now, err := p.Sealer.Open(h.ID, webhookSecret, h.Secret); err == nil && now == was {
		h.Secret = stored.Secret
	}
	return nil
}

// staleAnswers counts the sealed answers of idempotency keys: they are texts, those
// of submissions are objects.
func (p Ports) staleAnswers(ctx context.Context, stale func([]byte) bool) (n int, err error) {
	err = p.DB.List(ctx, `SELECT answer FROM idempotency WHERE answer LIKE '"%'`, nil, func() { n = 0 }, func(sc Scan) error {
		var text string
		if err := sc(&text); err != nil {
			return err
		}
		var sealed []byte
		if json.Unmarshal([]byte(text), &sealed) == nil && len(sealed) > 0 && stale(sealed) {
			n++
		}
		return nil
	})
	return n, err
}
