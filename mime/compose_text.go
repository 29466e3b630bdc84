package mime

import (
	"io"
	"strings"
)

// canonicalLines ends every line with CRLF (RFC 2046 section 4.1.1), whatever
// ended it before, the last one too.
func canonicalLines(s string) string {
	if s == "" {
		return s
	}
	if strings.Contains(s, "\r") {
		s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	}
	if !strings.HasSuffix(s, "\n") {
		s += "\n"
	}
	return strings.ReplaceAll(s, "\n", crlf)
}

// encodeText chooses the transfer encoding of a text in canonical lines: as it
// is where every system on the way leaves it alone, else
// quoted-printable, or base64 where that would be escapes more than text.
func encodeText(s string) (encoding string, body func(io.Writer) error) {
	escapes, longest, plain := 0, 0, true
	for line := range strings.SplitSeq(s, crlf) {
		longest = max(longest, len(line))
		// Mailboxes of the mbox kind change "From " (RFC 4155), servers drop
		// white space at the end of a line (RFC 2045 section 6.7, rule 3).
		if strings.HasPrefix(line, "From ") || strings.HasSuffix(line, " ") || strings.HasSuffix(line, "\t") {
			plain = false
		}
		for i := range len(line) {
			if c := line[i]; c < ' ' && c != '\t' || c > '~' || c == '=' {
				escapes++
				plain = plain && c == '='
			}
		}
	}
	switch {
	case plain && longest <= 78: // RFC 5322 section 2.1.1
		return "7bit", func(w io.Writer) error {
			_, err := io.WriteString(w, s)
			return err
		}
	case escapes <= len(s)/3: // mostly readable as it is
		return "quoted-printable", func(w io.Writer) error { return writeQuotedPrintable(w, s) }
	}
	return "base64", func(w io.Writer) error { return newBase64Lines().copy(w, strings.NewReader(s)) }
}

// writeQuotedPrintable encodes canonical lines (RFC 2045 section 6.7) so that
// no line is longer than 76 columns, ends in white space, or begins with a dot
// or "From ", which relays were seen to change (RFC 2049 section 3).
func writeQuotedPrintable(w io.Writer, s string) error {
	const hex, flushAt = "0123456789ABCDEF", 32 << 10
	buf := make([]byte, 0, min(2*len(s), flushAt)+1024)
	for len(s) > 0 {
		line, rest, _ := strings.Cut(s, crlf)
		s = rest
		col := 0
		for i := range len(line) {
			c := line[i]
			raw := c > ' ' && c <= '~' && c != '=' || (c == ' ' || c == '\t') && i < len(line)-1
			if col == wireLine-1 || !raw && col+3 > wireLine-1 {
				buf = append(buf, '=', '\r', '\n')
				col = 0
			}
			if col == 0 && (c == '.' || strings.HasPrefix(line[i:], "From ")) {
				raw = false
			}
			if raw {
				buf = append(buf, c)
				col++
			} else {
				buf = append(buf, '=', hex[c>>4], hex[c&15])
				col += 3
			}
			if len(buf) >= flushAt {
				if _, err := w.Write(buf); err != nil {
					return err
				}
				buf = buf[:0]
			}
		}
		buf = append(buf, crlf...)
	}
	_, err := w.Write(buf)
	return err
}
