package smtpd

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/postino-mail/postino/internal/smtpsyntax"
	"github.com/postino-mail/postino/internal/spool"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/mime"
)

// A transaction is one message from MAIL on.
type transaction struct {
	client *store.Client
	env    mime.Envelope
	utf8   bool
	limit  int64 // most bytes of the message

	body   *spool.Buffer // nil before the first octet
	chunks bool          // by BDAT
	failed bool          // a chunk was refused: the rest is discarded
	size   int64         // octets received by BDAT

	started time.Time // of the first chunk
}

// sizes caches submit.MaxSize for a second.
type sizes struct {
	mu sync.Mutex
	n  int64
	at time.Time
}

// maxSize is the largest message that any usable route carries, for SIZE (RFC 1870).
func (s *Server) maxSize(ctx context.Context) int64 {
	s.sizes.mu.Lock()
	defer s.sizes.mu.Unlock()
	if s.sizes.n == 0 || time.Since(s.sizes.at) > time.Second {
		n, err := s.opt.Submit.MaxSize(ctx)
		if err != nil {
			s.opt.Log.Error("the largest size is not known", "err", err)
			n = s.opt.MaxSize
		}
		s.sizes.n, s.sizes.at = n, time.Now()
	}
	return s.sizes.n
}

func (s *session) mail(arg string) {
	if s.tx != nil {
		s.badCommand(503, "5.5.1", "a mail transaction is open already: RSET ends it")
		return
	}
	path, bad := parsePath(arg, senderPath)
	if bad != nil {
		s.badCommand(bad.code, bad.enhanced, bad.text)
		return
	}
	client, ok := s.sender()
	if !ok {
		return
	}
	tx := &transaction{client: client, limit: s.srv.maxSize(s.context())}
	size, bad := mailParams(tx, path.Params)
	if bad == nil && path.Address != "" {
		tx.env.From, bad = address(path.Address, tx.utf8, senderPath)
	}
	if bad != nil {
		s.badCommand(bad.code, bad.enhanced, bad.text)
		return
	}
	s.tx = tx
	if err := s.srv.opt.Submit.CheckMail(s.context(), client, s.peer(), tx.env.From, size); err != nil {
		s.refuseError(err, "MAIL")
		return
	}
	if !s.listener.rates.allow(s.remote, time.Now()) {
		s.reply(450, "4.7.1", said(mime.NewText("smtpd.address_rate",
			"your address may send {per_minute} messages a minute (messages_per_min of the listener): wait a minute", "per_minute",
			s.listener.policy.MessagesPerMin))...)
		s.endTransaction()
		return
	}
	s.reply(250, "2.1.0", "ok")
}

// refuseError replies why submit refused the message and ends the transaction.
func (s *session) refuseError(err error, at string) {
	r := submit.AsRefusal(err)
	from := ""
	if s.tx != nil {
		from = s.tx.env.From.String()
	}
	if r.Err != nil && r.Temporary() {
		s.log.Error("a message was not taken", "at", at, "from", from, "code", r.Code, "err", r.Err)
	} else {
		s.log.Info("SMTP refusal", "at", at, "from", from, "code", r.Code, "reply", r.SMTP, "text", r.Error())
	}
	if r.Code == "no_from" && !s.listener.policy.MissingHeaders {
		c := *r
		c.Hint = mime.NewText("smtpd.hint_device", "{hint}; for a device that cannot: missing_headers and networks of the listener", "hint",
			c.Hint)
		r = &c
	}
	s.notTaken(r.SMTP)
	s.refuse(r)
	s.endTransaction()
}

// mailParams reads the parameters of MAIL, also after HELO, as Postfix does. size
// is the declared one, 0 without.
func mailParams(tx *transaction, params []smtpsyntax.Param) (size int64, bad *syntaxError) {
	for _, p := range params {
		ok := true
		switch p.Name {
		case "SIZE": // RFC 1870 section 6.1: up to 20 digits
			ok = p.Value != "" && len(p.Value) <= 20 && strings.Trim(p.Value, "0123456789") == ""
			if n, err := strconv.ParseInt(p.Value, 10, 64); ok && err != nil {
				size = 1<<63 - 1
			} else {
				size = n
			}
		case "BODY": // RFC 6152; BINARYMIME (RFC 3030) is not offered
			ok = strings.EqualFold(p.Value, "7BIT") || strings.EqualFold(p.Value, "8BITMIME")
		case "SMTPUTF8": // RFC 6531 section 3.4
			tx.utf8, ok = true, !p.HasValue
		case "RET":
			tx.env.Ret = parseRet(p.Value)
		case "ENVID":
			tx.env.EnvID = parseEnvID(p.Value)
		case "AUTH": // RFC 4954 section 5: the original submitter, ignored
		default:
			return 0, notAvailable(p)
		}
		if !ok {
			return 0, badSyntax(501, "5.5.4", "the parameter "+p.Name+" has a value that it cannot have")
		}
	}
	return size, nil
}

func notAvailable(p smtpsyntax.Param) *syntaxError {
	return badSyntax(555, "5.5.4", "the parameter "+p.Name+" is not available")
}

func (s *session) rcpt(arg string) {
	switch {
	case s.tx == nil:
		s.badCommand(503, "5.5.1", "send MAIL first")
		return
	case s.tx.chunks:
		s.badCommand(503, "5.5.1", "RCPT is not allowed behind BDAT")
		return
	}
	path, bad := parsePath(arg, recipientPath)
	if bad != nil {
		s.badCommand(bad.code, bad.enhanced, bad.text)
		return
	}
	if len(s.tx.env.Recipients) >= s.listener.policy.MaxRecipients { // RFC 5321 section 4.5.3.1.10
		s.reply(452, "4.5.3", said(mime.NewText("smtpd.too_many_recipients",
			"too many recipients, {limit} are taken at once (max_recipients of the listener): send the rest in another message", "limit",
			s.listener.policy.MaxRecipients))...)
		return
	}
	var to mime.Recipient
	if bad = s.rcptParams(&to, path.Params); bad == nil {
		to.Address, bad = s.recipient(path.Address)
	}
	if bad != nil { // one of many recipients: not counted as a bad command
		s.reply(bad.code, bad.enhanced, bad.text)
		return
	}
	s.tx.env.Recipients = append(s.tx.env.Recipients, to)
	s.reply(250, "2.1.5", "ok")
}

func (s *session) rcptParams(to *mime.Recipient, params []smtpsyntax.Param) *syntaxError {
	for _, p := range params {
		switch p.Name {
		case "NOTIFY":
			to.Notify = parseNotify(p.Value)
		case "ORCPT":
			to.ORcpt = parseOrcpt(p.Value, s.tx.utf8)
		default:
			return notAvailable(p)
		}
	}
	return nil
}

// recipient returns the address of a path. postmaster without a domain is the
// address that the administrator configured (RFC 5321 section 4.5.1).
func (s *session) recipient(path string) (mime.Mailbox, *syntaxError) {
	if !strings.EqualFold(path, "postmaster") {
		return address(path, s.tx.utf8, recipientPath)
	}
	if s.srv.opt.Postmaster.IsZero() {
		return mime.Mailbox{}, badSyntax(550, "5.1.1",
			"no postmaster is configured here: give a whole address, or set postmaster in the configuration")
	}
	return s.srv.opt.Postmaster, nil
}
