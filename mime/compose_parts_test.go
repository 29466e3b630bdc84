package mime

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

func fileOf(name, contentType, content string) Attachment {
	return Attachment{Filename: name, ContentType: contentType, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(content)), nil
	}}
}

func inlineOf(name string) Attachment {
	a := fileOf(name, "", "x")
	a.Inline = true
	return a
}

// parts builds d and returns its shape and its leaves.
func parts(t *testing.T, d *Draft) (m *Message, shape string, leaves []*Part) {
	t.Helper()
	d.From, d.To, d.Subject = Address{Address: mailbox("erp@contoso.it")}, []Address{{Address: mailbox("a@example.com")}}, "s"
	m, err := Build(d)
	if err != nil {
		t.Fatal(err)
	}
	root, err := m.Structure()
	if err != nil {
		t.Fatal(err)
	}
	var draw func(p *Part) string
	draw = func(p *Part) string {
		if len(p.Parts) == 0 {
			leaves = append(leaves, p)
			return p.MediaType
		}
		var in []string
		for _, c := range p.Parts {
			in = append(in, draw(c))
		}
		return strings.TrimPrefix(p.MediaType, "multipart/") + "(" + strings.Join(in, " ") + ")"
	}
	return m, draw(root), leaves
}

// TestInlineNames: HTML refers to images by their file names, whatever these
// are; each gets a valid Content-ID that stands in the HTML as well.
func TestInlineNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		html  string
		names []string
		want  string   // HTML that is sent
		ids   []string // of the images in related, in order
	}{
		{`<img src="cid:logo.png">`, []string{"logo.png"}, `<img src="cid:logo.png">`, []string{"logo.png"}},
		{`<img src="cid:logo%20aziendale.png">`, []string{"/srv/logo aziendale.png"}, `<img src="cid:logo-aziendale.png">`,
			[]string{"logo-aziendale.png"}},
		{`<img src='CID:logo aziendale.png'>`, []string{"logo aziendale.png"}, `<img src='CID:logo-aziendale.png'>`,
			[]string{"logo-aziendale.png"}},
		{`<img src=cid:logo%20a.png><b style="background:url(cid:logo%20a.png)">`, []string{"logo a.png"},
			`<img src=cid:logo-a.png><b style="background:url(cid:logo-a.png)">`, []string{"logo-a.png"}},
		{`<img src="cid:Citt%C3%A0.png"><img src="cid:Città.png">`, []string{"Citta\u0300.png"},
			`<img src="cid:Citta.png"><img src="cid:Citta.png">`, []string{"Citta.png"}},
		{`<img src="cid:a &amp; b.png"><img src="cid:a%20%26%20b.png">`, []string{"a & b.png"},
			`<img src="cid:a---b.png"><img src="cid:a---b.png">`, []string{"a---b.png"}},
		{`<img src="cid:a%20b.png"><img src="cid:a-b.png">`, []string{"a b.png", "a-b.png"}, `<img src="cid:a-b.png"><img src="cid:2-a-b.png">`,
			[]string{"a-b.png", "2-a-b.png"}},
		{`<img src="cid:商品.png">`, []string{"商品.png"}, `<img src="cid:__.png">`, []string{"__.png"}},
		{`<p>no image`, []string{"logo a.png"}, `<p>no image`, nil},
		{`the text acid:logo.png cid:logo.png" and "cid:`, []string{"x.png"}, `the text acid:logo.png cid:logo.png" and "cid:`, nil},
		{`<img src="cid:a.png">`, []string{"a.png", "b/a.png"}, `<img src="cid:a.png">`, []string{"a.png"}},
	} {
		d := &Draft{Text: "t", HTML: c.html}
		for _, n := range c.names {
			d.Attachments = append(d.Attachments, inlineOf(n))
		}
		m, _, leaves := parts(t, d)
		_, html, err := m.TextBodies(1 << 20)
		if err != nil || strings.TrimSpace(html) != c.want {
			t.Errorf("%s: %q %v, want %q", c.html, html, err, c.want)
		}
		var ids []string
		for _, p := range leaves {
			if p.ContentID != "" {
				ids = append(ids, p.ContentID)
			}
		}
		if strings.Join(ids, " ") != strings.Join(c.ids, " ") {
			t.Errorf("%s: Content-IDs %q, want %q", c.html, ids, c.ids)
		}
		if len(leaves) != 2+len(c.names) {
			t.Errorf("%s: %d parts", c.html, len(leaves))
		}
	}
}

