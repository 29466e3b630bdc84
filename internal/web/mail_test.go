package web

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/store"
)

// evil is text as an attacker writes it.
const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>`

// send hands over a message as the person who has signed in, and returns its id.
func (w *world) send(change ...func(map[string]any)) string {
	w.t.Helper()
	m := map[string]any{"from": "ERP <erp@contoso.it>", "to": []string{"Anna Rossi <anna@example.com>"}, "subject": "Offerta", "text": "Ciao"}
	for _, f := range change {
		f(m)
	}
	b, err := json.Marshal(m)
	w.must(err)
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, w.http.URL+"/v1/messages", bytes.NewReader(b))
	w.must(err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	a, err := w.browser.Do(r)
	w.must(err)
	defer a.Body.Close()
	var out struct {
		api.Accepted
		Detail string `json:"detail"`
	}
	w.must(json.NewDecoder(a.Body).Decode(&out))
	if a.StatusCode != http.StatusAccepted {
		w.t.Fatalf("%d: %s", a.StatusCode, out.Detail)
	}
	return out.ID
}

// mayBeSent leaves all that is queued as what may have been sent: a node took it and died.
func (w *world) mayBeSent() {
	w.t.Helper()
	ctx, now := context.Background(), time.Now()
	n, _, err := w.store.Register(ctx, "test", now, now.Add(time.Minute))
	w.must(err)
	_, err = w.store.Claim(ctx, store.ClaimRequest{Node: n, Now: now.Add(time.Second), Max: 10})
	w.must(err)
	w.must(w.store.Leave(ctx, n, now.Add(2*time.Second)))
}

// mailWorld has a connection of the administrators and one of the operator, and
// the administrator has signed in.
func mailWorld(t testing.TB, change ...func(*api.Options, *Options)) *world {
	t.Helper()
	w := newWorld(t, append(change, func(_ *api.Options, o *Options) { o.UndoTime = cmp.Or(o.UndoTime, 50*time.Millisecond) })...)
	w.connection("Ufficio", "*@contoso.it", "")
	w.connection("Seconda", "*@seconda.example", "")
	w.connection("Mia", "*@bruno.example", w.operator.ID)
	w.signIn(w.admin)
	return w
}

func TestMail(t *testing.T) {
	t.Parallel()
	w := mailWorld(t)
	w.get("/mail").want(200, "Every message that your programs send appears here")
	w.send()
	w.send(func(m map[string]any) { m["subject"] = evil })
	w.get("/mail").want(200, "Offerta", "erp@contoso.it", "anna@example.com", "Ufficio", "Waiting", "2 messages").without("<script>alert")
	w.get("/mail", "Accept-Language", "it").want(200, "Posta", "In coda", "2 messaggi", "Cerca")
	w.get("/mail?q=offerta").want(200, "One message", "Retry").without("onerror")
	w.get("/mail?q=offerta&state=held").want(200, "Nothing matches")
	w.get("/mail?state=nonsense").want(200, "2 messages")
	w.get("/mail?q=" + url.QueryEscape(evil)).want(422).without("<script>alert")
	w.get("/mail?q=form:anna").want(422, "there is no operator", "form:anna", "Did you mean").without(`href="#f-query`)
	w.get("/mail?after=x").want(422)
	w.get("/mail/find?q=offerta&to=anna%22&subject=&after=2026-11-30").
		to("/mail?" + url.Values{"q": {`offerta to:"anna" after:"2026-11-30"`}}.Encode())
	a := w.get("/mail?q=offerta").want(200, "Export", "As JSON lines")
	if !strings.Contains(a.body, `href="/mail/export?format=csv&amp;q=offerta"`) {
		t.Errorf("%s", a.body)
	}
	a = w.get("/mail/export?format=csv&q=offerta").want(200, "message,delivery,", "Offerta")
	if strings.Count(a.body, "\n") != 2 || !strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment") {
		t.Errorf("%v %s", a.header, a.body)
	}
	w.get("/mail/export?format=csv", "Accept-Language", "it").want(200, "message;delivery;")
	w.get("/mail/export?format=xml").want(422)
	w.get("/mail/export?format=csv&q=form:x").want(422)
	for i := range 51 {
		w.send(func(m map[string]any) { m["subject"] = fmt.Sprintf("Seite %d", i) })
	}
	w.get("/mail?q=seite").want(200, "50 on this page", "Next page", "Seite 50").without("Seite 0<")
}

