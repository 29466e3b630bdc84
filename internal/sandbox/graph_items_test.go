package sandbox

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const immutable = `IdType="ImmutableId"`

func (c *graphClient) createMIME(msg string, header ...string) reply {
	c.t.Helper()
	return c.do("POST", box+"/messages", strings.NewReader(wrapped(msg, "\r\n")), append([]string{"Content-Type", "text/plain"}, header...)...)
}

func (c *graphClient) postJSON(path, doc string, header ...string) reply {
	c.t.Helper()
	return c.do("POST", path, strings.NewReader(doc), append([]string{"Content-Type", "application/json"}, header...)...)
}

func (c *graphClient) search(folder, messageID string) []any {
	c.t.Helper()
	r := c.do("GET", box+folder+"/messages?"+url.Values{
		"$filter": {"internetMessageId eq '" + strings.ReplaceAll(messageID, "'", "''") + "'"}, "$select": {"id,isDraft,internetMessageId"}, "$top": {"2"},
	}.Encode(), nil)
	if r.status != 200 {
		c.t.Fatalf("search: %+v", r)
	}
	return r.doc["value"].([]any)
}

// A draft moves to Sent Items some time after it was sent, and its id changes
// unless it is an immutable one (B1.8, B3.5).
func TestDraftLife(t *testing.T) {
	t.Parallel()
	now := newClock()
	s := start(t, Options{Now: now.now})
	s.Configure(func(sw *Switches) { sw.GraphSettle = 10 * time.Second })
	c := newGraphClient(t, s)
	r := c.createMIME(sample(""), "Prefer", immutable)
	if r.status != 201 || r.doc["isDraft"] != true || r.doc["internetMessageId"] != "<1@contoso.example>" || r.header.Get("Preference-Applied") != immutable {
		t.Fatalf("%+v", r)
	}
	fixed := url.PathEscape(r.doc["id"].(string))
	r = c.do("GET", box+"/messages/"+fixed, nil)
	usual := url.PathEscape(r.doc["id"].(string))
	if usual == fixed {
		t.Fatal("both kinds of id are the same")
	}
	if r := c.do("GET", box+"/messages/"+fixed+"/$value", nil); r.status != 200 || r.doc["raw"] != sample("") {
		t.Errorf("%+v", r)
	}
	if r := c.do("POST", box+"/messages/"+usual+"/send", io.MultiReader(strings.NewReader(""))); r.status != 411 { // chunked
		t.Errorf("%+v", r)
	}
	if r := c.do("POST", box+"/messages/"+usual+"/send", http.NoBody); r.status != 202 {
		t.Fatalf("%+v", r)
	}
	if r := c.do("POST", box+"/messages/"+usual+"/send", http.NoBody); r.status != 404 || r.code() != "ErrorItemNotFound" {
		t.Errorf("sent twice: %+v", r)
	}
	where := func(id, prefer string) any {
		r := c.do("GET", box+"/messages/"+id+"?$select=isDraft,parentFolderId", nil, "Prefer", prefer)
		if r.status != 200 {
			return r.status
		}
		return r.doc["isDraft"]
	}
	if got := fmt.Sprint(where(usual, ""), where(fixed, immutable), len(c.search("", "<1@contoso.example>")), len(c.search("/mailFolders/Drafts", "<1@contoso.example>")), len(c.search("/mailFolders/SentItems", "<1@contoso.example>"))); got != "true true 1 1 0" {
		t.Errorf("before it settled: %s", got)
	}
	now.advance(10 * time.Second)
	if got := fmt.Sprint(where(usual, ""), where(fixed, immutable), len(c.search("", "<1@contoso.example>")), len(c.search("/mailFolders/drafts", "<1@contoso.example>")), len(c.search("/mailFolders/sentitems", "<1@contoso.example>"))); got != "404 false 1 0 1" {
		t.Errorf("after it settled: %s", got)
	}
	if n := len(c.search("", "<2@contoso.example>")); n != 0 {
		t.Errorf("%d of another Message-ID", n)
	}
	d := s.Deliveries()
	if len(d) != 1 || d[0].Route != "draft" || readAll(t, s.Open, d[0]) != sample("") {
		t.Errorf("%+v", d)
	}
	if r := c.do("GET", box+"/mailFolders/sentitems", nil); r.doc["totalItemCount"] != 1.0 {
		t.Errorf("%+v", r)
	}
	if r := c.do("DELETE", box+"/messages/"+fixed, nil); r.status != 204 {
		t.Errorf("%+v", r)
	}
	if n := len(c.search("", "<1@contoso.example>")); n != 0 {
		t.Errorf("%d after deletion", n)
	}
}

