package fallback

import (
	"context"
	"encoding/hex"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// rcptWindow is how many commands are sent ahead of their replies: few enough
// that the replies fit the socket's buffers, or both sides would wait for each
// other (RFC 2920 section 3.1).
const rcptWindow = 100

// sureRecipients is what every server takes in one transaction (RFC 5321
// section 4.5.3.1.8). Beyond, few are named at once: a server that is full
// refuses each, and servers hang up after some 20 refusals (Postfix's
// smtpd_hard_error_limit).
const (
	sureRecipients = 100
	unsureWindow   = 10
)

// A rcpt is one recipient on its way through a transaction.
type rcpt struct {
	mime.Recipient
	err  *adapters.Error // why it is refused
	full bool            // its refusal blames the session
}

// A staleError marks a failure before any of the message was sent, on a
// connection that the server seems to have closed.
type staleError struct{ error }

func (e *staleError) Unwrap() error { return e.error }

// transact carries one message over the session, and reports how it left it.
// The receipt tells the recipients' fates with an error too.
func (a *Adapter) transact(ctx context.Context, s *session, p *plan) (adapters.Receipt, ending, error) {
	s.talk = adapters.ConversationIn(ctx)
	defer func() { s.talk = nil }()
	tx, err := a.adapt(s, p)
	if err != nil {
		return adapters.Receipt{}, ending{usable: true}, err
	}
	if err := allRefused(tx.rcpts); err != nil { // those left cannot be reached through this server
		return a.receipt(tx, nil), ending{usable: true}, err
	}
	begun, end, err := a.envelope(ctx, s, tx)
	if err != nil {
		return a.receipt(tx, err), end, err
	}
	if !begun {
		err := refusedByAll(tx.rcpts)
		return a.receipt(tx, nil), end, err
	}
	sum, r, err := a.body(ctx, s, tx)
	if err != nil {
		return a.receipt(tx, err), ending{faults: tx.bodyFaults(err)}, err
	}
	s.reset = !r.ok() // after a refused BDAT the server may still be inside (RFC 3030 section 2)
	if !r.ok() {
		err := a.refused(s, atDot, r, tx.taken()...)
		return a.receipt(tx, err), tx.refusedBody(r), err
	}
	s.sent++
	rec := a.receipt(tx, nil)
	rec.Provider, rec.Route, rec.MessageID = adapters.SMTP, "smtp", p.out.Message.MessageID()
	rec.ProviderID, rec.Reply = queueID(r.text()), s.censor.show(r.code()+" "+r.text())
	rec.Status, rec.Bytes, rec.SHA256, rec.At = r.Code, tx.content.size, hex.EncodeToString(sum), a.opt.Now()
	return rec, ending{usable: true}, nil
}

// receipt returns the recipients' fates; those who were not refused share whole.
func (a *Adapter) receipt(tx *transaction, whole error) adapters.Receipt {
	rec := adapters.Receipt{Provider: adapters.SMTP, Route: "smtp", Recipients: make([]adapters.RecipientResult, len(tx.rcpts)), DSN: tx.dsn}
	for i, r := range tx.rcpts {
		e := r.err
		if e == nil && whole != nil {
			e = adapters.AsError(whole)
		}
		rec.Recipients[i] = adapters.RecipientResult{Address: r.Address, Err: e}
	}
	return rec
}

// A command is one line of the envelope with its place in the transaction.
type command struct {
	line string
	at   stage
	rcpt int // index, of atRcpt
}

// envelope sends MAIL, RCPT and DATA and settles who is accepted. begun is true
// when someone is and the server waits for the body; recipients that were
// refused carry their error. An error concerns them all.
func (a *Adapter) envelope(ctx context.Context, s *session, tx *transaction) (begun bool, end ending, err error) {
	cmds := tx.commands(s)
	window := 1
	if tx.caps.has("PIPELINING") {
		window = rcptWindow
	}
	s.reset = true
	var mailErr error
	var full *adapters.Error // the server takes no one more in this transaction
	accepted, data := 0, reply{}
	for len(cmds) > 0 && mailErr == nil {
		batch := cmds[:ahead(cmds, window, accepted)]
		cmds = cmds[len(batch):]
		if batch[0].at == atData && accepted == 0 {
			return false, tx.noneAccepted(end), nil
		}
		replies, err := a.ask(s, batch)
		for i, r := range replies {
			if r.Code == 421 { // the server is leaving; what it said before counts no more
				return false, ending{}, stale(a.refused(s, batch[i].at, r))
			}
			if len(batch) > 1 && outOfStep(batch[i].at, r, mailErr, accepted) {
				return false, ending{faults: []string{"PIPELINING"}, retry: true}, a.refused(s, batch[i].at, r)
			}
			switch batch[i].at {
			case atReset:
				if !r.ok() { // what was open may still be: the session is not to be trusted
					return false, ending{}, stale(a.refused(s, atReset, r))
				}
			case atMail:
				if !r.ok() {
					mailErr = a.refused(s, atMail, r)
					end = ending{usable: true, full: true, faults: tx.parameterFaults(r, batch[i].line)}
				}
			case atRcpt:
				if r.ok() {
					accepted++
					a.relayed.Store(true)
				} else {
					x := &tx.rcpts[batch[i].rcpt]
					x.err = a.refusedRcpt(s, r, x.Address.String(), accepted)
					x.full = sessionFull(normalised(r))
					if accepted > 0 && tooManyRecipients(r) {
						full = x.err
					}
					if f := tx.parameterFaults(r, batch[i].line); f != nil {
						end.faults = f
					}
				}
			case atData:
				data = r
			}
		}
		if err != nil {
			at := batch[min(len(replies), len(batch)-1)].at
			return false, envelopeFault(batch, err), stale(a.ioError(ctx, s, at, err))
		}
		for full != nil && len(cmds) > 0 && cmds[0].at == atRcpt { // the answer is known
			tx.rcpts[cmds[0].rcpt].err, cmds = full, cmds[1:]
		}
	}
	if data.Code == 354 && (mailErr != nil || accepted == 0) {
		if err := a.emptyBody(ctx, s); err != nil {
			return false, ending{}, err
		}
	}
	switch {
	case mailErr != nil:
		tx.forgive() // who followed a refused MAIL got 503, which says nothing of them
		end.retry = end.faults != nil
		return false, end, mailErr
	case accepted == 0:
		return false, tx.noneAccepted(end), nil
	case tx.chunking, data.Code == 354:
		if s.r.Buffered() > 0 { // an answer to a message that has not been sent
			end, err := a.early(ctx, s, window > 1)
			return false, end, err
		}
		return true, ending{}, nil
	case data.Code >= 400:
		return false, ending{usable: true, full: true}, a.refused(s, atData, data)
	}
	return false, ending{}, stale(a.ioError(ctx, s, atData, &errGarbage{why: "DATA was answered with " + data.code(), got: data.code() + " " +
		data.text()}))
}

// early is the error of a reply that came before the message: a refusal counts
// as one of DATA, anything else shows a server out of step. Nothing was sent.
func (a *Adapter) early(ctx context.Context, s *session, pipelined bool) (ending, error) {
	r, err := s.read(a.opt.Timeouts.Batch)
	if err != nil {
		return ending{}, stale(a.ioError(ctx, s, atData, err))
	}
	if r.Code >= 400 {
		return ending{full: true}, a.refused(s, atData, r)
	}
	e := a.ioError(ctx, s, atData, &errGarbage{why: "a reply came before the message", got: r.code() + " " + r.text()})
	if pipelined {
		return ending{faults: []string{"PIPELINING"}, retry: true}, e
	}
	return ending{}, e
}

// ahead is how many of cmds may go out before their replies are read.
func ahead(cmds []command, window, accepted int) int {
	n := min(window, len(cmds))
	if accepted >= sureRecipients {
		return min(n, unsureWindow)
	}
	named := 0
	for i, c := range cmds[:n] {
		if c.at == atRcpt {
			if named++; accepted+named > sureRecipients {
				return i
			}
		}
	}
	return n
}

// stale marks an error that ended the connection before the body.
func stale(e *adapters.Error) *adapters.Error {
	if e.Err == nil {
		e.Err = e.Code
	}
	e.Err = &staleError{e.Err}
	return e
}

// ask sends a batch of commands and reads their replies: as many as came, and
// the error that ended them.
func (a *Adapter) ask(s *session, batch []command) ([]reply, error) {
	timeout := a.opt.Timeouts.Command
	if batch[len(batch)-1].at == atData {
		timeout = a.opt.Timeouts.DataInit
	}
	if len(batch) > 1 {
		timeout = min(a.opt.Timeouts.Batch, a.opt.Timeouts.Command)
	}
	if err := s.deadlineForWrite(timeout); err != nil {
		return nil, err
	}
	for _, c := range batch {
		if err := s.put(c.line); err != nil {
			return nil, err
		}
	}
	werr := s.flush(timeout)
	replies := make([]reply, 0, len(batch))
	for range batch {
		r, err := s.read(timeout) // after a failed write too: a 421 may wait there
		if err != nil {
			if werr != nil {
				err = werr
			}
			return replies, err
		}
		replies = append(replies, r)
		if r.Code == 421 || len(batch) > 1 && batch[len(replies)-1].at == atMail && outOfStep(atMail, r, nil, 0) {
			break // the others would be waited for in vain
		}
	}
	return replies, nil
}

// emptyBody ends a DATA that the server let begin although no one is accepted
// (RFC 2920 section 3.1): the lone dot is no message, whatever is answered.
func (a *Adapter) emptyBody(ctx context.Context, s *session) error {
	if _, err := s.cmd(".", a.opt.Timeouts.DataEnd); err != nil {
		return stale(a.ioError(ctx, s, atData, err))
	}
	return nil
}

// taken are the addresses of the recipients that the server has taken.
func (tx *transaction) taken() []string {
	var out []string
	for i := range tx.rcpts {
		if tx.rcpts[i].err == nil {
			out = append(out, tx.rcpts[i].Address.String())
		}
	}
	return out
}

// allRefused is the error of recipients none of whom is left.
func allRefused(rcpts []rcpt) error {
	for i := range rcpts {
		if rcpts[i].err == nil {
			return nil
		}
	}
	return refusedByAll(rcpts)
}

// refusedByAll is the error of a transaction in which no one was accepted: the
// least final of the refusals, so that no one is given up who may yet be reached.
func refusedByAll(rcpts []rcpt) error {
	rank := map[adapters.Class]int{adapters.Auth: 4, adapters.Throttled: 3, adapters.Transient: 2, adapters.Permanent: 1}
	var worst *adapters.Error
	for i := range rcpts {
		if e := rcpts[i].err; e != nil && (worst == nil || rank[e.Class] > rank[worst.Class]) {
			worst = e
		}
	}
	if worst == nil {
		return nil
	}
	return worst
}

// queueID finds the server's name for the message in its reply, empty when
// the reply has no form that is known.
func queueID(text string) string {
	low := strings.ToLower(text)
	for _, mark := range []string{"queued as ", "queued mail for delivery id ", "id=", "queued with id "} {
		i := strings.Index(low, mark)
		if i < 0 || mark == "id=" && i > 0 && low[i-1] != ' ' {
			continue
		}
		word, _, _ := strings.Cut(text[i+len(mark):], " ")
		return cleanID(word)
	}
	words := strings.Fields(text)
	switch {
	case strings.HasSuffix(low, "message accepted for delivery") && len(words) > 4: // sendmail, OpenSMTPD
		return cleanID(words[len(words)-5])
	case strings.HasSuffix(low, "- gsmtp") && len(words) > 3: // OK  1700000000 abc-20020a.12 - gsmtp
		return cleanID(words[len(words)-3])
	case len(words) > 1 && strings.EqualFold(words[0], "ok") && strings.HasPrefix(words[1], "<"): // Exchange: OK <id> [Hostname=...]
		return cleanID(words[1])
	case len(words) == 2 && strings.EqualFold(words[0], "ok") && len(words[1]) >= 16: // Amazon SES
		return cleanID(words[1])
	}
	return ""
}

// cleanID bounds a server's word to what an identifier may be.
func cleanID(s string) string {
	s = strings.Trim(s, "<>[]().,;\"'")
	if len(s) > 128 {
		return ""
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return ""
		}
	}
	return s
}
