package graph

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// staleDraft is how long a draft may lie still before it counts as never sent.
const staleDraft = 30 * time.Minute

const messageFields = "id,internetMessageId,subject,isDraft,createdDateTime,lastModifiedDateTime,sentDateTime," +
	"toRecipients,ccRecipients,bccRecipients"

// Verify looks the message up: by the immutable id of its draft, then by
// Message-ID in the whole mailbox. It needs Mail.ReadWrite or Mail.Read and
// returns CannotTell without.
//
// A draft of the upload path that lies still for half an hour was never sent.
// Verify deletes it: once it is gone nothing can send it, which is what makes
// NotSent certain. Because Graph does not promise to keep a Message-ID, a
// message that is the same in subject and date makes it CannotTell, not NotSent.
func (a *Adapter) Verify(ctx context.Context, req adapters.VerifyRequest) (adapters.Verdict, adapters.Receipt, error) {
	// contracts B1.8, B3.5, B3.6, B6.6
	j, err := a.prepare(req.Outgoing)
	if err != nil {
		return adapters.CannotTell, adapters.Receipt{}, err
	}
	verdict, d, res, err := a.look(ctx, j, req)
	if err != nil {
		if e := adapters.AsError(err); e.Status == http.StatusForbidden {
			a.log.DebugContext(ctx, "the application may not read the mailbox", "mailbox", j.mailbox, "err", err)
			return adapters.CannotTell, adapters.Receipt{}, nil
		}
		return adapters.CannotTell, adapters.Receipt{}, err
	}
	if verdict != adapters.Sent {
		return verdict, adapters.Receipt{}, nil
	}
	route := routeMIME
	if req.ProviderID != "" {
		route = routeUpload
	}
	r := a.receipt(j, route, res)
	r.ProviderID = d.ID
	if d.InternetMessageID != "" {
		r.MessageID = d.InternetMessageID
	}
	return verdict, r, nil
}

// look returns the verdict and what it stands on.
func (a *Adapter) look(ctx context.Context, j *job, req adapters.VerifyRequest) (adapters.Verdict, *draft, *result, error) {
	if req.ProviderID != "" {
		d, res, err := a.byID(ctx, j, req.ProviderID)
		switch {
		case err != nil && adapters.AsError(err).Status != http.StatusNotFound:
			return "", nil, nil, err
		case err == nil && sent(d):
			return adapters.Sent, d, res, nil
		case err == nil:
			return a.draftVerdict(ctx, j, d, res)
		}
	}
	found, res, err := a.byMessageID(ctx, j)
	if err != nil {
		return "", nil, nil, err
	}
	doubt := false
	var waiting *draft
	for _, d := range found {
		switch req.Match(d.found()) {
		case adapters.CannotTell:
			doubt = true
		case adapters.Sent:
			if sent(d) {
				return adapters.Sent, d, res, nil
			}
			waiting = d
		}
	}
	if doubt {
		return adapters.CannotTell, nil, nil, nil
	}
	if waiting != nil { // contracts B1.8: a message on its way begins in Drafts
		return a.draftVerdict(ctx, j, waiting, res)
	}
	if len(found) > 0 {
		return adapters.NotSent, nil, nil, nil // other parts or earlier sends of the message
	}
	alike, err := a.lookalike(ctx, j)
	switch {
	case err != nil:
		return "", nil, nil, err
	case alike == nil:
		return adapters.NotSent, nil, nil, nil
	case !sent(alike):
		return adapters.InProgress, nil, nil, nil
	}
	return adapters.CannotTell, nil, nil, nil
}

func (d *draft) found() adapters.Found {
	addresses := func(list []recipient) []string {
		out := make([]string, len(list))
		for i, r := range list {
			out[i] = r.EmailAddress.Address
		}
		return out
	}
	return adapters.Found{To: addresses(d.To), Cc: addresses(d.Cc), Bcc: addresses(d.Bcc), At: d.Created.time()}
}

func sent(d *draft) bool { return d.IsDraft != nil && !*d.IsDraft }

