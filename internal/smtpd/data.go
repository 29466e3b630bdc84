package smtpd

import (
	"errors"
	"net"
	"strconv"
	"time"

	"github.com/postino-mail/postino/internal/programs"
	"github.com/postino-mail/postino/internal/smtpsyntax"
	"github.com/postino-mail/postino/internal/spool"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/mime"
)

// How much refused content is discarded, so that its sender reads the reply,
// before the session ends instead: in all since the last message; and of a chunk
// outside a transaction.
const (
	maxDiscard      = 64 << 20
	maxDiscardChunk = 1 << 20
	discardTime     = 10 * time.Second // for such a chunk
)

// A receiver writes content to the spool while it arrives, and keeps the reason
// why it stopped.
type receiver struct {
	body      *spool.Buffer
	limit     int64
	size      int64 // octets received
	discarded int64 // of them, not kept
	err       error // of the spool; ErrTooLarge beyond limit
	stop      bool  // keep nothing more
	start     time.Time
	end       time.Time // of the session
}

func (r *receiver) write(p []byte) {
	r.size += int64(len(p))
	if r.size > r.limit && r.err == nil && !r.stop {
		r.err = spool.ErrTooLarge
	}
	if r.err != nil || r.stop {
		r.discarded += int64(len(p))
		return
	}
	_, r.err = r.body.Write(p)
}

var (
	errSlow    = errors.New("the message comes too slowly")
	errEndless = errors.New("far more comes than is allowed")
)

// next returns more content; its errors end the session.
func (s *session) next(r *receiver) ([]byte, error) {
	late := false
	p, err := s.more(func() (t time.Time) {
		t, late = r.deadline(&s.srv.opt.Limits)
		return t
	})
	var timeout net.Error
	switch {
	case err != nil && s.toldToClose() == closeForRoom:
		return nil, errMakeRoom
	case late && errors.As(err, &timeout) && timeout.Timeout():
		return nil, errSlow
	case err == nil && s.discarded+r.discarded > maxDiscard:
		return nil, errEndless
	}
	return p, err
}

// deadline is when the next piece must have arrived: after a silence, or (late)
// when the message as a whole is too slow, or when the session has lasted too long.
func (r *receiver) deadline(l *Limits) (t time.Time, late bool) {
	slow := r.start.Add(max(l.SlowStart, time.Duration(r.size)*time.Second/time.Duration(l.MinRate)))
	if r.end.Before(slow) {
		slow = r.end
	}
	if t = time.Now().Add(l.Data); slow.Before(t) {
		return slow, true
	}
	return t, false
}

// abortMessage ends a session inside a message: what still arrives must not be
// taken for commands.
func (s *session) abortMessage(err error) {
	s.closing = true
	var t net.Error
	switch {
	case errors.Is(err, errMakeRoom):
		s.reply(421, "4.7.0", said(mime.NewText("smtpd.slow_and_full",
			"closing a connection that brings its message slowly: there are too many. More: max_connections of the listener"))...)
	case errors.Is(err, errSlow):
		s.reply(421, "4.4.2", said(mime.NewText("smtpd.too_slow", "the message comes too slowly, closing"))...)
	case errors.Is(err, errEndless):
		s.reply(552, "5.3.4", said(mime.NewText("smtpd.far_too_large", "the message is far larger than allowed, closing"))...)
	case errors.As(err, &t) && t.Timeout():
		s.reply(421, "4.4.2", said(mime.NewText("smtpd.data_timeout", "timeout inside the message, closing"))...)
	}
	s.log.Info("SMTP connection ended inside a message", "err", err)
	s.endTransaction()
}

func (s *session) data(arg string) {
	switch {
	case arg != "":
		s.badCommand(501, "5.5.4", "syntax: DATA")
		return
	case s.tx == nil:
		s.badCommand(503, "5.5.1", "send MAIL first")
		return
	case s.tx.chunks:
		s.badCommand(503, "5.5.1", "DATA is not allowed behind BDAT")
		return
	case len(s.tx.env.Recipients) == 0:
		s.badCommand(554, "5.5.1", "no valid recipients")
		return
	case s.inputPending():
		s.improperPipelining("DATA")
		return
	}
	s.reply(354, "", "end data with <CR><LF>.<CR><LF>")
	tx := s.tx
	tx.body = s.spool()
	r := &receiver{body: tx.body, limit: tx.limit, start: time.Now(), end: s.sessionEnd()}
	d := smtpsyntax.DotReader{AllowBareLF: s.listener.policy.BareLF}
	for {
		p, err := s.next(r)
		if err != nil {
			s.abortMessage(err)
			return
		}
		used, end := d.Feed(p, r.write)
		s.discard(used)
		r.stop = d.Flaws != 0 // it will be refused
		switch end {
		case smtpsyntax.DataOpen:
			continue
		case smtpsyntax.DataAmbiguous:
			s.closing = true
		case smtpsyntax.DataEnd:
		}
		s.finish(r, d.Flaws)
		return
	}
}

