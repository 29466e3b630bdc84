package mime

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxFilename bounds a file name in octets; file systems stop at 255.
const maxFilename = 1000

// attachment plans one file; id is its Content-ID where it has none of its own.
func (c *composer) attachment(a *Attachment, id string) (*node, error) {
	const in = "Attachments"
	if a.Open == nil {
		return nil, newError("no_content", in, NewText("mime.no_content", "The attachment {filename} has no content: set Open.", "filename",
			strconv.Quote(shorten(a.Filename))))
	}
	if err := checkValue(in, a.Filename); err != nil {
		return nil, err
	}
	name := BaseName(a.Filename)
	mediaType, params, typeName, err := contentType(a.ContentType, name)
	if err != nil {
		return nil, err
	}
	name = cmp.Or(name, typeName)
	if len(name) > maxFilename {
		return nil, newError("bad_filename", in, NewText("mime.bad_filename",
			"The file name {name} is too long: use at most {max_filename} octets.",
			"name", strconv.Quote(shorten(name)), "max_filename", maxFilename))
	}
	n := &node{mediaType: mediaType}
	encoding, body := "base64", c.base64Body(a)
	if asMessage(mediaType) {
		// RFC 2046 section 5.2.1: no encoding but 7bit, 8bit or binary.
		form, err := scanAttachedMessage(a)
		if err != nil {
			return nil, err
		}
		switch {
		case !form.fits: // such octets pass no mail server; as a file they keep every one of them
			mediaType, params = octetStream, nil
			n.mediaType = mediaType
		case form.eightBit:
			encoding, body, n.eightBit = "8bit", messageBody(a, form), true
		default:
			encoding, body = "7bit", messageBody(a, form)
		}
	}
	n.body = body

	ct := newField("Content-Type")
	ct.word(" ", mediaType)
	for _, p := range params {
		ct.param(p.Name, p.Value)
	}
	if name != "" { // for old Outlook, which reads no RFC 2231
		ct.param("name", asciiName(name))
	}
	cte := newField("Content-Transfer-Encoding")
	cte.word(" ", encoding)
	cd := newField("Content-Disposition")
	if a.Inline {
		cd.word(" ", "inline")
	} else {
		cd.word(" ", "attachment")
	}
	if name != "" {
		cd.param("filename", name)
	}
	n.fields = [][]byte{ct.raw(), cte.raw(), cd.raw()}
	if id = cmp.Or(a.ContentID, id); id != "" {
		id, err := checkID("Content-ID", id)
		if err != nil {
			return nil, err
		}
		n.id = id
		f := newField("Content-ID")
		f.word(" ", "<"+id+">")
		n.fields = append(n.fields, f.raw())
	}
	return n, nil
}

func (c *composer) base64Body(a *Attachment) func(io.Writer) error {
	return func(w io.Writer) error {
		if c.lines == nil {
			c.lines = newBase64Lines()
		}
		return a.stream(func(r io.Reader) error { return c.lines.copy(w, r) })
	}
}

// stream opens the attachment, hands it to use and closes it; failures of
// reading are *Error, those of writing come back as they are.
func (a *Attachment) stream(use func(io.Reader) error) error {
	r, err := a.Open()
	if err != nil {
		return a.unreadable(err)
	}
	err = use(r)
	cerr := r.Close()
	var re readError
	switch {
	case errors.As(err, &re):
		return a.unreadable(re.err)
	case err == nil && cerr != nil:
		return a.unreadable(cerr)
	}
	return err
}

func (a *Attachment) unreadable(err error) error {
	return newError("attachment_unreadable", "Attachments", NewText("mime.attachment_unreadable",
		"The attachment {filename} could not be read: check that the file exists and may be read.",
		"filename", strconv.Quote(shorten(BaseName(a.Filename))))).because(err)
}

// BaseName is a file's name without the directories before it, of Windows
// too: they are no one else's business. A slash in a name that is no path
// belongs to it ("Fattura 12/2026.pdf"). Empty where nothing is left that is a name.
func BaseName(name string) string {
	name = strings.TrimSpace(name)
	onlySlashes := strings.ReplaceAll(name, `\`, "/")
	switch cut := strings.LastIndexByte(name, '\\'); {
	case isPath(onlySlashes):
		name = path.Base("/" + onlySlashes)
	case cut >= 0:
		name = name[cut+1:]
	}
	name = strings.Trim(name, "/ ")
	if name == "." || name == ".." {
		return ""
	}
	return strings.ReplaceAll(name, "\t", " ")
}

// isPath reports whether a name with slashes is surely a path: it begins with
// a root, a drive, the home directory or a dot directory, or climbs.
func isPath(name string) bool {
	for _, start := range []string{"/", "./", "../", "~/"} {
		if strings.HasPrefix(name, start) {
			return true
		}
	}
	drive := len(name) >= 2 && name[1] == ':' && (name[0]|0x20 >= 'a' && name[0]|0x20 <= 'z')
	return drive && len(name) >= 3 && name[2] == '/' || strings.Contains(name, "/../") || strings.HasSuffix(name, "/..")
}

// asciiName is a name that any program can read: accents dropped, anything
// else that is not plain ASCII an underscore, short enough for one line, the
// extension kept.
func asciiName(name string) string {
	const longest = 60
	var b strings.Builder
	for _, r := range norm.NFD.String(name) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case r >= ' ' && r <= '~' && !strings.ContainsRune(`"\=?*`, r):
			b.WriteRune(r)
		case utf8.RuneLen(r) > 0:
			b.WriteByte('_')
		}
	}
	s := b.String()
	if len(s) <= longest {
		return s
	}
	ext := path.Ext(s)
	if len(ext) > 10 {
		ext = ""
	}
	return s[:longest-len(ext)] + ext
}

