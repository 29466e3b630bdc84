package submit

import (
	"bytes"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/postino-mail/postino/mime"
)

// maxHops is how many Received fields a message may have: more, and it goes in
// a circle (RFC 5321 section 6.3 wants at least 100 where nothing else tells;
// here our own trace does, and no submission has come this far).
const maxHops = 50

// trace is the value of the Received field that every message gets when it is
// taken (RFC 5321 section 4.4). It has no "from" clause, as is usual for
// submission: what a client inside is called, and its address, concern no
// recipient. The installation in the comment is how postino knows its own mail
// again, on any node; who forges it has his own mail refused.
func (s *Submitter) trace(r *Request, now time.Time) string {
	if s.opt.Installation == "" {
		return ""
	}
	return fmt.Sprintf("by %s (%s)\r\n\twith %s; %s", s.opt.Hostname, s.mark(), protocol(r), now.Format(time.RFC1123Z))
}

func (s *Submitter) mark() string { return "postino " + s.opt.Installation }

// protocol names how the message came (RFC 3848, RFC 6531 section 4.3).
func protocol(r *Request) string {
	switch {
	case r.Protocol != "":
		return r.Protocol
	case r.EntryPoint == "smtp":
		return "SMTP"
	case r.EntryPoint == "api":
		return "HTTP"
	}
	return "local"
}

// looped refuses a message that was here before. What stands below a block of
// Resent fields is another's journey: a person sends on what this gateway
// delivered (RFC 5322 section 3.6.6).
func (s *Submitter) looped(m *mime.Message) error {
	hops, resent, own := 0, false, false
	for f := range fields(m.Head()) {
		name, value, _ := bytes.Cut(f, []byte{':'})
		name = bytes.TrimRight(name, " \t")
		switch {
		case bytes.EqualFold(name, []byte("Resent-From")):
			resent = true
		case bytes.EqualFold(name, []byte("Received")):
			hops++
			own = own || !resent && s.opt.Installation != "" &&
				strings.Contains(strings.Join(strings.Fields(string(value)), " "), "("+s.mark()+")")
		}
	}
	switch {
	case own:
		return refuse(http.StatusUnprocessableEntity, 554, "5.4.6", "loop", "Received",
			mime.NewText("submit.loop_own", "this message was sent by this gateway before and has come back"),
			mime.NewText("submit.loop_own_hint", "look for a connection or a mail server that sends it here again: it must deliver, not return"))
	case hops > maxHops:
		return refuse(http.StatusUnprocessableEntity, 554, "5.4.6", "loop", "Received",
			mime.NewText("submit.loop_hops", "the message has passed {hops} mail servers: it goes in a circle", "hops", hops),
			mime.NewText("submit.loop_hops_hint", "see its Received fields for the servers that send it to each other"))
	}
	return nil
}

// fields are the fields of a header, one after the other, folded lines included.
func fields(head []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		start := 0
		for i := 0; i < len(head); {
			end := bytes.IndexByte(head[i:], '\n')
			if end < 0 {
				end = len(head) - i - 1
			}
			i += end + 1
			if i == len(head) || head[i] != ' ' && head[i] != '\t' {
				if !yield(head[start:i]) {
					return
				}
				start = i
			}
		}
	}
}