func TestGraphAhead(t *testing.T) {
	t.Parallel()
	now := newClock()
	s := start(t, Options{Now: now.now})
	c := newGraphClient(t, s)
	r := c.createMIME(sample(""))
	id := url.PathEscape(r.doc["id"].(string))
	s.Configure(func(sw *Switches) { sw.GraphAhead = 31 * time.Minute })
	if r = c.do("GET", box+"/messages/"+id, nil); r.status != 200 { // the token is as good as before
		t.Fatalf("%+v", r)
	}
	date, err := http.ParseTime(r.header.Get("Date"))
	if err != nil {
		t.Fatal(err)
	}
	made, err := time.Parse(time.RFC3339, r.doc["createdDateTime"].(string))
	if err != nil || date.Sub(made) != 31*time.Minute {
		t.Errorf("a draft of %v looks as old as %v (%v)", made, date.Sub(made), err)
	}
}

func TestSentItemsOfSendMail(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	c := newGraphClient(t, s)
	for _, save := range []string{"true", `"true"`, "false", `"false"`} {
		c.postJSON(box+"/sendMail", `{"saveToSentItems":`+save+`,"message":{"internetMessageId":"<s@x>","toRecipients":[{"emailAddress":{"address":"a@b.example"}}]}}`)
	}
	if n := len(c.search("/mailFolders/sentitems", "<s@x>")); n != 2 {
		t.Errorf("%d saved", n)
	}
	s.Configure(func(sw *Switches) { sw.GraphMailRead = false })
	if r := c.do("GET", box+"/messages", nil); r.status != 403 || r.code() != "ErrorAccessDenied" {
		t.Errorf("%+v", r)
	}
	s.Reset()
	if n := len(c.search("", "<s@x>")); n != 0 || len(s.Deliveries()) != 0 {
		t.Errorf("%d after Reset", n)
	}
}

func TestQueries(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	c := newGraphClient(t, s)
	c.createMIME(strings.Replace(sample(""), "<1@", "<it's@", 1))
	if n := len(c.search("", "<it's@contoso.example>")); n != 1 {
		t.Errorf("a quote: %d", n)
	}
	for q, want := range map[string]int{
		"":                         200,
		"$filter=isDraft eq true":  200,
		"$filter=isDraft eq false": 200,
		"$filter=internetMessageId eq '<1>' and isDraft eq true": 200,
		"$filter=internetMessageId eq '<1>":                      400,
		"$filter=internetMessageId eq <1>":                       400,
		"$filter=internetMessageId ne '<1>'":                     400,
		"$filter=subject eq 'x'":                                 400,
		"$filter=internetMessageId eq '<1>' or isDraft eq true":  400,
		"$filter=":           400,
		"$select=id,nothing": 400,
		"$top=0":             400,
		"$top=1001":          400,
		"$orderby=id":        400,
	} {
		if r := c.do("GET", box+"/messages?"+strings.ReplaceAll(q, " ", "%20"), nil); r.status != want {
			t.Errorf("%q: %d %v", q, r.status, r.doc)
		}
	}
	if r := c.do("GET", box+"/mailFolders/nothing/messages", nil); r.status != 404 {
		t.Errorf("%+v", r)
	}
}