func TestBulk(t *testing.T) {
	t.Parallel()
	w := mailWorld(t)
	id := w.send()
	w.send(func(m map[string]any) { m["subject"] = "Fattura" })
	w.get("/mail/bulk?action=cancel&q=offerta").want(200, "Cancel one message", "until then you can undo it")
	w.get("/mail/bulk?action=release&q=offerta").want(200, "nothing is in a state for this")
	w.get("/mail/bulk?action=lose&q=offerta").want(404)
	w.get("/mail/bulk?action=cancel").want(422)
	w.post("/mail/bulk", "action", "cancel", "q", "offerta").want(200, "Undo", "Done: one message.")
	w.get("/mail/"+id).want(200, "Cancelled")
	w.get("/mail?state=waiting").want(200, "Fattura").without("Offerta")
	w.post("/mail/bulk", "action", "retry", "q", "offerta", "state", "cancelled").want(200, "Done: one message.")
	w.get("/mail/"+id).want(200, "Waiting")

	// A reader that leaves within the time to undo has undone it.
	w.pages.opt.UndoTime = time.Minute
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.http.URL+"/mail/bulk", strings.NewReader("action=cancel&q=offerta"))
	w.must(err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	a, err := w.browser.Do(r)
	w.must(err)
	cancel()
	w.must(a.Body.Close())
	w.get("/mail/"+id).want(200, "Waiting")
}

func TestMessage(t *testing.T) {
	t.Parallel()
	w := mailWorld(t)
	id := w.send(func(m map[string]any) {
		m["subject"], m["html"], m["text"] = evil, "<p>Ciao</p>"+evil, evil
		m["cc"], m["bcc"], m["tag"] = []string{"Carla <carla@example.com>"}, []string{"capo@example.com"}, evil
		m["attachments"] = []map[string]any{{"filename": "../../" + evil + ".html", "content": "PHNjcmlwdD4="}}
	})
	at := "/mail/" + id
	a := w.get(at).want(200, "Carla <carla@example.com>", "capo@example.com", "Cc", "Bcc", "Ufficio", "API", "What happened", "Attachments",
		"Message-ID").without("<script>alert", "<img src=x")
	a.want(200, "What was said with the program that submitted it", "POST /v1/messages (application/json, ",
		") -> 202 x-request-id ", "127.0.0.1")
	if !strings.Contains(a.body, `sandbox=""`) {
		t.Error("the HTML has no empty sandbox")
	}
	a = w.get(at+"/html").want(200, "Ciao")
	for _, part := range []string{"default-src 'none'", "sandbox", "frame-ancestors 'self'"} {
		if !strings.Contains(a.header.Get("Content-Security-Policy"), part) {
			t.Errorf("the policy of the HTML is %q", a.header.Get("Content-Security-Policy"))
		}
	}
	if strings.Contains(a.header.Get("Content-Security-Policy"), "script-src") || a.header.Get("X-Frame-Options") != "SAMEORIGIN" {
		t.Errorf("%v", a.header)
	}
	raw := w.get(at + "/raw").want(200)
	if !strings.HasPrefix(raw.header.Get("Content-Disposition"), "attachment") || !strings.Contains(raw.body, "Carla") ||
		strings.Contains(raw.body, "capo@example.com") {
		t.Errorf("%v %s", raw.header, raw.body)
	}
	var content api.MessageContent
	w.must(json.Unmarshal([]byte(w.get("/v1/messages/"+id+"/content").body), &content))
	long := w.send(func(m map[string]any) {
		m["attachments"] = []map[string]any{{"filename": strings.Repeat("è", 100) + "-bilancio.pdf", "content": "aGVsbG8="}}
	})
	w.get("/mail/"+long).want(200, strings.Repeat("è", 43)+"…"+"èèè-bilancio.pdf").without(strings.Repeat("è", 44))
	file := w.get(fmt.Sprintf("%s/parts/%d", at, content.Attachments[0].Part)).want(200)
	if d := file.header.Get("Content-Disposition"); !strings.HasPrefix(d, "attachment") || strings.ContainsAny(d, "/<>") ||
		file.header.Get("Content-Type") != "application/octet-stream" || file.body != "<script>" {
		t.Errorf("%v %q", file.header, file.body)
	}
	for _, wrong := range []string{at + "/parts/99", at + "/parts/x", "/mail/nope", "/mail/01ka8z00000000000000000000", at + "/confirm/lose",
		"/mail/..%2f..%2fv1%2fpeople"} {
		w.get(wrong).want(404)
	}
	w.get(at+"/confirm/cancel").want(200, "Cancel this message?")
	w.post(at+"/act", "action", "hold").to(at)
	a = w.get(at).want(200, "It is held until you release it.", "Release", "Test connection").without(`/confirm/hold"`)
	if !strings.Contains(a.body, `/send?from=erp%40contoso.it&amp;to=anna%40example.com"`) {
		t.Error("the test does not begin with the message's sender and recipient")
	}
	w.post(at+"/act", "action", "cancel").to(at)
	w.get(at).want(200, "Cancelled: it is not sent.")
	w.post(at+"/act", "action", "release").to(at)
	w.get(at).want(200, "Nothing was changed")
}

