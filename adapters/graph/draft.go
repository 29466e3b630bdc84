package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// draftReply bounds the message resource that answers a creation: it holds
// the text, once escaped as JSON.
const draftReply = 16 << 20

// A draft is what is read of a message resource.
type draft struct {
	ID                string      `json:"id"`
	InternetMessageID string      `json:"internetMessageId"`
	Subject           string      `json:"subject"`
	IsDraft           *bool       `json:"isDraft"`
	Created           stamp       `json:"createdDateTime"`
	Modified          stamp       `json:"lastModifiedDateTime"`
	Sent              stamp       `json:"sentDateTime"`
	To                []recipient `json:"toRecipients"`
	Cc                []recipient `json:"ccRecipients"`
	Bcc               []recipient `json:"bccRecipients"`
}

// A stamp is a time as Graph writes it. One that cannot be read spoils nothing else.
type stamp string

func (s stamp) time() time.Time {
	t, err := time.Parse(time.RFC3339, string(s))
	if err != nil {
		return time.Time{}
	}
	return t
}

type recipient struct {
	EmailAddress struct {
		Name    string `json:"name,omitempty"`
		Address string `json:"address"`
	} `json:"emailAddress"`
}

func (d *draft) recipients() []recipient { return slices.Concat(d.To, d.Cc, d.Bcc) }

// createDraft is contracts B3 step 1, from MIME.
func (a *Adapter) createDraft(ctx context.Context, j *job, skeleton mime.Source) (*draft, error) {
	began := a.now()
	res, err := a.step(ctx, &request{
		op: "createDraft", method: http.MethodPost, url: a.userURL(j.mailbox, "messages"),
		contentType: "text/plain", header: map[string]string{"Prefer": immutable}, size: base64Len(skeleton.Size()),
		open: func() (io.Reader, error) { return newBase64(mime.NewReader(skeleton), skeleton.Size(), nil), nil },
		want: []int{http.StatusCreated}, reply: draftReply, id: j.out.ID, job: j,
	})
	if err != nil {
		if e := adapters.AsError(err); e.Status == http.StatusForbidden && e.Class == adapters.Auth {
			return nil, a.needsReadWrite(e)
		}
		if res != nil && res.complete && (res.err != nil || res.status >= 500 || res.status < 300) {
			a.sweep(ctx, j, a.now().Sub(began))
		}
		return nil, err
	}
	d := new(draft)
	if err := json.Unmarshal(res.body, d); err != nil || d.ID == "" {
		a.sweep(ctx, j, a.now().Sub(began))
		return nil, a.strange("createDraft", res, err)
	}
	return d, nil
}

// needsReadWrite keeps small mail going when only the large path lacks a
// permission (contracts B3 step 1).
func (a *Adapter) needsReadWrite(e *adapters.Error) error {
	c := *e
	c.Class, c.Scope, c.TooLarge, c.Enhanced = adapters.Permanent, adapters.ScopeMessage, true, "5.3.4"
	c.Message = mime.NewText("graph.no_read_write",
		"messages over 3 MB need a permission on the mailbox that the application lacks")
	c.Hint = mime.NewText("graph.grant_read_write",
		"in Entra give the app registration the application permission Mail.ReadWrite (Microsoft Graph) with "+
			"admin consent, or name a fallback connection by SMTP for large mail")
	return &c
}

// strange is a success that does not hold what was promised. Nothing was sent.
func (a *Adapter) strange(op string, res *result, cause error) error {
	r := ambiguousRule()
	e := a.error(r, nil)
	e.Class, e.Code, e.Status, e.Err = adapters.Transient, "unexpected_answer", res.status, cause
	e.Message = mime.NewText("graph.unexpected_answer", "Microsoft Graph's answer to {op} cannot be understood", "op", op)
	e.Hint = mime.NewText("graph.unexpected_answer_hint",
		"nothing was sent, postino retries automatically; check the proxy if it stays so")
	return e
}

