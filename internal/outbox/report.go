package outbox

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	stdmime "mime"
	"mime/quotedprintable"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// reportInput is what a delivery status notification is made from.
type reportInput struct {
	kind        reportKind
	now         time.Time
	host        string
	from        string
	displayName string
	message     *store.Message
	about       []store.Recipient
	original    returnedMessage
}

// composeReport writes a multipart/report (RFC 6522) with message/delivery-status
// (RFC 3464), or the global forms of RFC 6533 when an address is not ASCII. It
// is ordinary mail to the sender, marked Auto-Submitted (RFC 3834 section 5).
func composeReport(in reportInput) ([]byte, error) {
	var random [16]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, err
	}
	boundary := "postino-" + hex.EncodeToString(random[:8])
	// A sender whose address is ASCII may be behind servers without SMTPUTF8.
	eai := !ascii(in.message.Envelope.From)
	if !eai && in.original.whole && !asciiBytes(in.original.bytes) {
		in.original = in.original.head()
	}
	name := in.displayName
	if name == "" {
		name = "postino"
	}
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	line("From: %s <%s>", quotedName(name), in.from)
	line("To: <%s>", in.message.Envelope.From)
	line("Subject: %s", map[reportKind]string{
		reportFailed:  "Mancata consegna / Undelivered message",
		reportDelayed: "Consegna in ritardo / Delayed message",
		reportRelayed: "Messaggio inoltrato / Message relayed",
		reportUnknown: "Esito sconosciuto / Outcome unknown"}[in.kind])
	line("Date: %s", in.now.Format(time.RFC1123Z))
	line("Message-ID: <%s@%s>", hex.EncodeToString(random[:]), in.host)
	if id := in.message.MessageID; id != "" && (eai || ascii(id)) {
		line("In-Reply-To: %s", in.message.MessageID)
		line("References: %s", in.message.MessageID)
	}
	line("Auto-Submitted: auto-replied")
	line("MIME-Version: 1.0")
	status, headers := "message/delivery-status", "text/rfc822-headers"
	if eai {
		status, headers = "message/global-delivery-status", "message/global-headers"
	}
	if in.original.whole {
		headers = map[bool]string{false: "message/rfc822", true: "message/global"}[eai]
	}
	line("Content-Type: multipart/report; report-type=%s;\r\n boundary=\"%s\"\r\n", strings.TrimPrefix(status, "message/"), boundary)

	line("--%s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n", boundary)
	qp := quotedprintable.NewWriter(&b)
	if _, err := qp.Write([]byte(strings.ReplaceAll(in.text(), "\n", "\r\n"))); err != nil {
		return nil, err
	}
	if err := qp.Close(); err != nil {
		return nil, err
	}
	line("\r\n--%s\r\nContent-Type: %s", boundary, status)
	if eai {
		line("Content-Transfer-Encoding: 8bit")
	}
	line("")
	in.fields(line, eai)
	if len(in.original.bytes) > 0 {
		if err := in.part(&b, boundary, headers, eai); err != nil {
			return nil, err
		}
		if !bytes.HasSuffix(b.Bytes(), []byte("\r\n")) {
			line("")
		}
	}
	line("--%s--", boundary)
	return b.Bytes(), nil
}

// fields writes the per-message and per-recipient fields of RFC 3464 section 2.
func (in *reportInput) fields(line func(string, ...any), eai bool) {
	if id := in.message.Envelope.EnvID; id != "" {
		line("Original-Envelope-Id: %s", oneLine(id))
	}
	line("Reporting-MTA: dns; %s", in.host)
	line("Arrival-Date: %s", in.message.ReceivedAt.Format(time.RFC1123Z))
	for _, r := range in.about {
		line("")
		kind := "rfc822"
		if !ascii(r.Address) {
			kind = "utf-8"
		}
		if r.ORcpt != "" {
			original := oneLine(r.ORcpt)
			if !eai {
				original = asciiAddress(original)
			}
			line("Original-Recipient: %s", original)
		}
		address := r.Address
		if !eai && kind == "utf-8" {
			address = asciiAddress(address)
		}
		line("Final-Recipient: %s; %s", kind, address)
		line("Action: %s", in.action())
		line("Status: %s", in.status(r))
		if r.Error != nil && r.Error.Status != 0 {
			proto := "smtp"
			if r.Error.Provider != "" && r.Error.Provider != "smtp" {
				proto = "X-" + string(r.Error.Provider)
			}
			line("Diagnostic-Code: %s; %d %s", proto, r.Error.Status, oneLine(r.Error.Code))
		}
		if in.action() == reportDelayed {
			line("Last-Attempt-Date: %s", in.now.Format(time.RFC1123Z))
		}
	}
	line("")
}

