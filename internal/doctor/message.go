package doctor

import (
	"context"
	"errors"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/stages"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// message sends a real message and follows it.
func (r *run) message(ctx context.Context, a adapters.Adapter) {
	out, err := r.compose()
	if err != nil {
		r.prove(err)
		return
	}
	if err := a.Check(out); err != nil {
		r.prove(err)
		return
	}
	begun := r.opt.Now()
	send := a.Send
	if r.test.Queue != nil {
		send = r.test.Queue.Send
	}
	receipt, err := send(ctx, out)
	if errors.Is(err, ErrWaits) {
		r.waits()
		return
	}
	if err == nil && len(receipt.Recipients) == 1 && receipt.Recipients[0].Err != nil {
		err = receipt.Recipients[0].Err
	}
	v, _ := a.(adapters.Verifier)
	if e := adapters.AsError(err); e != nil && e.Class == adapters.Unknown && v != nil { // it may have been sent: look before saying no
		req := adapters.VerifyRequest{Outgoing: out, ProviderID: e.ProviderID, Since: begun}
		if verdict, found := r.follow(ctx, v, req); verdict == adapters.Sent {
			receipt, err = found, nil
		}
	}
	if err != nil {
		r.prove(err)
		return
	}
	r.prove(nil)
	accepted := text("test.message_accepted", "the message to {to} was accepted (Message-ID {id})", "to", r.test.To, "id",
		receipt.MessageID)
	if set := fallback.SettingsOf(&r.test.Connection.Connection); receipt.Reply != "" && (set == nil || !set.PublicOnly) {
		accepted = text("test.message_accepted_reply", `the message to {to} was accepted: "{reply}" (Message-ID {id})`, "to", r.test.To,
			"reply", receipt.Reply, "id", receipt.MessageID)
	}
	var hint mime.Text
	if r.test.State != nil && r.test.Queue == nil {
		hint = text("test.message_unlisted", "it was sent past all other mail, and is not listed with it")
	}
	r.rec.Pass(Message, accepted, hint)
	if v != nil {
		r.found(ctx, v, adapters.VerifyRequest{Outgoing: out, ProviderID: receipt.ProviderID, Since: begun})
	}
}

// waits passes on that nothing is known of the message yet.
func (r *run) waits() {
	if r.held != nil {
		r.rec.Add(*r.held)
		r.held = nil
	}
	r.rec.Add(stages.Stage{Name: Message, Status: stages.Unproven,
		Message: text("test.message_waits", "the message is in the queue, and has not been accepted so far"),
		Hint:    text("test.message_waits_hint", "look at it later: it is listed with the other mail, by the tag test")})
}

// prove passes on the sender, which waited for the message: accepted with it, or
// refused as the sender. Other errors are the message's, and nil passes nothing on for it.
func (r *run) prove(err error) {
	held := r.held
	r.held = nil
	e := adapters.AsError(err)
	switch {
	case held == nil && e == nil:
		return
	case held == nil:
		r.rec.Fail(Message, e)
		return
	case e == nil:
		r.rec.Pass(stages.Sender, text("test.sender_proven", "the message was accepted with the sender {from}", "from", r.from()),
			mime.Text{})
		return
	case e.NoRetry: // a refusal to send as the From
		r.rec.Fail(stages.Sender, e)
		return
	}
	r.rec.Add(*held)
	r.rec.Fail(Message, e)
}

// from is the sender of the message.
func (r *run) from() mime.Mailbox {
	if !r.test.From.IsZero() {
		return r.test.From
	}
	return r.test.Connection.FromMailbox()
}

func (r *run) compose() (adapters.Outgoing, error) {
	c, lang := r.test.Connection, r.test.Language
	from := r.from()
	if from.IsZero() {
		return adapters.Outgoing{}, &adapters.Error{Class: adapters.Permanent, Scope: adapters.ScopeMessage, Provider: c.Provider,
			Code: adapters.CodeNoSender, Err: errNoSender,
			Message: text("test.no_sender", "the connection is for every sender of a domain, and no sender was named"),
			Hint:    text("test.name_sender", "name a sender to test: --from ADDRESS")}
	}
	now := r.opt.Now()
	m, err := mime.Build(&mime.Draft{
		From:    mime.Address{Name: c.DisplayName, Address: from},
		To:      []mime.Address{{Address: r.test.To}},
		Date:    now,
		Subject: text("test.mail_subject", "postino: test of the connection {name}", "name", c.Name).In(lang),
		Text: text("test.mail_text", "This message shows that the connection {name} of postino sends mail.\nSent on {time} as {from}. "+
			"There is nothing to do.", "name", c.Name, "time", terminal.UTC(now), "from", from).In(lang) + "\n",
		Headers: []mime.Field{{Name: "Auto-Submitted", Value: "auto-generated"}}, // RFC 3834: no one answers by itself
	})
	if err != nil {
		return adapters.Outgoing{}, badDraft(c.Provider, err)
	}
	env, err := m.Envelope()
	if err != nil {
		return adapters.Outgoing{}, badDraft(c.Provider, err)
	}
	return adapters.Outgoing{Message: m, Envelope: env}, nil
}

// badDraft is an address or a name of the connection that no message can have.
func badDraft(p adapters.Provider, err error) error {
	return &adapters.Error{Class: adapters.Permanent, Scope: adapters.ScopeMessage, Provider: p, Code: "message", Err: err,
		Message: text("test.message_not_made", "the message cannot be made: {reason}", "reason", texterr.Reason{Err: err}),
		Hint:    text("test.message_not_made_hint", "correct sender, recipient and display name")}
}

// found passes on whether the message is among the sent ones.
func (r *run) found(ctx context.Context, v adapters.Verifier, req adapters.VerifyRequest) {
	verdict, _ := r.follow(ctx, v, req)
	st := stages.Stage{Name: Sent, Status: stages.Unproven}
	switch verdict {
	case adapters.Sent:
		st.Status = stages.OK
		st.Message = text("test.sent_found", "the message is among the sent ones of the mailbox")
	case adapters.CannotTell:
		st.Message = text("test.sent_unreadable",
			"the message was accepted; the application may not read the mailbox, so that it cannot be "+
				"looked up among the sent ones")
		st.Hint = text("test.sent_look", "look into the recipient's mailbox, or into the sent messages of the sending one")
	default:
		st.Message = text("test.sent_not_seen", "the message was accepted and has not been seen among the sent ones so far")
		st.Hint = text("test.sent_look", "look into the recipient's mailbox, or into the sent messages of the sending one")
	}
	r.rec.Add(st)
}

// follow asks the provider about the message until it knows or the time is over.
func (r *run) follow(ctx context.Context, v adapters.Verifier, req adapters.VerifyRequest) (adapters.Verdict, adapters.Receipt) {
	const most = 8 * time.Second
	ctx, cancel := context.WithTimeout(ctx, r.opt.Follow)
	defer cancel()
	last := adapters.NotSent
	for wait := 500 * time.Millisecond; ; wait = min(2*wait, most) {
		verdict, receipt, err := v.Verify(ctx, req)
		switch {
		case err == nil && (verdict == adapters.Sent || verdict == adapters.CannotTell):
			return verdict, receipt
		case err == nil:
			last = verdict
		}
		if r.opt.Pause(ctx, wait) != nil {
			return last, adapters.Receipt{}
		}
	}
}
