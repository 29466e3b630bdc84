package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postino-mail/postino/internal/spool"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/mime"
)

// A MessageInput is a message as JSON.
type MessageInput struct {
	From            string            `json:"from,omitempty" maxLength:"1000" example:"Contoso ERP <erp@contoso.it>" doc:"Sender; its address chooses the connection"`
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
	OneClick        bool              `json:"one_click,omitempty" doc:"One-click unsubscription (RFC 8058); needs an https URI in list_unsubscribe"`
	InReplyTo       string            `json:"in_reply_to,omitempty" maxLength:"998"`
	References      []string          `json:"references,omitempty" maxItems:"1000"`
	Raw             string            `json:"raw,omitempty" contentEncoding:"base64" doc:"The whole message as RFC 5322, in base64, in place of the fields above"`

	Connection   string     `json:"connection,omitempty" maxLength:"200" doc:"Name or id of the connection; chosen by the sender when absent"`
	Class        string     `json:"class,omitempty" enum:"transactional,bulk"`
	Tag          string     `json:"tag,omitempty" maxLength:"200" doc:"A word of yours to find messages by"`
	SendAt       *time.Time `json:"send_at,omitempty" doc:"Not before this moment, at most a year ahead"`
	Recipients   []string   `json:"recipients,omitempty" maxItems:"10000" doc:"Envelope: who is mailed, whatever to, cc and bcc say; absent: those"`
	EnvelopeFrom *string    `json:"envelope_from,omitempty" maxLength:"320" doc:"Envelope sender; absent: the address of from"`
}

// An AttachmentInput is a file or an inline image.
type AttachmentInput struct {
	Filename    string `json:"filename,omitempty" maxLength:"255" example:"fattura.pdf"`
	ContentType string `json:"content_type,omitempty" maxLength:"255" doc:"Guessed from filename when absent. The first text/calendar; method=REQUEST is written as an invitation too"`
	ContentID   string `json:"content_id,omitempty" maxLength:"255" doc:"Name by which HTML refers to it: cid:logo; where it is absent from an inline image, the file's name"`
	Inline      bool   `json:"inline,omitempty"`
	Content     string `json:"content" contentEncoding:"base64"`
}

// maxAhead bounds scheduled sending.
const maxAhead = 366 * 24 * time.Hour

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

// decode reads JSON and holds it against the schema of T, so that a problem
// names each field that is wrong.
func decode[T any](ctx context.Context, s *Server, body []byte) (*T, error) {
	if !utf8.Valid(body) {
		return nil, fail(http.StatusBadRequest, "bad_json", "", "the body is not UTF-8", "il corpo non è UTF-8", "write JSON in UTF-8, or escape what is not ASCII", "scrivere il JSON in UTF-8, o proteggere ciò che non è ASCII")
	}
	if err := check[T](ctx, s, body); err != nil {
		return nil, err
	}
	out := new(T)
	if err := json.Unmarshal(body, out); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return nil, fail(http.StatusUnprocessableEntity, "invalid_request", wrong.Field, wrong.Field+": a value of another kind is expected", wrong.Field+": serve un valore di altro tipo", "", "")
		}
		return nil, badJSON(err)
	}
	return out, nil
}

// check holds JSON against the schema of T, by its outline.
func check[T any](ctx context.Context, s *Server, body []byte) error {
	short, values, err := outline(body, maxValues)
	if err != nil {
		return err
	}
	done, err := s.checking(ctx, values)
	if err != nil {
		return err
	}
	defer done()
	var tree any
	if err := json.Unmarshal(short, &tree); err != nil {
		if whole := json.Unmarshal(body, new(json.RawMessage)); whole != nil { // which knows the place
			err = whole
		}
		return badJSON(err)
	}
	registry := s.router.api.OpenAPI().Components.Schemas
	var found huma.ValidateResult
	huma.Validate(registry, registry.Schema(typeOf[T](), true, ""), huma.NewPathBuffer(make([]byte, 0, 128), 0), huma.ModeWriteToServer, tree, &found)
	if len(found.Errors) == 0 {
		return nil
	}
	model := &huma.ErrorModel{Status: http.StatusUnprocessableEntity}
	for _, e := range found.Errors[:min(len(found.Errors), maxFaults)] {
		model.Add(e)
	}
	return fromHuma(model)
}

