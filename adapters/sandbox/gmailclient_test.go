package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters/sandbox/google"
)

// A gmailClient speaks plain HTTP to the fake.
type gmailClient struct {
	t     testing.TB
	s     *Sandbox
	token string
}

// A gmailReceipt is the answer to a send.
type gmailReceipt struct {
	ID       string   `json:"id"`
	ThreadID string   `json:"threadId"`
	LabelIDs []string `json:"labelIds"`
}

func newGmailClient(t testing.TB, s *Sandbox) *gmailClient {
	t.Helper()
	return &gmailClient{t, s, gmailToken(t, s, gmailFrom, google.ScopeSend, google.ScopeRead)}
}

type gmailReply struct {
	status int
	header http.Header
	body   string
}

func (r gmailReply) reason() string {
	var doc struct {
		Error struct {
			Code   int
			Status string
			Errors []struct{ Reason string }
		}
	}
	if json.Unmarshal([]byte(r.body), &doc) != nil || len(doc.Error.Errors) != 1 || doc.Error.Code != r.status || doc.Error.Status == "" {
		return "no error body: " + r.body
	}
	return doc.Error.Errors[0].Reason
}

func (c *gmailClient) do(method, target string, body io.Reader, header ...string) gmailReply {
	c.t.Helper()
	if !strings.HasPrefix(target, "https://") {
		target = c.s.gmail.URL() + target
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, target, body)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := c.s.HTTPClient().Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return gmailReply{res.StatusCode, res.Header, string(data)}
}

func (c *gmailClient) media(msg string) gmailReply {
	c.t.Helper()
	return c.do("POST", gmailUploadPath+"media", strings.NewReader(msg), "Content-Type", "message/rfc822")
}

func gmailSample(extra string) string {
	return "From: ERP <" + gmailFrom + ">\r\nTo: Anna <anna@example.com>\r\n" + extra +
		"Subject: =?utf-8?q?Fattura_n=C2=B0_1?=\r\nMessage-ID: <1@contoso.example>\r\nMIME-Version: 1.0\r\nContent-Type: " +
		"text/plain\r\n\r\nciao\r\n"
}

func (c *gmailClient) multipart(msg, contentType string, parts int) gmailReply {
	c.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i, p := range []struct{ ct, body string }{{"application/json", "{}"}, {contentType, msg}, {"text/plain", "more"}} {
		if i == parts {
			break
		}
		pw, err := w.CreatePart(textproto.MIMEHeader{"Content-Type": {p.ct}})
		if err == nil {
			_, err = io.WriteString(pw, p.body)
		}
		if err != nil {
			c.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		c.t.Fatal(err)
	}
	return c.do("POST", gmailUploadPath+"multipart", &b, "Content-Type", "multipart/related; boundary="+w.Boundary())
}

func (c *gmailClient) resumable(msg, prefix string) gmailReply {
	c.t.Helper()
	r := c.do("POST", prefix+gmailUploadPath+"resumable", nil, "X-Upload-Content-Type", "message/rfc822", "X-Upload-Content-Length",
		fmt.Sprint(len(msg)))
	if r.status != http.StatusOK || r.header.Get("Location") == "" {
		c.t.Fatalf("start: %+v", r)
	}
	return c.do("PUT", r.header.Get("Location"), strings.NewReader(msg), "Content-Range", fmt.Sprintf("bytes 0-%d/%d", len(msg)-1, len(msg)))
}
