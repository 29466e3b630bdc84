package mime

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"mime/quotedprintable"
	"strings"
	"time"
)

// A Report is a notification about another message (RFC 3464): what a person reads,
// what a program reads, and what comes back of the original.
type Report struct {
	From      Address
	To        Mailbox // whom it is for. Where it is ASCII, the whole report is
	Subject   string  // of one line
	Date      time.Time
	MessageID string          // with its angle brackets
	About     string          // Message-ID of the other message; may be empty
	Text      string          // for a person; lines end with LF
	Status    [][]ReportField // of the message, then of each recipient (RFC 3464 section 2)
	Original  []byte          // the other message's header, with CRLF; may be empty
	Whole     bool            // Original is the whole message; without effect where it is not ASCII and To is
}

// A ReportField is one field of a delivery status.
type ReportField struct{ Name, Value string }

// UTF8 reports whether the report may have addresses beyond ASCII (RFC 6533): its
// reader has one, so the servers on the way to it know them.
func (r *Report) UTF8() bool { return !r.To.IsASCII() }

// Compose writes a multipart/report (RFC 6522) of message/delivery-status, or of
// the global forms of RFC 6533, marked Auto-Submitted (RFC 3834 section 5).
// Control characters in values become spaces. It fails only where the system has
// no random numbers.
func (r *Report) Compose() ([]byte, error) {
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, err
	}
	w := reportWriter{boundary: "postino-" + hex.EncodeToString(random[:]), utf8: r.UTF8()}
	status := "message/delivery-status"
	if w.utf8 {
		status = "message/global-delivery-status"
	}
	w.header(r)
	w.line("Content-Type: multipart/report; report-type=%s;\r\n boundary=\"%s\"\r\n", strings.TrimPrefix(status, "message/"), w.boundary)
	w.line("--%s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n", w.boundary)
	w.quoted([]byte(strings.ReplaceAll(r.Text, "\n", "\r\n")))
	w.line("\r\n--%s\r\nContent-Type: %s", w.boundary, status)
	if w.utf8 {
		w.line("Content-Transfer-Encoding: 8bit")
	}
	w.line("")
	for i, fields := range r.Status {
		if i > 0 {
			w.line("")
		}
		for _, f := range fields {
			w.line("%s: %s", f.Name, oneLine(f.Value))
		}
	}
	w.line("")
	w.original(r)
	w.line("--%s--", w.boundary)
	return w.b.Bytes(), nil
}

// A reportWriter is a report under construction.
type reportWriter struct {
	b        bytes.Buffer
	boundary string
	utf8     bool
}

func (w *reportWriter) line(format string, args ...any) { fmt.Fprintf(&w.b, format+"\r\n", args...) }

func (w *reportWriter) header(r *Report) {
	from, subject := newField("From"), newField("Subject")
	from.mailbox(Address{Name: oneLine(r.From.Name), Address: r.From.Address}, "")
	subject.b, subject.col = append(subject.b, ' '), subject.col+1
	subject.text(strings.TrimSpace(oneLine(r.Subject)))
	w.b.Write(from.raw())
	w.line("To: <%s>", r.To)
	w.b.Write(subject.raw())
	w.line("Date: %s", r.Date.Format(time.RFC1123Z))
	w.line("Message-ID: %s", r.MessageID)
	if r.About != "" && (w.utf8 || isASCII(r.About)) {
		w.line("In-Reply-To: %s", oneLine(r.About))
		w.line("References: %s", oneLine(r.About))
	}
	w.line("Auto-Submitted: auto-replied")
	w.line("MIME-Version: 1.0")
}

// quoted writes text as quoted-printable; a buffer takes everything.
func (w *reportWriter) quoted(text []byte) {
	qp := quotedprintable.NewWriter(&w.b)
	_, _ = qp.Write(text)
	_ = qp.Close()
}

// original writes what comes back of the other message; in a report of ASCII,
// text that is not is encoded. A message/rfc822 must not be (RFC 2046 section
// 5.2.1), so that its header alone goes back then.
func (w *reportWriter) original(r *Report) {
	original, whole := r.Original, r.Whole
	if whole && !w.utf8 && !isASCII(original) {
		head, _, found := bytes.Cut(original, []byte("\r\n\r\n"))
		if found {
			head = original[:len(head)+len(crlf)]
		}
		original, whole = head, false
	}
	if len(original) == 0 {
		return
	}
	media := map[[2]bool]string{{false, false}: "text/rfc822-headers", {false, true}: "message/global-headers",
		{true, false}: "message/rfc822", {true, true}: "message/global"}[[2]bool{whole, w.utf8}]
	fmt.Fprintf(&w.b, "--%s\r\nContent-Type: %s", w.boundary, media)
	switch {
	case isASCII(original):
		w.line("\r\n")
		w.b.Write(original)
	case !w.utf8:
		w.line("; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n")
		w.quoted(original)
	default:
		w.line("\r\nContent-Transfer-Encoding: 8bit\r\n")
		w.b.Write(original)
	}
	if !bytes.HasSuffix(w.b.Bytes(), []byte(crlf)) {
		w.line("")
	}
}

// oneLine makes control characters spaces.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
