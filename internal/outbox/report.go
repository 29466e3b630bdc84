package outbox

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/locale"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// reportInput is what a delivery status notification is made from.
type reportInput struct {
	kind        reportKind
	now         time.Time
	host        string
	from        mime.Mailbox
	displayName string
	message     *store.Message
	about       []store.Recipient
	original    returnedMessage
}

// composeReport writes the notification: ordinary mail to the sender.
func composeReport(in reportInput) ([]byte, error) {
	var random [16]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, err
	}
	r := &mime.Report{
		From: mime.Address{Name: cmp.Or(in.displayName, "postino"), Address: in.from}, To: in.message.Envelope.From,
		Subject: strings.Join(inAll(in.kind.subject()), " / "), Date: in.now,
		MessageID: fmt.Sprintf("<%s@%s>", hex.EncodeToString(random[:]), in.host), About: in.message.MessageID,
		Text: in.text(), Original: in.original.bytes, Whole: in.original.whole,
	}
	r.Status = in.status(r.UTF8())
	return r.Compose()
}

// inAll is a text in every language, English last.
func inAll(t mime.Text) []string {
	var out []string
	for _, lang := range languages() {
		out = append(out, t.In(lang))
	}
	return out
}

// languages are those of the catalogue, English last.
func languages() []string {
	all := slices.DeleteFunc(locale.Languages(), func(l string) bool { return l == locale.English })
	return append(all, locale.English)
}

// subject is the subject of a notification of the kind.
func (k reportKind) subject() mime.Text {
	switch k {
	case reportDelayed:
		return mime.NewText("report.delayed_subject", "Delayed message")
	case reportRelayed:
		return mime.NewText("report.relayed_subject", "Message relayed")
	case reportUnknown:
		return mime.NewText("report.unknown_subject", "Outcome unknown")
	}
	return mime.NewText("report.failed_subject", "Undelivered message")
}

// head is what a notification of the kind says before it names the recipients.
func (k reportKind) head() mime.Text {
	switch k {
	case reportDelayed:
		return mime.NewText("report.delayed",
			"The message has not left yet for these recipients; there is no need to send it again:")
	case reportRelayed:
		return mime.NewText("report.relayed", "The provider accepted the message for these recipients:")
	case reportUnknown:
		return mime.NewText("report.unknown",
			"It is not known whether the message left for these recipients: the provider did not answer. Look into the mailbox's sent items "+
				"before sending it again:")
	}
	return mime.NewText("report.failed", "The message was not delivered to these recipients:")
}

// status has the per-message and per-recipient fields of RFC 3464 section 2.
func (in *reportInput) status(eai bool) [][]mime.ReportField {
	var message []mime.ReportField
	if id := in.message.Envelope.EnvID; id != "" {
		message = append(message, mime.ReportField{Name: "Original-Envelope-Id", Value: id})
	}
	out := [][]mime.ReportField{append(message, mime.ReportField{Name: "Reporting-MTA", Value: "dns; " + in.host},
		mime.ReportField{Name: "Arrival-Date", Value: in.message.ReceivedAt.Format(time.RFC1123Z)})}
	for _, r := range in.about {
		out = append(out, in.recipient(r, eai))
	}
	return out
}

func (in *reportInput) recipient(r store.Recipient, eai bool) (fields []mime.ReportField) {
	add := func(name, value string) { fields = append(fields, mime.ReportField{Name: name, Value: value}) }
	if r.ORcpt != "" {
		original := r.ORcpt
		if !eai {
			original = asciiAddress(original)
		}
		add("Original-Recipient", original)
	}
	kind, address := "rfc822", r.Address.String()
	if !ascii(address) {
		kind = "utf-8"
		if !eai {
			address = asciiAddress(address)
		}
	}
	add("Final-Recipient", kind+"; "+address)
	add("Action", string(in.action()))
	add("Status", in.statusCode(r))
	if r.Error != nil && r.Error.Status != 0 {
		proto := "smtp"
		if r.Error.Provider != "" && r.Error.Provider != "smtp" {
			proto = "X-" + string(r.Error.Provider)
		}
		add("Diagnostic-Code", proto+"; "+diagnostic(r.Error))
	}
	if in.action() == reportDelayed {
		add("Last-Attempt-Date", in.now.Format(time.RFC1123Z))
	}
	return fields
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

// statusCode is the enhanced status code of a recipient (RFC 3463).
func (in *reportInput) statusCode(r store.Recipient) string {
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

// text is what the person reads, in every language.
func (in *reportInput) text() string {
	var b strings.Builder
	for _, lang := range languages() {
		fmt.Fprintf(&b, "%s\n\n", in.kind.head().In(lang))
		for _, r := range in.about {
			fmt.Fprintf(&b, "  %s\n", r.Address)
			if r.Error == nil || in.kind == reportRelayed {
				continue
			}
			fmt.Fprintf(&b, "    %s", r.Error.Message.In(lang))
			if c := r.Error.ShownCode(); c != "" {
				fmt.Fprintf(&b, " (%s)", c)
			}
			if t := r.Error.Hint.In(lang); t != "" {
				fmt.Fprintf(&b, "\n    -> %s", t)
			}
			b.WriteByte('\n')
		}
		b.WriteByte('\n')
	}
	subject := strings.Join(inAll(mime.NewText("report.subject", "Subject")), " / ")
	fmt.Fprintf(&b, "%s: %s\nMessage-ID: %s\n", subject, in.message.Subject, in.message.MessageID)
	return b.String()
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

// diagnostic is what the provider answered, in its own codes (RFC 3464 section 2.3.6).
func diagnostic(e *adapters.Error) string {
	status := strconv.Itoa(e.Status)
	if code := e.ShownCode(); strings.HasPrefix(code, status) { // SMTP's own: "554 5.2.252"
		return code
	}
	return status + " " + e.ShownCode()
}
