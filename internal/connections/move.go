package connections

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// movedType tells of a delivery that was given another connection.
const movedType = "delivery.moved"

// A Moved counts what a move did.
type Moved struct {
	Moved int // go out by the other connection now
	// Staying may not go out by another connection: they are being sent, or may have
	// been, and are verified where they are.
	Staying int
	Refused []RefusedMove // the other connection cannot carry them
}

// A RefusedMove is a delivery that another connection cannot carry, and why.
type RefusedMove struct {
	Delivery store.ID
	Reason   mime.Text
}

// ErrSameConnection says that mail would be moved to where it is.
var ErrSameConnection = texterr.New(mime.NewText("connections.same", "mail cannot be moved to the connection on which it waits"))

// Move gives what waits on a connection to another one, which carries it as it is:
// size, recipients and sender are checked first.
func (s *Service) Move(ctx context.Context, from string, to *gateway.Connection) (Moved, error) {
	var out Moved
	if from == to.ID {
		return out, ErrSameConnection
	}
	adapter, err := s.Adapters.Adapter(&to.Connection)
	if err != nil {
		return out, err
	}
	var batch []store.MovedDelivery
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		done, err := s.Store.Move(ctx, store.Move{Now: s.now(), From: from, To: to.ID, Deliveries: batch})
		out.Moved += done.Changed
		batch = nil
		return err
	}
	waiting := []store.State{store.Queued, store.Unverified, store.Held, store.Sending}
	err = s.deliveries(ctx, from, waiting, func(e *store.Entry) error {
		d := &e.Delivery
		if !d.Movable() {
			out.Staying++
			return nil
		}
		refused, err := s.carries(ctx, to, adapter, e)
		if err != nil {
			return err
		}
		if refused != nil {
			out.Refused = append(out.Refused, RefusedMove{d.ID, refused.Message})
			return nil //nolint:nilerr // it stays where it is, and the result names it
		}
		event, err := movedEvent(e, to, s.now())
		if err != nil {
			return err
		}
		batch = append(batch, store.MovedDelivery{Delivery: d.ID, Release: orphaned(d), Events: []store.NewEvent{event},
			Route: store.RouteTo(to, e.Message.From, 0)})
		if len(batch) < pageSize {
			return nil
		}
		return flush()
	})
	return out, errors.Join(err, flush())
}

// orphaned reports a delivery that is held because its connection was removed
// while it was on its way in.
func orphaned(d *store.Delivery) bool {
	return d.State == store.Held && d.Error != nil && d.Error.Code == "no_connection"
}

// carries returns why a connection cannot carry a delivery; nil: it can.
func (s *Service) carries(ctx context.Context, to *gateway.Connection, a adapters.Adapter, e *store.Entry) (*adapters.Error, error) {
	if !to.AllowsFrom(e.Message.From) {
		return &adapters.Error{Class: adapters.Permanent, Message: mime.NewText("connections.sender_not_carried",
			"{connection} does not send as {from}", "connection", strconv.Quote(to.Name), "from", e.Message.From)}, nil
	}
	if l, ok := a.(interface{ MaxRecipients() int }); ok && l.MaxRecipients() > 0 && e.Delivery.CountPending() > l.MaxRecipients() {
		return &adapters.Error{Class: adapters.Permanent, Message: mime.NewText("connections.too_many_recipients",
			"{connection} takes at most {most} recipients a message", "connection", strconv.Quote(to.Name), "most", l.MaxRecipients())}, nil
	}
	content, err := s.Store.Content(ctx, e.Message.ID)
	if errors.Is(err, store.ErrCorrupt) || errors.Is(err, store.ErrGone) || errors.Is(err, store.ErrNotFound) {
		return nil, nil // it ends the same way on every connection
	}
	if err != nil {
		return nil, err
	}
	m, err := mime.Read(content, mime.Limits{Recipients: anyNumber})
	if err == nil {
		out := adapters.Outgoing{Message: m, ID: e.Delivery.ID.String(), Envelope: e.Message.Envelope}
		out.Envelope.Recipients = e.Delivery.Pending()
		err = a.Check(out)
	} else {
		err = nil // as above
	}
	if cerr := content.Close(); cerr != nil {
		return nil, cerr
	}
	if err != nil {
		return adapters.AsError(err), nil
	}
	return nil, nil
}

