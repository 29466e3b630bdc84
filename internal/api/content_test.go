package api

import (
	"encoding/base64"
	stdmime "mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What a reader shows of a message: texts, who got it, and files under safe names.
func TestReadContent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	m := note("Città è qui")
	m["cc"], m["bcc"] = []string{"Bruno <bruno@example.com>"}, []string{"capo@contoso.it"}
	m["html"] = `<p onclick="x()">Ciao</p>`
	m["attachments"] = []map[string]any{{"filename": "perché.html", "content": base64.StdEncoding.EncodeToString([]byte("<script>"))}}
	var sent Accepted
	w.want(w.do(w.key, "POST", "/v1/messages", m), http.StatusAccepted).into(t, &sent)
	at := "/v1/messages/" + sent.ID
	var c MessageContent
	w.want(w.do(w.key, "GET", at+"/content", nil), http.StatusOK).into(t, &c)
	if !slices.Equal(c.To, []string{"Anna Rossi <anna@example.com>"}) || !slices.Equal(c.Cc, []string{"Bruno <bruno@example.com>"}) ||
		!slices.Equal(c.Bcc, []string{"capo@contoso.it"}) {
		t.Errorf("%q %q %q", c.To, c.Cc, c.Bcc)
	}
	if strings.TrimSpace(c.Text) != "Ciao" || !strings.Contains(c.HTML, `onclick="x()"`) || c.Cut || c.Problem != nil {
		t.Errorf("%+v", c)
	}
	if !slices.Contains(c.Header, HeaderField{"Subject", "Città è qui"}) {
		t.Errorf("%+v", c.Header)
	}
	var subjects int
	for _, f := range c.Header {
		if f.Name == "Subject" {
			subjects++
		}
		if strings.EqualFold(f.Name, "Bcc") {
			t.Errorf("%+v", f)
		}
	}
	if subjects != 1 {
		t.Errorf("%d subjects", subjects)
	}
	if len(c.Attachments) != 1 || c.Attachments[0].Name != "perché.html" || c.Attachments[0].Type != "text/html" {
		t.Fatalf("%+v", c.Attachments)
	}
	a := w.want(w.do(w.key, "GET", at+"/parts/"+strconv.Itoa(c.Attachments[0].Part), nil), http.StatusOK)
	kind, params, err := stdmime.ParseMediaType(a.header.Get("Content-Disposition"))
	if err != nil || kind != "attachment" || params["filename"] != "perché.html" || string(a.body) != "<script>" ||
		a.header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("%v %q %v", a.header, a.body, err)
	}
	for _, part := range []string{"0", "1", "99", "-1", "x", "..%2f..%2fetc"} {
		w.want(w.do(w.key, "GET", at+"/parts/"+part, nil), http.StatusNotFound)
	}
}

func TestFileName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`../../etc/passwd`: "passwd", `C:\Windows\x.exe`: "x.exe", "a\r\nb.txt": "ab.txt", "..": "attachment", "": "attachment",
		"fattura\u202egpj.exe": "fatturagpj.exe", `a"b.pdf`: "ab.pdf", "perché.pdf": "perché.pdf",
	} {
		if got := safeName(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := safeName(strings.Repeat("è", 400) + ".pdf"); len([]rune(got)) != 150 || !strings.HasSuffix(got, ".pdf") {
		t.Errorf("%q", got)
	}
}
