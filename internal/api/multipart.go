package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"hash"
	"io"
	stdmime "mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/spool"
	"github.com/postino-mail/postino/mime"
)

// Bounds of a form, apart from its files: those are bounded by what a message
// may have.
const (
	maxFormText  = 8 << 20 // bytes of all fields that are no files
	maxFormFiles = 900
	maxFormParts = 12_000
	maxFormHead  = 64 << 10 // bytes of the header of one part
	maxFormNames = 100_000  // addresses in all lists
)

// A form is a multipart/form-data body on its way in. All files share one
// spool, so that their number costs no memory and one file descriptor.
type form struct {
	spool  *spool.Buffer
	digest hash.Hash
	texts  *spool.Buffer // values of the fields, one behind the other
	values []formValue
	fields map[string][]string // when all is there
	files  []formFile
	max    int64
}

// A formValue is where a value ends in texts.
type formValue struct {
	name string
	end  int64
}

type formFile struct {
	mime.Attachment
	offset, size int64
}

// multipart takes a message from a form: the field "message" holds it as JSON
// (without attachments), or its fields come one by one; every part with a file
// name is an attachment.
func (s *submissionService) multipart(r *http.Request, boundary string, digest hash.Hash, max int64) (_ *incoming, err error) {
	if boundary == "" {
		return nil, fail(http.StatusBadRequest, "invalid_request", "Content-Type",
			text("api.no_boundary", "multipart/form-data needs a boundary"),
			text("api.no_boundary_hint", "let the HTTP library set the Content-Type"))
	}
	f := &form{spool: s.bodies.spool(r.Context(), 0, max), texts: s.bodies.spool(r.Context(), freeJSON, maxFormText), digest: digest,
		fields: map[string][]string{}, max: max}
	defer func() { err = joinClose(joinClose(err, f.spool), f.texts) }()
	body := &tail{r: r.Body}
	if err := f.read(multipart.NewReader(body, boundary), body); err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(body, 1<<20)); err != nil || !bytes.Contains(body.last, []byte("--"+boundary+"--")) {
		// The reader cannot tell the end of the form from the end of the bytes.
		return nil, badForm(io.ErrUnexpectedEOF)
	}
	values, done, err := s.bodies.load(r.Context(), f.texts)
	if err != nil {
		return nil, err
	}
	defer done()
	in, err := f.input(r.Context(), s.bodies, values)
	if err != nil {
		return nil, err
	}
	files, err := f.attachments()
	if err != nil {
		return nil, err
	}
	return s.compose(r.Context(), in, files, max)
}

func (f *form) read(mr *multipart.Reader, body *tail) error {
	for n := 0; ; n++ {
		body.head = maxFormHead
		p, err := mr.NextRawPart()
		if errors.Is(err, io.EOF) && n > 0 {
			return nil
		}
		if err != nil {
			return badForm(err)
		}
		body.head = 0
		if n >= maxFormParts {
			return fail(http.StatusUnprocessableEntity, "invalid_request", "",
				text("api.form_too_many_parts", "the form has more than {most} parts", "most", maxFormParts), adapters.Text{})
		}
		name, filename, isFile := fileControl(p)
		if err := asItIs(p, name); err != nil {
			return err
		}
		framed(f.digest, name, filename, p.Header.Get("Content-Type"), p.Header.Get("Content-ID"))
		before := f.spool.Size()
		if isFile || p.Header.Get("Content-ID") != "" {
			err = f.file(p, name, filename)
		} else {
			err = f.field(p, name)
		}
		if err != nil {
			return err
		}
		framed(f.digest, strconv.FormatInt(f.spool.Size()-before, 10))
	}
}

// asItIs refuses a part with a transfer encoding: forms have none (RFC 7578 section
// 4.7), and a file would be sent in base64 that no one undoes.
func asItIs(p *multipart.Part, name string) error {
	encoding := strings.TrimSpace(p.Header.Get("Content-Transfer-Encoding"))
	switch strings.ToLower(encoding) {
	case "", "7bit", "8bit", "binary":
		return nil
	}
	return fail(http.StatusUnprocessableEntity, "invalid_request", clip(name),
		text("api.form_part_encoded", "the part \"{name}\" has the Content-Transfer-Encoding {encoding}, which forms do not have", "name",
			clip(name), "encoding", clip(encoding)),
		text("api.form_part_encoded_hint", "send the bytes as they are"))
}

