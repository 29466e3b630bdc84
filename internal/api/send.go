package api

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"maps"
	stdmime "mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

// idempotencyTTL is how long a repeat gets the first answer.
const idempotencyTTL = 24 * time.Hour

// An Accepted message is durable: it will be sent, or its sender told.
type Accepted struct {
	ID         string             `json:"id" doc:"Of the message; GET /v1/messages/{id}"`
	MessageID  string             `json:"message_id" example:"<…@contoso.it>" doc:"RFC 5322 Message-ID"`
	Deliveries []string           `json:"deliveries" doc:"Ids of the deliveries; several when one message cannot have all recipients"`
	Connection view.ConnectionRef `json:"connection" doc:"The way it will leave"`
	Recipients []string           `json:"recipients" doc:"Who will be mailed"`
	Size       int64              `json:"size" doc:"Bytes of the message"`
	SendAt     *time.Time         `json:"send_at,omitempty" doc:"When, if not at once"`
}

// A BatchInput is several messages that are taken all or none.
type BatchInput struct {
	Messages []MessageInput `json:"messages" minItems:"1" maxItems:"1000"`
}

// BatchAccepted answers a batch, in its order.
type BatchAccepted struct {
	Messages []Accepted `json:"messages"`
}

// sendMessage is POST /v1/messages.
func (s *submissionService) sendMessage(w http.ResponseWriter, r *http.Request) error {
	media, params, err := stdmime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		media = ""
	}
	if media != "message/rfc822" && media != "message/global" {
		if err := nothingBeside(r); err != nil {
			return err
		}
	}
	max, err := s.limit(r)
	if err != nil {
		return err
	}
	digest := sha256.New()
	fmt.Fprintf(digest, "message %s\n", media)
	var l *incoming
	switch media {
	case "application/json":
		body, done, err := s.bodies.readJSON(r)
		if err != nil {
			return err
		}
		defer done()
		digest.Write(body)
		in, err := decode[MessageInput](r.Context(), s.bodies, body)
		if err != nil {
			return err
		}
		l, err = s.compose(r.Context(), in, nil, max)
		if err != nil {
			return err
		}
	case "multipart/form-data":
		l, err = s.multipart(r, params["boundary"], digest, max)
	case "message/rfc822", "message/global":
		l, err = s.whole(r, digest, max)
	default:
		return unsupportedMedia("application/json, multipart/form-data, message/rfc822")
	}
	if err != nil {
		return bodyError(err)
	}
	defer func() {
		if err := l.message.Close(); err != nil {
			logFor(r.Context(), s.log).Warn("a spool file was left behind", "err", err)
		}
	}()
	req, err := l.request(caller(r.Context()))
	if err != nil {
		return err
	}
	out, err := s.handOver(w, r, []submit.Request{req}, digest)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/v1/messages/"+out[0].ID)
	writeJSON(w, http.StatusAccepted, "application/json", out[0])
	return nil
}

// nothingBeside refuses parameters that would have no effect beside JSON and
// forms: there they are fields.
func nothingBeside(r *http.Request) error {
	for _, name := range slices.Sorted(maps.Keys(r.URL.Query())) {
		return fail(http.StatusUnprocessableEntity, "invalid_request", "query."+name,
			text("api.parameter_beside_body", "the query parameter {name} counts with message/rfc822 alone", "name", name),
			text("api.parameter_beside_body_hint", "send it as a field of the message"))
	}
	return noPostinoHeaders(r)
}