// anyNumber of addresses: the entry point has checked how many there may be.
const anyNumber = 1 << 30

func movedEvent(e *store.Entry, to *gateway.Connection, now time.Time) (store.NewEvent, error) {
	data, err := json.Marshal(struct {
		MessageID string `json:"message_id"`
		From      string `json:"from_connection"`
		To        string `json:"connection"`
		store.Label
	}{e.Message.MessageID, e.Delivery.Route.Connection, to.ID, e.Message.Label()})
	return store.NewEvent{Type: movedType, At: now, Client: e.Delivery.Client, Message: e.Message.ID, Delivery: e.Delivery.ID,
		Data: data}, err
}

// An InUseError says what keeps a connection from being removed.
type InUseError struct {
	Moved
	Waiting int  // without a move
	NoMove  bool // no other connection was named
}

// Error is the English text with what to do.
func (e *InUseError) Error() string { return e.text().String() }

// In is the text in a language.
func (e *InUseError) In(lang string) string { return e.text().In(lang) }

func (e *InUseError) text() mime.Text {
	switch {
	case e.NoMove:
		return mime.NewCount("connections.in_use", e.Waiting, "one message waits for this connection: let it end, cancel it, or name "+
			"the connection that takes it (--move-to NAME, move_to)", "{count} messages wait for this connection: let them end, cancel them, or "+
			"name the connection that takes them (--move-to NAME, move_to)")
	case len(e.Refused) > 0:
		return mime.NewText("connections.in_use_refused", "{moved} messages were moved, {refused} cannot be: for example {delivery}: "+
			"{reason}. Cancel them or move them to another connection, then remove this one", "moved", e.Moved.Moved, "refused", len(e.Refused),
			"delivery", e.Refused[0].Delivery.String(), "reason", e.Refused[0].Reason)
	}
	return mime.NewText("connections.in_use_staying", "{moved} messages were moved, {staying} are being sent or may have been sent and are "+
		"verified where they are: repeat this when they have ended", "moved", e.Moved.Moved, "staying", e.Staying)
}

// Unwrap makes it a store.ErrInUse.
func (e *InUseError) Unwrap() error { return store.ErrInUse }

// Remove deletes a connection that nothing needs. With a successor, what waits is
// moved there first, and chains of fallbacks and clients name the successor from
// then on. It returns when nothing goes out by the connection any more. The error
// is an *InUseError where deliveries keep it.
func (s *Service) Remove(ctx context.Context, c, successor *gateway.Connection) (Moved, error) {
	if successor == nil {
		err := s.Store.DeleteConnection(ctx, s.now(), c.ID)
		if errors.Is(err, store.ErrInUse) {
			n, cerr := s.count(ctx, c.ID)
			return Moved{}, errors.Join(cerr, &InUseError{Waiting: max(n, 1), NoMove: true})
		}
		if err == nil {
			s.edited()
		}
		return Moved{}, err
	}
	var all Moved
	for end := time.Now().Add(max(s.wait(), 0)); ; {
		m, err := s.Move(ctx, c.ID, successor)
		all = Moved{all.Moved + m.Moved, m.Staying, m.Refused}
		if err != nil {
			return all, err
		}
		if len(m.Refused) > 0 {
			return all, &InUseError{Moved: all}
		}
		if err = s.Store.ReplaceConnection(ctx, s.now(), c.ID, successor.ID); err == nil {
			break
		}
		if !errors.Is(err, store.ErrInUse) {
			return all, err
		}
		if time.Now().After(end) {
			return all, &InUseError{Moved: all}
		}
		if err := pause.For(ctx, look); err != nil {
			return all, err
		}
	}
	s.edited()
	// What came in by a copy of before is on a connection that is gone.
	if err := s.seenByAll(ctx); err != nil {
		return all, err
	}
	late, err := s.Move(ctx, c.ID, successor)
	all.Moved += late.Moved
	all.Refused = late.Refused
	return all, err
}

// count is how many deliveries keep a connection.
func (s *Service) count(ctx context.Context, id string) (n int, err error) {
	states := []store.State{store.Queued, store.Unverified, store.Held, store.Sending}
	err = s.deliveries(ctx, id, states, func(*store.Entry) error { n++; return nil })
	return n, err
}
