package fallback

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postino-mail/postino/adapters"
)

// An ending is how a transaction left its session.
type ending struct {
	usable bool     // the server waits for another command
	full   bool     // the refusal may be the session's: another one may carry the message
	faults []string // extensions that may be to blame
	retry  bool     // nothing was accepted: the message may go at once without them
}

// trustAgain is how long an extension that failed is left out.
const trustAgain = 24 * time.Hour

// A distrust is the extensions of the server that failed, and until when each
// is left out. Safe for concurrent use.
type distrust struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (d *distrust) add(exts []string, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.until == nil {
		d.until = make(map[string]time.Time)
	}
	for _, ext := range exts {
		d.until[ext] = now.Add(trustAgain)
	}
}

func (d *distrust) forget(exts []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, ext := range exts {
		delete(d.until, ext)
	}
}

func (d *distrust) has(ext string, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return now.Before(d.until[ext])
}

// trusted is what of the server's offers is made use of.
func (a *Adapter) trusted(c capabilities) capabilities {
	out := c
	for ext := range c.ext {
		if a.without(ext) {
			if len(out.ext) == len(c.ext) {
				out.ext = maps.Clone(c.ext)
			}
			delete(out.ext, ext)
		}
	}
	return out
}

// leftOut reports an extension that the settings leave out (smtp.without).
func (a *Adapter) leftOut(ext string) bool {
	return slices.ContainsFunc(a.set.Without, func(w string) bool { return strings.EqualFold(w, ext) })
}

// without reports an extension that is left out, by the settings or because it failed.
func (a *Adapter) without(ext string) bool { return a.leftOut(ext) || a.distrust.has(ext, a.opt.Now()) }

// Send implements adapters.Adapter. Nothing was accepted, the message is not to
// blame, and it is sent once more, over a fresh connection: where a kept one was
// closed or refuses to go on, and where the server does not master an extension
// that it offers.
func (a *Adapter) Send(ctx context.Context, out adapters.Outgoing) (adapters.Receipt, error) {
	p, err := a.plan(out)
	if err != nil {
		return adapters.Receipt{}, err
	}
	if err := allRefused(p.rcpts); err != nil {
		return a.receipt(&transaction{plan: p, rcpts: p.rcpts}, nil), err
	}
	user := a.user(out)
	l, err := a.pool.enter(ctx, user)
	if err != nil {
		return adapters.Receipt{}, a.cancelled(ctx)
	}
	var s *session
	defer func() { a.pool.leave(user, l, s) }()
	var t retries
	for {
		if s, err = a.session(ctx, l, user, t.fresh); err != nil {
			s = nil
			return adapters.Receipt{}, err
		}
		s.sender = senders(out)
		release := s.bind(ctx)
		rec, end, err := a.transact(ctx, s, p)
		end.usable = release() && end.usable
		again := ctx.Err() == nil && t.again(a, s, end, err)
		switch {
		case !end.usable:
			s.kill()
			s = nil
		case again: // its place is needed: the provider counts connections (contracts D4)
			s.quit()
			s = nil
		}
		if !again {
			return rec, err
		}
		a.opt.Log.DebugContext(ctx, "smtp: once more over a fresh connection", "host", a.host, "err", err)
	}
}

// senders are the addresses by which a message may be called its sender's.
func senders(out adapters.Outgoing) []string {
	s := []string{out.Envelope.From.Folded()}
	for _, f := range out.Message.From() {
		s = append(s, f.Address.Folded())
	}
	return s
}

// ownSender reports whether all addresses of the sender are the connection's
// own: its From, its login or its mailbox.
func (a *Adapter) ownSender(sender []string) bool {
	for _, f := range sender {
		if !strings.EqualFold(f, a.conn.From) && !strings.EqualFold(f, a.set.Login) {
			return false
		}
	}
	return true
}

// A retries counts what was tried again for one message.
type retries struct {
	fresh   bool     // a fresh connection was asked for
	carried int      // messages of the session that refused to go on
	left    []string // extensions left out for this message
}

