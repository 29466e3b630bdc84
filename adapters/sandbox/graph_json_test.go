package sandbox

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/mail"
	"net/url"
	"strings"
	"testing"
)

type part struct{ kind, file, id, body string }

// partsOf returns the leaves of a message, decoded.
func partsOf(t *testing.T, msg string) (out []part) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(msg))
	if err != nil {
		t.Fatal(err)
	}
	var walk func(header interface{ Get(string) string }, body io.Reader)
	walk = func(header interface{ Get(string) string }, body io.Reader) {
		kind, params, err := mime.ParseMediaType(header.Get("Content-Type"))
		if err != nil {
			t.Fatalf("%v in %q", err, header.Get("Content-Type"))
		}
		if !strings.HasPrefix(kind, "multipart/") {
			if header.Get("Content-Transfer-Encoding") == "base64" {
				body = base64.NewDecoder(base64.StdEncoding, body)
			}
			data, err := io.ReadAll(body)
			if err != nil {
				t.Fatal(err)
			}
			_, p, _ := mime.ParseMediaType(header.Get("Content-Disposition")) // bodies have none
			out = append(out, part{kind, p["filename"], header.Get("Content-ID"), string(data)})
			return
		}
		r := multipart.NewReader(body, params["boundary"])
		for {
			p, err := r.NextPart()
			if err == io.EOF {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			walk(p.Header, p)
		}
	}
	walk(m.Header, m.Body)
	return out
}

func TestJSONDraftIsBuilt(t *testing.T) {
	t.Parallel()
	s := start(t, Options{AnyMailbox: true})
	c := newGraphClient(t, s)
	doc := map[string]any{
		"subject": "Perché no", "body": map[string]string{"contentType": "HTML", "content": "<p>Città</p>\r\n<img src=cid:logo>"},
		"toRecipients": []any{
			map[string]any{"emailAddress": map[string]string{"name": "Anna, Bò", "address": "Anna@example.com"}}},
		"bccRecipients":                 []any{map[string]any{"emailAddress": map[string]string{"address": "hidden@example.com"}}},
		"internetMessageId":             "<j@contoso.example>",
		"internetMessageHeaders":        []any{map[string]string{"name": "X-Job", "value": "7"}},
		"singleValueExtendedProperties": []any{map[string]string{"id": "String 0x1042", "value": "<0@x>"}},
		"attachments": []any{
			map[string]any{"@odata.type": "#microsoft.graph.fileAttachment", "name": "logo.png", "contentType": "image/png",
				"contentBytes": "bG9nbw==", "isInline": true, "contentId": "logo"},
			map[string]any{"@odata.type": "#microsoft.graph.fileAttachment", "name": "fattura.pdf", "contentType": "application/pdf",
				"contentBytes": "cGRm"},
		},
	}
	data, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	r := c.postJSON(box+"/messages", string(data))
	if r.status != 201 || r.doc["hasAttachments"] != true {
		t.Fatalf("%+v", r)
	}
	if r := c.do("POST", box+"/messages/"+url.PathEscape(r.doc["id"].(string))+"/send", http.NoBody); r.status != 202 {
		t.Fatalf("%+v", r)
	}
	d := s.Deliveries()[0]
	if fmt.Sprint(d.Recipients) != "[anna@example.com hidden@example.com]" || d.Subject != "Perché no" ||
		d.MessageID != "<j@contoso.example>" || d.From != "<"+box+">" {
		t.Errorf("%+v", d)
	}
	raw, shown := readAll(t, s.Open, d), readAll(t, s.OpenShown, d)
	if !strings.Contains(raw, "\r\nX-Job: 7\r\n") || !strings.Contains(raw, "\r\nIn-Reply-To: <0@x>\r\n") ||
		!strings.Contains(raw, "hidden@") || strings.Contains(shown, "hidden@") {
		t.Errorf("%q", raw)
	}
	parts := partsOf(t, raw)
	want := []part{{"text/html", "", "", "<p>Città</p>\r\n<img src=cid:logo>"}, {"image/png", "logo.png", "<logo>", "logo"},
		{"application/pdf", "fattura.pdf", "", "pdf"}}
	if fmt.Sprint(parts) != fmt.Sprint(want) {
		t.Errorf("parts %q", parts)
	}
}
