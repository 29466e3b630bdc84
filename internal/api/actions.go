package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/mime"
)

func (s *messageService) actionRoutes(rt *router) {
	for _, a := range []struct {
		verb           store.Verb
		summary, about string
	}{
		{store.DoCancel, "Cancel a message", "Of its deliveries those that are queued or held are cancelled; one that is being sent is not."},
		{store.DoRetry, "Try a message again at once", "Deliveries that wait, failed, expired or were cancelled are due at once; recipients " +
			"that have it already do not get it again."},
		{store.DoHold, "Hold a message", "It waits until it is released."},
		{store.DoRelease, "Release a held message", ""},
	} {
		o := op(string(a.verb)+"-message", http.MethodPost, "/v1/messages/{id}/"+string(a.verb), messagesTag, ScopeMessagesSend, a.summary,
			a.about)
		register(rt, o, func(ctx context.Context, in *MessagePath) (*bodyOf[ActionAnswer], error) {
			return s.act(ctx, in, a.verb)
		})
	}
	o := op("resend-message", http.MethodPost, "/v1/messages/{id}/resend", messagesTag, ScopeMessagesSend, "Send a stored message once more",
		"Makes a new message of the stored one, whatever became of that: every recipient gets it again. Message-ID and Date are new, or a "+
			"mailbox that has the first one drops the second without a word; all else stays as it is, and resent_of names the first one. To "+
			"send again only what has not arrived, use retry.")
	o.DefaultStatus = http.StatusAccepted
	register(rt, o, s.resend)
	s.bulkRoutes(rt)
}

// An ActionAnswer counts what an action did.
type ActionAnswer struct {
	Changed int `json:"changed" doc:"Deliveries"`
	Skipped int `json:"skipped" doc:"Deliveries in a state that did not allow it"`
}

