package differential

import (
	"encoding/base64"
	"fmt"
	"mime/quotedprintable"
	"strings"
)

// A body is what the dimensions of the content say; each has what well-made mail has first.
type body struct {
	shape, label, leaf, text, boundary, name, around fragment
}

var (
	shapes = []fragment{
		{kind: "mixed"}, {kind: "leaf"}, {kind: "alternative"}, {kind: "related"}, {kind: "mixed-alternative"},
		{kind: "mixed-related-alternative"},
		{kind: "rfc822"}, {kind: "deep"}, {kind: "many"}, {kind: "empty-parts"}, {kind: "signed"}, {kind: "calendar"}, {kind: "only-file"},
		{kind: "report"}, {kind: "digest"},
		{kind: "html-leaf"}, {kind: "no-type"}, {kind: "one-part"}, {kind: "signed-file"}, {kind: "long-lines"}, {kind: "one-long-line"},
		{kind: "no-parts", loose: true}, {kind: "no-boundary", loose: true}, {kind: "no-end", loose: true}, {kind: "no-mime-version"},
		{kind: "folded-type"},
		{kind: "upper-type"}, {kind: "bad-type", loose: true}, {kind: "no-semicolon", loose: true}, {kind: "part-without-header"},
		{kind: "empty-body"},
		{kind: "uuencoded-leaf", loose: true}, {kind: "whole-base64", loose: true}, {kind: "rfc822-base64", loose: true},
		{kind: "from-line-inside"}, {kind: "dots"},
		{kind: "large-file"},
	}
	labels = []fragment{ // of the outermost multipart
		{kind: "none"}, {kind: "7bit", text: "7bit"}, {kind: "8bit", text: "8bit"}, {kind: "binary", text: "BINARY"},
		{kind: "base64", text: "base64", loose: true}, {kind: "quoted-printable", text: "quoted-printable", loose: true},
		{kind: "unknown", text: "x-unknown", loose: true}, {kind: "8-bit", text: "8-bit", loose: true}, {kind: "empty", text: "", loose: true},
		{kind: "comment", text: "7bit (really)"}, {kind: "twice", text: "7bit\r\nContent-Transfer-Encoding: base64", loose: true},
	}
	leaves = []fragment{ // label of the first text: the word, and after | the encoding that is really there
		{kind: "quoted-printable", text: "quoted-printable|quoted-printable"}, {kind: "base64", text: "base64|base64"},
		{kind: "8bit", text: "8bit|8bit"},
		{kind: "upper", text: "BASE64|base64"}, {kind: "comment", text: "base64 (x)|base64", loose: true},
		{kind: "none", text: "|8bit", loose: true}, {kind: "7bit-lie", text: "7bit|8bit", loose: true},
		{kind: "8-bit", text: "8-bit|8bit", loose: true}, {kind: "utf-8", text: "utf-8|8bit", loose: true},
		{kind: "none-word", text: "none|8bit", loose: true},
		{kind: "base64-lie", text: "base64|8bit", loose: true}, {kind: "base64-no-padding", text: "base64|base64-no-padding", loose: true},
		{kind: "base64-one-line", text: "base64|base64-one-line", loose: true},
		{kind: "base64-spaces", text: "base64|base64-spaces", loose: true}, {kind: "qp-lower", text: "quoted-printable|qp-lower", loose: true},
		{kind: "qp-broken", text: "quoted-printable|qp-broken", loose: true},
		{kind: "qp-lie", text: "quoted-printable|8bit", loose: true}, {kind: "quoted", text: "\"base64\"|base64", loose: true},
		{kind: "binary", text: "binary|8bit"},
	}
	texts = []fragment{ // charset parameter, and the octets
		{kind: "utf-8", text: "utf-8|Perch\u00e9 no? Cos\u00ec \u00e8 la vita \u20ac"}, {kind: "ascii", text: "us-ascii|Plain words = 100%"},
		{kind: "latin-1", text: "iso-8859-1|Perch\xe9 no"}, {kind: "latin-9", text: "ISO-8859-15|10 \xa4"},
		{kind: "windows", text: "windows-1252|10 \x80 \x96 ok"},
		{kind: "2022-jp", text: "iso-2022-jp|\x1b$BF|K\\8l\x1b(B"}, {kind: "shift-jis", text: "shift_jis|\x93\xfa\x96{\x8c\xea"},
		{kind: "koi8", text: "koi8-r|\xf0\xd2\xc9\xd7\xc5\xd4"},
		{kind: "gb18030", text: "gb18030|\xc4\xe3\xba\xc3"}, {kind: "unknown", text: "x-unknown|caff\xe8", loose: true},
		{kind: "wrong", text: "utf-8|Perch\xe9 no", loose: true},
		{kind: "quoted-charset", text: "\"utf-8\"|Perch\u00e9"}, {kind: "utf-7", text: "utf-7|Perch+AOk-", loose: true},
		{kind: "empty", text: "utf-8|"}, {kind: "nul", text: "utf-8|a\x00b", loose: true},
		{kind: "trailing-space", text: "utf-8|una riga   \r\nuna \t\r\n\r\n  fine"}, {kind: "escape", text: "us-ascii|a\x1bb\x7fc\x01d"},
	}
	boundaries = []fragment{ // parameter, and the line that stands
		{kind: "plain", text: "b1|b1"}, {kind: "quoted", text: "\"b1\"|b1"}, {kind: "specials", text: "\"=_(b'1)+,-./:=?\"|=_(b'1)+,-./:=?"},
		{kind: "space", text: "\"b 1\"|b 1"},
		{kind: "escaped", text: "\"b\\1\"|b1", loose: true}, {kind: "unquoted-specials", text: "=_b1=:x|=_b1=:x", loose: true},
		{kind: "long", text: "\"" + strings.Repeat("b", 70) + "\"|" + strings.Repeat("b", 70)},
		{kind: "too-long", text: "\"" + strings.Repeat("b", 120) + "\"|" + strings.Repeat("b", 120), loose: true},
		{kind: "trailing-space", text: "b1|b1 \t", loose: true}, {kind: "dashes", text: "\"----b1\"|----b1"},
		{kind: "2231", text: "x; boundary*=utf-8''b1|x", loose: true}, {kind: "case", text: "B1|B1"}, {kind: "prefix-inside", text: "b|b"},
		{kind: "single-quotes", text: "'b1'|'b1'", loose: true},
		{kind: "parameter-case", text: "b1; CHARSET=x|b1"}, {kind: "comment", text: "b1 (ours)|b1", loose: true},
		{kind: "wrong", text: "other|b1", loose: true},
	}
	names = []fragment{ // of a file: the parameters
		{kind: "plain", text: "filename=\"a.pdf\""}, {kind: "token", text: "filename=a.pdf"},
		{kind: "spaces", text: "filename=\"fattura n 12.pdf\""}, {kind: "unquoted-spaces", text: "filename=fattura n 12.pdf", loose: true},
		{kind: "2231", text: "filename*=utf-8''perch%C3%A9.pdf"}, {kind: "2231-language", text: "filename*=UTF-8'it'perch%C3%A9.pdf"},
		{kind: "2231-latin1", text: "filename*=iso-8859-1''perch%E9.pdf"},
		{kind: "continued", text: "filename*0=\"fattura \";\r\n filename*1=\"12.pdf\""},
		{kind: "continued-encoded", text: "filename*0*=utf-8''perch%C3;\r\n filename*1*=%A9.pdf"},
		{kind: "continued-mixed", text: "filename*0*=utf-8''perch%C3%A9%20;\r\n filename*1=\"no.pdf\""},
		{kind: "continued-shuffled", text: "filename*1=\"12.pdf\"; filename*0=\"fattura \""},
		{kind: "both", text: "filename=\"perche.pdf\"; filename*=utf-8''perch%C3%A9.pdf"},
		{kind: "2047", text: "filename=\"=?utf-8?Q?perch=C3=A9.pdf?=\"", loose: true},
		{kind: "2047-bare", text: "filename==?utf-8?Q?perch=C3=A9.pdf?=", loose: true},
		{kind: "2047-split", text: "filename=\"=?utf-8?Q?per?=\r\n =?utf-8?Q?ch=C3=A9.pdf?=\"", loose: true},
		{kind: "escaped", text: "filename=\"a\\\"b\\\\c.pdf\""}, {kind: "windows-path", text: "filename=\"C:\\\\temp\\\\a.pdf\""},
		{kind: "windows-path-raw", text: "filename=\"C:\\temp\\a.pdf\"", loose: true}, {kind: "slash", text: "filename=\"Fattura 12/2026.pdf\""},
		{kind: "raw-utf8", text: "filename=\"perch\u00e9.pdf\"", loose: true}, {kind: "raw-latin1", text: "filename=\"perch\xe9.pdf\"",
			loose: true}, {kind: "semicolon", text: "filename=\"a;b.pdf\""}, {kind: "no-quote", text: "filename=\"a.pdf", loose: true},
		{kind: "twice", text: "filename=\"a.pdf\"; filename=\"b.pdf\"", loose: true}, {kind: "empty", text: "filename=\"\"", loose: true},
		{kind: "none", text: "size=3"}, {kind: "p7m", text: "filename=\"fattura.xml.p7m\""},
		{kind: "bad-percent", text: "filename*=utf-8''a%ZZ.pdf", loose: true},
		{kind: "no-charset", text: "filename*=perch%C3%A9.pdf", loose: true}, {kind: "case", text: "FileName=\"a.pdf\""},
		{kind: "spaces-around", text: "filename = \"a.pdf\"", loose: true}, {kind: "trailing", text: "filename=\"a.pdf\";"},
		{kind: "long", text: "filename=\"" + strings.Repeat("lungo ", 60) + ".pdf\""},
	}
	arounds = []fragment{ // the whole message
		{kind: "crlf"}, {kind: "preamble"}, {kind: "epilogue"}, {kind: "no-final-end"}, {kind: "lf", loose: true},
		{kind: "mixed-ends", loose: true}, {kind: "cr", loose: true}, {kind: "bom", loose: true},
		{kind: "mbox", loose: true}, {kind: "blank-end"}, {kind: "cut", loose: true}, {kind: "lf-binary", loose: true},
		{kind: "leading-empty", loose: true},
	}
)

