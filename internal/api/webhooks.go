package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/internal/webhook"
)

// WebhookSettings are what can be set of a webhook.
type WebhookSettings struct {
	URL    string   `json:"url" minLength:"1" maxLength:"2000" example:"https://example.com/hooks/postino"`
	Types  []string `json:"types,omitempty" maxItems:"50" doc:"Absent: all events"`
	Active *bool    `json:"active,omitempty" doc:"Absent means true"`
}

type (
	WebhookPath struct {
		ID string `path:"id" maxLength:"100"`
	}
	webhookCreate struct {
		Body struct {
			WebhookSettings
			Client string `json:"client,omitempty" maxLength:"200" doc:"Id or name: only its events"`
			After  *int64 `json:"after,omitempty" minimum:"0" doc:"Begin after this event; absent: with the next one"`
		}
	}
	webhookReplace struct {
		WebhookPath
		Body WebhookSettings
	}
	webhookReplay struct {
		WebhookPath
		Body struct {
			After int64 `json:"after" minimum:"0" doc:"Every event after this one is sent again; 0: all that are kept"`
		}
	}
)

func (s *Server) webhookRoutes() {
	register(s.router, op("list-webhooks", http.MethodGet, "/v1/webhooks", eventsTag, ScopeEventsRead, "List webhooks", ""), s.listWebhooks)
	create := op("create-webhook", http.MethodPost, "/v1/webhooks", eventsTag, ScopeEventsRead, "Create a webhook",
		"Events are sent in order, signed as Standard Webhooks asks, each until it is answered with 2xx: after 5 s, then twice as long up to an hour. The same event has the same webhook-id at every try. The secret is shown in this answer and never again.")
	create.DefaultStatus = http.StatusCreated
	register(s.router, create, s.createWebhook)
	register(s.router, op("get-webhook", http.MethodGet, "/v1/webhooks/{id}", eventsTag, ScopeEventsRead, "Get a webhook", ""), func(ctx context.Context, in *WebhookPath) (*bodyOf[view.Webhook], error) {
		h, err := s.hook(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return &bodyOf[view.Webhook]{view.OfWebhook(h)}, nil
	})
	register(s.router, op("replace-webhook", http.MethodPut, "/v1/webhooks/{id}", eventsTag, ScopeEventsRead, "Change a webhook", "What waits is tried again at once."), s.replaceWebhook)
	register(s.router, op("delete-webhook", http.MethodDelete, "/v1/webhooks/{id}", eventsTag, ScopeEventsRead, "Delete a webhook", ""), func(ctx context.Context, in *WebhookPath) (*noBody, error) {
		h, err := s.hook(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return &noBody{}, s.opt.Store.DeleteWebhook(ctx, h.ID)
	})
	register(s.router, op("rotate-webhook", http.MethodPost, "/v1/webhooks/{id}/rotate", eventsTag, ScopeEventsRead, "Give a webhook a new secret", "The old one ends at once."), s.rotateWebhook)
	register(s.router, op("replay-webhook", http.MethodPost, "/v1/webhooks/{id}/replay", eventsTag, ScopeEventsRead, "Send events again", ""), func(ctx context.Context, in *webhookReplay) (*bodyOf[view.Webhook], error) {
		return s.editWebhook(ctx, in.ID, func(h *store.Webhook) error {
			h.Cursor, h.Active = in.Body.After, true
			return nil
		})
	})
}

// A WebhookList is all webhooks that the caller may see.
type WebhookList struct {
	Items []view.Webhook `json:"items"`
}

func (s *Server) listWebhooks(ctx context.Context, _ *struct{}) (*bodyOf[WebhookList], error) {
	all, err := s.opt.Store.Webhooks(ctx)
	if err != nil {
		return nil, err
	}
	own := caller(ctx).clientID()
	out := WebhookList{Items: []view.Webhook{}}
	for i := range all {
		if own == "" || all[i].Client == own {
			out.Items = append(out.Items, view.OfWebhook(&all[i]))
		}
	}
	return &bodyOf[WebhookList]{out}, nil
}

// hook finds a webhook that the caller may see.
func (s *Server) hook(ctx context.Context, id string) (*store.Webhook, error) {
	h, err := s.opt.Store.Webhook(ctx, id)
	if err != nil {
		return nil, err
	}
	if own := caller(ctx).clientID(); own != "" && h.Client != own {
		return nil, store.ErrNotFound
	}
	return h, nil
}

func (s *Server) checkURL(url string) error {
	if wrong, ok := webhook.CheckURL(url, s.opt.WebhookNetworks); !ok {
		return invalid("url", wrong.EN, wrong.IT)
	}
	return nil
}

func (s *Server) createWebhook(ctx context.Context, in *webhookCreate) (*bodyOf[view.Webhook], error) {
	b := &in.Body
	if err := s.checkURL(b.URL); err != nil {
		return nil, err
	}
	h := store.Webhook{URL: b.URL, Types: b.Types, Client: caller(ctx).clientID(), CreatedAt: store.Micro(s.opt.Now())}
	if b.Client != "" {
		c, err := s.clientOf(ctx, b.Client)
		if err != nil || h.Client != "" && c.ID != h.Client {
			return nil, invalid("client", "there is no such client, or it is not this key's", "il client non esiste o non è quello di questa chiave")
		}
		h.Client = c.ID
	}
	if err := s.roomForWebhook(ctx, h.Client); err != nil {
		return nil, err
	}
	var err error
	if b.After != nil {
		h.Cursor = *b.After
	} else if h.Cursor, err = s.opt.Store.LastEvent(ctx); err != nil {
		return nil, err
	}
	stored, err := s.opt.Store.PutWebhook(ctx, h) // inactive: the secret is sealed for the id that it has now
	if err != nil {
		return nil, err
	}
	secret := webhook.NewSecret()
	if stored.Secret, err = s.opt.Sealer.Seal(stored.ID, webhook.SecretPath, secret); err != nil {
		return nil, err
	}
	stored.Active = b.Active == nil || *b.Active
	if stored, err = s.opt.Store.PutWebhook(ctx, *stored); err != nil {
		return nil, err
	}
	out := view.OfWebhook(stored)
	out.Secret = secret.Reveal()
	return &bodyOf[view.Webhook]{out}, nil
}

// roomForWebhook bounds the webhooks of one client; those of none are together
// one client's. An administrator is not bounded.
func (s *Server) roomForWebhook(ctx context.Context, client string) error {
	if caller(ctx).admin() {
		return nil
	}
	all, err := s.opt.Store.Webhooks(ctx)
	if err != nil {
		return err
	}
	n := 0
	for i := range all {
		if all[i].Client == client {
			n++
		}
	}
	if n >= s.opt.MaxWebhooks {
		return overQuota(n, "webhooks", "webhook", "[limits] webhooks")
	}
	return nil
}

func (s *Server) replaceWebhook(ctx context.Context, in *webhookReplace) (*bodyOf[view.Webhook], error) {
	if err := s.checkURL(in.Body.URL); err != nil {
		return nil, err
	}
	return s.editWebhook(ctx, in.ID, func(h *store.Webhook) error {
		h.URL, h.Types, h.Active = in.Body.URL, in.Body.Types, in.Body.Active == nil || *in.Body.Active
		return nil
	})
}

func (s *Server) rotateWebhook(ctx context.Context, in *WebhookPath) (*bodyOf[view.Webhook], error) {
	secret := webhook.NewSecret()
	out, err := s.editWebhook(ctx, in.ID, func(h *store.Webhook) (err error) {
		h.Secret, err = s.opt.Sealer.Seal(h.ID, webhook.SecretPath, secret)
		return err
	})
	if err == nil {
		out.Body.Secret = secret.Reveal()
	}
	return out, err
}

// editWebhook repeats the edit when the worker moved the cursor meanwhile. It
// ends the wait after failures.
func (s *Server) editWebhook(ctx context.Context, id string, edit func(*store.Webhook) error) (*bodyOf[view.Webhook], error) {
	for range 10 {
		h, err := s.hook(ctx, id)
		if err != nil {
			return nil, err
		}
		if err := edit(h); err != nil {
			return nil, err
		}
		h.Failures, h.LastError, h.NextAt = 0, "", time.Time{}
		stored, err := s.opt.Store.PutWebhook(ctx, *h)
		if errors.Is(err, store.ErrConflict) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return &bodyOf[view.Webhook]{view.OfWebhook(stored)}, nil
	}
	return nil, store.ErrConflict
}
