package sandbox

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
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
		"$filter": {"internetMessageId eq '" + strings.ReplaceAll(messageID, "'", "''") + "'"}, "$select": {"id,isDraft,internetMessageId"},
		"$top": {"2"},
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
	s := start(t, Options{AnyMailbox: true, Now: now.now})
	s.Configure(func(sw *Switches) { sw.GraphSettle = 10 * time.Second })
	c := newGraphClient(t, s)
	r := c.createMIME(sample(""), "Prefer", immutable)
	if r.status != 201 || r.doc["isDraft"] != true || r.doc["internetMessageId"] != "<1@contoso.example>" ||
		r.header.Get("Preference-Applied") != immutable {
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
	if got := fmt.Sprint(where(usual, ""), where(fixed, immutable), len(c.search("", "<1@contoso.example>")),
		len(c.search("/mailFolders/Drafts", "<1@contoso.example>")),
		len(c.search("/mailFolders/SentItems", "<1@contoso.example>"))); got != "true true 1 1 0" {
		t.Errorf("before it settled: %s", got)
	}
	now.advance(10 * time.Second)
	if got := fmt.Sprint(where(usual, ""), where(fixed, immutable), len(c.search("", "<1@contoso.example>")),
		len(c.search("/mailFolders/drafts", "<1@contoso.example>")),
		len(c.search("/mailFolders/sentitems", "<1@contoso.example>"))); got != "404 false 1 0 1" {
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
	s := start(t, Options{AnyMailbox: true, Now: now.now})
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
	// Who works on a draft or sends it touches it: it does not lie still.
	for _, path := range []string{"/attachments", "/send"} {
		s.Configure(func(sw *Switches) { sw.GraphAhead += 31 * time.Minute; sw.GraphSettle = time.Hour })
		doc := `{"@odata.type":"#microsoft.graph.fileAttachment","name":"a.txt","contentBytes":"eA=="}`
		if path == "/send" {
			doc = ""
		}
		if r = c.postJSON(box+"/messages/"+id+path, doc, "Content-Length", fmt.Sprint(len(doc))); r.status/100 != 2 {
			t.Fatalf("%s: %+v", path, r)
		}
		r = c.do("GET", box+"/messages/"+id, nil)
		if now, err := http.ParseTime(r.header.Get("Date")); err != nil || r.doc["lastModifiedDateTime"] != now.UTC().Format(time.RFC3339) {
			t.Errorf("after %s at %v: last modified %v, %v", path, now, r.doc["lastModifiedDateTime"], err)
		}
	}
}

func TestSentItemsOfSendMail(t *testing.T) {
	t.Parallel()
	s := start(t, Options{AnyMailbox: true})
	c := newGraphClient(t, s)
	for _, save := range []string{"true", `"true"`, "false", `"false"`} {
		c.postJSON(box+"/sendMail", `{"saveToSentItems":`+save+
			`,"message":{"internetMessageId":"<s@x>","toRecipients":[{"emailAddress":{"address":"a@b.example"}}]}}`)
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
	s := start(t, Options{AnyMailbox: true})
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
		"$filter=internetMessageId has '<1>'":                    400,
		"$filter=body eq 'x'":                                    400,
		"$filter=internetMessageId eq '<1>' xor isDraft eq true": 400,
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
	s := start(t, Options{AnyMailbox: true})
	c := newGraphClient(t, s)
	id := url.PathEscape(c.createMIME(sample("")).doc["id"].(string))
	path := box + "/messages/" + id
	content := base64.StdEncoding.EncodeToString([]byte("x"))
	big := base64.StdEncoding.EncodeToString(make([]byte, attachmentLimit))
	sessionOf := func(change string) string {
		item := `"attachmentType":"file","name":"a.pdf","size":3145728,"contentType":"application/pdf"`
		return `{"AttachmentItem":{` + item + change + `}}`
	}
	for name, tt := range map[string]struct {
		path, doc string
		status    int
		code      string
	}{
		"file": {path + "/attachments", `{"@odata.type":"#microsoft.graph.fileAttachment","name":"a","contentBytes":"` + content +
			`"}`, 201, ""},
		"no type":         {path + "/attachments", `{"name":"a","contentBytes":"` + content + `"}`, 400, "RequestBodyRead"},
		"item attachment": {path + "/attachments", `{"@odata.type":"#microsoft.graph.itemAttachment","name":"a"}`, 400, "RequestBodyRead"},
		"no name": {path + "/attachments", `{"@odata.type":"#microsoft.graph.fileAttachment","contentBytes":"` + content + `"}`, 400,
			"RequestBodyRead"},
		"no content": {path + "/attachments", `{"@odata.type":"#microsoft.graph.fileAttachment","name":"a"}`, 400, "RequestBodyRead"},
		"bad base64": {path + "/attachments", `{"@odata.type":"#microsoft.graph.fileAttachment","name":"a","contentBytes":"*"}`, 400,
			"RequestBodyRead"},
		"3 MB at once": {path + "/attachments", `{"@odata.type":"#microsoft.graph.fileAttachment","name":"a","contentBytes":"` + big +
			`"}`, 413, ""},
		"no draft": {box + "/messages/AAMk/attachments",
			`{"@odata.type":"#microsoft.graph.fileAttachment","name":"a","contentBytes":"` + content + `"}`, 404, "ErrorItemNotFound"},
		"session": {path + "/attachments/createUploadSession", sessionOf(``), 201, ""},
		"small session": {path + "/attachments/createUploadSession", sessionOf(`,"size":3145727`), 400,
			"ErrorAttachmentSizeShouldNotBeLessThanMinimumSize"},
		"huge session": {path + "/attachments/createUploadSession", sessionOf(`,"size":157286401`), 400,
			"ErrorAttachmentSizeLimitExceeded"},
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
	if r := c.do("PUT", path+"/$value", strings.NewReader(wrapped(strings.Replace(sample(""), "<1@", "<2@", 1), "\n")), "Content-Type",
		"text/plain"); r.status != 200 || r.doc["internetMessageId"] != "<2@contoso.example>" {
		t.Errorf("%+v", r)
	}
	if a, b := len(c.search("", "<1@contoso.example>")), len(c.search("", "<2@contoso.example>")); a != 0 || b != 1 {
		t.Errorf("found %d and %d", a, b)
	}
}
