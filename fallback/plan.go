package fallback

import (
	"fmt"
	"slices"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// A plan is what can be settled about a message before any connection.
type plan struct {
	out   adapters.Outgoing
	rcpts []rcpt
	view  mime.Source
	utf8  bool // the message or its sender needs SMTPUTF8
}

// plan checks the envelope. A recipient without an address is refused by itself;
// errors are *adapters.Error and concern all.
func (a *Adapter) plan(out adapters.Outgoing) (*plan, error) {
	p := &plan{out: out, rcpts: make([]rcpt, len(out.Envelope.Recipients))}
	if len(p.rcpts) == 0 {
		return nil, a.errNoRecipients()
	}
	if _, err := adapters.Author(adapters.SMTP, out.Message); err != nil {
		return nil, err
	}
	for i, r := range out.Envelope.Recipients {
		if p.rcpts[i].Recipient = r; r.Address.IsZero() {
			p.rcpts[i].err = a.errAddress()
		}
	}
	if err := a.blindCopies(out); err != nil {
		return nil, err
	}
	p.view = out.Message.ForSMTP()
	p.utf8 = p.senderUTF8() || out.Message.NeedsUTF8()
	return p, nil
}

// senderUTF8 reports an envelope sender that only SMTPUTF8 can carry.
func (p *plan) senderUTF8() bool { return !p.out.Envelope.From.IsASCII() }

// A transaction is a plan fitted to what the server offers.
type transaction struct {
	*plan
	caps     capabilities // without what is left out
	rcpts    []rcpt
	content  content
	eightBit bool // the content has 8-bit octets and goes as it is
	smtputf8 bool
	chunking bool
	dsn      bool // the server takes over who is told of what (RFC 3461)
}

// adapt fits the plan to the session's server, or says why it cannot take the message.
func (a *Adapter) adapt(s *session, p *plan) (*transaction, error) {
	tx := &transaction{plan: p, caps: a.trusted(s.caps), rcpts: append([]rcpt(nil), p.rcpts...), content: sourceContent(p.view)}
	tx.chunking = a.opt.Chunking && tx.caps.has("CHUNKING")
	offered := s.caps.has("SMTPUTF8") && !a.leftOut("SMTPUTF8") // addresses that need it outweigh a failure seen before
	if p.senderUTF8() && !offered {                             // RFC 6531 section 3.2: never sent all the same
		return nil, a.errNeedsUTF8(nil)
	}
	tx.smtputf8 = p.utf8 && tx.caps.has("SMTPUTF8") || p.senderUTF8()
	for i := range tx.rcpts {
		switch r := &tx.rcpts[i]; {
		case r.err != nil || r.Address.IsASCII():
		case offered:
			tx.smtputf8 = true
		default:
			r.err = a.errNeedsUTF8(nil)
		}
	}
	eight, err := hasEightBit(p.view)
	if err != nil {
		return nil, a.errUnreadable(err)
	}
	tx.eightBit = eight && tx.caps.has("8BITMIME") // RFC 6152 section 3: the parameter tells of 8-bit content alone
	if eight {
		if err := a.convert(tx, p, tx.smtputf8); err != nil {
			return nil, err
		}
	}
	if limit := s.caps.size(); limit > 0 && tx.content.size > limit { // RFC 1870 section 6.1: do not even ask
		return nil, a.errTooLarge(tx.content.size, limit)
	}
	return tx, nil
}

// needsUTF8 reports a sender or a recipient that only SMTPUTF8 can carry.
func (tx *transaction) needsUTF8() bool {
	return tx.senderUTF8() || slices.ContainsFunc(tx.rcpts, func(r rcpt) bool { return !r.Address.IsASCII() })
}

// commands are the lines of the envelope in order.
func (tx *transaction) commands(s *session) []command {
	var out []command
	if s.reset {
		out = append(out, command{line: "RSET", at: atReset})
	}
	out = append(out, command{line: mailLine(tx.out.Envelope, tx.caps, tx.content.size, tx.eightBit, tx.smtputf8), at: atMail})
	tx.dsn = tx.caps.has("DSN")
	for i, r := range tx.rcpts {
		if r.err == nil {
			out = append(out, command{line: rcptLine(r.Recipient, tx.dsn), at: atRcpt, rcpt: i})
		}
	}
	if !tx.chunking {
		out = append(out, command{line: "DATA", at: atData})
	}
	return out
}

// forgive forgets refusals that the server only gave because MAIL had failed.
func (tx *transaction) forgive() {
	for i := range tx.rcpts {
		tx.rcpts[i].err = tx.plan.rcpts[i].err
	}
}

func (a *Adapter) errAddress() *adapters.Error {
	return &adapters.Error{Class: adapters.Permanent, Scope: adapters.ScopeMessage, Provider: adapters.SMTP, Code: "bad_address",
		Enhanced: "5.1.3",
		Message:  mime.NewText("smtp.bad_address", "the recipient's address cannot be used"),
		Hint:     mime.NewText("smtp.bad_address_hint", "correct the address")}
}

func (a *Adapter) errTooLarge(size, limit int64) *adapters.Error {
	const mb = 1 << 20
	is, most := fmt.Sprintf("%.1f", float64(size)/mb), fmt.Sprintf("%.1f", float64(limit)/mb)
	return &adapters.Error{Class: adapters.Permanent, Scope: adapters.ScopeMessage, Provider: adapters.SMTP,
		Code:     adapters.CodeTooLarge,
		Enhanced: "5.3.4", TooLarge: true,
		Message: mime.NewText("smtp.too_large", "the message has {is} MB and {host} takes at most {most} MB", "is", is, "host", a.host,
			"most", most),
		Hint: mime.NewText("smtp.too_large_hint",
			"send smaller attachments, or through a connection that carries more")}
}
