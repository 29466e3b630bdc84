package smtpd

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of a transcript: of what opens the session, of a transaction, of a line and of
// the words of a refusal.
const (
	maxOpening  = 500
	maxExchange = 1400
	maxSaid     = 240
	maxRefusal  = 200
)

// A transcript notes what is said in a session, for the record of its messages: a line for
// each command, with the code of the reply, and its words where it is a refusal. What
// could be a secret is never noted: of AUTH the mechanism alone, of a command that is
// none nothing, and of others what stands behind them only where it belongs there.
type transcript struct {
	opening  []byte  // EHLO, STARTTLS and AUTH; of many the last
	exchange []byte  // of the transaction; of a long one the middle is left out
	head     int     // where its beginning ends, once some is left out
	lost     int     // lines between its beginning and its end
	open     *[]byte // the last line of it waits for its reply; nil: none does
}

// command notes a command; the next reply is the one to it.
func (d *transcript) command(verb, arg string) {
	to := &d.exchange
	switch verb {
	case "EHLO", "HELO":
		to = &d.opening
	case "STARTTLS": // nothing learned before counts (RFC 3207 section 4.2)
		d.opening = d.opening[:0]
		to, arg = &d.opening, ""
	case "AUTH":
		to, arg = &d.opening, mechanismOf(arg)
	case "MAIL":
		arg = argumentOf(arg, "FROM:")
	case "RCPT":
		arg = argumentOf(arg, "TO:")
	case "BDAT":
		if arg != "" && (arg[0] < '0' || arg[0] > '9') {
			arg = "***"
		}
	case "DATA":
		arg = ""
	default: // outside a transaction, or none
		d.open = nil
		return
	}
	if len(d.opening) > 2*maxOpening {
		d.opening = lastLines(d.opening, maxOpening)
	}
	d.shorten(2 * maxExchange)
	*to = append(*to, verb...)
	if arg != "" {
		*to = appendClean(append(*to, ' '), arg, maxSaid)
	}
	*to = append(*to, '\n')
	d.open = to
}

// argumentOf is the argument of a command where it begins as one does: a program that
// sends its message though DATA was refused sends lines of it as commands.
func argumentOf(arg, prefix string) string {
	if arg == "" || len(arg) >= len(prefix) && strings.EqualFold(arg[:len(prefix)], prefix) {
		return arg
	}
	return "***"
}

// mechanismOf is the mechanism of the argument of AUTH. A program that is set up badly
// may send its secret in that place.
func mechanismOf(arg string) string {
	name, initial, _ := strings.Cut(arg, " ")
	switch name = strings.ToUpper(name); name {
	case "PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "NTLM", "GSSAPI", "XOAUTH2", "OAUTHBEARER", "SCRAM-SHA-1", "SCRAM-SHA-256":
		if initial == "" {
			return name
		}
		return name + " ***"
	}
	return "***"
}

// answered notes the reply to the command that was noted last. A challenge is none yet.
func (d *transcript) answered(code int, enhanced, text string) {
	if d.open == nil || code == 334 {
		return
	}
	to := d.open
	d.open = nil
	*to = appendReply((*to)[:len(*to)-1], code, enhanced, text)
}

func appendReply(to []byte, code int, enhanced, text string) []byte {
	to = strconv.AppendInt(append(to, " -> "...), int64(code), 10)
	if code >= 400 {
		if enhanced != "" {
			to = append(append(to, ' '), enhanced...)
		}
		to = appendClean(append(to, ' '), text, maxRefusal)
	}
	return append(to, '\n')
}

// shorten leaves out the middle of a transaction that is longer than most.
func (d *transcript) shorten(most int) {
	if len(d.exchange) <= most {
		return
	}
	if d.head == 0 {
		d.head = bytes.LastIndexByte(d.exchange[:maxExchange/2], '\n') + 1
	}
	tail := lastLines(d.exchange[d.head:], maxExchange/2)
	d.lost += bytes.Count(d.exchange[d.head:len(d.exchange)-len(tail)], []byte{'\n'})
	d.exchange = append(d.exchange[:d.head], tail...)
}

// lastLines are the last whole lines of b, of at most so many bytes.
func lastLines(b []byte, most int) []byte {
	if len(b) <= most {
		return b
	}
	rest := b[len(b)-most:]
	return rest[bytes.IndexByte(rest, '\n')+1:]
}

// forget ends the transaction.
func (d *transcript) forget() {
	if d.open == &d.exchange {
		d.open = nil
	}
	d.exchange, d.head, d.lost = d.exchange[:0], 0, 0
}

// taken is the whole of it for a message of so many octets that is taken: the reply to it
// is in, which is sent once the record is safe.
func (d *transcript) taken(octets int64) string {
	d.shorten(maxExchange)
	var b strings.Builder
	b.Grow(len(d.opening) + len(d.exchange) + 60)
	b.Write(lastLines(d.opening, maxOpening))
	b.Write(d.exchange[:d.head])
	if d.lost > 0 {
		b.WriteString("… (" + strconv.Itoa(d.lost) + ")\n")
	}
	b.Write(d.exchange[d.head:])
	b.WriteString("(" + strconv.FormatInt(octets, 10) + " bytes) -> 250\n")
	return b.String()
}

// appendClean adds text in one line of at most so many bytes, in UTF-8.
func appendClean(to []byte, text string, most int) []byte {
	cut := len(text) > most
	if cut {
		for most > 0 && !utf8.RuneStart(text[most]) {
			most--
		}
		text = text[:most]
	}
	for _, r := range text { // what is no UTF-8 becomes U+FFFD
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			r = ' '
		}
		to = utf8.AppendRune(to, r)
	}
	if cut {
		to = append(to, "…"...)
	}
	return to
}