// write gives the fields of the content, an empty line, and the content.
func (b body) write(file []byte) string {
	param, line, _ := strings.Cut(b.boundary.text, "|")
	w := &bodyWriter{body: b, param: param, line: line, file: file}
	out := w.shape()
	mimeVersion := "MIME-Version: 1.0\r\n"
	if b.shape.kind == "no-mime-version" {
		mimeVersion = ""
	}
	return mimeVersion + out
}

type bodyWriter struct {
	body
	param, line string
	file        []byte
}

func (w *bodyWriter) shape() string {
	text, html, file := w.textPart("text/plain"), w.textPart("text/html"), w.filePart("application/pdf")
	image := "Content-Type: image/png\r\nContent-ID: <logo@diff.example>\r\nContent-Disposition: inline; filename=logo.png\r\n" +
		encoded(w.file[:min(len(w.file), 90)], "base64")
	inner := "From: x@inner.example\r\nTo: y@inner.example\r\nSubject: dentro\r\nMessage-ID: <in@inner.example>\r\n"
	switch w.body.shape.kind {
	case "leaf", "no-mime-version":
		return text
	case "html-leaf":
		return html
	case "no-type":
		return "\r\nPlain words.\r\n"
	case "only-file":
		return file
	case "empty-body":
		return "Content-Type: text/plain\r\n\r\n"
	case "long-lines":
		return "Content-Type: text/plain; charset=utf-8\r\n" + encoded([]byte(strings.Repeat(strings.Repeat("parola ", 140)+"\r\n", 3)), "8bit")
	case "one-long-line":
		return w.multi("mixed", text, "Content-Type: text/html\r\n\r\n"+strings.Repeat("<p>parola</p>", 400), file)
	case "dots":
		return "Content-Type: text/plain\r\n\r\n.\r\n..\r\n.a\r\n\r\n.\r\nb\r\n"
	case "from-line-inside":
		return "Content-Type: text/plain\r\n\r\nFrom here on\r\n>From there\r\n"
	case "alternative":
		return w.multi("alternative", text, html)
	case "related":
		return w.multi("related", html, image)
	case "mixed-alternative":
		return w.multi("mixed", w.inner("alternative", text, html), file)
	case "mixed-related-alternative":
		return w.multi("mixed", w.inner("related", w.deeper("alternative", text, html), image), file, file)
	case "rfc822":
		return w.multi("mixed", text, "Content-Type: message/rfc822\r\n\r\n"+inner+file)
	case "rfc822-base64":
		return w.multi("mixed", text, "Content-Type: message/rfc822\r\n"+encoded([]byte(inner+text), "base64"))
	case "digest":
		return w.multi("digest", "\r\n"+inner+text, "\r\n"+inner+html)
	case "report":
		return w.multi("report; report-type=delivery-status", text,
			"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; a.example\r\n\r\nFinal-Recipient: rfc822; b@example.com\r\nAction: "+
				"failed\r\nStatus: 5.1.1\r\n",
			"Content-Type: text/rfc822-headers\r\n\r\n"+inner)
	case "deep":
		part := text
		for i := range 12 {
			part = multipart("mixed", fmt.Sprintf("d%d", i), fmt.Sprintf("d%d", i), "", "", part)
		}
		return w.multi("mixed", part, file)
	case "many":
		parts := []string{text}
		for range 40 {
			parts = append(parts, file)
		}
		return w.multi("mixed", parts...)
	case "empty-parts":
		return w.multi("mixed", text, "Content-Type: text/plain\r\n\r\n",
			"Content-Type: application/pdf\r\nContent-Disposition: attachment; filename=vuoto.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n",
			file)
	case "part-without-header":
		return w.multi("mixed", "\r\nPlain words.\r\n", file)
	case "one-part":
		return w.multi("mixed", text)
	case "signed":
		return w.multi("signed; micalg=sha-256; protocol=\"application/pkcs7-signature\"", "Content-Type: text/plain\r\n\r\nfirmato\r\n",
			"Content-Type: application/pkcs7-signature; name=smime.p7s\r\nContent-Disposition: attachment; filename=smime.p7s\r\n"+
				encoded(w.file[:min(len(w.file), 200)], "base64"))
	case "signed-file":
		return w.multi("mixed", text, w.filePart("application/pkcs7-mime"))
	case "calendar":
		return w.multi("alternative", text, "Content-Type: text/calendar; method=REQUEST; charset=utf-8\r\n"+
			encoded([]byte("BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n"), "base64"))
	case "no-parts":
		return "Content-Type: multipart/mixed; boundary=" + w.param + "\r\n\r\nno part at all\r\n"
	case "no-boundary":
		return strings.Replace(w.multi("mixed", text, file), "; boundary="+w.param, "", 1)
	case "no-end":
		return strings.TrimSuffix(w.multi("mixed", text, file), "--"+w.line+"--\r\n")
	case "folded-type":
		return strings.Replace(w.multi("mixed", text, file), "; boundary", ";\r\n\tboundary", 1)
	case "upper-type":
		return strings.Replace(w.multi("mixed", text, file), "Content-Type: multipart/mixed; boundary",
			"CONTENT-TYPE: Multipart/MIXED; BOUNDARY", 1)
	case "bad-type":
		return w.multi("mixed", text, strings.Replace(file, "application/pdf", "pdf", 1))
	case "no-semicolon":
		return w.multi("mixed", text, strings.Replace(file, "application/pdf", "application/pdf name=x.pdf", 1))
	case "uuencoded-leaf":
		return w.multi("mixed", text,
			"Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=uu.bin\r\nContent-Transfer-Encoding: "+
				"x-uuencode\r\n\r\nbegin 644 uu.bin\r\n#0V%T\r\n`\r\nend\r\n")
	case "whole-base64":
		_, content, _ := strings.Cut(w.multi("mixed", text, file), "\r\n\r\n")
		return "Content-Type: multipart/mixed; boundary=" + w.param + "\r\n" + encoded([]byte(content), "base64")
	}
	return w.multi("mixed", text, file)
}