func TestResend(t *testing.T) {
	t.Parallel()
	w := mailWorld(t)
	id := w.send(func(m map[string]any) { m["cc"] = []string{"carla@example.com"} })
	at := "/mail/" + id + "/resend"
	w.get(at).want(200, "Resend: Offerta", "anna@example.com", "carla@example.com", "a new Message-ID and Date")
	w.post(at, "recipients", "carla@example.com", "connection", "Nessuna").want(422, `There is no connection "Nessuna"`, "Nessuna")
	w.post(at, "connection", "Seconda").want(422, "Choose at least one recipient")
	w.post(at, "recipients", "eva@example.com").want(422, "was no recipient")
	a := w.post(at, "recipients", "carla@example.com", "connection", "Seconda")
	to := a.header.Get("Location")
	if a.status != http.StatusSeeOther || to == "/mail/"+id || !strings.HasPrefix(to, "/mail/") {
		t.Fatalf("%d to %q: %s", a.status, to, a.text())
	}
	w.get(to).want(200, "Resent: this is the new message.", "Seconda", "carla@example.com", "Sent once more, of", id)
}

func TestHeld(t *testing.T) {
	t.Parallel()
	w := mailWorld(t)
	w.get("/held").want(200, "Nothing is held")
	unknown := w.send(func(m map[string]any) { m["subject"] = "Forse" })
	w.mayBeSent()
	w.get("/mail/"+unknown).want(200, "Being verified", "It is not known whether this message was sent")
	w.post("/mail/"+unknown+"/act", "action", "hold").to("/mail/" + unknown)
	w.get("/mail/"+unknown+"/confirm/retry").want(200, "recipients may get it twice")
	held := w.send(func(m map[string]any) { m["subject"] = "Ferma" })
	w.post("/mail/"+held+"/act", "action", "hold").to("/mail/" + held)
	w.get("/held").want(200, "Forse", "It may have been sent", "Ferma", "None: it was not sent", "2 messages", "Release", "Cancel")
	w.get("/").want(200, "Messages wait until someone decides", "Decide").without("Everything works")

	// What may have been sent is not retried with the rest, unless its state is chosen.
	w.post("/mail/bulk", "action", "retry", "q", "forse").want(200, "Done: 0 messages.")
	list, err := w.store.List(context.Background(), store.ListRequest{Filter: store.Filter{States: []store.State{store.Held}}})
	w.must(err)
	for _, e := range list.Entries {
		action := map[string]string{"Forse": "cancel", "Ferma": "release"}[e.Message.Subject]
		w.post("/held/"+e.Delivery.ID.String(), "action", action).to("/held")
	}
	w.get("/held").want(200, "Nothing is held")
	w.get("/mail/"+held).want(200, "Waiting")
	w.get("/mail/"+unknown).want(200, "Cancelled")
	w.post("/held/"+list.Entries[0].Delivery.ID.String(), "action", "release").to("/held")
	w.get("/held").want(200, "Nothing was changed")
}

// An operator sees and steers the mail of their own connections, and no other.
func TestOperatorsMail(t *testing.T) {
	t.Parallel()
	w := mailWorld(t)
	id := w.send(func(m map[string]any) { m["subject"] = "segreto" })
	w.signIn(w.operator)
	own := w.send(func(m map[string]any) { m["from"], m["subject"] = "io@bruno.example", "Mia posta" })
	w.get("/mail").want(200, "Mia posta", "One message").without("segreto")
	w.get("/mail/"+own).want(200, "Mia posta").without("127.0.0.1", "submitted it") // addresses of programs are the administrators'
	for _, path := range []string{"", "/html", "/raw", "/parts/1", "/confirm/cancel", "/resend"} {
		w.get("/mail/" + id + path).want(404).without("segreto")
	}
	w.post("/mail/"+id+"/act", "action", "cancel").want(404)
	w.post("/mail/"+id+"/resend", "recipients", "anna@example.com").want(404)
	w.post("/mail/bulk", "action", "cancel", "state", "waiting").want(200, "Done: one message.")
	list, err := w.store.Deliveries(context.Background(), mustID(t, id))
	w.must(err)
	if list[0].State != store.Queued {
		t.Error("an operator has cancelled what is another's")
	}
	w.post("/held/"+list[0].ID.String(), "action", "cancel").to("/held")
	w.get("/mail?q=segreto").want(200, "Nothing matches")
}

func mustID(t *testing.T, s string) store.ID {
	t.Helper()
	id, err := store.ParseID(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}