// spool makes the buffer of a message, charged to its client, or to the address
// when it is not a client's.
func (s *session) spool() *spool.Buffer {
	who := "address " + limitKey(s.remote).String()
	if s.tx != nil && s.tx.client != nil {
		who = "client " + s.tx.client.ID
	}
	return spool.New(s.srv.opt.SpoolDir, 0, 0).Charged(s.srv.opt.Budget, who)
}

// finish replies to a message that was read to its end.
func (s *session) finish(r *receiver, f smtpsyntax.Flaw) {
	s.discarded += r.discarded
	var full *spool.FullError
	switch {
	case s.closing: // RFC 5321 section 3.8
		s.refuseContent(421, "4.6.0", mime.NewText("smtpd.uncertain_end", "the end of the message is not certain: beside a line with a dot "+
			"alone there is a bare {end}, closing. Every line must end with CR LF (RFC 5321 section 2.3.8). For a device that cannot: "+
			"bare_lf and networks of the listener", "end", lineEndOf(f)))
	case f&smtpsyntax.FlawNUL != 0:
		s.refuseContent(554, "5.6.0", mime.NewText("smtpd.nul", "there is a NUL in the message: a program or a file is corrupt"))
	case f != 0:
		s.refuseContent(554, "5.6.0", mime.NewText("smtpd.bare_line_ends", "the message has lines that end with a bare {end}: every line must "+
			"end with CR LF (RFC 5321 section 2.3.8). For a device that cannot: bare_lf and networks of the listener", "end", lineEndOf(f)))
	case errors.Is(r.err, spool.ErrTooLarge):
		err := s.srv.opt.Submit.CheckMail(s.context(), s.tx.client, s.peer(), s.tx.env.From, r.size)
		if err == nil { // the limit was raised meanwhile
			s.reply(452, "4.3.4", said(mime.NewText("smtpd.limit_changed", "the message is larger than it was allowed to be: send it again"))...)
			s.endTransaction()
			return
		}
		s.refuseError(err, "DATA")
	case errors.As(r.err, &full):
		s.log.Warn("a message was not taken: uploads under way may have no more of the disk", "setting", full.Setting, "bytes", full.Bytes)
		s.reply(452, "4.3.1", said(mime.NewText("smtpd.spool_full", "uploads under way may have no more of the gateway's disk: "+
			"try again later; the administrator can raise {setting} or make room", "setting", full.Setting))...)
		s.endTransaction()
	case r.err != nil:
		s.log.Error("a message could not be spooled", "err", r.err)
		s.reply(452, "4.3.1", said(mime.NewText("smtpd.spool_unwritable",
			"the gateway cannot write the message to disk: try again later; the administrator should look at space and permissions"))...)
		s.endTransaction()
	default:
		s.submit()
	}
}

// lineEndOf names the line end that a flaw is about.
func lineEndOf(f smtpsyntax.Flaw) string {
	if f&smtpsyntax.FlawBareCR != 0 {
		return "CR"
	}
	return "LF"
}

// refuseContent refuses a message for its content.
func (s *session) refuseContent(code int, enhanced string, t mime.Text) {
	s.log.Info("SMTP refusal", "at", "DATA", "from", s.tx.env.From, "reply", code, "text", t.String())
	s.refused(s.tx.client, "invalid_message", t)
	s.notTaken(code)
	s.reply(code, enhanced, said(t)...)
	s.endTransaction()
}

