package mime

import (
	"io"
	stdmime "mime"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message/charset"
	"golang.org/x/text/encoding/charmap"
)

// decodeWords undoes RFC 2047. What cannot be decoded stays as it was
// written; control characters that were hidden in encoded words become spaces,
// so that a decoded value is never more than one line.
func decodeWords(s string) string {
	if !utf8.ValidString(s) {
		s = toUTF8([]byte(s))
	}
	if strings.Contains(s, "=?") {
		dec := stdmime.WordDecoder{CharsetReader: func(cs string, r io.Reader) (io.Reader, error) { return charset.Reader(cs, r) }}
		if d, err := dec.DecodeHeader(s); err == nil {
			s = d
		}
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return sanitize(s)
}

// toUTF8 reads raw octets of a header: UTF-8 when they are valid as that,
// windows-1252 (the superset of ISO 8859-1 that old programs mean) otherwise.
func toUTF8(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	out, err := charmap.Windows1252.NewDecoder().Bytes(b)
	if err != nil { // the decoder of a single-byte table has no errors; do not depend on it
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	return string(out)
}

// sanitize makes every control character a space.
func sanitize(s string) string {
	clean := true
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] == 127 {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 127 {
			return ' '
		}
		return r
	}, s)
}

func isASCII[T string | []byte](s T) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