// fileControl reads the Content-Disposition of a part; a file control is one
// with a file name, though that be empty.
func fileControl(p *multipart.Part) (name, filename string, is bool) {
	_, params, err := stdmime.ParseMediaType(p.Header.Get("Content-Disposition"))
	if err != nil {
		return p.FormName(), p.FileName(), p.FileName() != ""
	}
	filename, is = params["filename"]
	return p.FormName(), filename, is
}

// A tail remembers the last bytes that were read.
type tail struct {
	r    io.Reader
	last []byte
	head int // bytes that the header of a part may still have; 0: none is read
}

// tailSize holds the closing delimiter and what may follow it.
const tailSize = 1 << 10

func (t *tail) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if t.head > 0 {
		if t.head -= n; t.head <= 0 {
			return n, fail(http.StatusUnprocessableEntity, "invalid_request", "",
				text("api.form_header_too_large",
					"the header of a part of the form has more than {most} bytes", "most", maxFormHead), adapters.Text{})
		}
	}
	t.last = append(t.last, p[max(0, n-tailSize):n]...)
	if over := len(t.last) - tailSize; over > 0 {
		t.last = append(t.last[:0], t.last[over:]...)
	}
	return n, err
}

func badForm(err error) error {
	var own *failure
	if errors.As(err, &own) {
		return own
	}
	return fail(http.StatusBadRequest, "invalid_request", "",
		text("api.form_unreadable", "the form cannot be read: {error}", "error", clip(err.Error())),
		text("api.form_unreadable_hint", "the parts must be delimited as Content-Type says"))
}

func (f *form) field(p *multipart.Part, name string) error {
	var full *spool.FullError
	before := f.texts.Size()
	n, err := io.Copy(struct{ io.Writer }{io.MultiWriter(f.texts, f.digest)}, p)
	switch {
	case errors.Is(err, spool.ErrTooLarge):
		return fail(http.StatusRequestEntityTooLarge, "json_too_large", name,
			text("api.form_fields_too_large", "the fields of the form have more than {most} bytes", "most", maxFormText),
			text("api.form_fields_too_large_hint", "send attachments as files, with a file name"))
	case errors.As(err, &full):
		return failureOf(err)
	case err != nil:
		return badForm(err)
	}
	framed(f.digest, strconv.FormatInt(n, 10))
	f.values = append(f.values, formValue{name, before + n})
	return nil
}

func (f *form) file(p *multipart.Part, name, filename string) error {
	if len(f.files) >= maxFormFiles {
		return fail(http.StatusUnprocessableEntity, "too_many_parts", "attachments",
			text("api.too_many_files", "more than {most} files", "most", maxFormFiles),
			text("api.too_many_files_hint", "put them into an archive"))
	}
	x := formFile{offset: f.spool.Size()}
	x.Filename, x.ContentType = filename, p.Header.Get("Content-Type")
	if x.ContentType == "application/octet-stream" {
		x.ContentType = "" // what clients send that do not know the type: the file name may show it
	}
	x.ContentID = strings.Trim(p.Header.Get("Content-ID"), "<> ")
	x.Inline = x.ContentID != "" || name == "inline" // the HTML may refer to it by its name
	if _, err := io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(f.spool, f.digest)}, struct{ io.Reader }{p},
		make([]byte, 32<<10)); err != nil {
		var full *spool.FullError
		if errors.Is(err, spool.ErrTooLarge) || errors.As(err, &full) {
			return failureOf(err)
		}
		return badForm(err)
	}
	x.size = f.spool.Size() - x.offset
	if filename == "" && x.ContentID == "" && x.size == 0 {
		return nil // a file control without file (HTML standard, "constructing the entry list")
	}
	if f.spool.Size()/3*4 > f.max { // base64: refused before it is all read
		return failureOf(spool.ErrTooLarge)
	}
	f.files = append(f.files, x)
	return nil
}