func badJSON(err error) *failure {
	var complex *tooComplex
	if errors.As(err, &complex) {
		return refusedJSON(complex)
	}
	en, it := "it is empty or cut short", "è vuoto o incompleto"
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		en, it = fmt.Sprintf("it breaks at byte %d", syntax.Offset), fmt.Sprintf("si interrompe al byte %d", syntax.Offset)
	case errors.As(err, &kind):
		en, it = "an object is expected", "serve un oggetto"
	}
	return fail(http.StatusBadRequest, "bad_json", "", "the body is not JSON as it should be: "+en, "il corpo non è JSON come dovrebbe: "+it, "", "")
}

// A letter is a message as the door took it, before it is submitted.
type letter struct {
	message      *spool.Buffer
	input        *MessageInput
	now          time.Time
	originalFrom string // of the header, when no envelope_from was given
}

// request is what goes to submit.
func (l *letter) request(p *principal) (submit.Request, error) {
	in := l.input
	r := submit.Request{Client: p.client, EntryPoint: "api", Message: l.message, Connection: in.Connection, Class: in.Class, Tag: in.Tag, Lenient: true}
	if strings.ContainsFunc(in.Tag, func(c rune) bool { return c < ' ' }) {
		return r, fail(http.StatusUnprocessableEntity, "invalid_request", "tag", "a tag has no control characters", "un'etichetta non ha caratteri di controllo", "", "")
	}
	if in.SendAt != nil {
		if in.SendAt.After(l.now.Add(maxAhead)) {
			return r, fail(http.StatusUnprocessableEntity, "invalid_request", "send_at", "send_at lies more than a year ahead", "send_at è oltre un anno nel futuro", "", "")
		}
		if in.SendAt.After(l.now) {
			r.NotBefore = in.SendAt.UTC()
		}
	}
	for i, a := range in.Recipients {
		addr, err := address(fmt.Sprintf("recipients[%d]", i), a)
		if err != nil {
			return r, err
		}
		r.Envelope.Recipients = append(r.Envelope.Recipients, mime.Recipient{Address: addr.Address})
	}
	switch {
	case in.EnvelopeFrom == nil:
		r.Envelope.From = l.originalFrom
	case *in.EnvelopeFrom != "":
		addr, err := address("envelope_from", *in.EnvelopeFrom)
		if err != nil {
			return r, err
		}
		r.Envelope.From = addr.Address
	}
	return r, nil
}

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
	return mime.Address{}, fail(http.StatusUnprocessableEntity, "bad_address", field, field+": "+e.Text, field+": "+e.TextIT, "", "")
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
	d := &mime.Draft{Subject: in.Subject, Text: in.Text, HTML: in.HTML, ListUnsubscribe: in.ListUnsubscribe, OneClick: in.OneClick, InReplyTo: in.InReplyTo, References: in.References}
	if in.From == "" {
		return nil, fail(http.StatusUnprocessableEntity, "no_from", "from", "the message has no from", "il messaggio non ha from", "set the sender", "indicare il mittente")
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
		d.Attachments = append(d.Attachments, mime.Attachment{Filename: a.Filename, ContentType: a.ContentType, ContentID: strings.Trim(a.ContentID, "<>"), Inline: a.Inline || a.ContentID != "",
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
		return fail(http.StatusUnprocessableEntity, "bad_base64", field, fmt.Sprintf("%s is not base64: %v", field, err), fmt.Sprintf("%s non è base64: %v", field, err),
			"encode the file with the standard alphabet and padding, or send it as multipart/form-data", "codificare il file con l'alfabeto standard e il riempimento, o inviarlo come multipart/form-data")
	}
	return nil
}

// compose writes the message into the spool. The caller closes it.
func (s *Server) compose(ctx context.Context, in *MessageInput, files []mime.Attachment, max int64) (_ *letter, err error) {
	b := s.spool(ctx, 0, max)
	l := &letter{message: b, input: in, now: s.opt.Now()}
	defer func() {
		if err != nil {
			err = joinClose(err, b)
		}
	}()
	if in.Raw != "" {
		if in.From != "" || len(in.To)+len(in.Cc)+len(in.Bcc)+len(in.ReplyTo)+len(in.Attachments)+len(in.Headers)+len(files)+len(in.ListUnsubscribe)+len(in.References) > 0 || in.Subject+in.Text+in.HTML+in.InReplyTo != "" || in.OneClick {
			return nil, fail(http.StatusUnprocessableEntity, "invalid_request", "raw", "raw is a whole message: the fields that make one cannot stand beside it", "raw è un messaggio intero: i campi che ne compongono uno non possono stargli accanto",
				"give raw, or the other fields", "indicare raw oppure gli altri campi")
		}
		if err := checkBase64("raw", in.Raw); err != nil {
			return nil, err
		}
		if _, err := io.Copy(b, fromBase64(in.Raw)); err != nil {
			return nil, err
		}
		return l, s.readFrom(l)
	}
	d, err := in.draft(files)
	if err != nil {
		return nil, err
	}
	l.originalFrom = d.From.Address
	if err := mime.Compose(b, d); err != nil {
		return nil, in.blame(err)
	}
	return l, nil
}

// blame names a field of headers as the JSON does.
func (in *MessageInput) blame(err error) error {
	f := failureOf(err)
	var m *mime.Error
	if errors.As(err, &m) {
		if _, ok := in.Headers[m.Field]; ok {
			f.field = "headers." + m.Field
		}
	}
	return f
}

// readFrom takes the envelope sender from the header of a message that came whole.
func (s *Server) readFrom(l *letter) error {
	src, err := l.message.Source()
	if err != nil {
		return err
	}
	m, err := mime.Read(src, mime.Limits{})
	if err != nil {
		return err
	}
	l.originalFrom = m.HeaderSender()
	return nil
}

func joinClose(err error, c io.Closer) error {
	if cerr := c.Close(); cerr != nil {
		return errors.Join(err, cerr)
	}
	return err
}

// freeJSON is the size up to which a JSON body waits for no other: so much for
// each connection is bounded well enough.
const freeJSON = 64 << 10

// jsonCost is how many bytes of memory one byte of JSON takes: as it came, as
// what is checked, and as what is made of it.
const jsonCost = 3

// readJSON reads a bounded JSON body. It comes in by way of the spool, so that a
// slow one keeps no memory. While a large one is in work, it counts against the
// server's budget; done gives that back.
func (s *Server) readJSON(r *http.Request) (body []byte, done func(), err error) {
	if r.ContentLength > s.opt.MaxJSON {
		return nil, nil, bodyTooLarge(s.opt.MaxJSON)
	}
	b, err := s.spool(r.Context(), freeJSON, s.opt.MaxJSON).Fill(r.Body)
	if errors.Is(err, spool.ErrTooLarge) {
		err = bodyTooLarge(s.opt.MaxJSON)
	}
	if err != nil {
		return nil, nil, bodyError(err)
	}
	body, done, err = s.load(r.Context(), b)
	if err := joinClose(err, b); err != nil {
		if done != nil {
			done()
		}
		return nil, nil, err
	}
	return body, done, nil
}

// load reads a spool into memory within the budget for JSON and forms.
func (s *Server) load(ctx context.Context, b *spool.Buffer) (text []byte, done func(), err error) {
	done = func() {}
	if size := b.Size(); size > freeJSON {
		weight := min(size*jsonCost, s.jsonBudget())
		if err := s.json.Acquire(ctx, weight); err != nil {
			return nil, nil, err
		}
		done = func() { s.json.Release(weight) }
	}
	src, err := b.Source()
	if err == nil {
		text = make([]byte, b.Size())
		_, err = io.ReadFull(io.NewSectionReader(src, 0, b.Size()), text)
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return text, done, nil
}

// spool is where a body goes, counted against the caller's share of the disk.
func (s *Server) spool(ctx context.Context, memory int, max int64) *spool.Buffer {
	return spool.New(s.opt.SpoolDir, memory, max).Charged(s.opt.Budget, caller(ctx).party())
}

// jsonBudget is the memory for JSON and forms in work at once.
func (s *Server) jsonBudget() int64 { return 4 * s.opt.MaxJSON }

// bodyError tells a body that ended early from what the server did wrong.
func bodyError(err error) error {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fail(http.StatusBadRequest, "invalid_request", "", "the body ended before its Content-Length", "il corpo è finito prima di Content-Length", "send it again", "ripetere l'invio")
	}
	return err
}
