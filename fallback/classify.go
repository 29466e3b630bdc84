package fallback

import (
	"fmt"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// A stage is where in the dialogue a reply came.
type stage uint

const (
	atGreeting stage = 1 << iota
	atHello
	atTLS
	atAuth
	atReset
	atMail
	atRcpt
	atData
	atDot

	atLogin    = atGreeting | atHello | atTLS | atAuth // before any message
	atEnvelope = atMail | atRcpt
	atMessage  = atData | atDot
)

// A refusal is a reply that was not the wanted one, as the cause of an
// *adapters.Error. Its text is safe to show.
type refusal struct {
	reply
	at    stage
	shown string
}

func (r *refusal) Error() string {
	return strings.TrimSpace(fmt.Sprintf("smtp: %s %s", r.code(), r.shown))
}

// A row says what one kind of reply means. The first row that matches counts.
type row struct {
	code     int    // 0: any of the class; 4 or 5: the class of codes
	enhanced string // "5.7.1", or "5.7." for all that begin so; empty: any
	contains string // in the reply's text, lower case; alternatives between "|"; empty: any
	at       stage  // 0: anywhere
	meaning
}

// An input is a reply with all that decides what it means.
type input struct {
	reply
	at      stage
	authed  bool     // the session has logged in
	tls     bool     // the session is encrypted
	relayed bool     // the server has taken a recipient of this connection
	ours    []string // sender and login
	theirs  []string // the recipients that the reply answers
}

// A meaning is what to do about a reply.
type meaning struct {
	code        adapters.Code
	class       adapters.Class
	scope       adapters.Scope // empty: the message
	after       time.Duration  // where the provider's own rules name a time
	noRetry     bool
	tooLarge    bool
	concurrency bool // too many sessions at once
	foreign     bool // of a sender that is not the connection's own: the message's fault
	message     adapters.Text
	hint        adapters.Text
}

func (w *row) matches(r reply, text string, at stage) bool {
	switch {
	case w.at != 0 && w.at&at == 0:
		return false
	case w.code >= 200 && w.code != r.Code, w.code > 0 && w.code < 10 && w.code != r.Code/100:
		return false
	case w.enhanced != "" && w.enhanced != r.Enhanced && (!strings.HasSuffix(w.enhanced, ".") || !strings.HasPrefix(r.Enhanced, w.enhanced)):
		return false
	case w.contains == "":
		return true
	}
	for word := range strings.SplitSeq(w.contains, "|") {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// classify finds the meaning of a reply: what the providers' documents say of
// it, then what its words say of this side (login, encryption, EHLO name,
// sender, limits), then what its code says.
func classify(in input) meaning {
	text := normalised(in.reply)
	if in.at == atHello && heloWords.in(text) { // Google words it like a busy server
		return helloRefused(in.Code)
	}
	if m, ok := firstRow(providerRows(), in, text); ok {
		return m
	}
	if m, ok := refusalOfUs(in, text); ok {
		return m
	}
	if m, ok := firstRow(genericRows(), in, text); ok {
		return m
	}
	return meaning{code: adapters.CodeGarbage,
		class: adapters.Transient, scope: adapters.ScopeConnection, // a code that answers nothing that was asked
		message: mime.NewText("smtp.reply_unfit", "the server gave an answer that does not fit"),
		hint:    mime.NewText("smtp.check_host_port", "check host and port")}
}

func firstRow(table []row, in input, text string) (meaning, bool) {
	for i := range table {
		if table[i].matches(in.reply, text, in.at) {
			return table[i].meaning, true
		}
	}
	return meaning{}, false
}

// normalised is the reply's text in lower case with single spaces.
func normalised(r reply) string {
	return strings.Join(strings.Fields(strings.ToLower(r.text())), " ")
}

// refused makes the error of a reply; theirs are the recipients that it answers, if any.
func (a *Adapter) refused(s *session, at stage, r reply, theirs ...string) *adapters.Error {
	in := input{reply: r, at: at, authed: s.authed, tls: s.tls, relayed: a.relayed.Load(), ours: s.ours(a.set.Login), theirs: theirs}
	m := classify(in)
	if m.foreign && !a.ownSender(s.sender) { // the connection itself may be in order
		m.class, m.scope, m.noRetry = adapters.Permanent, adapters.ScopeMessage, true
	}
	if m.scope == "" {
		m.scope = adapters.ScopeMessage
	}
	why := s.censor.show(r.text())
	e := &adapters.Error{Class: m.class, Scope: m.scope, Provider: adapters.SMTP, Code: m.code, ProviderCode: r.code(), Status: r.Code,
		Enhanced:   r.Enhanced,
		RetryAfter: m.after, NoRetry: m.noRetry, TooLarge: m.tooLarge, Concurrency: m.concurrency, Message: m.message, Hint: m.hint,
		Err: &refusal{reply: reply{Code: r.Code, Enhanced: r.Enhanced}, at: at, shown: why}}
	if at == atDot && r.Enhanced == "5.2.0" && strings.Contains(r.text(), "DuplicateDelivery") {
		e.Code = adapters.CodeDuplicate // Exchange Online has a message with this Message-ID already
	}
	if why != "" && !a.set.PublicOnly { // whoever names hosts must not read through us what they say
		e.Message = mime.NewText("smtp.server_says", `{message}; {host} says "{reply}"`, "message", e.Message, "host", a.host, "reply", why)
	}
	return e
}

// refusedRcpt makes the error of one recipient, accepted others having been
// taken before. Too many recipients concern the transaction, not the person:
// the rest go in another one (RFC 5321 section 4.5.3.1.10, contracts D5).
func (a *Adapter) refusedRcpt(s *session, r reply, theirs string, accepted int) *adapters.Error {
	e := a.refused(s, atRcpt, r, theirs)
	if accepted > 0 && tooManyRecipients(r) && e.Class != adapters.Throttled {
		e.Code, e.Class, e.TooLarge, e.Enhanced = adapters.CodeTooManyRecipients, adapters.Transient, false, "4.5.3"
		e.Message, e.Hint = mime.NewText("smtp.too_many_recipients",
			"the server takes no more recipients in one transaction"),
			mime.NewText("smtp.others_follow",
				"No action needed; the others follow in another transaction")
	}
	return e
}

// tooManyRecipients: RFC 5321 section 4.5.3.1.10 says 452, and 552 from older servers.
func tooManyRecipients(r reply) bool {
	return r.Enhanced == "4.5.3" || r.Enhanced == "5.5.3" || r.Enhanced == "" && (r.Code == 452 || r.Code == 552)
}
