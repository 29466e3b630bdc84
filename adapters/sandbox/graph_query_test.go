package sandbox

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// graphMailbox is a mailbox of a directory with a few messages: one sent to another
// mailbox, one MIME draft with a file, and JSON drafts.
func graphMailbox(t *testing.T) (*Sandbox, *graphClient, *clock) {
	t.Helper()
	now := newClock()
	s := start(t, Options{Now: now.now, Directory: &Directory{Unlisted: true, Mailboxes: []Mailbox{{Address: "inbox@contoso.example"}}}})
	c := newGraphClient(t, s)
	for i, subject := range []string{"Invoice 1", "Invoice 2", "Order 3", "O'Neil"} {
		now.advance(time.Minute)
		importance := "normal"
		if i == 2 {
			importance = "high"
		}
		if r := c.postJSON(box+"/messages", `{"subject":"`+subject+`","importance":"`+importance+
			`","body":{"contentType":"html","content":"<p>Body `+
			strconv.Itoa(i)+`</p>"},"toRecipients":[{"emailAddress":{"address":"anna@example.com"}}]}`); r.status != 201 {
			t.Fatalf("%+v", r)
		}
	}
	now.advance(time.Minute)
	mime := "From: erp@contoso.example\r\nTo: inbox@contoso.example\r\nBcc: carol@example.com\r\nSubject: Sent\r\n" +
		"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSecret word\r\n" +
		"--b\r\nContent-Type: text/csv\r\nContent-Disposition: attachment; filename=a.csv\r\n\r\na;b\r\n--b--\r\n"
	if r := c.do("POST", box+"/sendMail", strings.NewReader(wrapped(mime, "")), "Content-Type", "text/plain"); r.status != 202 {
		t.Fatalf("%+v", r)
	}
	return s, c, now
}

// subjects are those of a list, in order.
func subjects(t *testing.T, r reply) string {
	t.Helper()
	list, _ := r.doc["value"].([]any)
	var out []string
	for _, m := range list {
		subject, _ := m.(map[string]any)["subject"].(string)
		out = append(out, subject)
	}
	return strings.Join(out, ",")
}

// What Graph's page on queries shows finds what it means; what Graph refuses is refused
// (contracts B11).
func TestGraphQueries(t *testing.T) {
	t.Parallel()
	_, c, now := graphMailbox(t)
	at := func(d time.Duration) string { return now.now().Add(d).UTC().Format(time.RFC3339) }
	for query, want := range map[string]string{
		"$filter=subject eq 'invoice 1'":                                                        "Invoice 1",
		"$filter=subject eq 'O''Neil'":                                                          "O'Neil",
		"$filter=startswith(subject,'Invoice')":                                                 "Invoice 2,Invoice 1",
		"$filter=contains(subject,'3') or isDraft eq false":                                     "Sent,Order 3",
		"$filter=not (isDraft eq true)":                                                         "Sent",
		"$filter=importance eq 'high'":                                                          "Order 3",
		"$filter=subject ne 'Sent' and (subject eq 'O''Neil' or subject gt 'P')":                "O'Neil",
		"$filter=receivedDateTime ge " + at(-90*time.Second):                                    "Sent,O'Neil",
		"$filter=receivedDateTime lt " + at(-150*time.Second):                                   "Invoice 2,Invoice 1",
		"$filter=from/emailAddress/address eq 'erp@contoso.example' and hasAttachments eq true": "Sent",
		"$filter=toRecipients/any(r:r/emailAddress/address eq 'inbox@contoso.example')":         "Sent",
		"$orderby=subject&$top=2":                                                               "Invoice 1,Invoice 2",
		"$orderby=subject desc&$top=1&$skip=1":                                                  "Order 3",
		"$filter=receivedDateTime ge 2020-01-01&$orderby=receivedDateTime&$top=1":               "Invoice 1",
		`$search="subject:invoice"`:                                                             "Invoice 2,Invoice 1",
		`$search="secret"`:                                                                      "Sent",
		`$search="attachment:a.csv"`:                                                            "Sent",
		`$search="invoice NOT 2"`:                                                               "Invoice 1",
		`$search="subject:order OR subject:sent"`:                                               "Sent,Order 3",
		`$search="to:inbox"`:                                                                    "Sent",
		"$top=1&$select=subject":                                                                "Sent",
	} {
		r := c.do("GET", box+"/messages?"+escapeQuery(query), nil)
		if got := subjects(t, r); r.status != 200 || got != want {
			t.Errorf("%s: %d %q, want %q (%v)", query, r.status, got, want, r.doc["error"])
		}
	}
	for query, code := range map[string]string{
		"$filter=subject":                                  "BadRequest",
		"$filter=subject eq Invoice":                       "BadRequest",
		"$filter=color eq 'x'":                             "BadRequest",
		"$filter=receivedDateTime ge '2020-01-01'":         "BadRequest",
		"$filter=isDraft gt true":                          "BadRequest",
		"$filter=(subject eq 'x'":                          "BadRequest",
		"$filter=" + strings.Repeat("(", 100):              "BadRequest",
		"$filter=subject eq 'x'&$orderby=receivedDateTime": "InefficientFilter",
		"$search=word":                                     "BadRequest",
		`$search="a"&$filter=isDraft eq true`:              "SearchWithFilter",
		`$search="a"&$orderby=subject`:                     "SearchWithOrderBy",
		"$orderby=color":                                   "BadRequest",
		"$skip=-1":                                         "BadRequest",
		"$apply=x":                                         "BadRequest",
	} {
		r := c.do("GET", box+"/messages?"+escapeQuery(query), nil)
		e, _ := r.doc["error"].(map[string]any)
		if r.status != http.StatusBadRequest || e["code"] != code {
			t.Errorf("%s: %d %v", query, r.status, r.doc)
		}
	}
}

