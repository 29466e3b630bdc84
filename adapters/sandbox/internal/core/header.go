package core

import (
	"bytes"
	"io"
	"mime"
	"slices"
	"strings"
)

// addressLines are what an API may be given differently from SMTP (design rule
// 1); ContentSHA256 leaves them out.
var addressLines = map[string]bool{
	"from": true, "sender": true, "reply-to": true, "to": true, "cc": true, "bcc": true, "x-postino-not-sent": true,
}

// A headerFilter collects the header of a message that comes in pieces and
// passes on everything but the address lines.
type headerFilter struct {
	header []byte
	done   bool
	start  int // of the line that is not yet complete, in header
	skip   bool
}

func (f *headerFilter) feed(p []byte, out io.Writer) error {
	for !f.done && len(p) > 0 {
		n := bytes.IndexByte(p, '\n')
		if n < 0 {
			n = len(p) - 1
		}
		if len(f.header)+n+1 > MaxHeader {
			return ErrHeaderTooLarge
		}
		f.header = append(f.header, p[:n+1]...)
		p = p[n+1:]
		if f.header[len(f.header)-1] == '\n' {
			f.line(f.header[f.start:], out)
			f.start = len(f.header)
		}
	}
	if len(p) > 0 {
		_, _ = out.Write(p) // a hash never fails
	}
	return nil
}

// end passes on a last line without line end.
func (f *headerFilter) end(out io.Writer) {
	if !f.done && f.start < len(f.header) {
		f.line(f.header[f.start:], out)
	}
}

func (f *headerFilter) line(line []byte, out io.Writer) {
	switch {
	case len(bytes.TrimRight(line, "\r\n")) == 0:
		f.done, f.skip = true, false
	case line[0] == ' ' || line[0] == '\t': // folded: belongs to the field above
	default:
		f.skip = addressLines[FieldName(line)]
	}
	if !f.skip {
		_, _ = out.Write(line)
	}
}

// FieldName is the lower-case name of a header line, "" when it has none.
func FieldName(line []byte) string {
	name, _, ok := bytes.Cut(line, []byte(":"))
	if !ok {
		return ""
	}
	return strings.ToLower(string(bytes.TrimRight(name, " \t")))
}

// A Field is one header field, unfolded and trimmed, not decoded.
type Field struct{ Name, Value string }

// ParseFields returns the header fields in order. ok is false when a line is no field.
func ParseFields(header []byte) (fields []Field, ok bool) {
	ok = true
	for line := range bytes.Lines(header) {
		text := bytes.TrimRight(line, "\r\n")
		switch {
		case len(text) == 0:
			return fields, ok
		case text[0] == ' ' || text[0] == '\t':
			if len(fields) == 0 {
				ok = false
				continue
			}
			last := &fields[len(fields)-1]
			last.Value = strings.TrimSpace(last.Value + " " + string(bytes.TrimSpace(text)))
		default:
			name, value, found := strings.Cut(string(text), ":")
			name = strings.TrimRight(name, " \t")
			if !found || name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
				ok = false
				continue
			}
			fields = append(fields, Field{name, strings.TrimSpace(value)})
		}
	}
	return fields, ok
}

// Field is the value of the first field of that name.
func (m *Message) Field(name string) string {
	v := m.FieldsNamed(name)
	if len(v) == 0 {
		return ""
	}
	return v[0]
}

// FieldsNamed are the values of all fields of that name.
func (m *Message) FieldsNamed(name string) (values []string) {
	for _, f := range m.Fields {
		if strings.EqualFold(f.Name, name) {
			values = append(values, f.Value)
		}
	}
	return values
}

// DecodeWords decodes RFC 2047 words; what cannot be decoded stays as it is.
func DecodeWords(v string) string {
	d := new(mime.WordDecoder)
	out, err := d.DecodeHeader(v)
	if err != nil {
		return v
	}
	return out
}

// rewrite returns the message of rc with header fields dropped and set.
func rewrite(rc io.ReadCloser, e Edits) io.ReadCloser {
	pr, pw := io.Pipe()
	go func() {
		w := &rewriter{out: pw, edits: e}
		_, err := io.Copy(w, rc)
		if err == nil && !w.filter.done { // no body at all
			err = w.writeHeader()
		}
		pw.CloseWithError(err)
	}()
	return struct {
		io.Reader
		io.Closer
	}{pr, closeBoth{pr, rc}}
}

type closeBoth [2]io.Closer

func (c closeBoth) Close() error {
	err := c[0].Close()
	if err2 := c[1].Close(); err == nil {
		err = err2
	}
	return err
}

type rewriter struct {
	out    io.Writer
	edits  Edits
	filter headerFilter
}

func (w *rewriter) Write(p []byte) (int, error) {
	n := len(p)
	if !w.filter.done {
		held := len(w.filter.header)
		if err := w.filter.feed(p, io.Discard); err != nil {
			return 0, err
		}
		if !w.filter.done {
			return n, nil
		}
		if err := w.writeHeader(); err != nil {
			return 0, err
		}
		p = p[len(w.filter.header)-held:]
	}
	if _, err := w.out.Write(p); err != nil {
		return 0, err
	}
	return n, nil
}

func (w *rewriter) writeHeader() error {
	var b bytes.Buffer
	seen := map[string]bool{}
	skip := false
	for line := range bytes.Lines(w.filter.header) {
		if c := line[0]; c != ' ' && c != '\t' {
			name := FieldName(line)
			to, replace := w.edits.Set[name]
			skip = name == "bcc" && !w.edits.KeepBcc || replace || slices.Contains(w.edits.Drop, name)
			if replace && !seen[name] {
				b.WriteString(to)
			}
			seen[name] = true
		}
		if !skip {
			b.Write(line)
		}
	}
	for name, line := range w.edits.Set {
		if !seen[name] {
			if _, err := io.WriteString(w.out, line); err != nil {
				return err
			}
		}
	}
	_, err := w.out.Write(b.Bytes())
	return err
}