// draftVerdict: still on its way, or left lying.
func (a *Adapter) draftVerdict(ctx context.Context, j *job, d *draft, res *result) (adapters.Verdict, *draft, *result, error) {
	server, err := http.ParseTime(res.header.Get("Date"))
	if err != nil {
		server = a.now()
	}
	touched := d.Modified.time()
	if touched.IsZero() {
		touched = d.Created.time()
	}
	if touched.IsZero() || server.Sub(touched) < staleDraft {
		return adapters.InProgress, nil, nil, nil
	}
	if err := a.deleteDraft(ctx, j, d.ID); err != nil {
		if adapters.AsError(err).Status == http.StatusNotFound { // it moved just now
			return adapters.InProgress, nil, nil, nil
		}
		return "", nil, nil, err
	}
	return adapters.NotSent, nil, nil, nil
}

func (a *Adapter) byID(ctx context.Context, j *job, id string) (*draft, *result, error) {
	res, err := a.step(ctx, &request{op: "getMessage", method: http.MethodGet,
		url:    a.userURL(j.mailbox, "messages", id) + "?$select=" + messageFields,
		header: map[string]string{"Prefer": immutable}, want: []int{http.StatusOK}, id: j.out.ID, job: j})
	if err != nil {
		return nil, nil, err
	}
	d := new(draft)
	if err := json.Unmarshal(res.body, d); err != nil || d.IsDraft == nil {
		return nil, nil, a.strange("getMessage", res, err)
	}
	return d, res, nil
}

func (a *Adapter) byMessageID(ctx context.Context, j *job) ([]*draft, *result, error) {
	id := j.out.Message.MessageID()
	if id == "" {
		return nil, nil, a.refuse("no_message_id", "5.6.0",
			mime.NewText("graph.no_message_id", "the message has no Message-ID to look for"),
			mime.NewText("graph.look_sent_items_mailbox", "look in Sent Items of the mailbox"))
	}
	return a.search(ctx, j, "internetMessageId eq "+quote(id))
}

// lookalike finds a message that may be this one under another Message-ID; nil: none.
func (a *Adapter) lookalike(ctx context.Context, j *job) (*draft, error) {
	m := j.out.Message
	if m.Date().IsZero() {
		return nil, nil
	}
	// createdDateTime cannot be before the message was made, clocks apart.
	since := m.Date().UTC().Add(-time.Hour).Format(time.RFC3339)
	found, _, err := a.search(ctx, j, "createdDateTime ge "+since+" and subject eq "+quote(m.Subject()))
	if e := adapters.AsError(err); e != nil && (e.Status == http.StatusBadRequest || e.Status == http.StatusNotImplemented) {
		a.log.DebugContext(ctx, "the search by subject is not possible here", "err", err)
		return nil, nil // it is a second net: the first one has answered
	}
	if err != nil {
		return nil, err
	}
	for _, d := range found {
		// contracts B6.7: sentDateTime is the Date of the MIME.
		if d.Subject == m.Subject() && d.Sent.time().Sub(m.Date()).Abs() < 2*time.Second {
			return d, nil
		}
	}
	return nil, nil
}

// search finds messages in all folders of the mailbox.
func (a *Adapter) search(ctx context.Context, j *job, filter string) ([]*draft, *result, error) {
	q := "?$filter=" + strings.ReplaceAll(url.QueryEscape(filter), "+", "%20") + "&$select=" + messageFields + "&$top=25"
	res, err := a.step(ctx, &request{op: "findMessage", method: http.MethodGet, url: a.userURL(j.mailbox, "messages") + q,
		header: map[string]string{"Prefer": immutable}, want: []int{http.StatusOK}, reply: 1 << 20, id: j.out.ID, job: j})
	if err != nil {
		return nil, nil, err
	}
	var list struct {
		Value *[]*draft `json:"value"`
	}
	if err := json.Unmarshal(res.body, &list); err != nil || list.Value == nil {
		return nil, nil, a.strange("findMessage", res, err)
	}
	return *list.Value, res, nil
}

// quote makes an OData string literal.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
