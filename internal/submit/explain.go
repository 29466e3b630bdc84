package submit

import (
	"context"
	"errors"
	"strconv"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// A Question asks which connection a message would take.
type Question struct {
	Client     *store.Client // who submits; nil: this machine's administrator
	Owner      string        // id of a person: only connections that they own; empty: any
	From       mime.Mailbox
	Connection string // that the client names; empty: none
	Class      string // empty: by the client, or transactional
	Size       int64  // in bytes; 0: not known
	Recipients int    // 0: not known
}

// An Explanation says which connection a message would take, and why.
type Explanation struct {
	Chosen  *gateway.Connection // nil: refused
	Rule    Rule
	From    mime.Mailbox // as which the message goes out
	Refusal *Refusal     // why nothing is chosen, or why it is refused after the choice
	// Carrier sends it first: the chosen one, or a fallback where the chosen one
	// cannot carry the size.
	Carrier    *gateway.Connection
	Deliveries int // into which the recipients are split
	Fallbacks  []Fallback
	Others     []Other // by name, at most most
	More       int     // how many others there are besides
}

// An Other is a connection that is not chosen, and why not.
type Other struct {
	Connection *gateway.Connection
	Reason     mime.Text
}

// A Fallback is one of the chain of the chosen connection.
type Fallback struct {
	Name       string
	Connection *gateway.Connection // nil: none is called so
	Usable     bool
	Reason     mime.Text // where it is not usable
}

// Explain chooses a connection as Submit does, and says why. Nothing is stored. At
// most so many of the other connections are named.
func (s *Submitter) Explain(ctx context.Context, q Question, most int) (*Explanation, error) {
	t, err := s.table(ctx)
	if err != nil {
		return nil, err
	}
	if q.Class == "" && q.Client != nil {
		q.Class = q.Client.Class
	}
	if q.Class == "" {
		q.Class = ClassTransactional
	}
	r := routing{client: q.Client, owner: q.Owner, from: q.From, named: q.Connection, class: q.Class}
	e := t.explain(r, most)
	if e.Chosen == nil {
		return e, nil
	}
	e.From, e.Deliveries = q.From, 1
	if e.Chosen.Default == gateway.DefaultAlways {
		from, _, err := replacement(e.Chosen)
		if err != nil {
			e.Refusal = AsRefusal(badMessage(err))
			return e, nil
		}
		e.From = from.Address
	} else if err := CheckSender(q.Client, "from", q.From); err != nil {
		e.Refusal = AsRefusal(err)
	}
	return e, s.explainCarrier(ctx, &q, e)
}

// explain goes through the rules as choose does, and beyond the first match.
func (t *table) explain(r routing, most int) *Explanation {
	t.mu.RLock()
	defer t.mu.RUnlock()
	e := &Explanation{}
	var err error
	if e.Chosen, e.Rule, err = t.decide(r); err != nil {
		e.Refusal = AsRefusal(err)
	}
	seen := map[*gateway.Connection]bool{}
	add := func(c *gateway.Connection, reason mime.Text) {
		if c == e.Chosen || seen[c] || !r.owns(c) {
			return
		}
		seen[c] = true
		if len(e.Others) < most {
			e.Others = append(e.Others, Other{c, reason})
		} else {
			e.More++
		}
	}
	for c := range t.candidates(r) {
		switch {
		case c.obstacle != nil:
			add(c.conn, *c.obstacle)
		case c.rule == e.Rule:
			add(c.conn, mime.NewText("submit.why_other_first", "it fits as well; of several the first by name is taken"))
		default:
			add(c.conn, mime.NewText("submit.why_earlier_rule", "it would fit ({rule}), but an earlier rule has chosen", "rule", c.rule.Text()))
		}
	}
	for _, c := range t.of {
		add(c, r.whyNot(c))
	}
	return e
}

// whyNot says why no rule looked at a connection.
func (r routing) whyNot(c *gateway.Connection) mime.Text {
	switch {
	case !c.IsActive():
		return whyInactive()
	case r.obstacle(c) != nil:
		return *r.obstacle(c)
	case c.MatchesFrom(r.from):
		return mime.NewText("submit.why_rule_before", "it sends as {from}, but an earlier rule has decided", "from", r.from)
	}
	return mime.NewText("submit.why_sender", "it is not chosen for mail from {from}", "from", r.from)
}

// explainCarrier checks size and recipients against the chosen connection and its
// chain.
func (s *Submitter) explainCarrier(ctx context.Context, q *Question, e *Explanation) error {
	refused := s.cannot(e.Chosen, q)
	if refused == nil {
		e.Carrier = e.Chosen
		if route, err := s.capacity(e.Chosen); err == nil && route.split > 0 && q.Recipients > route.split {
			e.Deliveries = (q.Recipients + route.split - 1) / route.split
		}
	}
	tooLarge := refused != nil && refused.TooLarge
	for _, name := range e.Chosen.Fallback {
		f := Fallback{Name: name}
		c, err := s.conns.Named(ctx, name)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		f.Connection = shown(q, c)
		switch {
		case c == nil:
			f.Reason = mime.NewText("submit.fallback_missing", "no connection is called so")
		case !c.IsActive():
			f.Reason = whyInactive()
		case !c.AllowsFrom(e.From):
			f.Reason = mime.NewText("submit.fallback_sender", "it does not send as {from}", "from", e.From)
		default:
			if no := s.cannot(c, q); no != nil {
				f.Reason = no.Message
			} else if f.Usable = true; tooLarge && e.Carrier == nil {
				e.Carrier = f.Connection
			}
		}
		if c != nil && f.Connection != c && !f.Usable {
			f.Reason = whyNotOwn()
		}
		e.Fallbacks = append(e.Fallbacks, f)
	}
	if e.Carrier == nil && e.Refusal == nil && refused != nil {
		e.Refusal = AsRefusal(cannotCarry(e.Chosen, refused))
	}
	return nil
}

// shown is a connection of the chain as the person who asks sees it: of another
// owner's the name alone.
func shown(q *Question, c *gateway.Connection) *gateway.Connection {
	if c == nil || q.Owner == "" || c.Owner == q.Owner {
		return c
	}
	return &gateway.Connection{Connection: adapters.Connection{Name: c.Name}}
}

// cannot returns why a connection cannot carry a message of the question's size;
// nil: it can, as far as that is known.
func (s *Submitter) cannot(c *gateway.Connection, q *Question) *adapters.Error {
	route, err := s.capacity(c)
	if err != nil {
		return adapters.AsError(err)
	}
	if most := route.adapter.MaxSize(); most > 0 && q.Size > most {
		return &adapters.Error{Class: adapters.Permanent, TooLarge: true, Code: "too_large", Enhanced: "5.3.4",
			Message: mime.NewText("submit.why_too_large", "{connection} carries at most {most} bytes", "connection", strconv.Quote(c.Name),
				"most", most)}
	}
	return nil
}

func whyNotOwn() mime.Text { return mime.NewText("submit.why_not_own", "it belongs to another person") }

func whyInactive() mime.Text { return mime.NewText("submit.why_inactive", "it is switched off") }

// A Rule is one of the rules of routing, by its number in the documentation.
type Rule int

// The rules, in their order; the first match wins.
const (
	RuleNone    Rule = iota // nothing matched
	RuleAlways              // the default connection in mode "always"
	RuleNamed               // the client names it
	RuleClass               // it is for bulk mail
	RuleAddress             // exact From address
	RuleDomain              // From domain
	RuleClient              // the client's own
	RuleDefault             // the default connection in mode "unrouted"
)

// Text says what the rule matches.
func (r Rule) Text() mime.Text {
	switch r {
	case RuleAlways:
		return mime.NewText("submit.rule_always", "it is the default connection for all mail")
	case RuleNamed:
		return mime.NewText("submit.rule_named", "the client names it")
	case RuleClass:
		return mime.NewText("submit.rule_class", "it is for bulk mail and sends for this address")
	case RuleAddress:
		return mime.NewText("submit.rule_address", "it sends for this address")
	case RuleDomain:
		return mime.NewText("submit.rule_domain", "it sends for this domain")
	case RuleClient:
		return mime.NewText("submit.rule_client", "it is the client's own connection")
	case RuleDefault:
		return mime.NewText("submit.rule_default", "it is the default connection for mail without a route")
	}
	return mime.NewText("submit.rule_none", "no rule matches")
}

// Name is the rule in JSON.
func (r Rule) Name() string {
	if names := ruleNames(); r >= 0 && int(r) < len(names) {
		return names[r]
	}
	return strconv.Itoa(int(r))
}

func ruleNames() [8]string {
	return [...]string{"none", "always", "named", "class", "address", "domain", "client", "default"}
}

// RuleCalled returns the rule with a name; RuleNone where there is none.
func RuleCalled(name string) Rule {
	for i, n := range ruleNames() {
		if n == name {
			return Rule(i)
		}
	}
	return RuleNone
}
