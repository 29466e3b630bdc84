package gmail

import (
	"errors"
	"fmt"
	"slices"

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
		return prepared{}, refusal("no_recipients", "5.5.1",
			text("the message has no recipient", "il messaggio non ha destinatari"),
			text("give at least one recipient", "indicare almeno un destinatario"))
	}
	// One message in several parts would name everybody in each part's header,
	// and the parts' outcomes could differ (contracts F5, F2): the sender splits.
	if len(rcpts) > MaxRecipients {
		return prepared{}, refusal("too_many_recipients", "5.5.3",
			text(fmt.Sprintf("Gmail takes at most %d recipients a message, this one has %d", MaxRecipients, len(rcpts)),
				fmt.Sprintf("Gmail accetta al massimo %d destinatari per messaggio, questo ne ha %d", MaxRecipients, len(rcpts))),
			text("send it in several messages, or through an SMTP connection for bulk mail",
				"inviarlo in più messaggi, o attraverso una connessione SMTP per invii massivi"))
	}
	author, err := adapters.Author(adapters.Gmail, out.Message)
	if err != nil {
		return prepared{}, err
	}
	for _, f := range slices.Concat(out.Message.From(), []mime.Address{{Address: author}}) {
		// Gmail would write its own address in its place, silently (contracts C5.1, F8).
		if !a.conn.AllowsFrom(f.Address) {
			e := refusal("from_not_allowed", "5.7.1",
				text(fmt.Sprintf("the connection %q may not send as %s", a.conn.Name, f.Address),
					fmt.Sprintf("la connessione %q non può inviare come %s", a.conn.Name, f.Address)),
				text("send as the connection's From, or add the address to its aliases after it has been verified as a send-as address in Gmail",
					"inviare con il From della connessione, o aggiungere l'indirizzo ai suoi alias dopo averlo verificato in Gmail come indirizzo di invio"))
			e.NoRetry = true
			return prepared{}, e
		}
	}
	view, err := out.Message.ForAPI(rcpts)
	if err != nil {
		return prepared{}, unreadableMessage(err)
	}
	if view.Size() > MaxSize {
		e := refusal("too_large", "5.3.4",
			text(fmt.Sprintf("the message has %.1f MB, Gmail takes at most %.1f MB", mb(view.Size()), mb(MaxSize)),
				fmt.Sprintf("il messaggio è di %.1f MB, Gmail ne accetta al massimo %.1f", mb(view.Size()), mb(MaxSize))),
			text("send smaller attachments or links, or name a fallback connection that carries the size",
				"inviare allegati più piccoli o collegamenti, o indicare una connessione di riserva che regga la dimensione"))
		e.TooLarge = true
		return prepared{}, e
	}
	return prepared{view: view, mailbox: a.conn.Mailbox(author)}, nil
}

func mb(n int64) float64 { return float64(n) / (1 << 20) }

func refusal(code, enhanced string, sentence, remedy adapters.Text) *adapters.Error {
	return &adapters.Error{Class: adapters.Permanent, Scope: adapters.ScopeMessage, Provider: adapters.Gmail, Code: code, Enhanced: enhanced,
		Message: sentence, Hint: remedy}
}

// unreadableMessage is a message whose address lines cannot be made.
func unreadableMessage(err error) *adapters.Error {
	e := refusal("message", "5.6.0", text("the message cannot be written for Gmail", "il messaggio non può essere scritto per Gmail"),
		text("repair the message in the program that makes it", "correggere il messaggio nel programma che lo crea"))
	var m *mime.Error
	if errors.As(err, &m) {
		e.Code, e.Message = m.Code, text(m.Text, m.TextIT)
	}
	e.Err = err
	return e
}

func text(en, it string) adapters.Text { return adapters.Text{EN: en, IT: it} }

// MaxRecipients is how many recipients one message may have (contracts C3.2):
// larger envelopes are split before they come here.
func (a *Adapter) MaxRecipients() int { return MaxRecipients }