// multi is the outermost multipart.
func (w *bodyWriter) multi(subtype string, parts ...string) string {
	preamble, epilogue := "", ""
	switch w.around.kind {
	case "preamble":
		preamble = "This is a message in MIME.\r\nTo: nobody@preamble.example\r\n"
	case "epilogue":
		epilogue = "\r\nAfter the end.\r\n--" + w.line + "x\r\n"
	}
	out := multipart(subtype, w.param, w.line, preamble, epilogue, parts...)
	if w.label.kind == "none" {
		return out
	}
	head, rest, _ := strings.Cut(out, "\r\n\r\n")
	return head + "\r\nContent-Transfer-Encoding: " + w.label.text + "\r\n\r\n" + rest
}

// inner has a boundary that begins as the outer one does; deeper one more.
func (w *bodyWriter) inner(subtype string, parts ...string) string {
	return multipart(subtype, "b1x", "b1x", "", "", parts...)
}

func (w *bodyWriter) deeper(subtype string, parts ...string) string {
	return multipart(subtype, "b1xy", "b1xy", "", "", parts...)
}

func multipart(subtype, param, line, preamble, epilogue string, parts ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Content-Type: multipart/%s; boundary=%s\r\n\r\n%s", subtype, param, preamble)
	for _, p := range parts {
		fmt.Fprintf(&b, "--%s\r\n%s\r\n", line, p)
	}
	fmt.Fprintf(&b, "--%s--\r\n%s", strings.TrimRight(line, " \t"), epilogue)
	return b.String()
}

