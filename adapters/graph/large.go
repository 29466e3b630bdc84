package graph

import (
	"context"
	"net/http"

	"github.com/postino-mail/postino/adapters"
)

// immutable keeps a draft's id when it moves to Sent Items (contracts B3.5).
const immutable = `IdType="ImmutableId"`

// sendLarge is contracts B3: draft, attachments, send. Until the last step
// nothing can have been sent, so every failure there deletes the draft and is
// no unknown outcome.
func (a *Adapter) sendLarge(ctx context.Context, j *job) (adapters.Receipt, error) {
	p, err := a.plan(ctx, j.out.Message, j.view)
	if err != nil {
		return adapters.Receipt{}, err
	}
	d, err := a.createDraft(ctx, j, p.skeleton)
	if err != nil {
		return adapters.Receipt{}, err
	}
	if err := a.fill(ctx, j, d, p.parts); err != nil {
		a.discard(ctx, j, d.ID)
		return adapters.Receipt{}, err
	}
	res, err := a.do(ctx, &request{
		op: "send", method: http.MethodPost, url: a.userURL(j.mailbox, "messages", d.ID, "send"), sends: true,
		header: map[string]string{"Prefer": immutable}, want: []int{http.StatusAccepted}, id: j.out.ID, job: j,
	})
	if err != nil {
		e := adapters.AsError(err)
		if e.Class != adapters.Unknown {
			a.discard(ctx, j, d.ID)
			return adapters.Receipt{}, err
		}
		// The draft is the evidence that Verify looks at: it stays.
		e.ProviderID = d.ID
		return adapters.Receipt{}, e
	}
	r := a.receipt(j, routeUpload, res)
	r.ProviderID, r.Lost = d.ID, p.lost
	if d.InternetMessageID != "" { // contracts B6.6: the draft tells the truth
		r.MessageID = d.InternetMessageID
	}
	return r, nil
}

// fill brings recipients and attachments into the draft.
func (a *Adapter) fill(ctx context.Context, j *job, d *draft, atts []*attachment) error {
	if err := a.checkRecipients(ctx, j, d); err != nil {
		return err
	}
	for _, att := range atts {
		if err := a.attach(ctx, j, d, att); err != nil {
			return err
		}
	}
	return nil
}

// step is do for what comes before /send: a short Retry-After is waited out,
// because throwing the upload away would cost the mailbox more (contracts B7.2, B7.7).
func (a *Adapter) step(ctx context.Context, rq *request) (*result, error) {
	for try := 1; ; try++ {
		res, err := a.do(ctx, rq)
		if err == nil || try == stepTries {
			return res, err
		}
		e := adapters.AsError(err)
		if e.Class != adapters.Throttled || e.RetryAfter > patience {
			return res, err
		}
		if a.wait(ctx, max(e.RetryAfter, firstPause)) != nil {
			return res, err
		}
	}
}
