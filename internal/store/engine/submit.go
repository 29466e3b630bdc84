package engine

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// A NewMessage is a message made ready by the caller's goroutine: what is left
// to do is to put it into rows.
type NewMessage struct {
	*store.NewMessage
	Seq     int64 // key of its row once it has one, where ids are none
	Records []store.Delivery
	Sum     []byte // SHA-256 of the body
	Inline  []byte // the body, where it goes into a row
	Apart   bool   // else: in File from Start on, or wherever the driver puts it
	File    string
	Start   int64
}

// ready makes the records, reads small bodies and has the driver take large ones.
func (p Ports) ready(ctx context.Context, now time.Time, in []store.NewMessage) (out []*NewMessage, err error) {
	for i := range in {
		m := &NewMessage{NewMessage: &in[i]}
		for j := range m.Deliveries {
			m.Records = append(m.Records, m.Deliveries[j].Record(m.ID, m.Client, now))
		}
		m.Apart = m.Body.Size() > p.Inline
		switch {
		case !m.Apart:
			err = m.readInline()
		case p.DB.TakeLarge != nil:
			err = p.DB.TakeLarge(ctx, m)
		}
		if err != nil {
			p.stored(out, nil, nil)
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

func (m *NewMessage) readInline() error {
	var ok bool
	if m.Inline, ok = mime.InMemory(m.Body); !ok || m.Inline == nil {
		m.Inline = make([]byte, m.Body.Size())
		if _, err := io.ReadFull(mime.NewReader(m.Body), m.Inline); err != nil {
			return fmt.Errorf("the body of the message cannot be read: %w", err)
		}
	}
	sum := sha256.Sum256(m.Inline)
	m.Sum = sum[:]
	return nil
}

// stored is told what became of messages that were made ready.
func (p Ports) stored(msgs []*NewMessage, out []store.Submitted, err error) {
	for i, m := range msgs {
		fresh := err == nil && i < len(out) && out[i].ID == m.ID && !out[i].Replayed
		if !fresh {
			p.Arrived.Take(m.ID)
		}
		if m.File != "" {
			p.DB.Stored(m, fresh, err)
		}
	}
}

// errLookAgain: the message was accepted before, and its client may have proved
// to another node a moment ago that it heard: that node's mark is on its way.
var errLookAgain = errors.New("look again whether the first acceptance is unheard")

// lookAgainAfter is when marks that were on their way have been written.
const lookAgainAfter = 3 * store.HeardWithin

// Submit implements store.Submitter.
func (p Ports) Submit(ctx context.Context, sub store.Submission) (out []store.Submitted, err error) {
	if err := sub.Prepare(); err != nil {
		return nil, err
	}
	msgs, err := p.ready(ctx, sub.Now, sub.Messages)
	if err != nil {
		return nil, err
	}
	// Before the commit: a claim may be faster than the answer to it.
	for _, m := range msgs {
		if !m.Apart {
			p.Arrived.Put(m.ID, m.Head, m.Inline)
		}
	}
	try := func(look bool) error {
		return p.DB.Work(ctx, Needs{Submission: &sub, New: msgs}, func(w Work) (err error) {
			out, err = submit(ctx, w, &sub, msgs, look)
			return err
		})
	}
	if err = try(p.Schema.Shared && sub.Idempotency == nil); errors.Is(err, errLookAgain) {
		pause.For(ctx, lookAgainAfter)
		err = try(false)
	}
	p.stored(msgs, out, err)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// An Acceptance is one with an answer that may be lost on its way to the client.
type Acceptance struct {
	store.Receipt
	Deliveries []store.ID
	Until      time.Time
}

// A Sibling is a delivery that waits for more recipients of its message.
type Sibling struct {
	Row     *DeliveryRow
	Message *store.Message
}

// submit stores messages. look: one that was accepted before is to be looked for
// once more, later; nothing is changed then.
func submit(ctx context.Context, w Work, sub *store.Submission, msgs []*NewMessage, look bool) ([]store.Submitted, error) {
	found, again := make([]*Acceptance, len(msgs)), false
	k := sub.Idempotency
	if k != nil {
		if out, err := w.Answer(sub.Now, k); out != nil || err != nil {
			drop(w, msgs)
			return out, err
		}
	}
	// Everything that may be missing is asked for before anything changes.
	var err error
	for i, m := range msgs {
		for j := range m.Records {
			if _, e := w.SubqueueOf(sub.Now, m.Records[j].Route, m.Client); e != nil {
				err = e
			}
		}
		if id := m.Identity; id != nil && id.Window > 0 && err == nil {
			found[i], err = w.Accepted(sub.Now, id, id.Key(m.Sum))
			again = again || found[i] != nil
		}
	}
	if err != nil {
		return nil, err
	}
	if again && look {
		drop(w, msgs)
		return nil, errLookAgain
	}
	out := make([]store.Submitted, len(msgs))
	for i, m := range msgs {
		if err := take(w, sub.Now, m, found[i], &out[i]); err != nil {
			return nil, err
		}
	}
	if k != nil {
		answer, err := json.Marshal(out)
		if err != nil {
			return nil, err
		}
		if err := w.SetAnswer(k, string(answer)); err != nil {
			return nil, err
		}
	}
	w.Append(sub.EventsAfter(out))
	return out, enterResent(ctx, w, sub)
}

func drop(w Work, msgs []*NewMessage) {
	for _, m := range msgs {
		w.Drop(m)
	}
}

// take stores one message, unless it was accepted before or joins a sibling.
func take(w Work, now time.Time, m *NewMessage, before *Acceptance, out *store.Submitted) error {
	if before != nil {
		*out = store.Submitted{ID: before.Message, Deliveries: before.Deliveries, Resubmitted: true, Receipt: before.Receipt}
		w.Drop(m)
		return w.Resubmitted(before.Message)
	}
	joined := false
	if m.Join != nil {
		var err error
		if joined, err = join(w, now, m, out); err != nil {
			return err
		}
	}
	if joined {
		w.Drop(m)
	} else if err := insert(w, now, m, out); err != nil {
		return err
	}
	id := m.Identity
	if id == nil || !id.Record || id.Window <= 0 {
		return nil
	}
	until := id.Until(now)
	out.Receipt = store.Receipt{Hour: store.HourOf(until), Key: id.Key(m.Sum), Message: out.ID}
	return w.Unheard(&Acceptance{out.Receipt, out.Deliveries, until})
}

// insert stores m with its deliveries.
func insert(w Work, now time.Time, m *NewMessage, out *store.Submitted) error {
	m.BodySHA256 = m.Sum
	if err := w.InsertMessage(m); err != nil {
		return err
	}
	*out = store.Submitted{ID: m.ID}
	for _, d := range m.Records {
		f, err := w.SubqueueOf(now, d.Route, d.Client)
		if err != nil {
			return err
		}
		d.Recipients = slices.Clone(d.Recipients) // a sibling may join
		r := &DeliveryRow{Msg: m.Seq, Subqueue: f.ID, Lane: f.Lane, D: d, Fresh: true}
		if m.Join != nil && d.State == store.Queued {
			r.Join = m.Join.Key
		}
		if err := w.Insert(m, f, r); err != nil {
			return err
		}
		w.Tally().accepted(now, f, d.State)
		out.Deliveries = append(out.Deliveries, d.ID)
	}
	return nil
}

// join adds m's recipients to a sibling that waits, if there is one.
func join(w Work, now time.Time, m *NewMessage, out *store.Submitted) (bool, error) {
	s, err := w.Sibling(now, m.Join.Key)
	if s == nil || err != nil {
		return false, err
	}
	d, want := &s.Row.D, m.Records[0].Route
	if d.Client != m.Client || d.Route.Connection != want.Connection || d.Route.Lane != want.Lane ||
		!d.Merge(s.Message, m.Deliveries[0].Recipients, m.Join.MaxRecipients) {
		return false, nil
	}
	s.Message.Conversation = store.Conversation(s.Message.Conversation, m.Conversation)
	*out = store.Submitted{ID: s.Message.ID, Deliveries: []store.ID{d.ID}, Joined: true}
	return true, w.Grown(s)
}
