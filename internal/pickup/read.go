package pickup

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"

	"github.com/postino-mail/postino/internal/maildrop"
	"github.com/postino-mail/postino/internal/spool"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// eml reads a file of the pickup folder.
func (p *Pickup) eml(ctx context.Context, f *os.File) (submit.Request, error) {
	r := submit.Request{EntryPoint: "pickup", Distinct: true, Lenient: true} // files have the line ends of their program
	var err error
	if r.Client, err = find(ctx, p.opt.Client); err != nil {
		return r, err
	}
	in, err := readInjected(untilStop{ctx, f})
	if err != nil {
		return r, err
	}
	if r.Message, err = p.fill(in.rest, r); err != nil {
		return r, err
	}
	r.Envelope = in.envelope
	if in.sender {
		return r, nil
	}
	src, err := r.Message.Source()
	if err != nil {
		return r, err
	}
	// The envelope's sender is the header's; a message that cannot be read is
	// refused by Submit, in better words.
	if m, err := mime.Read(src, mime.Limits{}); err == nil {
		r.Envelope.From = m.HeaderSender()
	}
	return r, nil
}

// dropped reads a file of the maildrop.
func (p *Pickup) dropped(ctx context.Context, f *os.File) (submit.Request, error) {
	r := submit.Request{EntryPoint: "sendmail", Lenient: true}
	var err error
	if r.Client, err = find(ctx, p.opt.DropClient); err != nil {
		return r, err
	}
	env, body, err := maildrop.Read(untilStop{ctx, f})
	var address *mime.Error
	switch {
	case errors.As(err, &address):
		return r, refusal(address.Code, address.Message)
	case errors.Is(err, maildrop.ErrEnvelope):
		return r, refusal("bad_maildrop_file", mime.NewText("pickup.bad_maildrop_file", "sendmail did not write this file: {reason}", "reason",
			texterr.Reason{Err: err}))
	case err != nil:
		return r, err
	}
	r.Envelope = env
	r.Message, err = p.fill(body, r)
	return r, err
}

// fill copies a message into the spool, charged to its client, or to its folder
// where that has none. A file that finds no room waits.
func (p *Pickup) fill(in io.Reader, r submit.Request) (*spool.Buffer, error) {
	party := r.EntryPoint
	if r.Client != nil {
		party = "client " + r.Client.ID
	}
	b, err := spool.New(p.opt.SpoolDir, 0, p.opt.MaxSize).Charged(p.opt.Budget, party).Fill(in)
	var full *spool.FullError
	switch {
	case errors.As(err, &full):
		return nil, &submit.Refusal{Code: "no_room", SMTP: 452, Enhanced: "4.3.1", HTTP: http.StatusInsufficientStorage, Err: err,
			Message: mime.NewText("pickup.no_room", "messages that are arriving have no more room on the disk: [limits] {setting}",
				"setting", full.Setting)}
	case errors.Is(err, spool.ErrTooLarge):
		return nil, refusal("too_large", mime.NewText("pickup.too_large", "the file is larger than {limit} bytes", "limit", p.opt.MaxSize))
	}
	return b, err
}

// refusal is for good: trying the same file again does not help.
func refusal(code string, message mime.Text) *submit.Refusal {
	return &submit.Refusal{Code: code, SMTP: 554, Enhanced: "5.6.0", HTTP: http.StatusUnprocessableEntity, Message: message}
}

func find(ctx context.Context, client ClientFunc) (*store.Client, error) {
	if client == nil {
		return nil, nil
	}
	return client(ctx)
}
