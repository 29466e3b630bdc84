package api

import (
	"bytes"
	"crypto/sha256"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/postino-mail/postino/mime"
)

// Whatever comes, a message that is taken has no header that its fields did
// not name, and a refusal is the caller's fault.
func FuzzInput(f *testing.F) {
	f.Add([]byte(`{"from":"erp@contoso.it","to":["a@example.com"],"subject":"x","headers":{"X-A":"b"},` +
		`"attachments":[{"filename":"a","content":"Zm9v"}]}`))
	f.Add([]byte(`{"raw":"RnJvbTogYUBiLml0DQoNCng="}`))
	f.Add([]byte(`{"from":"a\r\nBcc: x@y","to":[null]}`))
	w := newWorld(f, nil)
	f.Fuzz(func(t *testing.T, body []byte) {
		in, err := decode[MessageInput](t.Context(), w.server.submissions.bodies, body)
		if err == nil {
			var l *incoming
			if l, err = w.server.submissions.compose(t.Context(), in, nil, 1<<20); err == nil {
				defer l.message.Close()
				_, err = l.request(&principal{})
				if in.Raw == "" {
					oneHeader(t, l, in)
				}
			}
		}
		if err != nil {
			if got := failureOf(err); got.status < 400 || got.status >= 500 {
				t.Errorf("%d %s: %v", got.status, got.code, err)
			}
		}
	})
}

func oneHeader(t *testing.T, l *incoming, in *MessageInput) {
	src, err := l.message.Source()
	if err != nil {
		t.Fatal(err)
	}
	m, err := mime.Read(src, mime.Limits{})
	if err != nil {
		t.Fatalf("what was composed cannot be read: %v", err)
	}
	if n := len(m.Values("Bcc")); n > 1 || n == 1 && len(in.Bcc) == 0 {
		t.Errorf("%d Bcc fields", n)
	}
	if len(m.From()) != 1 {
		t.Errorf("%d senders", len(m.From()))
	}
}

func FuzzForm(f *testing.F) {
	var b bytes.Buffer
	mw := multipart.NewWriter(&b)
	if err := mw.SetBoundary("b"); err != nil {
		f.Fatal(err)
	}
	for _, name := range []string{"from", "to", "file"} {
		if err := mw.WriteField(name, "erp@contoso.it"); err != nil {
			f.Fatal(err)
		}
	}
	if err := mw.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"../x\"\r\nContent-ID: <a>\r\n\r\nx\r\n--b--\r\n"))
	w := newWorld(f, nil)
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/v1/messages", io.NopCloser(bytes.NewReader(body)))
		l, err := w.server.submissions.multipart(r, "b", sha256.New(), 1<<20)
		if err != nil {
			if got := failureOf(err); got.status < 400 || got.status >= 500 {
				t.Errorf("%d %s: %v", got.status, got.code, err)
			}
			return
		}
		if !bytes.Contains(body, []byte("--b--")) {
			t.Error("a form without an end was taken")
		}
		if err := l.message.Close(); err != nil {
			t.Error(err)
		}
	})
}