func TestDraftStrictness(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	c := newGraphClient(t, s)
	id := url.PathEscape(c.createMIME(sample("")).doc["id"].(string))
	path := box + "/messages/" + id
	content := base64.StdEncoding.EncodeToString([]byte("x"))
	big := base64.StdEncoding.EncodeToString(make([]byte, oneShotLimit))
	sessionOf := func(change string) string {
		item := `"attachmentType":"file","name":"a.pdf","size":3145728,"contentType":"application/pdf"`
		return `{"AttachmentItem":{` + item + change + `}}`
	}
	for name, tt := range map[string]struct {
		path, doc string
		status    int
		code      string
	}{
		"file":               {path + "/attachments", `{"@odata.type":"#microsoft.graph.fileAttachment","name":"a","contentBytes":"` + content + `"}`, 201, ""},
		"no type":            {path + "/attachments", `{"name":"a","contentBytes":"` + content + `"}`, 400, "RequestBodyRead"},
		"item attachment":    {path + "/attachments", `{"@odata.type":"#microsoft.graph.itemAttachment","name":"a"}`, 400, "RequestBodyRead"},
		"no name":            {path + "/attachments", `{"@odata.type":"#microsoft.graph.fileAttachment","contentBytes":"` + content + `"}`, 400, "RequestBodyRead"},
		"no content":         {path + "/attachments", `{"@odata.type":"#microsoft.graph.fileAttachment","name":"a"}`, 400, "RequestBodyRead"},
		"bad base64":         {path + "/attachments", `{"@odata.type":"#microsoft.graph.fileAttachment","name":"a","contentBytes":"*"}`, 400, "RequestBodyRead"},
		"3 MB at once":       {path + "/attachments", `{"@odata.type":"#microsoft.graph.fileAttachment","name":"a","contentBytes":"` + big + `"}`, 413, ""},
		"no draft":           {box + "/messages/AAMk/attachments", `{"@odata.type":"#microsoft.graph.fileAttachment","name":"a","contentBytes":"` + content + `"}`, 404, "ErrorItemNotFound"},
		"session":            {path + "/attachments/createUploadSession", sessionOf(``), 201, ""},
		"small session":      {path + "/attachments/createUploadSession", sessionOf(`,"size":3145727`), 400, minSessionErr},
		"huge session":       {path + "/attachments/createUploadSession", sessionOf(`,"size":157286401`), 400, "ErrorAttachmentSizeLimitExceeded"},
		"session no size":    {path + "/attachments/createUploadSession", sessionOf(`,"size":null`), 400, "RequestBodyRead"},
		"session kind":       {path + "/attachments/createUploadSession", sessionOf(`,"attachmentType":"item"`), 400, "RequestBodyRead"},
		"session unknown":    {path + "/attachments/createUploadSession", sessionOf(`,"x":1`), 400, "RequestBodyRead"},
		"session no item":    {path + "/attachments/createUploadSession", `{"name":"x"}`, 400, "RequestBodyRead"},
		"session no draft":   {box + "/messages/AAMk/attachments/createUploadSession", sessionOf(``), 404, "ErrorItemNotFound"},
		"wrong content type": {path + "/send", `{}`, 400, "RequestBodyRead"},
	} {
		t.Run(name, func(t *testing.T) {
			c := &graphClient{t, s, c.token}
			if r := c.postJSON(tt.path, tt.doc); r.status != tt.status || tt.code != "" && r.code() != tt.code {
				t.Errorf("%d %v", r.status, r.doc)
			}
		})
	}
	if r := c.do("PUT", path+"/$value", strings.NewReader(wrapped(strings.Replace(sample(""), "<1@", "<2@", 1), "\n")), "Content-Type", "text/plain"); r.status != 200 || r.doc["internetMessageId"] != "<2@contoso.example>" {
		t.Errorf("%+v", r)
	}
	if a, b := len(c.search("", "<1@contoso.example>")), len(c.search("", "<2@contoso.example>")); a != 0 || b != 1 {
		t.Errorf("found %d and %d", a, b)
	}
}