func escapeQuery(q string) string {
	values := url.Values{}
	for pair := range strings.SplitSeq(q, "&") {
		name, v, _ := strings.Cut(pair, "=")
		values.Set(name, v)
	}
	return values.Encode()
}

// @odata.nextLink leads through all pages, once each, and ends.
func TestGraphPages(t *testing.T) {
	t.Parallel()
	_, c, _ := graphMailbox(t)
	for _, query := range []string{"$top=2&$count=true&$select=subject", `$search="body"&$top=2&$count=true`} {
		next := box + "/messages?" + escapeQuery(query)
		seen, pages := map[string]bool{}, 0
		for next != "" {
			r := c.do("GET", next, nil)
			for _, name := range strings.Split(subjects(t, r), ",") {
				if seen[name] {
					t.Errorf("%s: %q twice", query, name)
				}
				seen[name] = true
			}
			pages++
			next, _ = r.doc["@odata.nextLink"].(string)
			if n, _ := r.doc["@odata.count"].(float64); int(n) != 5 && int(n) != 4 {
				t.Errorf("%s: count %v", query, r.doc["@odata.count"])
			}
		}
		if len(seen) < 4 || pages != (len(seen)+1)/2 {
			t.Errorf("%s: %v in %d pages", query, seen, pages)
		}
	}
	if r := c.do("GET", box+"/messages/$count", nil); r.doc["raw"] != "5" {
		t.Errorf("count: %+v", r)
	}
}

// A message to a mailbox of the directory is received there: read, answered, forwarded,
// moved and counted.
func TestGraphAnswers(t *testing.T) {
	t.Parallel()
	s, c, _ := graphMailbox(t)
	const other = "inbox@contoso.example"
	r := c.do("GET", other+"/mailFolders/inbox/messages?$expand=attachments", nil)
	list, _ := r.doc["value"].([]any)
	if len(list) != 1 {
		t.Fatalf("inbox: %+v", r)
	}
	m := list[0].(map[string]any)
	id := url.PathEscape(m["id"].(string))
	if m["isRead"] != false || m["isDraft"] != false || !strings.Contains(m["bodyPreview"].(string), "Secret") ||
		len(m["attachments"].([]any)) != 1 {
		t.Errorf("received: %v", m)
	}
	if r := c.do("GET", other+"/messages/"+id+"/$value", nil); strings.Contains(r.doc["raw"].(string), "carol") {
		t.Error("the recipient sees Bcc")
	}
	file := m["attachments"].([]any)[0].(map[string]any)["id"].(string)
	if r := c.do("GET", other+"/messages/"+id+"/attachments/"+file+"/$value", nil); r.doc["raw"] != "a;b" {
		t.Errorf("attachment: %+v", r)
	}
	for kind, tt := range map[string]struct{ body, subject, to string }{
		"reply":    {`{"comment":"Yes"}`, "RE: Sent", "erp@contoso.example"},
		"replyAll": {`{"message":{"body":{"contentType":"text","content":"Own"}}}`, "RE: Sent", "erp@contoso.example"},
		"forward": {`{"comment":"See","toRecipients":[{"emailAddress":{"address":"bob@example.com"}}]}`,
			"FW: Sent", "bob@example.com"},
	} {
		before := len(s.Deliveries())
		r := c.postJSON(other+"/messages/"+id+"/"+kind, tt.body)
		all := s.Deliveries()
		if r.status != 202 || len(all) != before+1 || all[before].Subject != tt.subject || all[before].Recipients[0] != tt.to {
			t.Errorf("%s: %+v", kind, r)
		}
	}
	if r := c.postJSON(other+"/messages/"+id+"/reply", `{"comment":"a","message":{"body":{"content":"b"}}}`); r.status != 400 {
		t.Errorf("comment and body: %+v", r)
	}
	if r := c.do("POST", other+"/messages/"+id+"/createReply", nil); r.status != 201 ||
		r.doc["isDraft"] != true || r.doc["subject"] != "RE: Sent" {
		t.Errorf("createReply: %+v", r)
	}
	r = c.postJSON(other+"/mailFolders", `{"displayName":"Done"}`)
	folder, _ := r.doc["id"].(string)
	if r := c.postJSON(other+"/messages/"+id+"/move", `{"destinationId":"`+folder+`"}`); r.status != 201 || r.doc["id"] == m["id"] ||
		r.doc["parentFolderId"] != folder {
		t.Errorf("move: %+v", r)
	}
	if r := c.do("GET", other+"/messages/"+id, nil); r.status != 404 {
		t.Errorf("the old id: %d", r.status)
	}
	if r := c.do("DELETE", other+"/mailFolders/"+url.PathEscape(folder), nil); r.status != 204 {
		t.Errorf("delete folder: %+v", r)
	}
	if r := c.do("DELETE", other+"/mailFolders/inbox", nil); r.status != 400 {
		t.Errorf("delete inbox: %+v", r)
	}
	if r := c.do("GET", other+"/mailFolders/deleteditems", nil); r.doc["totalItemCount"] != float64(1) ||
		r.doc["unreadItemCount"] != float64(1) {
		t.Errorf("deleted items: %+v", r)
	}
}

