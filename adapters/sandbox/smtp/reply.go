package smtp

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postino-mail/postino/adapters/sandbox/control"
	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// act does what the fault says. It is true when nothing remains to be replied.
func (c *session) act(f control.Fault) bool {
	if f.Delay > 0 && (!c.flush() || !c.wait(f.Delay)) {
		c.closing = true
		return true
	}
	text := f.Reply
	if text == "" && f.Status != 0 {
		text = strings.Join(strings.Fields(fmt.Sprint(f.Status, " ", f.Code, " ", f.Message)), " ")
	}
	switch {
	case f.Reset:
		core.ResetConn(c.conn)
		c.closing = true
	case text != "":
		c.reply(text)
	case f.Body != "":
		_, _ = c.bw.WriteString(f.Body) // the next flush returns an error
	case f.After && f.Delay == 0: // accepted, and the client never hears of it
		c.bw.Reset(io.Discard)
		c.closing = true
	default:
		return false
	}
	return true
}

// wait lets time pass. It is false when the client or the sandbox is gone.
func (c *session) wait(d time.Duration) bool {
	until := time.Now().Add(d)
	defer c.deadline()
	if err := c.conn.SetReadDeadline(until); err != nil {
		return false
	}
	for {
		_, err := c.br.Peek(c.br.Buffered() + 1)
		switch {
		case err == nil: // the client sends more; it is answered later
		case errors.Is(err, os.ErrDeadlineExceeded):
			return true
		case errors.Is(err, bufio.ErrBufferFull):
			return c.server.core.Sleep(c.server.core.Context(), time.Until(until))
		default:
			return false
		}
	}
}

// deadline allows the client time for what it sends next.
func (c *session) deadline() {
	// Fails only on a closed connection, and then so does the next read.
	_ = c.conn.SetReadDeadline(time.Now().Add(idleTimeout))
}

// flush sends the replies, unless the next command is there already: replies
// to pipelined commands go out together.
func (c *session) flush() bool {
	if n := c.br.Buffered(); n > 0 {
		if ahead, err := c.br.Peek(n); err == nil && bytes.IndexByte(ahead, '\n') >= 0 {
			return true
		}
	}
	c.deadline()
	return c.bw.Flush() == nil
}

// maxReply is how many octets a line of a reply has at most, with CR LF (RFC 5321 section 4.5.3.1.5).
const maxReply = 512

// folded cuts a reply that is too long for one line at spaces; each line has the codes.
func folded(lines []string) (out []string) {
	for _, line := range lines {
		line = strings.TrimRight(line, "\r")
		codes := ""
		if len(line) >= 4 {
			codes = line[:4] + strings.TrimSuffix(line[4:], withoutEnhanced(line[4:]))
		}
		for len(line) > maxReply-2 {
			cut := strings.LastIndexByte(line[:maxReply-2], ' ')
			if cut <= len(codes) {
				for cut = maxReply - 2; !utf8.RuneStart(line[cut]); cut-- {
				}
			}
			out = append(out, line[:cut])
			line = codes + strings.TrimPrefix(line[cut:], " ")
		}
		out = append(out, line)
	}
	return out
}

// reply writes "code text", or several such lines; the hyphens are set here.
func (c *session) reply(text string) {
	lines := folded(strings.Split(strings.TrimRight(text, "\r\n"), "\n"))
	plain := !c.offers("ENHANCEDSTATUSCODES")
	for i, line := range lines {
		if len(line) >= 4 && strings.Trim(line[:3], "0123456789") == "" {
			rest := line[4:]
			if plain {
				rest = withoutEnhanced(rest)
			}
			mark := " "
			if i < len(lines)-1 {
				mark = "-"
			}
			line = line[:3] + mark + rest
		}
		_, _ = c.bw.WriteString(line + "\r\n") // an error comes back at Flush
	}
	if text[0] == '4' || text[0] == '5' {
		c.errors++
	}
	if strings.HasPrefix(text, "421") || c.errors > maxErrors {
		c.closing = true
	}
}

func withoutEnhanced(text string) string {
	code, rest, _ := strings.Cut(text, " ")
	parts := strings.Split(code, ".")
	if len(parts) != 3 {
		return text
	}
	for _, p := range parts {
		if _, err := strconv.ParseUint(p, 10, 16); err != nil {
			return text
		}
	}
	return rest
}