// session opens an upload session for size bytes on a new draft.
func (c *graphClient) session(draft string, size int, extra string) (uploadURL string) {
	c.t.Helper()
	r := c.postJSON(box+"/messages/"+url.PathEscape(draft)+"/attachments/createUploadSession",
		fmt.Sprintf(`{"AttachmentItem":{"attachmentType":"file","name":"disegno è.pdf","size":%d,"contentType":"application/pdf"%s}}`, size, extra))
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
	s := start(t, Options{Now: now.now})
	c := newGraphClient(t, s)
	draft := c.createMIME(sample("MIME-Version: 1.0\r\nContent-Type: text/plain;\r\n charset=utf-8\r\n")).doc["id"].(string)
	const size = 4<<20 + 4<<20 + 4096
	data := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	u := c.session(draft, size, "")
	if !strings.HasPrefix(u, s.graph.uploadURL+"/") || strings.HasPrefix(u, s.graph.url+"/") {
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
	inline := c.session(draft, oneShotLimit, `,"isInline":true,"contentId":"logo"`)
	expect("inline", c.chunk(inline, data[:oneShotLimit], 0, oneShotLimit), 201)
	if r := c.do("GET", box+"/messages/"+url.PathEscape(draft)+"/attachments", nil); len(r.doc["value"].([]any)) != 2 {
		t.Errorf("%+v", r)
	}
	gone := c.session(draft, oneShotLimit, "")
	expect("cancel", anonymous.do("DELETE", gone, nil), 204)
	expect("cancelled", c.chunk(gone, data[:oneShotLimit], 0, oneShotLimit), 404)
	late := c.session(draft, oneShotLimit, "")
	if r := c.do("POST", box+"/messages/"+url.PathEscape(draft)+"/send", http.NoBody); r.status != 202 {
		t.Fatalf("%+v", r)
	}
	expect("sent meanwhile", c.chunk(late, data[:oneShotLimit], 0, oneShotLimit), 404)

	d := s.Deliveries()[0]
	if d.Route != "draft" || d.Subject != "Perché" || d.MessageID != "<1@contoso.example>" || fmt.Sprint(d.Recipients) != "[anna@example.com bea@example.com]" {
		t.Errorf("%+v", d)
	}
	parts := partsOf(t, readAll(t, s.Open, d))
	if len(parts) != 3 || parts[0].body != "Ciao\r\n" || parts[0].kind != "text/plain" || parts[1].body != string(data) || parts[1].file != "disegno è.pdf" || parts[2].body != string(data[:oneShotLimit]) || parts[2].id != "<logo>" {
		t.Errorf("%d parts: %+v", len(parts), parts[0])
	}
	now.advance(3 * time.Hour)
	c.token = token(t, s, GraphResource)
	draft = c.createMIME(sample("")).doc["id"].(string)
	late = c.session(draft, oneShotLimit, "")
	now.advance(sessionLife)
	expect("expired", c.chunk(late, data[:oneShotLimit], 0, oneShotLimit), 404)
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

type part struct{ kind, file, id, body string }

// partsOf gives the leaves of a message, decoded.
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
	s := start(t, Options{})
	c := newGraphClient(t, s)
	doc := map[string]any{
		"subject": "Perché no", "body": map[string]string{"contentType": "HTML", "content": "<p>Città</p>\r\n<img src=cid:logo>"},
		"toRecipients":                  []any{map[string]any{"emailAddress": map[string]string{"name": "Anna, Bò", "address": "Anna@example.com"}}},
		"bccRecipients":                 []any{map[string]any{"emailAddress": map[string]string{"address": "hidden@example.com"}}},
		"internetMessageId":             "<j@contoso.example>",
		"internetMessageHeaders":        []any{map[string]string{"name": "X-Job", "value": "7"}},
		"singleValueExtendedProperties": []any{map[string]string{"id": "String 0x1042", "value": "<0@x>"}},
		"attachments": []any{
			map[string]any{"@odata.type": "#microsoft.graph.fileAttachment", "name": "logo.png", "contentType": "image/png", "contentBytes": "bG9nbw==", "isInline": true, "contentId": "logo"},
			map[string]any{"@odata.type": "#microsoft.graph.fileAttachment", "name": "fattura.pdf", "contentType": "application/pdf", "contentBytes": "cGRm"},
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
	if fmt.Sprint(d.Recipients) != "[anna@example.com hidden@example.com]" || d.Subject != "Perché no" || d.MessageID != "<j@contoso.example>" || d.From != "<"+box+">" {
		t.Errorf("%+v", d)
	}
	raw, shown := readAll(t, s.Open, d), readAll(t, s.OpenShown, d)
	if !strings.Contains(raw, "\r\nX-Job: 7\r\n") || !strings.Contains(raw, "\r\nIn-Reply-To: <0@x>\r\n") || !strings.Contains(raw, "hidden@") || strings.Contains(shown, "hidden@") {
		t.Errorf("%q", raw)
	}
	parts := partsOf(t, raw)
	want := []part{{"text/html", "", "", "<p>Città</p>\r\n<img src=cid:logo>"}, {"image/png", "logo.png", "<logo>", "logo"}, {"application/pdf", "fattura.pdf", "", "pdf"}}
	if fmt.Sprint(parts) != fmt.Sprint(want) {
		t.Errorf("parts %q", parts)
	}
}