// again decides whether the message goes once more, and remembers what the
// server showed. err may be nil.
func (t *retries) again(a *Adapter, s *session, end ending, err error) bool {
	// refused without them too: they were not to blame
	if t.left != nil && !slices.Contains(t.left, "PIPELINING") && errors.As(err, new(*refusal)) {
		a.distrust.forget(t.left)
	}
	if err == nil {
		if t.carried > 0 {
			a.pool.learn(s.user, t.carried)
		}
		return false
	}
	faults := slices.DeleteFunc(end.faults, a.without)
	if len(faults) > 0 && t.left == nil {
		a.opt.Log.Info("smtp: left out for a day what the server offers and does not master", "host", a.host,
			"extensions", strings.Join(faults, " "))
		a.distrust.add(faults, a.opt.Now())
		t.left = faults
		t.fresh = true
		return end.retry
	}
	e := adapters.AsError(err)
	if !s.kept || t.fresh || e.NoRetry || !end.full && !errors.As(err, new(*staleError)) {
		return false
	}
	if end.full && end.usable {
		t.carried = s.sent
	}
	t.fresh = true
	return true
}

// outOfStep reports a reply that cannot be the one to its command: the server
// lost a command of those that were sent together.
func outOfStep(at stage, r reply, mailErr error, accepted int) bool {
	text := normalised(r)
	if strings.Contains(text, "synchronization error") || strings.Contains(text, "synchronisation error") ||
		strings.Contains(text, "improper use of smtp command pipelining") {
		return true
	}
	unexpected := r.Code == 500 || r.Code == 502 || r.Code == 503 || r.Code == 354
	switch at {
	case atMail:
		return unexpected && !wantsLogin.in(text) && !wantsTLS.in(text)
	case atRcpt:
		return mailErr == nil && unexpected && !wantsLogin.in(text) && !wantsTLS.in(text)
	case atData:
		return mailErr == nil && accepted > 0 && (r.Code == 500 || r.Code == 502 || r.Code == 503 || r.Code < 300)
	}
	return false
}

// envelopeFault says which extension a time-out or an answer that is none may
// be due to.
func envelopeFault(batch []command, err error) ending {
	var n net.Error
	timeout := errors.As(err, &n) && n.Timeout()
	if !timeout && !errors.As(err, new(*errGarbage)) {
		return ending{}
	}
	if len(batch) > 1 {
		return ending{faults: []string{"PIPELINING"}, retry: true}
	}
	return ending{faults: parameters(batch[0].line)}
}

// parameterFaults are the extensions with parameters that the server may have
// stumbled over (RFC 5321 section 4.1.1.11: 555; older servers say 501 or 504).
func (tx *transaction) parameterFaults(r reply, line string) []string {
	if r.Code != 500 && r.Code != 501 && r.Code != 502 && r.Code != 504 && r.Code != 555 {
		return nil
	}
	f := parameters(line)
	if tx.needsUTF8() {
		f = slices.DeleteFunc(f, func(ext string) bool { return ext == "SMTPUTF8" })
	}
	return f
}

// parameters are the extensions that a MAIL or RCPT line makes use of.
func parameters(line string) []string {
	var f []string
	for _, p := range strings.Fields(line) {
		switch word, _, _ := strings.Cut(p, "="); word {
		case "SIZE", "SMTPUTF8":
			f = append(f, word)
		case "BODY":
			f = append(f, "8BITMIME")
		case "RET", "ENVID", "NOTIFY", "ORCPT":
			if !slices.Contains(f, "DSN") {
				f = append(f, "DSN")
			}
		}
	}
	return f
}

// bodyFaults: the answer to the body did not come or is none.
func (tx *transaction) bodyFaults(err error) []string {
	var n net.Error
	if !errors.As(err, new(*errGarbage)) && (!errors.As(err, &n) || !n.Timeout()) {
		return nil
	}
	switch {
	case tx.chunking:
		return []string{"CHUNKING"}
	case tx.eightBit:
		return []string{"8BITMIME"}
	}
	return nil
}

// refusedBody: the body was refused.
func (tx *transaction) refusedBody(r reply) ending {
	end := ending{usable: r.Code != 421, full: sessionFull(normalised(r))}
	switch {
	case tx.chunking && (r.Code >= 500 && r.Code <= 504): // BDAT itself is not understood
		end.faults, end.retry = []string{"CHUNKING"}, true
	case tx.eightBit && r.Enhanced == "5.6.3": // conversion required but not supported (RFC 3463 section 3.7)
		end.faults, end.retry = []string{"8BITMIME"}, true
	}
	return end
}

// noneAccepted: all recipients were refused. The session is to blame when each
// refusal is one for now or names it.
func (tx *transaction) noneAccepted(end ending) ending {
	end.usable, end.full, end.retry = true, true, end.faults != nil
	for i := range tx.rcpts {
		if e := tx.rcpts[i].err; e == nil || !tx.rcpts[i].full && e.Class == adapters.Permanent {
			end.full = false
		}
	}
	return end
}
