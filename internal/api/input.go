package api

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// A MessageInput is a message as JSON.
type MessageInput struct {
	From            string            `json:"from,omitempty" maxLength:"1000" example:"ERP <erp@contoso.it>" doc:"Chooses the connection"`
	To              []string          `json:"to,omitempty" maxItems:"10000" example:"[\"Anna Rossi <anna@example.com>\"]"`
	Cc              []string          `json:"cc,omitempty" maxItems:"10000"`
	Bcc             []string          `json:"bcc,omitempty" maxItems:"10000"`
	ReplyTo         []string          `json:"reply_to,omitempty" maxItems:"100"`
	Subject         string            `json:"subject,omitempty" maxLength:"2000"`
	Text            string            `json:"text,omitempty" doc:"Plain text; made from html when it is absent"`
	HTML            string            `json:"html,omitempty"`
	Attachments     []AttachmentInput `json:"attachments,omitempty" maxItems:"900"`
	Headers         map[string]string `json:"headers,omitempty" maxProperties:"200" doc:"Further header fields, such as X-Order"`
	ListUnsubscribe []string          `json:"list_unsubscribe,omitempty" maxItems:"10" doc:"URIs of RFC 2369"`
	OneClick        bool              `json:"one_click,omitempty" doc:"RFC 8058; needs an https URI in list_unsubscribe"`
	InReplyTo       string            `json:"in_reply_to,omitempty" maxLength:"998"`
	References      []string          `json:"references,omitempty" maxItems:"1000"`
	Raw             string            `json:"raw,omitempty" contentEncoding:"base64" doc:"The whole message, instead of the fields above"`

	Connection   string     `json:"connection,omitempty" maxLength:"200" doc:"Name or id of the connection; chosen by the sender when absent"`
	Class        string     `json:"class,omitempty" enum:"transactional,bulk"`
	Tag          string     `json:"tag,omitempty" maxLength:"200" doc:"A label of your own to find messages by"`
	Metadata     metadata   `json:"metadata,omitempty" doc:"Up to 10 pairs of your own, that come back with the message and its events"`
	SendAt       *time.Time `json:"send_at,omitempty" doc:"Not before this moment, at most a year ahead"`
	Recipients   []string   `json:"recipients,omitempty" maxItems:"10000" doc:"Envelope recipients; absent: to, cc and bcc"`
	EnvelopeFrom *string    `json:"envelope_from,omitempty" maxLength:"320" doc:"Envelope sender; absent: the address of from"`
}

// An AttachmentInput is a file or an inline image.
type AttachmentInput struct {
	Filename    string `json:"filename,omitempty" maxLength:"255" example:"fattura.pdf"`
	ContentType string `json:"content_type,omitempty" maxLength:"255" doc:"Absent: by filename. text/calendar; method=REQUEST: an invitation"`
	ContentID   string `json:"content_id,omitempty" maxLength:"255" doc:"For cid: in the HTML; absent in an inline image: the file's name"`
	Inline      bool   `json:"inline,omitempty"`
	Content     string `json:"content" contentEncoding:"base64"`
}

// maxAhead bounds scheduled sending.
const maxAhead = 366 * 24 * time.Hour

// address reads "anna@example.com" or "Anna <anna@example.com>".
func address(field, s string) (mime.Address, error) {
	a, err := mime.ParseAddress(s)
	if err == nil {
		return a, nil
	}
	e := new(mime.Error)
	if !errors.As(err, &e) {
		return mime.Address{}, err
	}
	return mime.Address{}, fail(http.StatusUnprocessableEntity, "bad_address", field, inField(field, mimeText(e)), adapters.Text{})
}

func clip(s string) string {
	if r := []rune(s); len(r) > 80 {
		return string(r[:79]) + "…"
	}
	return s
}

func addresses(field string, list []string) ([]mime.Address, error) {
	out := make([]mime.Address, 0, len(list))
	for i, s := range list {
		a, err := address(fmt.Sprintf("%s[%d]", field, i), s)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// draft makes the composer's draft; files are further attachments that came apart.
func (in *MessageInput) draft(files []mime.Attachment) (*mime.Draft, error) {
	d := &mime.Draft{Subject: in.Subject, Text: in.Text, HTML: in.HTML, ListUnsubscribe: in.ListUnsubscribe, OneClick: in.OneClick,
		InReplyTo: in.InReplyTo, References: in.References}
	if in.From == "" {
		return nil, fail(http.StatusUnprocessableEntity, "no_from", "from",
			text("api.no_from", "the message has no from"),
			text("api.no_from_hint", "set the sender"))
	}
	var err error
	if d.From, err = address("from", in.From); err != nil {
		return nil, err
	}
	for _, l := range []struct {
		field string
		in    []string
		out   *[]mime.Address
	}{{"to", in.To, &d.To}, {"cc", in.Cc, &d.Cc}, {"bcc", in.Bcc, &d.Bcc}, {"reply_to", in.ReplyTo, &d.ReplyTo}} {
		if *l.out, err = addresses(l.field, l.in); err != nil {
			return nil, err
		}
	}
	names := make([]string, 0, len(in.Headers))
	for name := range in.Headers {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		d.Headers = append(d.Headers, mime.Field{Name: name, Value: in.Headers[name]})
	}
	for i := range in.Attachments {
		a := &in.Attachments[i]
		if err := checkBase64(fmt.Sprintf("attachments[%d].content", i), a.Content); err != nil {
			return nil, err
		}
		d.Attachments = append(d.Attachments, mime.Attachment{Filename: a.Filename, ContentType: a.ContentType,
			ContentID: strings.Trim(a.ContentID, "<>"), Inline: a.Inline || a.ContentID != "",
			Open: func() (io.ReadCloser, error) { return io.NopCloser(fromBase64(a.Content)), nil }})
	}
	d.Attachments = append(d.Attachments, files...)
	return d, nil
}

func fromBase64(s string) io.Reader {
	return base64.NewDecoder(base64.StdEncoding, strings.NewReader(s))
}

func checkBase64(field, s string) error {
	if _, err := io.Copy(io.Discard, fromBase64(s)); err != nil {
		return fail(http.StatusUnprocessableEntity, "bad_base64", field,
			text("api.bad_base64", "{field} is not base64: {error}", "field", field, "error", err),
			text("api.bad_base64_hint",
				"encode the file with the standard alphabet and padding, or send it as multipart/form-data"))
	}
	return nil
}