// checkRecipients makes sure that the draft mails exactly the envelope: the
// API took them from the MIME (contracts B5.1, B5.2). One that is missing is
// added as Bcc. Addresses that Exchange replaced by another of the same person
// are not missing, which their number tells.
func (a *Adapter) checkRecipients(ctx context.Context, j *job, d *draft) error {
	if d.recipients() == nil {
		res, err := a.step(ctx, &request{op: "readDraft", method: http.MethodGet,
			url:    a.userURL(j.mailbox, "messages", d.ID) + "?$select=toRecipients,ccRecipients,bccRecipients",
			header: map[string]string{"Prefer": immutable}, want: []int{http.StatusOK}, reply: draftReply, id: j.out.ID, job: j})
		if err != nil {
			return err
		}
		var got draft
		if err := json.Unmarshal(res.body, &got); err != nil {
			return a.strange("readDraft", res, err)
		}
		d.To, d.Cc, d.Bcc = got.To, got.Cc, got.Bcc
	}
	have := d.recipients()
	var missing []recipient
	envelope := unique(j.out.Addresses())
	for _, addr := range envelope {
		if !slices.ContainsFunc(have, func(r recipient) bool { return strings.EqualFold(r.EmailAddress.Address, addr.String()) }) {
			var r recipient
			r.EmailAddress.Address = addr.String()
			missing = append(missing, r)
		}
	}
	unexpected := len(have) - (len(envelope) - len(missing))
	if unexpected > len(missing) {
		e := a.refuse("draft_recipients", "5.3.4",
			mime.NewText("graph.draft_names_others",
				"Microsoft Graph's draft names people who are not recipients of the message"),
			mime.NewText("graph.name_fallback_for_large",
				"name a fallback connection by SMTP for large mail"))
		e.TooLarge = true
		return e
	}
	if unexpected >= len(missing) {
		return nil
	}
	body, err := json.Marshal(map[string]any{"bccRecipients": append(slices.Clone(d.Bcc), missing...)})
	if err != nil {
		return a.local(err)
	}
	_, err = a.step(ctx, &request{op: "patchDraft", method: http.MethodPatch, url: a.userURL(j.mailbox, "messages", d.ID),
		contentType: "application/json", header: map[string]string{"Prefer": immutable}, size: int64(len(body)),
		open: func() (io.Reader, error) { return bytes.NewReader(body), nil },
		want: []int{http.StatusOK, http.StatusNoContent}, reply: draftReply, id: j.out.ID, job: j})
	return err
}

// unique returns each address once.
func unique(addrs []mime.Mailbox) []mime.Mailbox {
	out := make([]mime.Mailbox, 0, len(addrs))
	for _, addr := range addrs {
		if !slices.Contains(out, addr) {
			out = append(out, addr)
		}
	}
	return out
}

// discard deletes a draft that will not be sent (contracts B3.4), also when
// ctx has ended. What remains after a failure here is an item in Drafts: it is
// logged, and no reason to change the outcome.
func (a *Adapter) discard(ctx context.Context, j *job, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.cleanup)
	defer cancel()
	if err := a.deleteDraft(ctx, j, id); err != nil {
		a.log.WarnContext(ctx, "a draft could not be deleted and stays in Drafts", "mailbox", j.mailbox, "draft", id, "err", err)
	}
}

func (a *Adapter) deleteDraft(ctx context.Context, j *job, id string) error {
	_, err := a.step(ctx, &request{op: "deleteDraft", method: http.MethodDelete, url: a.userURL(j.mailbox, "messages", id),
		header: map[string]string{"Prefer": immutable}, want: []int{http.StatusNoContent, http.StatusOK}, id: j.out.ID, job: j})
	return err
}

// sweep looks for a draft after a creation that got no usable answer and deletes it.
// Only drafts younger than the attempt are touched, by the server's clock: an
// older one with the same Message-ID may be on its way out (contracts B1.8).
func (a *Adapter) sweep(ctx context.Context, j *job, age time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.cleanup)
	defer cancel()
	began := a.now()
	found, res, err := a.byMessageID(ctx, j)
	if err != nil {
		a.log.WarnContext(ctx, "a draft may have been left in Drafts", "mailbox", j.mailbox, "message_id", j.out.Message.MessageID(), "err", err)
		return
	}
	server, err := http.ParseTime(res.header.Get("Date"))
	if err != nil {
		server = a.now()
	}
	oldest := server.Add(-age - a.now().Sub(began) - time.Second)
	for _, d := range found {
		if d.IsDraft != nil && *d.IsDraft && d.Created.time().After(oldest) {
			a.discard(ctx, j, d.ID)
		}
	}
}
