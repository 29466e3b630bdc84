package mime

import (
	"slices"
	"strings"
)

// localNames gives names without a domain the machine's own: what programs
// write to the sendmail command of a machine may be local (root, "Cron" <root>).
type localNames struct {
	domain func() string
	used   bool // a name was qualified
}

// qualify reads the tokens of one entry without an @: one word, or it is no
// address, as several words are a display name alone.
func (l *localNames) qualify(v []byte, toks []token) (Mailbox, bool) {
	if len(toks) != 1 {
		return Mailbox{}, false
	}
	name := string(v[toks[0].start:toks[0].end])
	quoted := toks[0].kind == tokQuoted
	switch {
	case quoted:
		name = unfold([]byte(unquote(name)))
	case toks[0].kind != tokAtom, strings.HasPrefix(name, "=?"): // an encoded word is a display name
		return Mailbox{}, false
	}
	if !isASCII(name) { // no login name of a machine
		return Mailbox{}, false
	}
	domain := l.domain()
	addr, ok := joinAddress(name+"@"+domain, name, domain, quoted)
	l.used = l.used || ok
	return addr, ok
}

// qualify writes the address fields again that hold names without a domain. A
// field with an entry that is no address all the same stays as it is: whoever
// needs its addresses says so.
func (c *completer) qualify() *Error {
	if c.opt.LocalDomain == nil {
		return nil
	}
	for i, f := range c.fields {
		name := string(f.name())
		if !kindOf(name).listed() && !isResent(name) {
			continue
		}
		local := &localNames{domain: c.opt.LocalDomain}
		l := &addrList{}
		p := addrParser{local: local}
		p.parse(l, f.value(), c.opt.Limits.Recipients)
		if !local.used || len(l.boxes) > c.opt.Limits.Recipients || l.hasBad() || mails(f.name()) && l.unclear() != nil {
			continue
		}
		if raw := writeList(name, l, func(*box) bool { return true }); raw != nil {
			c.fields[i] = headField{raw, len(name)}
		}
	}
	return nil
}

func (l *addrList) hasBad() bool {
	for i := range l.boxes {
		if l.boxes[i].bad {
			return true
		}
	}
	return false
}

// defaultFrom adds the From that is missing. One that is empty is none.
func (c *completer) defaultFrom() *Error {
	if c.opt.DefaultFrom == nil {
		return nil
	}
	if i := c.find("From"); i >= 0 {
		if len(strings.TrimSpace(unfold(c.fields[i].value()))) > 0 {
			return nil
		}
		c.drop("From")
	}
	from, err := c.opt.DefaultFrom()
	if err != nil {
		if e := asOwn(err); e != nil {
			return e
		}
		return newError("no_from", "From", NewText("mime.no_from_possible",
			"The message has no From field, and none can be made: {reason}.", "reason", err.Error())).because(err)
	}
	f, bad := addressField("From", from)
	if bad != nil {
		return bad
	}
	c.fields = slices.Insert(c.fields, 0, f)
	return nil
}
