package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/spool"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/mime"
)

// An incoming message is as it came, before it is submitted.
type incoming struct {
	message      *spool.Buffer
	input        *MessageInput
	now          time.Time
	originalFrom mime.Mailbox // of the header, when no envelope_from was given
}

// request is what goes to submit.
func (l *incoming) request(p *principal) (submit.Request, error) {
	in := l.input
	r := submit.Request{Client: p.client, Owner: p.owner(), EntryPoint: entryPoint, Message: l.message, Connection: in.Connection,
		Class: in.Class, Tag: in.Tag, Metadata: store.Metadata(in.Metadata), Lenient: true}
	if strings.ContainsFunc(in.Tag, unicode.IsControl) {
		return r, fail(http.StatusUnprocessableEntity, "invalid_request", "tag",
			text("api.tag_control_characters", "a tag has no control characters"), adapters.Text{})
	}
	if in.SendAt != nil {
		if in.SendAt.After(l.now.Add(maxAhead)) {
			return r, fail(http.StatusUnprocessableEntity, "invalid_request", "send_at",
				text("api.send_at_too_late", "send_at lies more than a year ahead"), adapters.Text{})
		}
		if in.SendAt.After(l.now) {
			r.NotBefore = in.SendAt.UTC()
		}
	}
	for i, a := range in.Recipients {
		addr, err := address(fmt.Sprintf("recipients[%d]", i), a)
		if err != nil {
			return r, err
		}
		r.Envelope.Recipients = append(r.Envelope.Recipients, mime.Recipient{Address: addr.Address})
	}
	switch {
	case in.EnvelopeFrom == nil:
		r.Envelope.From = l.originalFrom
	case *in.EnvelopeFrom != "":
		addr, err := address("envelope_from", *in.EnvelopeFrom)
		if err != nil {
			return r, err
		}
		r.Envelope.From = addr.Address
	}
	return r, nil
}

// composes reports a field that is part of a composed message.
func (in *MessageInput) composes() bool {
	return in.From+in.Subject+in.Text+in.HTML+in.InReplyTo != "" || in.OneClick ||
		len(in.To)+len(in.Cc)+len(in.Bcc)+len(in.ReplyTo)+len(in.References) > 0 ||
		len(in.Attachments)+len(in.Headers)+len(in.ListUnsubscribe) > 0
}

// compose writes the message into the spool. The caller closes it.
func (s *submissionService) compose(ctx context.Context, in *MessageInput, files []mime.Attachment, max int64) (_ *incoming, err error) {
	b := s.bodies.spool(ctx, 0, max)
	l := &incoming{message: b, input: in, now: s.now()}
	defer func() {
		if err != nil {
			err = joinClose(err, b)
		}
	}()
	if in.Raw != "" {
		if in.composes() || len(files) > 0 {
			return nil, fail(http.StatusUnprocessableEntity, "invalid_request", "raw",
				text("api.raw_and_fields", "raw is a whole message: the fields that make one cannot stand beside it"),
				text("api.raw_and_fields_hint", "use raw, or the other fields"))
		}
		if err := checkBase64("raw", in.Raw); err != nil {
			return nil, err
		}
		if _, err := io.Copy(b, fromBase64(in.Raw)); err != nil {
			return nil, err
		}
		return l, l.readFrom()
	}
	d, err := in.draft(files)
	if err != nil {
		return nil, err
	}
	l.originalFrom = d.From.Address
	if err := mime.Compose(b, d); err != nil {
		return nil, in.blame(err)
	}
	return l, nil
}

// blame names a field of headers as the JSON does.
func (in *MessageInput) blame(err error) error {
	f := failureOf(err)
	var m *mime.Error
	if errors.As(err, &m) {
		if _, ok := in.Headers[m.Field]; ok {
			f.field = "headers." + m.Field
		}
	}
	return f
}

// readFrom takes the envelope sender from the header of a message that came whole.
func (l *incoming) readFrom() error {
	src, err := l.message.Source()
	if err != nil {
		return err
	}
	m, err := mime.Read(src, mime.Limits{})
	if err != nil {
		return err
	}
	l.originalFrom = m.HeaderSender()
	return nil
}