// PATCH changes drafts, and of what was sent only what is a mark on it.
func TestGraphPatch(t *testing.T) {
	t.Parallel()
	s, c, _ := graphMailbox(t)
	patch := func(id, body string) reply {
		return c.do("PATCH", box+"/messages/"+url.PathEscape(id), strings.NewReader(body), "Content-Type", "application/json")
	}
	r := c.createMIME("From: erp@contoso.example\r\nTo: anna@example.com\r\nSubject: x\r\nMessage-ID: <9@contoso.example>\r\n" +
		"Content-Type: text/html\r\n\r\n<b>Hi</b>")
	id := r.doc["id"].(string)
	r = patch(id, `{"subject":"y","ccRecipients":[{"emailAddress":{"address":"bob@example.com"}}],"categories":["a"],"isRead":false}`)
	if r.status != 200 || r.doc["subject"] != "y" || r.doc["isRead"] != false ||
		!strings.Contains(r.doc["body"].(map[string]any)["content"].(string), "<b>Hi</b>") {
		t.Fatalf("%+v", r)
	}
	if r := c.do("POST", box+"/messages/"+url.PathEscape(id)+"/send", nil, "Content-Length", "0"); r.status != 202 {
		t.Fatalf("send: %+v", r)
	}
	all := s.Deliveries()
	if d := all[len(all)-1]; d.Subject != "y" || strings.Join(d.Recipients, " ") != "anna@example.com bob@example.com" ||
		d.MessageID != "<9@contoso.example>" {
		t.Errorf("sent: %+v", d)
	}
	list := c.do("GET", box+"/mailFolders/sentitems/messages?"+escapeQuery("$filter=subject eq 'y'"), nil).doc["value"].([]any)
	sent := list[0].(map[string]any)
	if r := patch(sent["id"].(string), `{"isRead":false,"flag":{"flagStatus":"flagged"}}`); r.status != 200 || r.doc["isRead"] != false {
		t.Errorf("marks: %+v", r)
	}
	for _, body := range []string{`{"subject":"z"}`, `{"color":"red"}`, `{"body":{"contentType":"rtf","content":""}}`} {
		if r := patch(sent["id"].(string), body); r.status != 400 {
			t.Errorf("%s: %+v", body, r)
		}
	}
}

// $batch answers each request as if it came alone, with its own status (contracts L7).
func TestGraphBatch(t *testing.T) {
	t.Parallel()
	_, c, _ := graphMailbox(t)
	r := c.postJSON(c.s.GraphURL()+"/v1.0/$batch", `{"requests":[
		{"id":"1","method":"GET","url":"/users/erp@contoso.example/messages?$top=1"},
		{"id":"2","method":"GET","url":"/me/messages"},
		{"id":"3","method":"POST","url":"/users/erp@contoso.example/messages","headers":{"Content-Type":"application/json"},
			"body":{"subject":"b"}},
		{"id":"4","method":"GET","url":"/users/erp@contoso.example/messages","dependsOn":["2"]}]}`)
	got := map[string]float64{}
	for _, one := range r.doc["responses"].([]any) {
		one := one.(map[string]any)
		got[one["id"].(string)] = one["status"].(float64)
	}
	if got["1"] != 200 || got["2"] != 400 || got["3"] != 201 || got["4"] != 424 {
		t.Errorf("%v", r.doc)
	}
	many := strings.TrimSuffix(strings.Repeat(`{"id":"x","method":"GET","url":"/me"},`, 21), ",")
	for _, body := range []string{`{"requests":[]}`, `{"requests":[` + many + `]}`, `x`,
		`{"requests":[{"id":"1","method":"GET","url":"me"}]}`} {
		if r := c.postJSON(c.s.GraphURL()+"/v1.0/$batch", body); r.status != 400 {
			t.Errorf("%.40s: %d", body, r.status)
		}
	}
	if r := c.do("GET", c.s.GraphURL()+"/v1.0/me", nil); r.status != 400 ||
		!strings.Contains(r.doc["error"].(map[string]any)["message"].(string), "delegated") {
		t.Errorf("/me: %+v", r)
	}
}