// sendBatch is POST /v1/messages/batch: one transaction.
func (s *submissionService) sendBatch(w http.ResponseWriter, r *http.Request) (err error) {
	if media, _, _ := stdmime.ParseMediaType(r.Header.Get("Content-Type")); media != "application/json" {
		return unsupportedMedia("application/json")
	}
	body, done, err := s.bodies.readJSON(r)
	if err != nil {
		return err
	}
	defer done()
	digest := sha256.New()
	fmt.Fprintf(digest, "batch\n")
	digest.Write(body)
	in, err := decode[BatchInput](r.Context(), s.bodies, body)
	if err != nil {
		return err
	}
	max, err := s.limit(r)
	if err != nil {
		return err
	}
	var list []submit.Request
	defer func() {
		for _, x := range list {
			if cerr := x.Message.Close(); cerr != nil {
				logFor(r.Context(), s.log).Warn("a spool file was left behind", "err", cerr)
			}
		}
	}()
	for i := range in.Messages {
		l, err := s.compose(r.Context(), &in.Messages[i], nil, max)
		if err != nil {
			return inMessage(i, err)
		}
		req, err := l.request(caller(r.Context()))
		req.Message = l.message
		list = append(list, req)
		if err != nil {
			return inMessage(i, err)
		}
	}
	out, err := s.handOver(w, r, list, digest)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusAccepted, "application/json", BatchAccepted{Messages: out})
	return nil
}

// limit is the largest message that is read: one that some route carries. A
// repeat is read whatever routes there still are.
func (s *submissionService) limit(r *http.Request) (int64, error) {
	if r.Header.Get("Idempotency-Key") != "" {
		return s.submit.Limit(), nil
	}
	return s.submit.MaxSize(r.Context())
}

// inMessage names the message of a batch that is to blame.
func inMessage(i int, err error) error {
	f := *failureOf(err)
	f.field = strings.TrimSuffix(fmt.Sprintf("messages[%d].%s", i, f.field), ".")
	f.faults = slices.Clone(f.faults)
	for j := range f.faults {
		f.faults[j].field = fmt.Sprintf("messages[%d].%s", i, f.faults[j].field)
	}
	return &f
}

// whole takes a message as it is; the envelope comes beside it.
func (s *submissionService) whole(r *http.Request, digest hash.Hash, max int64) (*incoming, error) {
	in, err := s.envelopeBeside(r)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(digest, "%q %q %q %q %q %v %v\n", in.Connection, in.Class, in.Tag, in.Recipients, r.URL.Query()["mail_from"], in.SendAt,
		in.EnvelopeFrom != nil)
	if in.EnvelopeFrom != nil {
		fmt.Fprintf(digest, "%q\n", *in.EnvelopeFrom)
	}
	if len(in.Metadata) > 0 {
		fmt.Fprintf(digest, "%q\n", in.Metadata)
	}
	b, err := s.bodies.spool(r.Context(), 0, max).Fill(io.TeeReader(r.Body, digest))
	if err != nil {
		return nil, err
	}
	l := &incoming{message: b, input: in, now: s.now()}
	if err := l.readFrom(); err != nil {
		return nil, joinClose(err, b)
	}
	return l, nil
}

// besideWhole are the names of what goes with a message/rfc822 body.
func besideWhole() []string {
	return []string{"rcpt", "mail_from", "connection", "class", "tag", "metadata", "send_at"}
}

// envelopeBeside reads what goes with a message/rfc822 body.
func (s *submissionService) envelopeBeside(r *http.Request) (*MessageInput, error) {
	values, err := envelopeValues(r, besideWhole())
	if err != nil {
		return nil, err
	}
	one := func(name string) string {
		if v := values[name]; len(v) > 0 {
			return v[0]
		}
		return ""
	}
	in := &MessageInput{Connection: one("connection"), Class: one("class"), Tag: one("tag"), Recipients: values["rcpt"]}
	if _, given := values["mail_from"]; given {
		from := strings.Trim(one("mail_from"), "<>")
		in.EnvelopeFrom = &from
	}
	if in.Class != "" && in.Class != submit.ClassBulk && in.Class != submit.ClassTransactional {
		return nil, fail(http.StatusUnprocessableEntity, "invalid_request", "class",
			text("api.bad_class", "class is none of transactional, bulk"), adapters.Text{})
	}
	if object := one("metadata"); object != "" {
		if in.Metadata, err = metadataOf(r.Context(), s.bodies, object); err != nil {
			return nil, err
		}
	}
	if at := one("send_at"); at != "" {
		t, err := time.Parse(time.RFC3339, at)
		if err != nil {
			return nil, fail(http.StatusUnprocessableEntity, "invalid_request", "send_at",
				text("api.bad_send_at", "send_at is not an RFC 3339 time"),
				text("api.bad_send_at_hint", "write it as 2026-01-31T08:30:00Z"))
		}
		in.SendAt = &t
	}
	return in, nil
}

