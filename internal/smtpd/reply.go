package smtpd

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postino-mail/postino/internal/locale"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/mime"
)

// replyText is the room for text in a reply line of 512 octets with code,
// enhanced code and CR LF (RFC 5321 section 4.5.3.1.5).
const replyText = 480

// reply queues one reply; each text becomes one line or more. An empty enhanced
// code is left out (RFC 2034: greeting and EHLO).
func (s *session) reply(code int, enhanced string, texts ...string) {
	s.lastCode = code
	s.talk.answered(code, enhanced, texts[0])
	if code >= 500 {
		s.log.Debug("SMTP refusal", "code", code, "enhanced", enhanced, "text", texts[0])
	}
	var few [4]string
	lines := few[:0]
	for _, t := range texts {
		lines = wrap(lines, s.printable(t))
	}
	var b [4]byte
	head := strconv.AppendInt(b[:0], int64(code), 10)
	for i, l := range lines {
		sep := byte('-')
		if i == len(lines)-1 {
			sep = ' '
		}
		// The writer keeps its first error and flush returns it.
		_, _ = s.bw.Write(append(head[:3], sep))
		if enhanced != "" {
			_, _ = s.bw.WriteString(enhanced)
			_ = s.bw.WriteByte(' ')
		}
		_, _ = s.bw.WriteString(l)
		_, _ = s.bw.WriteString("\r\n")
	}
}

// flush sends the queued replies.
func (s *session) flush() error {
	if s.bw.Buffered() == 0 {
		return nil
	}
	wait := s.srv.opt.Limits.Write
	if s.toldToClose() == closeForRoom {
		wait = time.Second // another connection waits for its place
	}
	if err := s.raw.SetWriteDeadline(time.Now().Add(wait)); err != nil {
		return err
	}
	return s.bw.Flush()
}

// refuse replies why submit refused, in both languages, with what to do about it.
func (s *session) refuse(r *submit.Refusal) {
	code, enhanced := r.SMTP, r.Enhanced
	if code < 400 || code > 599 {
		code, enhanced = 451, "4.3.0"
	}
	if enhanced == "" || enhanced[0] != byte('0'+code/100) {
		enhanced = string(byte('0'+code/100)) + ".0.0"
	}
	texts := said(r.Message)
	if !r.Hint.IsZero() {
		texts = said(mime.NewText("smtpd.message_and_hint", "{message}: {hint}", "message", r.Message, "hint", r.Hint))
	}
	s.reply(code, enhanced, texts...)
}

// notTaken counts a message that was refused with this code.
func (s *session) notTaken(code int) {
	if code >= 500 {
		s.srv.opt.Counts.Refused.Add(1)
	} else {
		s.srv.opt.Counts.Deferred.Add(1)
	}
}

// said is a text in English and in every other language that has it.
func said(t mime.Text) []string {
	all := []string{t.String()}
	for _, lang := range locale.Languages() {
		if s := t.In(lang); s != all[0] {
			all = append(all, s)
		}
	}
	return all
}

// printable keeps a reply one line of what the client can read: no control
// character, and ASCII alone without SMTPUTF8 (RFC 6531 section 3.7.4.1).
func (s *session) printable(t string) string {
	u := s.tx != nil && s.tx.utf8
	clean := true
	for i := 0; i < len(t); i++ {
		if c := t[i]; c < ' ' || c >= 0x7f {
			clean = false
			break
		}
	}
	if clean {
		return t
	}
	var b strings.Builder
	for _, r := range t {
		switch {
		case r < ' ' || r == 0x7f:
			b.WriteByte(' ')
		case r < utf8.RuneSelf || u && r != utf8.RuneError && terminal.Safe(r):
			b.WriteRune(r)
		default:
			b.WriteString(plain(r))
		}
	}
	return b.String()
}

// plain writes a character in ASCII, as on an Italian typewriter.
func plain(r rune) string {
	switch r {
	case 'à', 'á':
		return "a'"
	case 'è', 'é':
		return "e'"
	case 'ì', 'í':
		return "i'"
	case 'ò', 'ó':
		return "o'"
	case 'ù', 'ú':
		return "u'"
	case 'À':
		return "A'"
	case 'È', 'É':
		return "E'"
	case '‘', '’':
		return "'"
	case '“', '”', '«', '»':
		return `"`
	case '–', '—':
		return "-"
	case '…':
		return "..."
	case '\u00a0':
		return " "
	}
	return "?"
}

// wrap appends t in lines that fit, cut at spaces where there are any.
func wrap(lines []string, t string) []string {
	for len(t) > replyText {
		cut := strings.LastIndexByte(t[:replyText], ' ')
		if cut <= 0 {
			for cut = replyText; !utf8.RuneStart(t[cut]); cut-- {
			}
		}
		lines = append(lines, t[:cut])
		t = strings.TrimPrefix(t[cut:], " ")
	}
	return append(lines, t)
}