// submit hands the message over. 250 is sent when it is durable, and not before.
func (s *session) submit() {
	tx := s.tx
	res, err := s.srv.opt.Submit.Submit(s.context(), submit.Request{
		Client: tx.client, EntryPoint: "smtp", Message: tx.body, Envelope: tx.env, Protocol: s.protocol(),
		OwnFrom: s.listener.policy.MissingHeaders, Lenient: s.listener.policy.lenient(), Unheard: true,
		Peer: s.peer(), Said: s.talk.taken(tx.body.Size()),
	})
	if err != nil {
		s.refuseError(err, "DATA")
		return
	}
	s.srv.opt.Counts.Messages.Add(1)
	id := res.ID.String()
	if len(res.Deliveries) > 0 {
		id = res.Deliveries[0].String()
	}
	s.markTrusted()
	s.reply(250, "2.0.0", "queued as "+id)
	s.keepReceipt(res.Receipt)
	about := []any{"id", res.ID.String(), "delivery", id, "message_id", res.MessageID, "from", tx.env.From,
		"recipients", len(res.Recipients), "size", res.Size, "joined", res.Joined, "resubmitted", res.Resubmitted}
	if !s.listener.policy.MissingHeaders {
		if added := missing(tx.body); added != "" {
			about = append(about, "added", added)
		}
	}
	s.log.Info("message taken", about...)
	s.endTransaction()
	s.idleCommands, s.badCommands, s.discarded = 0, 0, 0
	s.started = time.Now()
}

// peer is what is known of who submits.
func (s *session) peer() programs.Peer {
	return programs.Peer{Address: s.remote, Hello: s.helo, Auth: s.mechanism, TLS: s.tlsVersion}
}

// refused notes a refusal of the client c, nil: of none.
func (s *session) refused(c *store.Client, code string, reason mime.Text) {
	if c != nil {
		s.srv.opt.Programs.Refused(programs.Refusal{Client: c.ID, EntryPoint: "smtp", Address: s.remote, Code: code, Reason: reason,
			At: time.Now()})
	}
}

// protocol is the session's protocol for Received (RFC 3848; RFC 6531 section 4.3).
func (s *session) protocol() string {
	name := "SMTP"
	if s.tx.utf8 {
		name = "UTF8SMTP"
	} else if s.esmtp {
		name = "ESMTP"
	}
	if !s.esmtp {
		return name
	}
	if s.secure {
		name += "S"
	}
	if s.client != nil {
		name += "A"
	}
	return name
}

// bdat takes one chunk (RFC 3030). Its octets are read whatever the reply is.
func (s *session) bdat(arg string) {
	size, last, ok := smtpsyntax.ParseChunk(arg)
	switch {
	case s.listener.policy.BareLF:
		// A device that needs bare_lf does not send chunks, and no one may use
		// them to bypass how line ends are read in DATA.
		s.closing = true
		s.badCommand(502, "5.5.1", "BDAT is not available on a listener with bare_lf, closing")
		return
	case !ok: // where the next command begins is not known
		s.closing = true
		s.badCommand(501, "5.5.4", "syntax: BDAT size [LAST], closing")
		return
	}
	tx := s.tx
	switch {
	case tx == nil:
		s.skipChunk(size, 503, "5.5.1", "send MAIL first")
		return
	case len(tx.env.Recipients) == 0:
		s.skipChunk(size, 554, "5.5.1", "no valid recipients")
		return
	case tx.failed:
		s.skipChunk(size, 503, "5.5.1", "an earlier chunk was refused: RSET")
		return
	}
	if tx.body == nil {
		tx.body, tx.chunks, tx.started = s.spool(), true, time.Now()
	}
	r := &receiver{body: tx.body, limit: tx.limit, size: tx.size, start: tx.started, end: s.sessionEnd()}
	if !s.chunk(r, size) {
		return
	}
	tx.size = r.size
	if r.err != nil {
		s.finish(r, 0)
		if !last { // the rest of the transaction is discarded until RSET
			s.tx = &transaction{env: tx.env, chunks: true, failed: true}
		}
		return
	}
	if !last {
		s.reply(250, "2.0.0", strconv.FormatInt(size, 10)+" octets received")
		return
	}
	s.finish(r, 0)
}

// chunk reads size octets; false when the session has ended.
func (s *session) chunk(r *receiver, size int64) bool {
	for left := size; left > 0; {
		p, err := s.next(r)
		if err != nil {
			s.abortMessage(err)
			return false
		}
		p = p[:min(int64(len(p)), left)]
		r.write(p)
		s.discard(len(p))
		left -= int64(len(p))
	}
	return true
}

// skipChunk refuses a chunk and discards it. Outside a transaction only a little
// is discarded: announcing a large chunk must not be a way to hold a connection.
func (s *session) skipChunk(size int64, code int, enhanced, text string) {
	r := &receiver{stop: true, start: time.Now(), end: s.sessionEnd()}
	if s.tx == nil {
		if size > maxDiscardChunk {
			s.closing = true
			s.badCommand(code, enhanced, text+", closing")
			return
		}
		if end := r.start.Add(discardTime); end.Before(r.end) {
			r.end = end
		}
	}
	if s.chunk(r, size) {
		s.discarded += r.discarded
		s.badCommand(code, enhanced, text)
	}
}
