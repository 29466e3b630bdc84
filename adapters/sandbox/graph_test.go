package sandbox

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// start runs a sandbox for one test.
func start(t testing.TB, o Options) *Sandbox {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// A clock is moved by hand.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Now()} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// token gets an access token with the secret.
func token(t testing.TB, s *Sandbox, resource string) string {
	t.Helper()
	status, body := tokenRequest(t, s, TenantID, url.Values{
		"grant_type": {"client_credentials"}, "client_id": {ClientID}, "client_secret": {ClientSecret}, "scope": {resource + "/.default"},
	})
	if status != http.StatusOK {
		t.Fatalf("token: %d %v", status, body)
	}
	return body["access_token"].(string)
}

func tokenRequest(t testing.TB, s *Sandbox, tenant string, form url.Values) (int, map[string]any) {
	t.Helper()
	res, err := s.HTTPClient().PostForm(s.entra.URL()+"/"+tenant+"/oauth2/v2.0/token", form)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, decodeBody(t, res)
}

func decodeBody(t testing.TB, res *http.Response) map[string]any {
	t.Helper()
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if kind := res.Header.Get("Content-Type"); kind != "" && !strings.HasPrefix(kind, "application/json") {
		return map[string]any{"raw": string(data)}
	}
	if len(data) > 0 {
		if err := json.Unmarshal(data, &out); err != nil {
			t.Fatalf("%v in %q", err, data)
		}
	}
	return out
}

// A reply is what Graph answered.
type reply struct {
	status int
	header http.Header
	doc    map[string]any
}

func (r reply) code() string {
	e, _ := r.doc["error"].(map[string]any)
	c, _ := e["code"].(string)
	return c
}

func (r reply) text() string {
	e, _ := r.doc["error"].(map[string]any)
	c, _ := e["message"].(string)
	return c
}

// A graphClient talks to the fake as one application.
type graphClient struct {
	t     testing.TB
	s     *Sandbox
	token string
}

func newGraphClient(t testing.TB, s *Sandbox) *graphClient {
	return &graphClient{t, s, token(t, s, GraphResource)}
}

// do sends a request below /v1.0/users/; header lines come as pairs.
func (c *graphClient) do(method, path string, body io.Reader, header ...string) reply {
	c.t.Helper()
	u := path
	if !strings.HasPrefix(path, "https://") {
		u = c.s.graph.URL() + "/v1.0/users/" + path
	}
	req, err := http.NewRequest(method, u, body)
	if err != nil {
		c.t.Fatal(err)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	for i := 0; i < len(header); i += 2 {
		if req.Header.Set(header[i], header[i+1]); header[i+1] == "" {
			req.Header.Del(header[i])
		}
	}
	res, err := c.s.HTTPClient().Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, decodeBody(c.t, res)}
}

func (c *graphClient) sendMIME(mailbox, msg string) reply {
	c.t.Helper()
	return c.do("POST", mailbox+"/sendMail", strings.NewReader(base64.StdEncoding.EncodeToString([]byte(msg))), "Content-Type", "text/plain")
}

const box = "erp@contoso.example"

func sample(extra string) string {
	return "From: ERP <erp@contoso.example>\r\nTo: anna@example.com\r\nCc: Bea <BEA@example.com>\r\n" + extra +
		"Subject: =?utf-8?q?Perch=C3=A9?=\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@contoso.example>\r\n\r\nCiao\r\n"
}

func TestSendMailDelivers(t *testing.T) {
	t.Parallel()
	s := start(t, Options{AnyMailbox: true})
	c := newGraphClient(t, s)
	msg := sample("Bcc: carl@example.com\r\nAuto-Submitted: auto-generated\r\nReturn-Path: <x@y>\r\n")
	r := c.do("POST", box+"/sendMail", strings.NewReader(base64.StdEncoding.EncodeToString([]byte(msg))),
		"Content-Type", "text/plain", "client-request-id", "my-id")
	if r.status != 202 || len(r.doc) != 0 || r.header.Get("client-request-id") != "my-id" || r.header.Get("request-id") == "" {
		t.Fatalf("answer %+v", r)
	}
	all := s.Deliveries()
	if len(all) != 1 {
		t.Fatalf("%d deliveries", len(all))
	}
	d := all[0]
	if got := fmt.Sprint(d.Recipients); got != "[anna@example.com bea@example.com carl@example.com]" {
		t.Errorf("recipients %s", got)
	}
	if d.Service != "graph" || d.Route != "mime" || d.Mailbox != box || d.EnvelopeFrom != box || d.MessageID != "<1@contoso.example>" ||
		d.Subject != "Perché" || d.Size != int64(len(msg)) {
		t.Errorf("delivery %+v", d)
	}
	if got := readAll(t, s.Open, d); got != msg {
		t.Errorf("received %q", got)
	}
	if got := readAll(t, s.OpenShown, d); got != sample("") {
		t.Errorf("shown %q", got)
	}
	if n := s.Counters()["graph.sendMail"]; n != 1 {
		t.Errorf("counted %d", n)
	}
}

func readAll(t testing.TB, open func(Delivery) (io.ReadCloser, error), d Delivery) string {
	t.Helper()
	rc, err := open(d)
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(rc); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
