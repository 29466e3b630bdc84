package gmail

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// Check implements adapters.Adapter.
func (a *Adapter) Check(out adapters.Outgoing) error {
	_, err := a.prepare(out)
	return err
}

// A prepared message is ready for the wire.
type prepared struct {
	view    mime.Source
	mailbox string
}

// prepare checks everything that can be known without a network.
func (a *Adapter) prepare(out adapters.Outgoing) (prepared, error) {
	rcpts := out.Addresses()
	if len(rcpts) == 0 {
		return prepared{}, refusal(adapters.CodeNoRecipients, "5.5.1",
			mime.NewText("gmail.message_no_recipient", "the message has no recipient"),
			mime.NewText("gmail.give_least_one_recipient", "give at least one recipient"))
	}
	// One message in several parts would name everyone in each part's header,
	// and the parts' outcomes could differ (contracts F5, F2): the sender splits.
	if len(rcpts) > MaxRecipients {
		return prepared{}, refusal(adapters.CodeTooManyRecipients, "5.5.3",
			mime.NewText("gmail.too_many_recipients",
				"Gmail takes at most {max_recipients} recipients a message, this one has {number}",
				"max_recipients", MaxRecipients, "number", len(rcpts)),
			mime.NewText("gmail.send_in_parts",
				"send it in several messages, or through an SMTP connection for bulk mail"))
	}
	author, err := adapters.Author(adapters.Gmail, out.Message)
	if err != nil {
		return prepared{}, err
	}
	for _, f := range slices.Concat(out.Message.From(), []mime.Address{{Address: author}}) {
		// Gmail would write its own address in its place, silently (contracts C5.1, F8).
		if !a.conn.AllowsFrom(f.Address) {
			e := refusal(adapters.CodeSenderNotAllowed, "5.7.1",
				mime.NewText("gmail.connection_may_not_send", "the connection {name} may not send as {address}",
					"name", strconv.Quote(a.conn.Name), "address", f.Address),
				mime.NewText("gmail.send_as_from_or_alias",
					"send as the connection's From, or add the address to its aliases after it has been verified as a send-as "+
						"address in Gmail"))
			e.NoRetry = true
			return prepared{}, e
		}
	}
	view, err := out.Message.ForAPI(rcpts)
	if err != nil {
		return prepared{}, unreadableMessage(err)
	}
	if view.Size() > MaxSize {
		e := refusal(adapters.CodeTooLarge, "5.3.4",
			mime.NewText("gmail.too_large",
				"the message has {size} MB, Gmail takes at most {max_size} MB",
				"size", fmt.Sprintf("%.1f", mb(view.Size())), "max_size", fmt.Sprintf("%.1f", mb(MaxSize))),
			mime.NewText("gmail.send_smaller",
				"send smaller attachments or links, or name a fallback connection that carries the size"))
		e.TooLarge = true
		return prepared{}, e
	}
	return prepared{view: view, mailbox: a.conn.Mailbox(author)}, nil
}

func mb(n int64) float64 { return float64(n) / (1 << 20) }

func refusal(code adapters.Code, enhanced string, message, hint adapters.Text) *adapters.Error {
	return &adapters.Error{Class: adapters.Permanent, Scope: adapters.ScopeMessage, Provider: adapters.Gmail, Code: code, Enhanced: enhanced,
		Message: message, Hint: hint}
}

// unreadableMessage is a message with address lines that cannot be made.
func unreadableMessage(err error) *adapters.Error {
	e := refusal("message", "5.6.0", mime.NewText("gmail.message_cannot_written_gmail", "the message cannot be written for Gmail"),
		mime.NewText("gmail.repair_message_program_makes", "repair the message in the program that makes it"))
	var m *mime.Error
	if errors.As(err, &m) {
		e.Code, e.Message = adapters.Code(m.Code), m.Message
	}
	e.Err = err
	return e
}

// MaxRecipients is how many recipients one message may have:
// larger envelopes are split before they come here.
func (a *Adapter) MaxRecipients() int { return MaxRecipients }
