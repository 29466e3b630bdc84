package sandbox

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// session opens an upload session for size bytes on a new draft.
// attachmentLimit is where upload sessions begin (contracts B2.3).
const attachmentLimit = 3 << 20

func (c *graphClient) session(draft string, size int, extra string) (uploadURL string) {
	c.t.Helper()
	r := c.postJSON(box+"/messages/"+url.PathEscape(draft)+"/attachments/createUploadSession",
		fmt.Sprintf(`{"AttachmentItem":{"attachmentType":"file","name":"disegno è.pdf","size":%d,"contentType":"application/pdf"%s}}`, size,
			extra))
	if r.status != 201 || r.doc["expirationDateTime"] == "" || fmt.Sprint(r.doc["nextExpectedRanges"]) != "[0-]" {
		c.t.Fatalf("%+v", r)
	}
	return r.doc["uploadUrl"].(string)
}

func (c *graphClient) chunk(uploadURL string, data []byte, start, total int, header ...string) reply {
	c.t.Helper()
	anonymous := &graphClient{c.t, c.s, ""}
	return anonymous.do("PUT", uploadURL, bytes.NewReader(data), append([]string{
		"Content-Type", "application/octet-stream", "Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, start+len(data)-1, total),
	}, header...)...)
}

func TestUpload(t *testing.T) {
	t.Parallel()
	now := newClock()
	s := start(t, Options{AnyMailbox: true, Now: now.now})
	c := newGraphClient(t, s)
	draft := c.createMIME(sample("MIME-Version: 1.0\r\nContent-Type: text/plain;\r\n charset=utf-8\r\n")).doc["id"].(string)
	const size = 4<<20 + 4<<20 + 4096
	data := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	u := c.session(draft, size, "")
	if !strings.HasPrefix(u, s.graph.UploadURL()+"/") || strings.HasPrefix(u, s.graph.URL()+"/") {
		t.Fatalf("upload URL %s", u)
	}
	step := 4 << 20
	expect := func(name string, r reply, status int) {
		t.Helper()
		if r.status != status {
			t.Errorf("%s: %d %v", name, r.status, r.doc)
		}
	}
	expect("token", c.chunk(u, data[:step], 0, size, "Authorization", "Bearer x"), 401)
	expect("authtoken", c.chunk(strings.Split(u, "?")[0], data[:step], 0, size), 401)
	expect("not in order", c.chunk(u, data[step:2*step], step, size), 416)
	expect("too large", c.chunk(u, data[:step+1], 0, size), 413)
	expect("other total", c.chunk(u, data[:step], 0, size+1), 400)
	expect("no range", c.chunk(u, data[:step], 0, size, "Content-Range", ""), 400)
	expect("star range", c.chunk(u, data[:step], 0, size, "Content-Range", "bytes */8392704"), 400)
	expect("length", c.chunk(u, data[:step-1], 0, size, "Content-Range", fmt.Sprintf("bytes 0-%d/%d", step-1, size)), 400)
	expect("type", c.chunk(u, data[:step], 0, size, "Content-Type", "application/pdf"), 415)
	expect("method", c.do("POST", u, nil), 405)
	r := c.chunk(u, data[:step], 0, size)
	if r.status != 200 || fmt.Sprint(r.doc["nextExpectedRanges"]) != "[4194304]" || r.doc["ExpirationDateTime"] == nil {
		t.Fatalf("%+v", r)
	}
	expect("again", c.chunk(u, data[:step], 0, size), 416)
	anonymous := &graphClient{t, s, ""}
	if r := anonymous.do("GET", u, nil); fmt.Sprint(r.doc["nextExpectedRanges"]) != "[4194304]" {
		t.Errorf("%+v", r)
	}
	s.Inject(Fault{Service: "upload", Op: "chunk", Times: 1, Status: 503})
	expect("fault", c.chunk(u, data[step:2*step], step, size), 503)
	expect("second", c.chunk(u, data[step:2*step], step, size), 200)
	r = c.chunk(u, data[2*step:], 2*step, size)
	if r.status != 201 || len(r.doc) != 0 || !strings.Contains(r.header.Get("Location"), "/Attachments('") {
		t.Fatalf("%+v", r)
	}
	expect("after the end", c.chunk(u, data[2*step:], 2*step, size), 404)
	inline := c.session(draft, attachmentLimit, `,"isInline":true,"contentId":"logo"`)
	expect("inline", c.chunk(inline, data[:attachmentLimit], 0, attachmentLimit), 201)
	if r := c.do("GET", box+"/messages/"+url.PathEscape(draft)+"/attachments", nil); len(r.doc["value"].([]any)) != 2 {
		t.Errorf("%+v", r)
	}
	gone := c.session(draft, attachmentLimit, "")
	expect("cancel", anonymous.do("DELETE", gone, nil), 204)
	expect("cancelled", c.chunk(gone, data[:attachmentLimit], 0, attachmentLimit), 404)
	late := c.session(draft, attachmentLimit, "")
	if r := c.do("POST", box+"/messages/"+url.PathEscape(draft)+"/send", http.NoBody); r.status != 202 {
		t.Fatalf("%+v", r)
	}
	expect("sent meanwhile", c.chunk(late, data[:attachmentLimit], 0, attachmentLimit), 404)

	d := s.Deliveries()[0]
	if d.Route != "draft" || d.Subject != "Perché" || d.MessageID != "<1@contoso.example>" ||
		fmt.Sprint(d.Recipients) != "[anna@example.com bea@example.com]" {
		t.Errorf("%+v", d)
	}
	parts := partsOf(t, readAll(t, s.Open, d))
	if len(parts) != 3 || parts[0].body != "Ciao\r\n" || parts[0].kind != "text/plain" || parts[1].body != string(data) ||
		parts[1].file != "disegno è.pdf" || parts[2].body != string(data[:attachmentLimit]) || parts[2].id != "<logo>" {
		t.Errorf("%d parts: %+v", len(parts), parts[0])
	}
	now.advance(3 * time.Hour)
	c.token = token(t, s, GraphResource)
	draft = c.createMIME(sample("")).doc["id"].(string)
	late = c.session(draft, attachmentLimit, "")
	now.advance(2 * time.Hour)
	expect("expired", c.chunk(late, data[:attachmentLimit], 0, attachmentLimit), 404)
	checkNoFiles(t, s, d.File)
}

// checkNoFiles checks that nothing but the segment and the given file is left.
func checkNoFiles(t *testing.T, s *Sandbox, file string) {
	t.Helper()
	all, err := os.ReadDir(filepath.Join(s.Dir(), "messages"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if !strings.HasSuffix(f.Name(), ".segment") && f.Name() != filepath.Base(file) {
			t.Errorf("%s is left", f.Name())
		}
	}
}