func (w *bodyWriter) textPart(mediaType string) string {
	label, really, _ := strings.Cut(w.leaf.text, "|")
	charset, text, _ := strings.Cut(w.text.text, "|")
	if mediaType == "text/html" {
		text = "<p>" + text + "</p>"
	}
	text += "\r\nSaluti\r\n"
	out := encoded([]byte(text), really)
	if label != really {
		out = strings.Replace(out, "Content-Transfer-Encoding: "+headLabel(really)+"\r\n", "Content-Transfer-Encoding: "+label+"\r\n", 1)
	}
	if label == "" {
		out = strings.Replace(out, "Content-Transfer-Encoding: \r\n", "", 1)
	}
	return "Content-Type: " + mediaType + "; charset=" + charset + "\r\n" + out
}

func (w *bodyWriter) filePart(mediaType string) string {
	return "Content-Type: " + mediaType + "\r\nContent-Disposition: attachment; " + w.name.text + "\r\n" + encoded(w.file, "base64")
}

func headLabel(really string) string {
	switch {
	case strings.HasPrefix(really, "base64"):
		return "base64"
	case strings.HasPrefix(really, "q"):
		return "quoted-printable"
	}
	return really
}

// encoded is the transfer encoding field, an empty line, and data in it.
func encoded(data []byte, really string) string {
	head := "Content-Transfer-Encoding: " + headLabel(really) + "\r\n\r\n"
	b64 := base64.StdEncoding.EncodeToString(data)
	switch really {
	case "base64-no-padding":
		return head + strings.TrimRight(b64, "=") + "\r\n"
	case "base64-one-line":
		return head + b64 + "\r\n"
	case "base64-spaces":
		return head + strings.Join(strings.SplitAfter(b64, "A"), " \t") + "\r\n"
	case "base64":
		var b strings.Builder
		for ; len(b64) > 76; b64 = b64[76:] {
			b.WriteString(b64[:76] + "\r\n")
		}
		return head + b.String() + b64 + "\r\n"
	case "8bit":
		return head + string(data)
	}
	var b strings.Builder
	q := quotedprintable.NewWriter(&b)
	if _, err := q.Write(data); err != nil {
		return err.Error()
	}
	if err := q.Close(); err != nil {
		return err.Error()
	}
	text := b.String()
	switch really {
	case "qp-lower":
		text = strings.NewReplacer("=C3", "=c3", "=E9", "=e9").Replace(text)
	case "qp-broken":
		text += "100% = tutto =ZZ =\r\n"
	}
	return head + text
}
