package submit

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/spool"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/telemetry"
	"github.com/postino-mail/postino/mime"
)

// A Resend asks for a stored message to go out once more.
type Resend struct {
	Client     *store.Client // who asks for it, and has passed Allow for each part; nil: an administrator
	Message    *store.Message
	EntryPoint string // by which it was asked for
	Parts      []ResendPart
}

// A ResendPart are recipients that get it together, and the connection that was
// chosen for them.
type ResendPart struct {
	Connection *gateway.Connection
	Recipients []mime.Recipient
}

// Resend stores a message again, under a Message-ID and a Date of its own: of two
// messages with one Message-ID Exchange drops the second and tells no one. All
// other header fields and the body stay as they are, our own trace among them,
// and the record names the first one. It is meant, so it is never taken for a
// client that tries again. When it returns nil the message is durable, with all
// its deliveries. ErrGone: the bytes were removed; other errors are a *Refusal
// or the store's.
func (s *Submitter) Resend(ctx context.Context, r Resend) (Result, error) {
	span := s.opt.Tracer.Start(ctx, "resend", telemetry.Server)
	out, err := s.resend(ctx, r, span.Traceparent())
	if span != nil {
		traced(span, r.EntryPoint, []Result{out}, err)
	}
	return out, err
}

func (s *Submitter) resend(ctx context.Context, r Resend, trace string) (Result, error) {
	if r.Message.From.IsZero() || len(r.Message.Envelope.Recipients) == 0 {
		return Result{}, store.ErrCorrupt // its record is corrupt: nothing of it is sent
	}
	content, err := s.opt.Store.Content(ctx, r.Message.ID)
	if err != nil {
		return Result{}, err
	}
	defer content.Close() // only read
	p := new(prepared)
	defer func() {
		for _, b := range p.spools {
			b.Close() // only an unread temporary file: nothing is lost with it
		}
	}()
	if err := s.prepareResend(ctx, &r, content, p, time.Now()); err != nil {
		return Result{}, err
	}
	p.message.Trace = trace
	s.further(r.Client, len(p.message.Deliveries)-len(r.Parts))
	sub := store.Submission{Now: p.message.ReceivedAt, Messages: []store.NewMessage{p.message}}
	if s.opt.Events {
		sub.Events = []store.NewEvent{p.event}
	}
	done, err := s.opt.Store.Submit(ctx, sub)
	if err != nil {
		return Result{}, AsRefusal(err)
	}
	p.result.Submitted = done[0]
	return p.result, nil
}

func (s *Submitter) prepareResend(ctx context.Context, r *Resend, content mime.Source, p *prepared, now time.Time) error {
	// How many recipients there may be was decided when it was taken.
	read, err := mime.Read(content, mime.Limits{Recipients: math.MaxInt32})
	if err != nil {
		return badMessage(err)
	}
	first := r.Message
	accept := mime.AcceptOptions{Hostname: s.opt.Hostname, Remove: []string{"Message-ID", "Date"}, Spool: func() (mime.Spool, error) {
		b := spool.New(s.opt.Store.SpoolDir(), 0, 0)
		p.spools = append(p.spools, b)
		return b, nil
	}}
	for _, part := range r.Parts {
		accept.AutoSubmitted = accept.AutoSubmitted || first.Envelope.From.IsZero() && s.byAPI(ctx, part.Connection)
	}
	m, err := read.Accept(accept)
	if err != nil {
		return badMessage(err)
	}
	msg := store.NewMessage{Head: m.Head(), Body: m.Body(), Message: *first}
	msg.ID, msg.ResentOf, msg.MessageID, msg.EntryPoint = store.NewID(), first.ID, m.MessageID(), r.EntryPoint
	msg.ReceivedAt, msg.NotBefore, msg.Resubmitted, msg.Conversation = now, time.Time{}, 0, ""
	msg.Envelope.Recipients = nil
	for _, part := range r.Parts {
		env := first.Envelope
		env.Recipients = part.Recipients
		route, err := s.carrier(ctx, part.Connection, adapters.Outgoing{Message: m, Envelope: env})
		if err != nil {
			return err
		}
		msg.Envelope.Recipients = append(msg.Envelope.Recipients, part.Recipients...)
		msg.Deliveries = append(msg.Deliveries, s.deliveries(time.Time{}, route, env, first.From, now)...)
		p.result.Connection = route.conn
	}
	if len(msg.Deliveries) == 0 {
		return fmt.Errorf("message %s has no recipients to be sent to again: %w", first.ID, store.ErrNotFound)
	}
	p.message = msg
	p.result.MessageID, p.result.Recipients, p.result.Size = msg.MessageID, msg.Envelope.Recipients, m.Size()
	p.event = accepted(&p.message, p.result.Connection)
	return nil
}
