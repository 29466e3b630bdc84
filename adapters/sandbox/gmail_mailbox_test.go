package sandbox

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters/sandbox/google"
)

// What the mailbox of a sender shows: full and raw messages, labels, drafts, threads and
// the queries that programs which send make.
func TestGmailMailbox(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	c := newGmailClient(t, s)
	c.token = gmailToken(t, s, gmailFrom, google.ScopeMail)
	const me = "/gmail/v1/users/me/"
	ask := func(method, path, body string) map[string]any {
		t.Helper()
		r := c.do(method, me+path, strings.NewReader(body), "Content-Type", "application/json")
		var doc map[string]any
		if r.status >= 400 || r.body != "" && json.Unmarshal([]byte(r.body), &doc) != nil {
			t.Fatalf("%s %s: %d %s", method, path, r.status, r.body)
		}
		return doc
	}
	raw := func(id, subject, more string) string {
		return base64.URLEncoding.EncodeToString([]byte("From: " + gmailFrom + "\r\nTo: Anna <anna@example.com>\r\nMessage-ID: <" + id +
			"@contoso.example>\r\nSubject: " + subject + "\r\n" + more))
	}
	text := "Content-Type: text/plain\r\n\r\nThe word\r\n"
	mixed := "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nPlain\r\n" +
		"--b\r\nContent-Type: text/csv\r\nContent-Disposition: attachment; filename=a.csv\r\n" +
		"Content-Transfer-Encoding: base64\r\n\r\nYTtiCg==\r\n--b--\r\n"
	first := ask("POST", "messages/send", `{"raw":"`+raw("1", "First", mixed)+`"}`)
	second := ask("POST", "messages/send", `{"raw":"`+raw("2", "Re: First", "In-Reply-To: <1@contoso.example>\r\n"+text)+`"}`)
	if first["threadId"] != second["threadId"] || first["id"] == second["id"] {
		t.Errorf("threads: %v %v", first, second)
	}
	id := first["id"].(string)
	payload := ask("GET", "messages/"+id, "")["payload"].(map[string]any)
	parts := payload["parts"].([]any)
	file := parts[1].(map[string]any)
	if payload["mimeType"] != "multipart/mixed" || file["filename"] != "a.csv" ||
		parts[0].(map[string]any)["body"].(map[string]any)["data"] != base64.URLEncoding.EncodeToString([]byte("Plain")) {
		t.Errorf("full: %v", payload)
	}
	attachment := file["body"].(map[string]any)["attachmentId"].(string)
	if doc := ask("GET", "messages/"+id+"/attachments/"+attachment, ""); doc["data"] != base64.URLEncoding.EncodeToString([]byte("a;b\n")) {
		t.Errorf("attachment: %v", doc)
	}
	if whole, err := base64.URLEncoding.DecodeString(ask("GET", "messages/"+id+"?format=raw", "")["raw"].(string)); err != nil ||
		!strings.Contains(string(whole), "Subject: First") {
		t.Errorf("raw: %s %v", whole, err)
	}
	label := ask("POST", "labels", `{"name":"ERP mail"}`)["id"].(string)
	ask("POST", "messages/"+id+"/modify", `{"addLabelIds":["`+label+`"]}`)
	count := func(q string) int {
		list, _ := ask("GET", "messages?q="+url.QueryEscape(q), "")["messages"].([]any)
		return len(list)
	}
	for q, n := range map[string]int{
		"": 2, "in:sent": 2, "subject:first": 2, "subject:first -in:inbox has:attachment": 1, "filename:a.csv": 1, "to:anna from:erp": 2,
		`"the word"`: 1, "word OR plain": 2, "label:erp-mail": 1, "in:trash": 0, "newer_than:1d": 2, "older_than:1d": 0, "after:2020/01/01": 2,
		"before:2020/01/01": 0, "rfc822msgid:2@contoso.example": 1, "rfc822msgid:2@contoso.example in:inbox": 0, "larger:10M": 0, "is:unread": 0,
		"after:": 0, "((": 2, "newer_than:xd": 2, "larger:x": 2,
	} {
		if got := count(q); got != n {
			t.Errorf("%q: %d, want %d", q, got, n)
		}
	}
	draft := ask("POST", "drafts", `{"message":{"raw":"`+raw("3", "Draft", text)+`"}}`)["id"].(string)
	if got := ask("PUT", "drafts/"+draft, `{"message":{"raw":"`+raw("4", "Draft 2", text)+`"}}`)["id"]; got != draft {
		t.Errorf("update: %v", got)
	}
	if n := len(s.Deliveries()); n != 2 {
		t.Errorf("a draft was delivered: %d", n)
	}
	if n := len(ask("GET", "drafts", "")["drafts"].([]any)); n != 1 {
		t.Errorf("%d drafts", n)
	}
	ask("POST", "drafts/send", `{"id":"`+draft+`"}`)
	if all := s.Deliveries(); len(all) != 3 || all[2].Subject != "Draft 2" {
		t.Errorf("sent draft: %+v", all)
	}
	if r := c.do("GET", me+"drafts/"+draft, nil); r.status != 404 {
		t.Errorf("the draft is still there: %d", r.status)
	}
	if n := len(ask("GET", "threads/"+first["threadId"].(string), "")["messages"].([]any)); n != 2 {
		t.Errorf("%d in the thread", n)
	}
	ask("POST", "messages/"+id+"/trash", "")
	if count("has:attachment") != 0 || count("in:trash") != 1 {
		t.Error("trash")
	}
	for path, status := range map[string]int{
		"messages/" + id + "/modify": 400, "drafts/send": 404, "labels": 409,
	} {
		body := map[string]string{"labels": `{"name":"erp MAIL"}`, "drafts/send": `{"id":"r-none"}`}[path]
		if body == "" {
			body = `{"addLabelIds":["Label_none"]}`
		}
		if r := c.do("POST", me+path, strings.NewReader(body), "Content-Type", "application/json"); r.status != status {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	page := ask("GET", "messages?maxResults=1", "")
	next, _ := page["nextPageToken"].(string)
	if rest := ask("GET", "messages?maxResults=1&pageToken="+next, ""); next == "" || rest["nextPageToken"] != nil {
		t.Errorf("pages: %v %v", page, rest)
	}
}

// A draft is uploaded in each form too.
func TestGmailDraftUploads(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	c := newGmailClient(t, s)
	c.token = gmailToken(t, s, gmailFrom, google.ScopeMail)
	const path = "/upload/gmail/v1/users/me/drafts?uploadType="
	msg := gmailSample("")
	if r := c.do("POST", path+"media", strings.NewReader(msg), "Content-Type", "message/rfc822"); r.status != 200 ||
		!strings.Contains(r.body, `"DRAFT"`) {
		t.Errorf("media: %d %s", r.status, r.body)
	}
	r := c.do("POST", path+"resumable", strings.NewReader("{}"), "X-Upload-Content-Type", "message/rfc822", "Content-Type", "application/json")
	u, err := url.Parse(r.header.Get("Location"))
	if err != nil || r.status != 200 {
		t.Fatalf("%d %s %v", r.status, r.body, err)
	}
	if r := c.do("PUT", u.RequestURI(), strings.NewReader(msg), "Content-Type", "message/rfc822"); r.status != 200 ||
		!strings.Contains(r.body, `"DRAFT"`) {
		t.Errorf("resumable: %d %s", r.status, r.body)
	}
	if n := len(s.Deliveries()); n != 0 {
		t.Errorf("%d delivered", n)
	}
}
