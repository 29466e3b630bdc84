package graph

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/http"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// finalMessage is what leaves: the MIME as it was given, or one built from
// JSON, attachments or both (B2.5). Exchange would also make a text
// alternative of an HTML body; this fake does not.
func (c *call) finalMessage(it *item) (*core.Message, *apiError) {
	if it.mime != nil && len(it.attachments) == 0 {
		return it.mime, nil
	}
	pr, pw := io.Pipe()
	go func() {
		b := &builder{w: bufio.NewWriterSize(pw, 64<<10)}
		if it.mime != nil {
			b.extend(it)
		} else {
			b.fromJSON(it, c.mailbox)
		}
		if err := b.w.Flush(); b.err == nil {
			b.err = err
		}
		pw.CloseWithError(b.err)
	}()
	m, err := c.g.core.Receive(pr)
	if err != nil {
		_ = pr.CloseWithError(err) // never fails; ends the builder
		return nil, &apiError{http.StatusInternalServerError, "ErrorMimeContentConversionFailed", err.Error()}
	}
	if m.Size > messageLimit {
		if err := m.Discard(); err != nil {
			c.g.core.Log.Error("a message stays on disk", "err", err)
		}
		return nil, messageTooLarge()
	}
	return m, nil
}

// A builder writes MIME; the first error sticks.
type builder struct {
	w   *bufio.Writer
	err error
}

func (b *builder) printf(format string, args ...any) {
	if b.err == nil {
		_, b.err = fmt.Fprintf(b.w, format, args...)
	}
}

func (b *builder) copy(open func() (io.ReadCloser, error), to io.Writer) {
	if b.err != nil {
		return
	}
	rc, err := open()
	if err != nil {
		b.err = err
		return
	}
	_, b.err = io.Copy(to, rc)
	if err := rc.Close(); b.err == nil {
		b.err = err
	}
}

func (b *builder) boundary() string {
	var raw [12]byte
	if _, err := rand.Read(raw[:]); err != nil && b.err == nil {
		b.err = err
	}
	return "=_" + hex.EncodeToString(raw[:])
}

// extend puts the attachments beside the content of a MIME draft: its header
// stays, its body becomes the first part.
func (b *builder) extend(it *item) {
	var outer, inner bytes.Buffer
	to := &outer
	for line := range bytes.Lines(it.mime.Header) {
		text := bytes.TrimRight(line, "\r\n")
		if len(text) == 0 {
			break
		}
		if text[0] != ' ' && text[0] != '\t' {
			to = &outer
			switch name := core.FieldName(line); {
			case strings.HasPrefix(name, "content-"):
				to = &inner
			case name == "mime-version":
				continue
			}
		}
		to.Write(text)
		to.WriteString("\r\n")
	}
	boundary := b.boundary()
	b.printf("%sMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=%q\r\n\r\n--%s\r\n%s\r\n", outer.Bytes(), boundary, boundary,
		inner.Bytes())
	b.copy(func() (io.ReadCloser, error) {
		rc, err := it.mime.Open()
		if err != nil {
			return nil, err
		}
		if _, err := io.CopyN(io.Discard, rc, int64(len(it.mime.Header))); err != nil {
			return nil, errors.Join(err, rc.Close())
		}
		return rc, nil
	}, b.w)
	b.printf("\r\n")
	b.attachments(it.attachments, boundary)
}

