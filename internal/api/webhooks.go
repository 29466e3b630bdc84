package api

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/postino-mail/postino/adapters"
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
	// WebhookPath is the webhook that a path names.
	WebhookPath struct {
		ID string `path:"id" maxLength:"100"`
	}
	webhookPathIn struct {
		WebhookPath
		Language string `header:"Accept-Language"`
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

// A webhookService shows and edits webhooks.
type webhookService struct {
	store    store.Events
	clients  clientFinder
	sealer   store.Sealer
	networks []netip.Prefix // Options.WebhookNetworks
	sender   *webhook.Sender
	most     int // of one client
	now      func() time.Time
}

func (s *webhookService) routes(rt *router) {
	register(rt, op("list-webhooks", http.MethodGet, "/v1/webhooks", eventsTag, ScopeEventsRead, "List webhooks", ""), s.listWebhooks)
	create := op("create-webhook", http.MethodPost, "/v1/webhooks", eventsTag, ScopeEventsRead, "Create a webhook",
		"Events are sent in order, signed as Standard Webhooks asks, each until it is answered with 2xx: after 5 s, then twice as long up "+
			"to an hour. The same event has the same webhook-id at every try. The secret is shown in this answer and never again.")
	create.DefaultStatus = http.StatusCreated
	register(rt, create, s.createWebhook)
	register(rt, op("get-webhook", http.MethodGet, "/v1/webhooks/{id}", eventsTag, ScopeEventsRead, "Get a webhook", ""),
		func(ctx context.Context, in *WebhookPath) (*bodyOf[view.Webhook], error) {
			h, err := s.hook(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			return &bodyOf[view.Webhook]{view.OfWebhook(h)}, nil
		})
	register(rt, op("replace-webhook", http.MethodPut, "/v1/webhooks/{id}", eventsTag, ScopeEventsRead, "Change a webhook",
		"What waits is tried again at once."), s.replaceWebhook)
	register(rt, op("delete-webhook", http.MethodDelete, "/v1/webhooks/{id}", eventsTag, ScopeEventsRead, "Delete a webhook", ""),
		func(ctx context.Context, in *WebhookPath) (*noBody, error) {
			h, err := s.hook(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			return &noBody{}, s.store.DeleteWebhook(ctx, h.ID)
		})
	register(rt, op("rotate-webhook", http.MethodPost, "/v1/webhooks/{id}/rotate", eventsTag, ScopeEventsRead, "Give a webhook a new secret",
		"The old one ends at once."), s.rotateWebhook)
	register(rt, op("replay-webhook", http.MethodPost, "/v1/webhooks/{id}/replay", eventsTag, ScopeEventsRead, "Send events again", ""),
		func(ctx context.Context, in *webhookReplay) (*bodyOf[view.Webhook], error) {
			return s.editWebhook(ctx, in.ID, func(h *store.Webhook) error {
				h.Cursor, h.Active = in.Body.After, true
				return nil
			})
		})
	register(rt, op("test-webhook", http.MethodPost, "/v1/webhooks/{id}/test", eventsTag, ScopeEventsRead, "Send a test event",
		"An event of the type `webhook.test`, signed and delivered as every other one, also where the webhook is not active. The answer "+
			"says what the receiver answered. Nothing is repeated."), s.testWebhook)
	register(rt, op("list-webhook-deliveries", http.MethodGet, "/v1/webhooks/{id}/deliveries", eventsTag, ScopeEventsRead,
		"List the last calls of a webhook", "The newest first, at most 20 of them."), s.webhookDeliveries)
}

// A WebhookList is all webhooks that the caller may see.
type WebhookList struct {
	Items []view.Webhook `json:"items"`
}

func (s *webhookService) listWebhooks(ctx context.Context, _ *struct{}) (*bodyOf[WebhookList], error) {
	all, err := s.store.Webhooks(ctx)
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
func (s *webhookService) hook(ctx context.Context, id string) (*store.Webhook, error) {
	h, err := s.store.Webhook(ctx, id)
	if err != nil {
		return nil, err
	}
	if own := caller(ctx).clientID(); own != "" && h.Client != own {
		return nil, store.ErrNotFound
	}
	return h, nil
}

func (s *webhookService) check(url string, types []string) error {
	if wrong, ok := webhook.CheckURL(url, s.networks); !ok {
		return invalid("url", wrong)
	}
	if wrong, ok := webhook.CheckTypes(types); !ok {
		return invalid("types", wrong)
	}
	return nil
}

func (s *webhookService) createWebhook(ctx context.Context, in *webhookCreate) (*bodyOf[view.Webhook], error) {
	b := &in.Body
	if err := s.check(b.URL, b.Types); err != nil {
		return nil, err
	}
	h := store.Webhook{URL: b.URL, Types: b.Types, Client: caller(ctx).clientID(), CreatedAt: store.Micro(s.now()),
		Active: b.Active == nil || *b.Active}
	if owner := caller(ctx).owner(); owner != "" {
		h.Client, h.Person = owner, owner
	}
	if b.Client != "" {
		c, err := s.clients.find(ctx, b.Client)
		if err != nil || h.Client != "" && c.ID != h.Client {
			return nil, invalid("client", text("api.unknown_client", "there is no such client, or it is not this key's"))
		}
		h.Client = c.ID
	}
	if err := s.roomForWebhook(ctx, h.Client); err != nil { // an operator's have the operator's id
		return nil, err
	}
	var err error
	if b.After != nil {
		h.Cursor = *b.After
	} else if h.Cursor, err = s.store.LastEvent(ctx); err != nil {
		return nil, err
	}
	stored, secret, err := webhook.Create(ctx, s.store, s.sealer, h)
	if err != nil {
		return nil, err
	}
	out := view.OfWebhook(stored)
	out.Secret = secret.Reveal()
	return &bodyOf[view.Webhook]{out}, nil
}

// roomForWebhook bounds the webhooks of one client; those of none are together
// one client's. An administrator is not bounded.
func (s *webhookService) roomForWebhook(ctx context.Context, client string) error {
	if caller(ctx).admin() {
		return nil
	}
	all, err := s.store.Webhooks(ctx)
	if err != nil {
		return err
	}
	n := 0
	for i := range all {
		if all[i].Client == client {
			n++
		}
	}
	if n >= s.most {
		return overQuota(n, text("api.webhooks", "webhooks"), "[limits] webhooks")
	}
	return nil
}

func (s *webhookService) replaceWebhook(ctx context.Context, in *webhookReplace) (*bodyOf[view.Webhook], error) {
	if err := s.check(in.Body.URL, in.Body.Types); err != nil {
		return nil, err
	}
	return s.editWebhook(ctx, in.ID, func(h *store.Webhook) error {
		h.URL, h.Types, h.Active = in.Body.URL, in.Body.Types, in.Body.Active == nil || *in.Body.Active
		return nil
	})
}

func (s *webhookService) rotateWebhook(ctx context.Context, in *WebhookPath) (*bodyOf[view.Webhook], error) {
	var secret adapters.Secret
	out, err := s.editWebhook(ctx, in.ID, func(h *store.Webhook) (err error) {
		secret, err = webhook.NewKey(s.sealer, h)
		return err
	})
	if err == nil {
		out.Body.Secret = secret.Reveal()
	}
	return out, err
}

// editWebhook changes a webhook that the caller may see.
func (s *webhookService) editWebhook(ctx context.Context, id string, edit func(*store.Webhook) error) (*bodyOf[view.Webhook], error) {
	h, err := webhook.Edit(ctx, s.store, func() (*store.Webhook, error) { return s.hook(ctx, id) }, edit)
	if err != nil {
		return nil, err
	}
	return &bodyOf[view.Webhook]{view.OfWebhook(h)}, nil
}

func (s *webhookService) testWebhook(ctx context.Context, in *webhookPathIn) (*bodyOf[view.WebhookCall], error) {
	h, err := s.hook(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	c := s.sender.Test(ctx, h)
	return &bodyOf[view.WebhookCall]{view.OfWebhookCall(&c, language(in.Language))}, nil
}

// A WebhookCallList is the last calls of a webhook.
type WebhookCallList struct {
	Items []view.WebhookCall `json:"items"`
}

func (s *webhookService) webhookDeliveries(ctx context.Context, in *webhookPathIn) (*bodyOf[WebhookCallList], error) {
	h, err := s.hook(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &bodyOf[WebhookCallList]{WebhookCallList{view.OfWebhookCalls(h, language(in.Language))}}, nil
}