// part writes what comes back of the original; in a report of ASCII, text that
// is not is encoded.
func (in *reportInput) part(b *bytes.Buffer, boundary, media string, eai bool) error {
	fmt.Fprintf(b, "--%s\r\nContent-Type: %s", boundary, media)
	switch {
	case asciiBytes(in.original.bytes):
		b.WriteString("\r\n\r\n")
	case !eai:
		b.WriteString("; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
		qp := quotedprintable.NewWriter(b)
		if _, err := qp.Write(in.original.bytes); err != nil {
			return err
		}
		return qp.Close()
	default:
		b.WriteString("\r\nContent-Transfer-Encoding: 8bit\r\n\r\n")
	}
	b.Write(in.original.bytes)
	return nil
}

// asciiAddress is an address as utf-8-addr-unitext of RFC 6533 section 3, with
// all that is not ASCII embedded, for where only 7 bits pass. What is ASCII
// stays as it is.
func asciiAddress(a string) string {
	if ascii(a) {
		return a
	}
	kind, addr, typed := strings.Cut(a, ";") // of an Original-Recipient
	if !typed {
		kind, addr = "", a
	}
	var b strings.Builder
	for _, r := range addr {
		if r > 0x7e || r < 0x20 || r == '\\' || r == '+' || r == '=' {
			fmt.Fprintf(&b, `\x{%02X}`, r)
		} else {
			b.WriteRune(r)
		}
	}
	if typed {
		if strings.EqualFold(strings.TrimSpace(kind), "rfc822") { // which has no such form
			kind = "utf-8"
		}
		return kind + ";" + b.String()
	}
	return b.String()
}

// action is the word of RFC 3464 section 2.3.3, which has none for an outcome
// that is not known.
func (in *reportInput) action() reportKind {
	if in.kind == reportUnknown {
		return reportDelayed
	}
	return in.kind
}

func (in *reportInput) status(r store.Recipient) string {
	switch {
	case in.kind == reportRelayed:
		return "2.0.0"
	case in.kind == reportDelayed:
		return "4.4.7"
	case in.kind == reportUnknown: // RFC 3463 section 3.5: bad connection
		return "4.4.2"
	case r.Error != nil && strings.HasPrefix(r.Error.Enhanced, "5."):
		return r.Error.Enhanced
	}
	return "5.0.0"
}

// text is what the person reads, in both languages.
func (in *reportInput) text() string {
	var b strings.Builder
	what := map[reportKind][2]string{
		reportFailed: {"Il messaggio non è stato consegnato a questi destinatari:", "The message was not delivered to these recipients:"},
		reportDelayed: {"Il messaggio non è ancora partito verso questi destinatari; non serve rinviarlo:",
			"The message has not left yet for these recipients; there is no need to send it again:"},
		reportUnknown: {"Non si sa se il messaggio sia partito verso questi destinatari: il provider non ha risposto. Prima di rinviarlo, " +
			"guardare nella posta inviata della casella:",
			"It is not known whether the message left for these recipients: the provider did not answer. Look into the mailbox's sent items " +
				"before sending it again:"},
		reportRelayed: {"Il messaggio è stato accettato dal provider per questi destinatari:",
			"The provider accepted the message for these recipients:"},
	}[in.kind]
	for lang, head := range []string{what[0], what[1]} {
		fmt.Fprintf(&b, "%s\n\n", head)
		for _, r := range in.about {
			fmt.Fprintf(&b, "  %s\n", r.Address)
			if r.Error == nil || in.kind == reportRelayed {
				continue
			}
			l := [2]string{"it", "en"}[lang]
			fmt.Fprintf(&b, "    %s", r.Error.Message.In(l))
			if r.Error.Code != "" {
				fmt.Fprintf(&b, " (%s)", r.Error.Code)
			}
			if t := r.Error.Hint.In(l); t != "" {
				fmt.Fprintf(&b, "\n    -> %s", t)
			}
			b.WriteByte('\n')
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "Oggetto / Subject: %s\nMessage-ID: %s\n", in.message.Subject, in.message.MessageID)
	return b.String()
}

// quotedName is a display name as a quoted-string or encoded words of at most
// 75 characters, one a line (RFC 2047 section 2).
func quotedName(s string) string {
	s = oneLine(s)
	if ascii(s) {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
	}
	return strings.ReplaceAll(stdmime.BEncoding.Encode("utf-8", s), "?= =?", "?=\r\n =?")
}

func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

func ascii(s string) bool { return asciiBytes([]byte(s)) }

func asciiBytes(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
