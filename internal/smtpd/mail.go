package smtpd

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

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
	failed bool          // a chunk was refused: the rest is read away
	size   int64         // octets that came by BDAT
}

// sizes remembers for a moment what submit.MaxSize said.
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
	if !s.introduced() {
		return
	}
	if s.tx != nil {
		s.wrong(503, "5.5.1", "a mail transaction is open already: RSET ends it")
		return
	}
	path, params, bad := parsePath(arg, "FROM:", s.on.policy.LaxHelo)
	if bad != nil {
		s.wrong(bad.code, bad.enhanced, bad.text)
		return
	}
	client, ok := s.sender()
	if !ok {
		return
	}
	tx := &transaction{client: client, limit: s.srv.maxSize(s.context())}
	size, bad := s.mailParams(tx, params)
	if bad == nil && path != "" {
		tx.env.From, bad = address(path, tx.utf8, "5.1.7")
	}
	if bad != nil {
		s.wrong(bad.code, bad.enhanced, bad.text)
		return
	}
	s.tx = tx
	if err := s.srv.opt.Submit.CheckMail(s.context(), client, tx.env.From, size); err != nil {
		s.refused(err, "MAIL")
		return
	}
	if !s.on.pace.take(s.remote, time.Now()) {
		s.reply(450, "4.7.1", fmt.Sprintf("your address may send %d messages a minute: wait a minute", s.on.policy.MessagesPerMin),
			fmt.Sprintf("il vostro indirizzo può inviare %d messaggi al minuto: attendere un minuto", s.on.policy.MessagesPerMin))
		s.endTransaction()
		return
	}
	s.reply(250, "2.1.0", "ok")
}

// refused answers with why submit does not take the message and ends the transaction.
func (s *session) refused(err error, at string) {
	r := submit.AsRefusal(err)
	from := ""
	if s.tx != nil {
		from = s.tx.env.From
	}
	if r.Err != nil && r.Temporary() {
		s.log.Error("a message was not taken", "at", at, "from", from, "code", r.Code, "err", r.Err)
	} else {
		s.log.Info("SMTP refusal", "at", at, "from", from, "code", r.Code, "reply", r.SMTP, "text", r.Error())
	}
	s.refuse(r)
	s.endTransaction()
}

// mailParams reads the parameters of MAIL; size is the declared one, 0 when none.
func (s *session) mailParams(tx *transaction, params []param) (size int64, bad *syntaxError) {
	if len(params) > 0 && !s.esmtp && !s.on.policy.LaxHelo {
		return 0, badSyntax(555, "5.5.4", "parameters need EHLO")
	}
	for _, p := range params {
		var ok bool
		switch p.name {
		case "SIZE": // RFC 1870 section 6.1: up to 20 digits
			ok = p.value != "" && len(p.value) <= 20 && strings.Trim(p.value, "0123456789") == ""
			if n, err := strconv.ParseInt(p.value, 10, 64); ok && err != nil {
				size = 1<<63 - 1
			} else {
				size = n
			}
		case "BODY": // RFC 6152; BINARYMIME (RFC 3030) is not offered
			ok = strings.EqualFold(p.value, "7BIT") || strings.EqualFold(p.value, "8BITMIME")
		case "SMTPUTF8": // RFC 6531 section 3.4
			tx.utf8, ok = true, !p.has
		case "RET": // RFC 3461 section 4.3
			tx.env.Ret = strings.ToUpper(p.value)
			ok = tx.env.Ret == "FULL" || tx.env.Ret == "HDRS"
		case "ENVID": // RFC 3461 section 4.4
			ok = len(p.value) <= 100
			if ok {
				tx.env.EnvID, ok = decodeXtext(p.value)
			}
		case "AUTH": // RFC 4954 section 5: who submitted at first, taken and not believed
			_, ok = decodeXtext(p.value)
		default:
			return 0, badSyntax(555, "5.5.4", "the parameter "+p.name+" is not available")
		}
		if !ok {
			return 0, badSyntax(501, "5.5.4", "the parameter "+p.name+" has a value that it cannot have")
		}
	}
	return size, nil
}

func (s *session) rcpt(arg string) {
	switch {
	case s.tx == nil:
		s.wrong(503, "5.5.1", "send MAIL first")
		return
	case s.tx.chunks:
		s.wrong(503, "5.5.1", "RCPT is not allowed behind BDAT")
		return
	}
	path, params, bad := parsePath(arg, "TO:", s.on.policy.LaxHelo)
	if bad != nil {
		s.wrong(bad.code, bad.enhanced, bad.text)
		return
	}
	if len(s.tx.env.Recipients) >= s.on.policy.MaxRecipients { // RFC 5321 section 4.5.3.1.10
		s.reply(452, "4.5.3", fmt.Sprintf("too many recipients, %d are taken at once: send the rest in another message", s.on.policy.MaxRecipients))
		return
	}
	var to mime.Recipient
	if bad = s.rcptParams(&to, params); bad == nil {
		to.Address, bad = address(path, s.tx.utf8, "5.1.3")
	}
	if bad != nil { // one of many recipients: no offence
		s.reply(bad.code, bad.enhanced, bad.text)
		return
	}
	s.tx.env.Recipients = append(s.tx.env.Recipients, to)
	s.reply(250, "2.1.5", "ok")
}

func (s *session) rcptParams(to *mime.Recipient, params []param) *syntaxError {
	if len(params) > 0 && !s.esmtp && !s.on.policy.LaxHelo {
		return badSyntax(555, "5.5.4", "parameters need EHLO")
	}
	for _, p := range params {
		var ok bool
		switch p.name {
		case "NOTIFY": // RFC 3461 section 4.1
			to.Notify, ok = parseNotify(p.value)
		case "ORCPT": // RFC 3461 section 4.2
			to.ORcpt, ok = parseOrcpt(p.value, s.tx.utf8)
		default:
			return badSyntax(555, "5.5.4", "the parameter "+p.name+" is not available")
		}
		if !ok {
			return badSyntax(501, "5.5.4", "the parameter "+p.name+" has a value that it cannot have")
		}
	}
	return nil
}

// parseNotify: NEVER alone, or any of the others once each.
func parseNotify(v string) ([]string, bool) {
	var out []string
	for w := range strings.SplitSeq(strings.ToUpper(v), ",") {
		switch w {
		case "NEVER", "SUCCESS", "FAILURE", "DELAY":
		default:
			return nil, false
		}
		if slices.Contains(out, w) {
			continue
		}
		out = append(out, w)
	}
	return out, len(out) == 1 || !slices.Contains(out, "NEVER")
}

// parseOrcpt reads addr-type;xtext, or utf-8;address (RFC 6533 section 3).
func parseOrcpt(v string, utf8Allowed bool) (string, bool) {
	kind, text, ok := strings.Cut(v, ";")
	kind = strings.ToLower(kind)
	if !ok || kind == "" || len(v) > 500 || !isKeyword(strings.ToUpper(kind)) {
		return "", false
	}
	if kind == "utf-8" {
		text, ok = decodeUnitext(text, utf8Allowed)
	} else {
		text, ok = decodeXtext(text)
	}
	return kind + ";" + text, ok
}
