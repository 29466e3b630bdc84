package fallback

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
)

// Bounds of one reply. RFC 5321 section 4.5.3.1.5 allows 512 octets a line;
// SASL challenges (RFC 4954 section 4) may be 12,288.
const (
	maxReplyLine  = 12288 + 64
	maxReplyLines = 200
	maxReplyBytes = 64 << 10
)

// A reply is one SMTP reply (RFC 5321 section 4.2).
type reply struct {
	Code     int
	Enhanced string   // RFC 3463, when the reply begins with one of the code's class
	Lines    []string // text of each line, without code and enhanced code
	mixed    bool     // its lines had different codes
}

func (r reply) ok() bool { return r.Code >= 200 && r.Code <= 299 }

// text is the reply's text in one line, as the server sent it: not for showing.
func (r reply) text() string { return strings.Join(r.Lines, " ") }

// code names the reply as "554 5.2.252" or "554".
func (r reply) code() string {
	if r.Enhanced == "" {
		return fmt.Sprint(r.Code)
	}
	return fmt.Sprintf("%d %s", r.Code, r.Enhanced)
}

// errGarbage is an answer that is no SMTP reply. Its text holds nothing of the answer.
type errGarbage struct {
	why string
	got string // what came, as it came: not for showing
	tls bool   // the bytes look like TLS
}

func (e *errGarbage) Error() string { return "not an SMTP reply: " + e.why }

// readReply reads one reply, however many lines it has. Errors are *errGarbage
// or those of the connection. Of lines with different codes the last one's
// counts (RFC 5321 section 4.2.1 wants them equal; servers that greet with 220
// and then refuse mean the refusal), and the reply is marked as mixed.
func readReply(r *bufio.Reader) (reply, error) {
	var rep reply
	total := 0
	for n := 0; ; n++ {
		if n == maxReplyLines {
			return reply{}, &errGarbage{why: "too many lines", got: rep.text()}
		}
		line, err := readReplyLine(r)
		if err != nil {
			return reply{}, err
		}
		if total += len(line); total > maxReplyBytes {
			return reply{}, &errGarbage{why: "too long", got: rep.text()}
		}
		code, last, text, err := splitReplyLine(line)
		if err != nil {
			return reply{}, err
		}
		enh, rest := cutEnhanced(code, text)
		if code != rep.Code {
			rep.mixed = n > 0
			rep.Code, rep.Enhanced = code, enh
		}
		if enh != "" && enh == rep.Enhanced {
			text = rest
		}
		rep.Lines = append(rep.Lines, text)
		if last {
			return rep, nil
		}
	}
}

// readReplyLine reads up to LF and cuts the line end; a line end without CR is tolerated.
func readReplyLine(r *bufio.Reader) (string, error) {
	// A TLS alert or handshake record (RFC 8446 section 5.1) has no line end to wait for.
	if first, err := r.Peek(1); err == nil && (first[0] == 0x15 || first[0] == 0x16) {
		return "", &errGarbage{why: "TLS records", tls: true}
	}
	var b []byte // what the reader's buffer could not hold
	for {
		part, err := r.ReadSlice('\n')
		if len(b)+len(part) > maxReplyLine {
			return "", &errGarbage{why: "a line is too long", got: string(b[:min(len(b), 200)])}
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			b = append(b, part...)
			continue
		case err != nil:
			return "", err
		case b == nil:
			b = part
		default:
			b = append(b, part...)
		}
		b = b[:len(b)-1]
		if n := len(b); n > 0 && b[n-1] == '\r' {
			b = b[:n-1]
		}
		return string(b), nil
	}
}

func splitReplyLine(line string) (code int, last bool, text string, err error) {
	if len(line) < 3 {
		return 0, false, "", &errGarbage{why: "a line has no reply code", got: line}
	}
	for i := range 3 {
		if line[i] < '0' || line[i] > '9' {
			return 0, false, "", &errGarbage{why: "a line has no reply code", got: line}
		}
		code = code*10 + int(line[i]-'0')
	}
	if code < 200 || code > 599 {
		return 0, false, "", &errGarbage{why: "the reply code is out of range", got: line}
	}
	if len(line) == 3 {
		return code, true, "", nil
	}
	switch line[3] {
	case ' ':
		return code, true, line[4:], nil
	case '-':
		return code, false, line[4:], nil
	}
	return 0, false, "", &errGarbage{why: "a line has no reply code", got: line}
}

// cutEnhanced splits an enhanced status code off (RFC 2034 section 4). One
// with a class that contradicts the reply code is text.
func cutEnhanced(code int, text string) (enhanced, rest string) {
	word, rest, _ := strings.Cut(text, " ")
	word = strings.TrimSuffix(word, ":")
	if len(word) < 2 || word[0] != byte('0'+code/100) || word[1] != '.' {
		return "", text
	}
	subject, detail, _ := strings.Cut(word[2:], ".")
	for _, p := range [...]string{subject, detail} {
		if len(p) == 0 || len(p) > 3 || strings.Trim(p, "0123456789") != "" {
			return "", text
		}
	}
	return word, strings.TrimLeft(rest, " ")
}
