package smtp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"

	"github.com/postino-mail/postino/adapters/sandbox/control"
	"github.com/postino-mail/postino/adapters/sandbox/gmail"
	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
	"github.com/postino-mail/postino/internal/smtpsyntax"
)

// data reads the message after DATA and delivers it.
func (c *session) data(cmd command) {
	ready := false
	c.command("data", func() string {
		switch {
		case cmd.arg != "":
			return "501 5.5.4 Syntax: DATA"
		case c.tx == nil:
			return "503 5.5.1 Error: need MAIL command"
		case c.tx.bdat != nil:
			return "503 5.5.1 Error: DATA after BDAT"
		case len(c.tx.rcpts) == 0:
			return "554 5.5.1 Error: no valid recipients"
		}
		ready = true
		return "354 End data with <CR><LF>.<CR><LF>"
	})
	if !ready || c.closing || !c.flush() {
		return
	}
	b := c.newBody()
	var dots smtpsyntax.DotReader
	state := smtpsyntax.DataOpen
	for state == smtpsyntax.DataOpen {
		if c.br.Buffered() == 0 {
			c.deadline()
			if _, err := c.br.Peek(1); err != nil {
				c.discard(b)
				c.closing = true
				return
			}
		}
		piece, _ := c.br.Peek(c.br.Buffered()) // of what is buffered: cannot fail
		var used int
		used, state = dots.Feed(piece, b.add)
		_, _ = c.br.Discard(used) // likewise
	}
	m, err := b.finish()
	refusal := b.check.refusal(c.tx.eightBit, c.tx.utf8)
	switch {
	case state == smtpsyntax.DataAmbiguous:
		refusal = "550 5.6.11 a line with a dot alone is next to a bare CR or LF: the end of the message is not certain, closing"
	case refusal == "" && dots.Unstuffed:
		refusal = "550 5.6.0 a line begins with a single period: it was not doubled (RFC 5321 section 4.5.2)"
	}
	c.finish("data", m, err, refusal)
	if state == smtpsyntax.DataAmbiguous { // where the next command begins is not known
		c.closing = true
	}
}

// finish ends a transaction with its one reply (op "dot"). m is nil when err is not.
func (c *session) finish(route string, m *core.Message, err error, refusal string) {
	c.server.core.Count("smtp.message")
	tx := c.tx
	c.tx = nil
	if refusal != "" {
		c.server.violation("%s: %s", strings.ToUpper(route), refusal[4:])
	}
	c.command("dot", func() string {
		taken := m
		m = nil
		if !c.wait(c.switches().SMTPLatency) {
			c.closing = true
		}
		switch {
		case refusal != "":
		case errors.Is(err, core.ErrHeaderTooLarge):
			refusal = "552 5.3.4 Message header size exceeds fixed limit"
		case err != nil:
			c.server.core.Log.Error("a message could not be kept", "err", err)
			refusal = "451 4.3.0 Error: queue file write error"
		case c.closing:
			refusal = "421 4.3.2 gone"
		default:
			return c.deliver(route, tx, taken)
		}
		c.discard(taken)
		return refusal
	})
	c.discard(m) // a fault came first
}

func (c *session) discard(m interface{ Discard() error }) {
	if err := m.Discard(); err != nil {
		c.server.core.Log.Error("a message stays on disk", "err", err)
	}
}

// deliver records the message, or refuses it for its sender or size.
func (c *session) deliver(route string, tx *transaction, m *core.Message) string {
	sw := c.switches()
	refusal := c.senderRefusal(tx, m, sw.SMTPStyle)
	if sw.SMTPSize > 0 && m.Size > sw.SMTPSize {
		refusal = tooLargeReply(sw)
	}
	if refusal != "" {
		c.discard(m)
		return refusal
	}
	d := control.Delivery{Service: "smtp", Route: route, Mailbox: c.login, EnvelopeFrom: tx.from, Recipients: tx.rcpts}
	e := core.Edits{KeepBcc: true}                // contracts F3
	if sw.SMTPStyle == "gmail" && c.login != "" { // contracts C5.1, C5.5, D3.3, F6
		e.Set = map[string]string{}
		d.EnvelopeFrom = c.login
		d.From = c.server.gmail.RewriteFrom(m, c.login, e.Set)
		d.MessageID = gmail.RewriteMessageID(m, e.Set)
	}
	id := strings.ToUpper(strings.ReplaceAll(uuid.NewString(), "-", "")[:12])
	d, err := c.server.core.Deliver(d, m, e)
	if err != nil {
		c.server.core.Log.Error("a message could not be kept", "err", err)
		return "451 4.3.0 Error: queue file write error"
	}
	switch sw.SMTPStyle {
	case "exchange":
		return fmt.Sprintf("250 2.0.0 OK %s [Hostname=localhost]", d.MessageID)
	case "gmail":
		return fmt.Sprintf("250 2.0.0 OK  %d %s - gsmtp", d.At.Unix(), strings.ToLower(id))
	}
	return "250 2.0.0 Ok: queued as " + id
}

