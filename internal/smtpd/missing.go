package smtpd

import (
	"bytes"
	"io"
	"strings"

	"github.com/postino-mail/postino/internal/spool"
	"github.com/postino-mail/postino/mime"
)

// missing names the fields that were added, for the log (RFC 6409 section 8): the
// program that leaves them out should be corrected.
func missing(b *spool.Buffer) string {
	src, err := b.Source()
	if err != nil {
		return "" // it was submitted: this is for the log only
	}
	buf, ok := mime.InMemory(src)
	if !ok {
		buf = make([]byte, min(src.Size(), 4<<10))
		if _, err := io.ReadFull(io.NewSectionReader(src, 0, int64(len(buf))), buf); err != nil {
			return "" // likewise
		}
	}
	head, _, whole := bytes.Cut(buf, []byte("\r\n\r\n"))
	var names []string
	for _, name := range []string{"Date", "Message-ID"} {
		if whole && !hasField(head, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

func hasField(head []byte, name string) bool {
	for line := range bytes.Lines(head) {
		if len(line) > len(name) && line[len(name)] == ':' && strings.EqualFold(string(line[:len(name)]), name) {
			return true
		}
	}
	return false
}
