package webhook

import (
	"context"
	"errors"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

// Create stores a new webhook with a secret of its own, which is returned this
// once. The webhook is inactive until its secret is sealed for its id.
func Create(ctx context.Context, st store.Events, sealer store.Sealer, h store.Webhook) (*store.Webhook, adapters.Secret, error) {
	active := h.Active
	h.Active = false
	stored, err := st.PutWebhook(ctx, h)
	if err != nil {
		return nil, "", err
	}
	secret, err := NewKey(sealer, stored)
	if err != nil {
		return nil, "", err
	}
	stored.Active = active
	stored, err = st.PutWebhook(ctx, *stored)
	return stored, secret, err
}

// NewKey seals a new secret into a webhook, which is stored by the caller.
func NewKey(sealer store.Sealer, h *store.Webhook) (adapters.Secret, error) {
	secret := newSecret()
	sealed, err := sealer.Seal(h.ID, secretPath, secret)
	h.Secret = sealed
	return secret, err
}

// Edit changes a webhook, again where the worker moved it on meanwhile, and ends
// the wait after failures. read finds the webhook.
func Edit(ctx context.Context, st store.Events, read func() (*store.Webhook, error), edit func(*store.Webhook) error) (*store.Webhook,
	error) {
	for range 10 {
		h, err := read()
		if err != nil {
			return nil, err
		}
		if err := edit(h); err != nil {
			return nil, err
		}
		h.Failures, h.LastError, h.NextAt = 0, "", time.Time{}
		stored, err := st.PutWebhook(ctx, *h)
		if !errors.Is(err, store.ErrConflict) {
			return stored, err
		}
	}
	return nil, store.ErrConflict
}
