package mime

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// open makes an attachment's Open of a string.
func open(s string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

// seeded is a draft that always returns the same bytes.
func seeded(d Draft) *Draft {
	if d.From.Address.IsZero() {
		d.From = Address{Name: "Contoso ERP", Address: mailbox("erp@contoso.example")}
	}
	d.Date = time.Date(2026, 11, 22, 11, 30, 0, 0, time.FixedZone("CET", 3600))
	d.MessageID = "1@contoso.example"
	d.Seed = "golden"
	return &d
}

func people(addrs ...string) []Address {
	var out []Address
	for _, a := range addrs {
		out = append(out, Address{Address: mailbox(a)})
	}
	return out
}

const longName = "Fattura elettronica n° 42 del 22 novembre 2026 – Società Cooperativa Perché No – copia di cortesia.pdf"

func goldenDrafts() map[string]*Draft {
	return map[string]*Draft{
		"empty":        seeded(Draft{To: people("a@example.com")}),
		"text":         seeded(Draft{To: people("a@example.com"), Subject: "Hello", Text: "One line.\nAnother.\n"}),
		"text-accents": seeded(Draft{To: people("a@example.com"), Subject: "Perché no?", Text: "Così è.\rFrom here\n.\nspazio \n"}),
		"text-cyrillic": seeded(Draft{To: []Address{{Name: "Анна Каренина", Address: mailbox("anna@example.com")}},
			Subject: strings.Repeat("Счёт на оплату ", 12), Text: "Здравствуйте, Анна!\nСчёт во вложении.\n"}),
		"html-only": seeded(Draft{To: people("a@example.com"), Subject: "HTML", HTML: "<p>Tot&agrave;le: <b>12&nbsp;€</b></p>"}),
		"html-no-text": seeded(Draft{To: people("a@example.com"), Subject: "HTML",
			HTML: `<img src="cid:a">`, Attachments: []Attachment{{Filename: "a.png", ContentID: "a", Inline: true, Open: open("png")}}}),
		"alternative": seeded(Draft{To: people("a@example.com"), Subject: "Both", Text: "text", HTML: "<p>html</p>"}),
		"related": seeded(Draft{To: people("a@example.com"), Subject: "Logo", Text: "text", HTML: `<img src="cid:logo@x">`,
			Attachments: []Attachment{{Filename: "logo.png", ContentID: "<logo@x>", Inline: true, Open: open("png")}}}),
		"full": seeded(Draft{
			Sender: &Address{Name: "Ufficio", Address: mailbox("ufficio@contoso.example")},
			To: []Address{{Name: "Rossi, Mario", Address: mailbox("mario@città.example")}, {Name: `The "Boss" \ Chief`,
				Address: mailbox("boss@example.com")},
				{Name: "=?utf-8?q?fake?=", Address: mailbox("fake@example.com")}, {Address: mailbox(`"two words"@example.com`)}},
			Cc:      []Address{{Name: strings.Repeat("Società Perché ", 9), Address: mailbox("lungo@example.com")}},
			Bcc:     people("segreto@example.com"),
			ReplyTo: people("rispondi@contoso.example"),
			Subject: "Fattura n° 42 – perché la qualità è già qui, e un oggetto così lungo va piegato",
			Text:    "testo", HTML: `<p>così <img src="cid:logo"></p>`,
			InReplyTo: "<0@example.com>", References: []string{"<a@example.com>", "b@example.com\r\n c@example.com"},
			ListUnsubscribe: []string{"mailto:off@contoso.example?subject=off", "https://contoso.example/off/" + strings.Repeat("x", 90)},
			OneClick:        true,
			Headers: []Field{{"X-Order", "42"}, {"X-Empty", ""}, {"List-Id", "Novità <novita.contoso.example>"},
				{"Disposition-Notification-To", "Perché <erp@contoso.example>"}, {"X-Token", strings.Repeat("t", 300)},
				{"X-Huge", strings.Repeat("h", 2000)}},
			Attachments: []Attachment{
				{Filename: "logo.png", ContentID: "logo", Inline: true, Open: open("png")},
				{Filename: longName, Open: open(strings.Repeat("pdf ", 40))},
				{Filename: `C:\temp\ordine "urgente".csv`, ContentType: "text/csv; charset=windows-1252", Open: open("a;b\r\n")},
			}}),
		"eai": seeded(Draft{From: Address{Name: "Дмитрий", Address: mailbox("дмитрий@пример.example")}, To: people("用户@例子.example"),
			Subject: "EAI", Text: "ciao"}),
		"hidden-only": seeded(Draft{Bcc: people("a@example.com", "b@example.com"), Subject: "Hidden", Text: "x"}),
		"message-7bit": seeded(Draft{To: people("a@example.com"),
			Text: "see", Attachments: []Attachment{{Filename: "m.eml", Open: open("From: a@example.com\nSubject: x\n\nbody\rend")}}}),
		"message-8bit": seeded(Draft{To: people("a@example.com"),
			Text: "see", Attachments: []Attachment{{Filename: "m.eml", Open: open("From: a@example.com\r\nSubject: x\r\n\r\nperché\r\n")}}}),
		"message-unfit": seeded(Draft{To: people("a@example.com"),
			Text: "see", Attachments: []Attachment{{Filename: "m.eml", Open: open("Subject: x\r\n\r\n" + strings.Repeat("x", 999))}}}),
		"attachment": seeded(Draft{To: people("a@example.com"), Subject: "Scan",
			Attachments: []Attachment{{Filename: "scan.pdf", Open: open("%PDF")}}}),
		"bodyless-empty": seeded(Draft{To: people("a@example.com"), Subject: "Empty file",
			Text: "x", Attachments: []Attachment{{Filename: "leer.txt", Open: open("")}}}),
	}
}

// TestComposeGolden compares to the byte; POSTINO_UPDATE=1 writes the files again.
func TestComposeGolden(t *testing.T) {
	t.Parallel()
	for name, d := range goldenDrafts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			if err := Compose(&b, d); err != nil {
				t.Fatal(err)
			}
			checkWire(t, b.Bytes())
			file := filepath.Join("testdata", "compose", name+".eml")
			if os.Getenv("POSTINO_UPDATE") != "" {
				if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(b.Bytes(), want) {
				t.Errorf("differs from %s:\n%s", file, b.Bytes())
			}
		})
	}
}