func (f *form) attachments() ([]mime.Attachment, error) {
	src, err := f.spool.Source()
	if err != nil {
		return nil, err
	}
	var out []mime.Attachment
	for _, x := range f.files {
		a := x.Attachment
		a.Open = func() (io.ReadCloser, error) { return io.NopCloser(io.NewSectionReader(src, x.offset, x.size)), nil }
		out = append(out, a)
	}
	return out, nil
}

// input is the message of the form, without its files.
func (f *form) input(ctx context.Context, b *bodyReader, values []byte) (*MessageInput, error) {
	at, commas := int64(0), 0
	for _, v := range f.values {
		value := string(values[at:v.end])
		f.fields[v.name], at = append(f.fields[v.name], value), v.end
		if v.name != "text" && v.name != "html" && v.name != "message" {
			commas += strings.Count(value, ",") + strings.Count(value, ";")
		}
	}
	if commas > maxFormNames {
		return nil, tooManyValues(maxFormNames)
	}
	if docs := f.fields["message"]; len(docs) > 0 {
		if len(docs) > 1 || len(f.fields) > 1 {
			return nil, fail(http.StatusUnprocessableEntity, "invalid_request", "message",
				text("api.message_beside_fields", "beside the field message there are only files"),
				text("api.message_beside_fields_hint", "put all else into its JSON"))
		}
		return decode[MessageInput](ctx, b, []byte(docs[0]))
	}
	in := new(MessageInput)
	texts := map[string]*string{"from": &in.From, "subject": &in.Subject, "text": &in.Text, "html": &in.HTML, "in_reply_to": &in.InReplyTo,
		"connection": &in.Connection, "class": &in.Class, "tag": &in.Tag}
	lists := map[string]*[]string{"to": &in.To, "cc": &in.Cc, "bcc": &in.Bcc, "reply_to": &in.ReplyTo, "recipients": &in.Recipients}
	plain := map[string]*[]string{"list_unsubscribe": &in.ListUnsubscribe, "references": &in.References}
	for name, values := range f.fields {
		one := values[0]
		var err error
		switch {
		case texts[name] != nil:
			*texts[name] = one
		case lists[name] != nil:
			*lists[name] = splitAddresses(values)
		case plain[name] != nil:
			*plain[name] = values
		case name == "envelope_from":
			in.EnvelopeFrom = &one
		case name == "metadata":
			in.Metadata, err = metadataOf(ctx, b, one)
		case name == "one_click":
			if in.OneClick, err = strconv.ParseBool(one); err != nil {
				err = fail(http.StatusUnprocessableEntity, "invalid_request", name,
					text("api.one_click", "one_click is true or false"), adapters.Text{})
			}
		case name == "send_at":
			var t time.Time
			if t, err = time.Parse(time.RFC3339, one); err != nil {
				err = fail(http.StatusUnprocessableEntity, "invalid_request", name,
					text("api.bad_send_at", "send_at is not an RFC 3339 time"),
					text("api.bad_send_at_hint", "write it as 2026-01-31T08:30:00Z"))
			}
			in.SendAt = &t
		default:
			err = fail(http.StatusUnprocessableEntity, "invalid_request", clip(name),
				text("api.unknown_form_field", "the field \"{name}\" is unknown", "name", clip(name)),
				text("api.unknown_form_field_hint", "a file needs a file name; the other fields are those of the JSON"))
		}
		if err == nil && len(values) > 1 && lists[name] == nil && plain[name] == nil {
			err = fail(http.StatusUnprocessableEntity, "invalid_request", name,
				text("api.form_field_twice", "{name} is there more than once", "name", name), adapters.Text{})
		}
		if err != nil {
			return nil, err
		}
	}
	return in, f.checked(ctx, b, in)
}

// checked holds fields that came one by one against the same schema as JSON.
func (f *form) checked(ctx context.Context, b *bodyReader, in *MessageInput) error {
	doc, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return check[MessageInput](ctx, b, doc)
}

// splitAddresses allows a field several times and lists with commas in it. What
// is no address is named exactly, with its index, where the entries are read.
func splitAddresses(values []string) []string {
	var out []string
	for _, v := range values {
		out = append(out, mime.SplitAddresses(v)...)
	}
	return out
}