// TestContentTypeNames: a media type may name the file; what is wrong in
// parameters that no one needs refuses nothing.
func TestContentTypeNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, given, mediaType, want string }{
		{"", `application/pdf; name="Fattura 1.pdf"`, "application/pdf", "Fattura 1.pdf"},
		{"", `application/pdf; name=Fattura n. 1.pdf`, "application/pdf", "Fattura n. 1.pdf"},
		{"Fattura n. 1.pdf", `application/pdf; name=Fattura n. 1.pdf`, "application/pdf", "Fattura n. 1.pdf"},
		{"a.pdf", `application/pdf name=b.pdf`, "application/pdf", "a.pdf"},
		{"", `application/pdf; name="C:\temp\new\b.pdf"`, "application/pdf", "b.pdf"},
		{"", `application/pdf; name*=utf-8''Perch%C3%A9.pdf`, "application/pdf", "Perché.pdf"},
		{"", `application/pdf; name="=?utf-8?q?Perch=C3=A9.pdf?="`, "application/pdf", "Perché.pdf"},
		{"a.csv", `text/csv; ch@rset=x; =; ;; charset=iso-8859-1`, "text/csv", "a.csv"},
		{"a.pdf", ` Application/PDF ; `, "application/pdf", "a.pdf"},
	} {
		_, _, leaves := parts(t, &Draft{Text: "t", Attachments: []Attachment{fileOf(c.name, c.given, "x")}})
		if p := leaves[1]; p.MediaType != c.mediaType || p.Filename != c.want {
			t.Errorf("%q %q: %s %q", c.name, c.given, p.MediaType, p.Filename)
		}
		if strings.Contains(c.given, "8859") && leaves[1].Params["charset"] != "iso-8859-1" {
			t.Error("charset is lost")
		}
	}
	for _, given := range []string{"pdf", "multipart/mixed", "a/b\r\nBcc: x", "application/pdf; name*=utf-8''a%0D%0Ab", "/", "a/b/c"} {
		d := &Draft{From: Address{Address: mailbox("erp@contoso.it")}, Attachments: []Attachment{fileOf("a", given, "x")}}
		if err := Compose(io.Discard, d); err == nil {
			t.Errorf("%q is taken", given)
		}
	}
}

const calendar = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nSUMMARY:Riunione è\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"

// TestInvitation: a calendar with a method is an alternative of the text, and
// a file as well.
func TestInvitation(t *testing.T) {
	t.Parallel()
	without := strings.Replace(calendar, "METHOD:REQUEST\r\n", "", 1)
	ics := func(contentType, content string) Attachment { return fileOf("invite.ics", contentType, content) }
	pdf := fileOf("a.pdf", "", "x")
	for _, c := range []struct {
		name   string
		draft  Draft
		shape  string
		method string
	}{
		{"by its type", Draft{Text: "t", HTML: "<p>t", Attachments: []Attachment{ics("text/calendar; method=request", calendar)}},
			"mixed(alternative(text/plain text/html text/calendar) application/ics)", "REQUEST"},
		{"by its content", Draft{Text: "t", Attachments: []Attachment{ics("", calendar)}},
			"mixed(alternative(text/plain text/calendar) application/ics)", "REQUEST"},
		{"type without method", Draft{Text: "t",
			Attachments: []Attachment{ics("text/calendar; charset=utf-8", strings.ReplaceAll(calendar, "REQUEST", "Cancel"))}},
			"mixed(alternative(text/plain text/calendar) application/ics)", "CANCEL"},
		{"without a name", Draft{Text: "t", Attachments: []Attachment{fileOf("", "text/calendar; method=REPLY", without)}},
			"mixed(alternative(text/plain text/calendar) application/ics)", "REPLY"},
		{"with files and an image", Draft{HTML: `<img src="cid:l.png">`, Attachments: []Attachment{pdf, inlineOf("l.png"), ics("", calendar)}},
			"mixed(related(alternative(text/html text/calendar) image/png) application/pdf application/ics)", "REQUEST"},
		{"without text", Draft{Attachments: []Attachment{ics("", calendar)}}, "mixed(alternative(text/plain text/calendar) application/ics)",
			"REQUEST"},
		{"two", Draft{Text: "t", Attachments: []Attachment{ics("", calendar), fileOf("b.ics", "", calendar)}},
			"mixed(alternative(text/plain text/calendar) application/ics text/calendar)", "REQUEST"},
		{"published, by its type", Draft{Text: "t", Attachments: []Attachment{ics("text/calendar; method=PUBLISH", without)}},
			"mixed(alternative(text/plain text/calendar) application/ics)", "PUBLISH"},
		{"published, by its content", Draft{Text: "t", Attachments: []Attachment{ics("", strings.Replace(calendar, "REQUEST", "PUBLISH", 1))}},
			"mixed(text/plain text/calendar)", ""},
		{"no method", Draft{Text: "t", Attachments: []Attachment{ics("", without)}}, "mixed(text/plain text/calendar)", ""},
		{"no calendar", Draft{Text: "t", Attachments: []Attachment{ics("", "METHOD:REQUEST\r\n")}}, "mixed(text/plain text/calendar)", ""},
		{"a method inside a component", Draft{Text: "t", Attachments: []Attachment{ics("", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nMETHOD:REQUEST\n")}},
			"mixed(text/plain text/calendar)", ""},
	} {
		m, shape, leaves := parts(t, &c.draft)
		if shape != c.shape {
			t.Errorf("%s: %s, want %s", c.name, shape, c.shape)
		}
		if c.method == "" {
			continue
		}
		var contents [][]byte
		for _, p := range leaves {
			switch p.MediaType {
			case "text/calendar":
				if p.Disposition == "" && (p.Params["method"] != c.method || p.Params["charset"] != "utf-8" || p.Filename != "") {
					t.Errorf("%s: %q", c.name, p.Params)
				}
			case "application/ics":
				if p.Filename != "invite.ics" || p.Disposition != "attachment" {
					t.Errorf("%s: %q %q", c.name, p.Filename, p.Disposition)
				}
			default:
				continue
			}
			b, err := io.ReadAll(m.Open(p))
			if err != nil {
				t.Fatal(err)
			}
			contents = append(contents, b)
		}
		if !bytes.Equal(contents[0], contents[1]) || !bytes.HasPrefix(contents[0], []byte("BEGIN:VCALENDAR")) {
			t.Errorf("%s: %q", c.name, contents)
		}
	}
}