// handOver submits the messages and returns what will happen to them.
func (s *submissionService) handOver(w http.ResponseWriter, r *http.Request, list []submit.Request, digest hash.Hash) ([]Accepted, error) {
	key, err := idempotency(r, s.now(), digest)
	if err != nil {
		return nil, err
	}
	answer := answerOf(r.Context())
	for i := range list {
		list[i].Unheard, list[i].Peer, list[i].Said = answer != nil, s.peer(r), said(r)
	}
	done, err := s.submit.SubmitAll(r.Context(), list, key)
	if err != nil {
		return nil, err
	}
	if s.proxies.relayed(r) {
		answer = nil
	}
	out := make([]Accepted, len(done))
	for i := range done {
		answer.carries(done[i].Receipt)
		if key != nil && done[i].Replayed {
			w.Header().Set(replayedHeader, "true")
		}
		if done[i].Replayed || done[i].Resubmitted {
			if out[i], err = s.replay(r.Context(), done[i].Submitted); err != nil {
				return nil, err
			}
			continue
		}
		d := &done[i]
		out[i] = accepted(d.Submitted, d.MessageID, d.Recipients, d.Size, list[i].NotBefore)
		out[i].Connection = view.ConnectionRef{ID: d.Connection.ID, Name: d.Connection.Name, Provider: string(d.Connection.Provider)}
	}
	s.accepted.Add(float64(len(done)))
	return out, nil
}

func accepted(d store.Submitted, messageID string, recipients []mime.Recipient, size int64, at time.Time) Accepted {
	a := Accepted{ID: d.ID.String(), MessageID: messageID, Size: size, Deliveries: []string{}, Recipients: []string{}}
	for _, id := range d.Deliveries {
		a.Deliveries = append(a.Deliveries, id.String())
	}
	for _, x := range recipients {
		a.Recipients = append(a.Recipients, x.Address.String())
	}
	if !at.IsZero() {
		at = store.Micro(at)
		a.SendAt = &at
	}
	return a
}

// replay is the answer that was given when the key came first, from what was
// stored then.
func (s *submissionService) replay(ctx context.Context, d store.Submitted) (Accepted, error) {
	m, err := s.store.Message(ctx, d.ID)
	if err != nil {
		return Accepted{}, err
	}
	a := accepted(d, m.MessageID, m.Envelope.Recipients, m.Size, m.NotBefore)
	if len(d.Deliveries) == 0 {
		return a, nil
	}
	first, err := s.store.Delivery(ctx, d.Deliveries[0])
	if err != nil {
		return Accepted{}, err
	}
	id := first.Origin
	if id == "" {
		id = first.Route.Connection
	}
	a.Connection = s.connections.reference(ctx, id)
	return a, nil
}

// idempotency reads Idempotency-Key; nil when there is none.
func idempotency(r *http.Request, now time.Time, digest hash.Hash) (*store.Idempotency, error) {
	key := r.Header.Get("Idempotency-Key")
	if key == "" { // strict has refused one that is empty
		return nil, nil
	}
	if len(key) > 255 || strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return nil, fail(http.StatusUnprocessableEntity, "invalid_request", "Idempotency-Key",
			text("api.bad_idempotency_key", "an Idempotency-Key has 1 to 255 visible ASCII characters"),
			text("api.bad_idempotency_key_hint", "a UUID is a good one"))
	}
	return &store.Idempotency{Client: caller(r.Context()).keySpace(), Key: key, Request: digest.Sum(nil),
		ExpiresAt: now.Add(idempotencyTTL)}, nil
}

// framed adds a value to the digest so that no two lists of values look alike.
func framed(h hash.Hash, values ...string) {
	for _, v := range values {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(v)))
		h.Write(n[:]) // a hash never fails
		h.Write([]byte(v))
	}
}