// throttleAfter is after how many send-as denials the mailbox is throttled;
// the real number is not published (contracts D5, F30).
const throttleAfter = 5

// senderRefusal is contracts D5 and F7 at the end of a message.
func (c *session) senderRefusal(tx *transaction, m *core.Message, style string) string {
	login := core.Normalize(c.login)
	froms, err := core.HeaderAddresses(m.Field("From"))
	senders := []string{tx.from}
	if err == nil {
		for _, a := range froms {
			senders = append(senders, a.Address.String())
		}
	}
	if style == "exchange" && len(froms) > 1 && len(m.FieldsNamed("Sender")) != 1 {
		return "550 5.1.20 Multiple From addresses are present without Sender header"
	}
	if c.server.denialsOf(login) >= throttleAfter {
		return "550 5.2.252 Sender throttled due to continuous send as denied errors; " +
			"STOREDRV.Submission.Exception:SubmissionQuotaExceededException"
	}
	_, domain, _ := strings.Cut(login, "@")
	for _, s := range senders {
		s = core.Normalize(s)
		own := s == "" || s == login || strings.HasPrefix(s, "alias") && strings.HasSuffix(s, "@"+domain)
		right, listed := c.server.core.RightOf(login, s)
		if listed {
			own = s == "" || right != core.NoRight
		}
		switch {
		case strings.HasPrefix(s, "dailylimit"):
			return "550 5.4.5 Daily user sending limit exceeded. For more information on Gmail\n" +
				"550 5.4.5 sending limits go to\n" +
				"550 5.4.5  https://support.google.com/a/answer/166852 - gsmtp"
		case strings.HasPrefix(s, "deny"), (style == "exchange" || listed && style != "gmail") && c.login != "" && !own:
			c.server.denied(login)
			return fmt.Sprintf("554 5.2.252 SendAsDenied; %s not allowed to send as %s; "+
				"STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; Failed to process message due to a permanent "+
				"exception with message [BeginDiagnosticData]Cannot submit message.", login, s)
		}
	}
	return ""
}

// A body is a message that is being stored.
type body struct {
	check contentCheck
	in    *core.Incoming
	err   error // of in: the rest is only checked
}

func (c *session) newBody() *body { return &body{in: c.server.core.NewIncoming()} }

func (b *body) add(p []byte) {
	b.check.feed(p)
	if b.err == nil {
		_, b.err = b.in.Write(p)
	}
}

func (b *body) Write(p []byte) (int, error) {
	b.add(p)
	return len(p), nil // finish returns the error
}

// finish returns the whole message.
func (b *body) finish() (*core.Message, error) {
	b.check.end()
	if b.err != nil {
		return nil, errors.Join(b.err, b.in.Discard())
	}
	return b.in.Finish()
}

// Discard removes what was stored so far.
func (b *body) Discard() error { return b.in.Discard() }

// bdat takes one chunk. Its bytes are read whatever the reply is (RFC 3030
// section 2).
func (c *session) bdat(cmd command) {
	size, last, ok := smtpsyntax.ParseChunk(cmd.arg)
	if !ok {
		c.reply("501 5.5.4 Syntax: BDAT size [LAST]")
		c.closing = true // where the next command begins is not known
		return
	}
	refusal := ""
	switch {
	case !c.esmtp || !c.offers("CHUNKING"):
		refusal = "502 5.5.1 Error: command not implemented"
	case c.tx == nil:
		refusal = "503 5.5.1 Error: need MAIL command"
	case len(c.tx.rcpts) == 0:
		refusal = "554 5.5.1 Error: no valid recipients"
	}
	if refusal != "" {
		c.deadline()
		if _, err := io.CopyN(io.Discard, c.br, size); err != nil {
			c.closing = true
		}
		c.reply(refusal)
		return
	}
	tx := c.tx
	if tx.bdat == nil {
		c.server.core.Count("smtp.data")
		tx.bdat = c.newBody()
	}
	if err := c.copyChunk(tx.bdat, size); err != nil {
		c.closing = true
		return
	}
	if !last {
		c.reply(fmt.Sprintf("250 2.0.0 %d octets received", size))
		return
	}
	b := tx.bdat
	tx.bdat = nil
	m, err := b.finish()
	c.finish("bdat", m, err, b.check.refusal(tx.eightBit, tx.utf8))
}

// copyChunk copies size bytes, with a deadline for each piece.
func (c *session) copyChunk(w io.Writer, size int64) error {
	for size > 0 {
		c.deadline()
		n, err := io.CopyN(w, c.br, min(size, readerSize))
		if size -= n; err != nil {
			return err
		}
		if c.server.core.Context().Err() != nil {
			return context.Cause(c.server.core.Context())
		}
	}
	return nil
}