const octetStream = "application/octet-stream"

// contentType checks a given media type, or guesses it from the name by a
// table of our own: the host's would make equal drafts differ. given may name the
// file too. Parameters that cannot be written are dropped: readers do without them.
func contentType(given, name string) (mediaType string, params []Field, typeName string, err error) {
	if strings.TrimSpace(given) == "" {
		return typeByName(name), nil, "", nil
	}
	bad := newError("bad_content_type", "Attachments", NewText("mime.bad_content_type",
		"The media type {given} is not valid for an attachment: use one such as application/pdf, or leave it empty.",
		"given", strconv.Quote(shorten(given))))
	if err := checkValue("Attachments", given); err != nil {
		return "", nil, "", err
	}
	mediaType, m := parseParams(given)
	major, minor, ok := strings.Cut(mediaType, "/")
	if !ok || !isToken(major) || !isToken(minor) || len(mediaType) > 127 { // RFC 6838 section 4.2
		return "", nil, "", bad
	}
	if major == "multipart" { // RFC 2045 section 6.4: it could not be encoded
		return "", nil, "", bad
	}
	for _, k := range sortedKeys(m) {
		if err := checkValue("Attachments", m[k]); err != nil {
			return "", nil, "", err
		}
		v := decodeName(k, m[k])
		switch {
		case k == "name":
			typeName = BaseName(v)
		case k != "boundary" && isToken(k) && len(k) <= 40 && len(v) <= maxFilename:
			params = append(params, Field{k, v})
		}
	}
	return mediaType, params, typeName, nil
}

// asMessage reports the media types that must not be encoded as base64 (RFC
// 2046 section 5.2, RFC 3464 section 2.1). message/global may be (RFC 6532 section 3.7).
func asMessage(mediaType string) bool {
	return strings.HasPrefix(mediaType, "message/") && !strings.HasPrefix(mediaType, "message/global")
}

// messageForm is how an attached message can be written.
type messageForm struct {
	fits     bool // lines under 998, no NUL
	eightBit bool
}

// scanAttachedMessage reads an attached message once before it is written.
func scanAttachedMessage(a *Attachment) (messageForm, error) {
	var lw messageWriter
	lw.w = io.Discard
	err := a.stream(func(r io.Reader) error { return copyStream(&lw, r) })
	if errors.Is(err, errUnfit) {
		return messageForm{}, nil
	}
	return messageForm{fits: true, eightBit: lw.eightBit}, err
}

// messageBody writes an attached message in canonical lines. What the first
// reading did not see means that the file changed in between.
func messageBody(a *Attachment, form messageForm) func(io.Writer) error {
	return func(w io.Writer) error {
		lw := messageWriter{w: w}
		err := a.stream(func(r io.Reader) error { return copyStream(&lw, r) })
		if errors.Is(err, errUnfit) || err == nil && lw.eightBit && !form.eightBit {
			return a.unreadable(fmt.Errorf("it changed while it was read: %w", errUnfit))
		}
		return err
	}
}

var errUnfit = errors.New("a NUL or a line over 998 octets in an attached message")

// A messageWriter passes a message through with CRLF for every line end, without
// the byte order mark or mbox line that stands before the header of a file.
type messageWriter struct {
	w        io.Writer
	begun    bool
	col      int
	cr       bool // the last octet was CR
	eightBit bool
	buf      []byte
}

func (m *messageWriter) Write(p []byte) (int, error) {
	const longest = 998
	n := len(p)
	if !m.begun { // copyStream writes the whole beginning at once
		m.begun = true
		p = p[prefaceLength(p):]
	}
	m.buf = m.buf[:0]
	for len(p) > 0 {
		end := bytes.IndexAny(p, "\r\n\x00")
		text := p
		if end >= 0 {
			text = p[:end]
		}
		if len(text) > 0 {
			m.cr = false
			m.buf = append(m.buf, text...)
			m.eightBit = m.eightBit || !isASCII(text)
			if m.col += len(text); m.col > longest {
				return 0, errUnfit
			}
		}
		if end < 0 {
			break
		}
		switch c := p[end]; {
		case c == 0:
			return 0, errUnfit
		case c == '\n' && m.cr: // its line was ended at the CR
			m.cr = false
		default:
			m.buf = append(m.buf, crlf...)
			m.cr, m.col = c == '\r', 0
		}
		p = p[end+1:]
	}
	if _, err := m.w.Write(m.buf); err != nil {
		return 0, err
	}
	return n, nil
}

// copyStream is io.Copy with failures of r as readError.
func copyStream(w io.Writer, r io.Reader) error {
	buf := make([]byte, 32<<10)
	for {
		n, end, err := fill(r, buf)
		if err != nil {
			return readError{err}
		}
		if _, err := w.Write(buf[:n]); err != nil {
			return err
		}
		if end {
			return nil
		}
	}
}