// fromJSON builds the message of a JSON draft.
func (b *builder) fromJSON(it *item, mailbox string) {
	m := it.message
	b.printf("From: %s\r\n", it.summary.from)
	if m.Sender != nil && core.Normalize(m.Sender.Address.Address) != mailbox {
		b.printf("Sender: %s\r\n", m.Sender)
	}
	for _, l := range []struct {
		name string
		list []jsonRecipient
	}{{"Reply-To", m.ReplyTo}, {"To", m.To}, {"Cc", m.Cc}, {"Bcc", m.Bcc}} {
		b.people(l.name, l.list)
	}
	b.printf("Subject: %s\r\nDate: %s\r\nMessage-ID: %s\r\n", encodeWords(m.Subject), it.created.Format(time.RFC1123Z), it.messageID)
	for _, p := range m.Properties { // threading, for those who know the properties
		switch {
		case strings.EqualFold(p.ID, "String 0x1042"):
			b.printf("In-Reply-To: %s\r\n", encodeWords(p.Value))
		case strings.EqualFold(p.ID, "String 0x1039"):
			b.printf("References: %s\r\n", encodeWords(p.Value))
		}
	}
	if strings.EqualFold(m.Importance, "high") || strings.EqualFold(m.Importance, "low") {
		b.printf("Importance: %s\r\n", strings.ToLower(m.Importance))
	}
	for _, h := range m.Headers {
		b.printf("%s: %s\r\n", h.Name, encodeWords(h.Value))
	}
	b.printf("MIME-Version: 1.0\r\n")
	var inline, files []*attachment
	for _, a := range it.attachments {
		if a.inline {
			inline = append(inline, a)
		} else {
			files = append(files, a)
		}
	}
	b.multipart("mixed", files, func() {
		b.multipart("related", inline, func() { b.body(m) })
	})
}

func (b *builder) people(name string, list []jsonRecipient) {
	if len(list) == 0 {
		return
	}
	texts := make([]string, len(list))
	for i, r := range list {
		texts[i] = r.String()
	}
	b.printf("%s: %s\r\n", name, strings.Join(texts, ",\r\n "))
}

// encodeWords encodes what is not ASCII and keeps line ends out.
func encodeWords(v string) string {
	return mime.QEncoding.Encode("utf-8", strings.NewReplacer("\r", "", "\n", " ").Replace(v))
}

// multipart writes first and the attachments, or first alone when there are none.
func (b *builder) multipart(subtype string, list []*attachment, first func()) {
	if len(list) == 0 {
		first()
		return
	}
	boundary := b.boundary()
	b.printf("Content-Type: multipart/%s; boundary=%q\r\n\r\n--%s\r\n", subtype, boundary, boundary)
	first()
	b.attachments(list, boundary)
}

func (b *builder) body(m *jsonMessage) {
	kind := "plain"
	if strings.EqualFold(m.Body.Type, "html") {
		kind = "html"
	}
	b.printf("Content-Type: text/%s; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", kind)
	if b.err != nil {
		return
	}
	q := quotedprintable.NewWriter(b.w)
	if _, b.err = io.WriteString(q, m.Body.Content); b.err == nil {
		b.err = q.Close()
	}
	b.printf("\r\n")
}

// attachments writes the parts after the first one and the end.
func (b *builder) attachments(list []*attachment, boundary string) {
	for _, a := range list {
		kind, disposition := a.contentType, "attachment"
		if _, _, err := mime.ParseMediaType(kind); err != nil {
			kind = "application/octet-stream"
		}
		if a.inline {
			disposition = "inline"
		}
		b.printf("--%s\r\nContent-Type: %s\r\nContent-Disposition: %s\r\nContent-Transfer-Encoding: base64\r\n",
			boundary, kind, mime.FormatMediaType(disposition, map[string]string{"filename": a.name}))
		if a.contentID != "" {
			b.printf("Content-ID: <%s>\r\n", strings.Trim(a.contentID, "<>"))
		}
		b.printf("\r\n")
		if b.err != nil {
			return
		}
		lines := &lineWriter{w: b.w}
		enc := base64.NewEncoder(base64.StdEncoding, lines)
		b.copy(a.content.Open, enc)
		if err := enc.Close(); b.err == nil {
			b.err = err
		}
		b.printf("\r\n")
	}
	b.printf("--%s--\r\n", boundary)
}

// lineWriter breaks base64 into lines of 76.
type lineWriter struct {
	w   *bufio.Writer // its errors stick
	col int
}

func (l *lineWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 && err == nil {
		k := min(76-l.col, len(p))
		_, err = l.w.Write(p[:k])
		n, p, l.col = n+k, p[k:], l.col+k
		if l.col == 76 && err == nil {
			_, err = l.w.WriteString("\r\n")
			l.col = 0
		}
	}
	return n, err
}