func (s *messageService) act(ctx context.Context, in *MessagePath, verb store.Verb) (*bodyOf[ActionAnswer], error) {
	_, list, err := s.deliveries(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	now := s.now()
	a := store.Action{Verb: verb, Now: now}
	if verb == store.DoRetry || verb == store.DoRelease {
		a.ExpiresAt = now.Add(s.giveUp)
	}
	for i := range list {
		a.Deliveries = append(a.Deliveries, list[i].ID)
	}
	if verb == store.DoRetry { // what it sends again counts as what was sent
		if err := s.submit.Allow(caller(ctx).client, len(a.Deliveries)); err != nil {
			return nil, err
		}
	}
	var done store.ActionResult
	if len(a.Deliveries) > 0 { // an empty list would mean the filter: everything
		if done, err = s.store.Act(ctx, a); err != nil {
			return nil, err
		}
	}
	if done.Changed == 0 {
		states := ""
		for i := range list {
			states += " " + list[i].State.String()
		}
		return nil, fail(http.StatusConflict, "wrong_state", "",
			text("api.wrong_state",
				"no delivery of the message is in a state for {action}:{states}", "action", verb, "states", states), adapters.Text{})
	}
	return &bodyOf[ActionAnswer]{ActionAnswer{done.Changed, done.Skipped}}, nil
}

type resendInput struct {
	MessagePath
	Body *struct {
		Recipients []string `json:"recipients,omitempty" maxItems:"10000" doc:"Of those that the message had; absent: all"`
		Connection string   `json:"connection,omitempty" maxLength:"200" doc:"Name or id; absent: as before"`
	}
}

// A ResendAnswer names the new message.
type ResendAnswer struct {
	ID         string   `json:"id" doc:"Of the new message"`
	MessageID  string   `json:"message_id" doc:"RFC 5322, with angle brackets"`
	Deliveries []string `json:"deliveries" doc:"Of the new message"`
}

// resend keeps the parts in which the message went out first: a route that
// could not take all recipients at once cannot now.
func (s *messageService) resend(ctx context.Context, in *resendInput) (*bodyOf[ResendAnswer], error) {
	m, list, err := s.deliveries(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	named, wanted := "", map[mime.Mailbox]bool(nil)
	if in.Body != nil {
		named = in.Body.Connection
		if wanted, err = chosen(m, in.Body.Recipients); err != nil {
			return nil, err
		}
	}
	seen := map[mime.Mailbox]bool{}
	r := submit.Resend{Client: caller(ctx).client, Message: m, EntryPoint: entryPoint}
	for i := range list {
		var part submit.ResendPart
		for _, x := range list[i].Recipients {
			if !seen[x.Address] && (wanted == nil || wanted[x.Address]) {
				seen[x.Address] = true
				part.Recipients = append(part.Recipients, x.Recipient)
			}
		}
		if len(part.Recipients) == 0 {
			continue
		}
		if part.Connection, err = s.route(ctx, m, &list[i], named); err != nil {
			return nil, err
		}
		r.Parts = append(r.Parts, part)
	}
	if err := s.submit.Allow(caller(ctx).client, len(r.Parts)); err != nil {
		return nil, err
	}
	done, err := s.submit.Resend(ctx, r)
	if err != nil {
		return nil, err
	}
	out := ResendAnswer{ID: done.ID.String(), MessageID: done.MessageID, Deliveries: []string{}}
	for _, id := range done.Deliveries {
		out.Deliveries = append(out.Deliveries, id.String())
	}
	return &bodyOf[ResendAnswer]{out}, nil
}

// chosen are the recipients named, each of which must be one of the message.
func chosen(m *store.Message, names []string) (map[mime.Mailbox]bool, error) {
	if len(names) == 0 {
		return nil, nil
	}
	out := map[mime.Mailbox]bool{}
	for i, name := range names {
		box, err := mime.ParseMailbox(name)
		if err != nil || !slices.ContainsFunc(m.Envelope.Recipients, func(r mime.Recipient) bool { return r.Address == box }) {
			return nil, fail(http.StatusUnprocessableEntity, "bad_address", fmt.Sprintf("recipients[%d]", i),
				text("api.not_a_recipient", "\"{name}\" was no recipient of this message", "name", clip(name)),
				text("api.not_a_recipient_hint", "send a new message to a new recipient"))
		}
		out[box] = true
	}
	return out, nil
}

// route is the connection of a new delivery: the one that is named, or the one
// that was chosen first.
func (s *messageService) route(ctx context.Context, m *store.Message, d *store.Delivery, named string) (*gateway.Connection, error) {
	id := named
	if id == "" {
		if id = d.Origin; id == "" {
			id = d.Route.Connection
		}
	}
	c, err := s.connections.find(ctx, id)
	if err != nil {
		return nil, err
	}
	p := caller(ctx)
	if p.client != nil && len(p.client.Connections) > 0 && !slices.Contains(p.client.Connections, c.ID) {
		return nil, fail(http.StatusForbidden, "connection_not_allowed", "connection",
			text("api.connection_not_allowed",
				"this client may not use the connection \"{connection}\"", "connection", c.Name), adapters.Text{})
	}
	// What the client may send as now counts, not what it might when it sent.
	for field, from := range map[string]mime.Mailbox{"from": m.From, "envelope_from": m.Envelope.From} {
		if err := submit.CheckSender(p.client, field, from); err != nil && c.Default != gateway.DefaultAlways {
			return nil, err
		}
	}
	if !c.IsActive() {
		return nil, fail(http.StatusUnprocessableEntity, "connection_inactive", "connection",
			text("api.connection_inactive", "the connection \"{connection}\" is not active", "connection", c.Name),
			text("api.connection_inactive_hint", "switch it on or name another"))
	}
	if c.Provider != adapters.SMTP && !c.AllowsFrom(m.From) {
		return nil, fail(http.StatusUnprocessableEntity, "not_carried", "connection",
			text("api.sender_not_carried",
				"the connection \"{connection}\" does not send as {from}", "connection", c.Name, "from", m.From),
			text("api.name_another_connection", "name another"))
	}
	return c, nil
}