// checkWire checks what holds for every composed message.
func checkWire(t *testing.T, b []byte) {
	t.Helper()
	if bytes.IndexByte(b, 0) >= 0 {
		t.Error("NUL on the wire")
	}
	if !bytes.HasSuffix(b, []byte(crlf)) {
		t.Error("the last line is not ended")
	}
	header := true
	for n, line := range strings.Split(string(b), crlf) {
		if strings.ContainsAny(line, "\r\n") {
			t.Fatalf("line %d: bare CR or LF: %q", n, line)
		}
		if len(line) > 998 {
			t.Fatalf("line %d has %d octets", n, len(line))
		}
		if header = header && line != ""; !header {
			continue
		}
		if strings.Contains(line, "=?utf-8?") && len(line) > 76 {
			t.Errorf("line %d: an encoded word on a line of %d octets: %q", n, len(line), line)
		}
		if strings.TrimSpace(line) == "" {
			t.Errorf("line %d: an empty continuation", n)
		}
	}
}

func TestComposeErrors(t *testing.T) {
	t.Parallel()
	ok := Address{Address: mailbox("a@example.com")}
	att := func(a Attachment) Draft {
		if a.Open == nil {
			a.Open = open("x")
		}
		return Draft{From: ok, Attachments: []Attachment{a}}
	}
	further := func(n, v string) Draft { return Draft{From: ok, Headers: []Field{{n, v}}} }
	cases := map[string]struct {
		draft       Draft
		code, field string
	}{
		"no from":          {Draft{}, "no_from", "From"},
		"to none":          {Draft{From: ok, To: []Address{{}}}, "bad_address", "To"},
		"empty to":         {Draft{From: ok, To: people("")}, "bad_address", "To"},
		"list in one to":   {Draft{From: ok, To: people("a@example.com, b@example.com")}, "bad_address", "To"},
		"from name":        {Draft{From: Address{"x\r\nBcc: evil@example.com", mailbox("a@example.com")}}, "header_injection", "From"},
		"sender":           {Draft{From: ok, Sender: &Address{"a\nb", mailbox("a@example.com")}}, "header_injection", "Sender"},
		"to name":          {Draft{From: ok, To: []Address{{"a\rb", mailbox("a@example.com")}}}, "header_injection", "To"},
		"cc none":          {Draft{From: ok, Cc: []Address{{"Anna", Mailbox{}}}}, "bad_address", "Cc"},
		"reply-to":         {Draft{From: ok, ReplyTo: []Address{{"\n", mailbox("a@example.com")}}}, "header_injection", "Reply-To"},
		"in-reply-to crlf": {Draft{From: ok, InReplyTo: "<a@b>\r\nBcc: evil@example.com"}, "header_injection", "In-Reply-To"},
		"references lf": {Draft{From: ok, References: []string{"<a@b>", "<c@d>\nBcc: e@example.com"}}, "header_injection",
			"References"},
		"subject crlf":        {Draft{From: ok, Subject: "x\r\nBcc: evil@example.com"}, "header_injection", "Subject"},
		"subject accents lf":  {Draft{From: ok, Subject: "perché\nBcc: evil@example.com"}, "header_injection", "Subject"},
		"subject nul":         {Draft{From: ok, Subject: "a\x00"}, "nul", "Subject"},
		"subject bell":        {Draft{From: ok, Subject: "a\a"}, "control", "Subject"},
		"subject latin1":      {Draft{From: ok, Subject: "perch\xe9"}, "not_utf8", "Subject"},
		"text nul":            {Draft{From: ok, Text: "a\x00"}, "nul", "Text"},
		"text latin1":         {Draft{From: ok, Text: "perch\xe9"}, "not_utf8", "Text"},
		"html latin1":         {Draft{From: ok, HTML: "perch\xe9"}, "not_utf8", "HTML"},
		"header name":         {further("X Y", "1"), "bad_header_name", "Headers"},
		"header name inject":  {further("X: 1\r\nBcc", "1"), "bad_header_name", "Headers"},
		"header name empty":   {further("", "1"), "bad_header_name", "Headers"},
		"header name accents": {further("X-Perché", "1"), "bad_header_name", "Headers"},
		"header value":        {further("X-A", "1\r\nBcc: evil@example.com"), "header_injection", "X-A"},
		"header bcc":          {further("bCC", "evil@example.com"), "reserved_header", "bCC"},
		"header content-type": {further("Content-Type", "text/plain"), "reserved_header", "Content-Type"},
		"header resent":       {further("Resent-Bcc", "a@example.com"), "reserved_header", "Resent-Bcc"},
		"header mime-version": {further("MIME-Version", "1.0"), "reserved_header", "MIME-Version"},
		"receipt address":     {further("Return-Receipt-To", "nobody"), "bad_address", "Return-Receipt-To"},
		"receipt injection":   {further("Return-Receipt-To", "a@example.com\r\nX: y"), "header_injection", "Return-Receipt-To"},
		"message-id":          {Draft{From: ok, MessageID: "a b@example.com"}, "bad_id", "Message-ID"},
		"message-id crlf":     {Draft{From: ok, MessageID: "a@example.com\r\nBcc: x"}, "bad_id", "Message-ID"},
		"message-id two @":    {Draft{From: ok, MessageID: "a@b@example.com"}, "bad_id", "Message-ID"},
		"message-id no host":  {Draft{From: ok, MessageID: "a@b..c"}, "bad_id", "Message-ID"},
		"in-reply-to":         {Draft{From: ok, InReplyTo: "<a<b>>"}, "bad_id", "In-Reply-To"},
		"references":          {Draft{From: ok, References: []string{"perché@example.com"}}, "bad_id", "References"},
		"date":                {Draft{From: ok, Date: time.Date(11111, 1, 1, 0, 0, 0, 0, time.UTC)}, "bad_date", "Date"},
		"unsubscribe scheme":  {Draft{From: ok, ListUnsubscribe: []string{"javascript:x"}}, "bad_unsubscribe", "List-Unsubscribe"},
		"unsubscribe inject": {Draft{From: ok, ListUnsubscribe: []string{"https://x.example/>\r\nBcc: a"}}, "bad_unsubscribe",
			"List-Unsubscribe"},
		"one click":          {Draft{From: ok, ListUnsubscribe: []string{"mailto:a@example.com"}, OneClick: true}, "bad_unsubscribe", "OneClick"},
		"no content":         {Draft{From: ok, Attachments: []Attachment{{Filename: "x"}}}, "no_content", "Attachments"},
		"file name crlf":     {att(Attachment{Filename: "a\r\nX: y.pdf"}), "header_injection", "Attachments"},
		"file name nul":      {att(Attachment{Filename: "a\x00.pdf"}), "nul", "Attachments"},
		"file name long":     {att(Attachment{Filename: strings.Repeat("a", 1001)}), "bad_filename", "Attachments"},
		"content type":       {att(Attachment{ContentType: "pdf"}), "bad_content_type", "Attachments"},
		"content type crlf":  {att(Attachment{ContentType: "a/b\r\nX: y"}), "header_injection", "Attachments"},
		"content type param": {att(Attachment{ContentType: "a/b; x*=utf-8''%0D%0Aevil"}), "header_injection", "Attachments"},
		"multipart":          {att(Attachment{ContentType: "multipart/mixed"}), "bad_content_type", "Attachments"},
		"content id":         {att(Attachment{ContentID: "a b"}), "bad_id", "Content-ID"},
		"twice the id": {Draft{From: ok, Attachments: []Attachment{{ContentID: "a", Open: open("")}, {ContentID: "<a>", Open: open("")}}},
			"duplicate_content_id", "Attachments"},
		"recipients":  {Draft{From: ok, To: make([]Address, 10_001)}, "too_many_recipients", "To"},
		"attachments": {Draft{From: ok, Attachments: make([]Attachment, 991)}, "too_many_parts", "Attachments"},
		"header size": {further("X-A", strings.Repeat("word ", 300_000)), "header_too_large", ""},
		"missing message": {att(Attachment{Filename: "m.eml", Open: func() (io.ReadCloser, error) { return nil, os.ErrNotExist }}),
			"attachment_unreadable", "Attachments"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			err := Compose(&b, &c.draft)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if e.Code != c.code || e.Field != c.field {
				t.Errorf("got %s in %q, want %s in %q", e.Code, e.Field, c.code, c.field)
			}
			if e.Message.String() == "" || e.Message.In("it") == "" || e.Message.String() == e.Message.In("it") ||
				strings.ContainsAny(e.Message.String()+e.Message.In("it"), "\r\n\x00") ||
				strings.Contains(e.Message.String()+e.Message.In("it"), "%!") {
				t.Errorf("sentences: %q, %q", e.Message.String(), e.Message.In("it"))
			}
			if b.Len() > 0 {
				t.Errorf("%d octets were written before the error", b.Len())
			}
		})
	}
}

func TestComposeDefaults(t *testing.T) {
	t.Parallel()
	for from, domain := range map[string]string{"a@città.example": "@xn--citt-3na.example>", "a@localhost": "@localhost.localdomain>",
		"a@[127.0.0.1]": "@127.0.0.1.localdomain>", "a@[IPv6:::1]": "@IPv6---1.localdomain>"} {
		d := &Draft{From: Address{Address: mailbox(from)}, Text: "x", HTML: "y"}
		var one, two bytes.Buffer
		if err := errors.Join(Compose(&one, d), Compose(&two, d)); err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(one.Bytes(), two.Bytes()) {
			t.Error("two messages share their identifiers")
		}
		if !strings.Contains(one.String(), domain+crlf) {
			t.Errorf("no Message-ID in %s:\n%s", domain, one.String())
		}
	}
	if d := goldenDrafts()["full"]; d.Seed != "" {
		a, b := new(bytes.Buffer), new(bytes.Buffer)
		other := *d
		other.Seed = "other"
		if err := errors.Join(Compose(a, d), Compose(b, &other)); err != nil || bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Error("the seed does not change the boundaries", err)
		}
	}
}
