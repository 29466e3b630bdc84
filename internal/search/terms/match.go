package terms

import "strings"

// A Part is what of a delivery a Match looks at.
type Part int

// The parts.
const (
	Anywhere   Part = iota // words of subject, names and addresses
	Sender                 // addresses of the header and of the envelope
	Recipients             // addresses
	Subject
	Tag
	MessageID
)

// String is the name of the part, as the query's operators have it.
func (p Part) String() string {
	return [...]string{"text", "from", "to", "subject", "tag", "message_id"}[p]
}

// A Match is a condition on the words and addresses of a delivery. What its value
// means:
//
//	anna@example.com   this address
//	@example.com       any address of this domain and of those below it
//	anna               an address with this word before or after its @, without
//	                   the topmost domain; of a subject: with this word
//	anna.r             an address that begins so, or is of this domain
//
// A value of several words asks for each of them. Tag and MessageID are compared
// as wholes, a Message-ID to the letter and the rest folded.
type Match struct {
	Part   Part
	Value  string
	Prefix bool // the last word, or the address, may go on
	Not    bool
}

// String is the value with its signs, as a query has it.
func (m Match) String() string {
	v := m.Value
	if strings.ContainsAny(v, " \t") {
		v = `"` + v + `"`
	}
	if m.Prefix {
		v += "*"
	}
	if m.Not {
		v = "-" + v
	}
	return v
}

// A Term is a word of the index, or with Prefix all that begin with it.
type Term struct {
	Text   string
	Prefix bool
}

// A Clause holds for records that have a term of each of its lists; with Not, for
// those that have not.
type Clause struct {
	All [][]Term
	Not bool
}

// Rare reports that few records are expected: those with one recipient, or one Message-ID.
func (c Clause) Rare() bool {
	if c.Not {
		return false
	}
	for _, some := range c.All {
		rare := len(some) > 0
		for _, t := range some {
			address := strings.HasPrefix(t.Text, whole(kindRecipient, "")) && !strings.HasPrefix(t.Text, whole(kindRecipient, "@"))
			rare = rare && !t.Prefix && (address || strings.HasPrefix(t.Text, whole(kindMessageID, "")))
		}
		if rare {
			return true
		}
	}
	return false
}

// Query writes what a clause asks for in the words of an index, without its Not: term
// writes one term.
func (c Clause) Query(or, and string, term func(Term) string) string {
	all := make([]string, len(c.All))
	for i, some := range c.All {
		either := make([]string, len(some))
		for j, t := range some {
			either[j] = term(t)
		}
		all[i] = "(" + strings.Join(either, or) + ")"
	}
	return strings.Join(all, and)
}

// Compile returns what the index is asked for. A match without any word, such as
// one of signs alone, asks for nothing and is left out.
func Compile(ms []Match) (out []Clause) {
	for _, m := range ms {
		if all := m.terms(); len(all) > 0 {
			out = append(out, Clause{all, m.Not})
		}
	}
	return out
}

func (m Match) terms() [][]Term {
	v := strings.TrimSpace(m.Value)
	if v == "" {
		return nil
	}
	switch m.Part {
	case Sender:
		return m.addresses(v, kindSender)
	case Recipients:
		return m.addresses(v, kindRecipient)
	case Subject:
		return m.everyWord(v, kindSubject)
	case Tag:
		return [][]Term{{{whole(kindTag, fold(v)), m.Prefix}}}
	case MessageID:
		return [][]Term{{{messageID(v), false}}}
	}
	if strings.Contains(v, "@") {
		return m.addresses(v, kindSender, kindRecipient)
	}
	return m.everyWord(v, kindSubject, kindName, kindSender, kindRecipient)
}

// everyWord asks for each word of v, in any of the kinds.
func (m Match) everyWord(v string, kinds ...byte) (out [][]Term) {
	words := Words(v)
	for i, w := range words {
		var some []Term
		for _, k := range kinds {
			some = append(some, Term{word(k, w), m.Prefix && i == len(words)-1})
		}
		out = append(out, some)
	}
	return out
}

// addresses asks for an address, a domain, or words of them.
func (m Match) addresses(v string, kinds ...byte) [][]Term {
	v = strings.Trim(fold(v), "<>")
	at := strings.IndexByte(v, '@')
	var some []Term
	switch {
	case at == 0: // a domain
		for _, k := range kinds {
			some = append(some, Term{whole(k, strings.TrimRight(v, ".")), m.Prefix})
		}
	case at > 0: // an address, or the beginning of one
		for _, k := range kinds {
			some = append(some, Term{whole(k, v), m.Prefix || at == len(v)-1})
		}
	case isWord(v):
		return m.everyWord(v, kinds...)
	case strings.ContainsAny(v, " \t"):
		return m.everyWord(v, kinds...)
	default: // anna.rossi, example.com
		for _, k := range kinds {
			some = append(some, Term{whole(k, v), true}, Term{whole(k, "@"+v), m.Prefix})
		}
	}
	return [][]Term{some}
}

// Holds reports that a record with these terms meets all clauses.
func Holds(cs []Clause, have []string) bool {
	for _, c := range cs {
		if c.holds(have) == c.Not {
			return false
		}
	}
	return true
}

func (c Clause) holds(have []string) bool {
	for _, some := range c.All {
		if !hasAny(have, some) {
			return false
		}
	}
	return true
}

func hasAny(have []string, some []Term) bool {
	for _, t := range some {
		for _, h := range have {
			if h == t.Text || t.Prefix && strings.HasPrefix(h, t.Text) {
				return true
			}
		}
	}
	return false
}
