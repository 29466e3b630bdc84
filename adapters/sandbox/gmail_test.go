package sandbox

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters/sandbox/google"
)

const gmailFrom = "erp@contoso.example"

const gmailUploadPath = "/upload/gmail/v1/users/me/messages/send?uploadType="

func TestGmailForms(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	c := newGmailClient(t, s)
	msg := gmailSample("Cc: bob@example.com\r\nBcc: Carol@Example.com, " + gmailFrom + "\r\n")
	raw := func(enc *base64.Encoding) func() gmailReply {
		return func() gmailReply {
			return c.do("POST", "/gmail/v1/users/"+url.PathEscape(gmailFrom)+"/messages/send?alt=json",
				strings.NewReader(`{"raw":"`+enc.EncodeToString([]byte(msg))+`"}`), "Content-Type", "application/json; charset=UTF-8")
		}
	}
	for _, f := range []struct {
		route string
		send  func() gmailReply
	}{
		{"raw", raw(base64.URLEncoding)},
		{"raw", raw(base64.RawURLEncoding)},
		{"media", func() gmailReply { return c.media(msg) }},
		{"multipart", func() gmailReply { return c.multipart(msg, "message/rfc822", 2) }},
		{"resumable", func() gmailReply { return c.resumable(msg, "") }},
		{"resumable", func() gmailReply { return c.resumable(msg, "/resumable") }},
	} {
		r := f.send()
		var sent gmailReceipt
		if err := json.Unmarshal([]byte(r.body), &sent); err != nil || r.status != http.StatusOK || sent.ID == "" || sent.ThreadID == "" {
			t.Fatalf("%s: %d %s", f.route, r.status, r.body)
		}
		if !slices.Equal(sent.LabelIDs, []string{"SENT", "INBOX"}) {
			t.Errorf("%s: labels %q", f.route, sent.LabelIDs)
		}
		all := s.Deliveries()
		d := all[len(all)-1]
		if d.Route != f.route || d.Mailbox != gmailFrom || d.EnvelopeFrom != gmailFrom || d.MessageID != "<1@contoso.example>" ||
			d.Size != int64(len(msg)) ||
			d.Subject != "Fattura n° 1" || strings.Join(d.Recipients, " ") != "anna@example.com bob@example.com carol@example.com "+gmailFrom {
			t.Errorf("%s: %+v", f.route, d)
		}
		if d.SHA256 != all[0].SHA256 {
			t.Errorf("%s: other bytes arrived", f.route)
		}
	}
	if shown := readAll(t, s.OpenShown, s.Deliveries()[0]); strings.Contains(shown, "Carol") {
		t.Errorf("Bcc is shown:\n%s", shown)
	}
}

func TestGmailRefusals(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	c := newGmailClient(t, s)
	post := func(target, body string, header ...string) gmailReply {
		return c.do("POST", target, strings.NewReader(body), header...)
	}
	many := "Bcc: a0@example.com"
	for i := range 100 - 1 {
		many += fmt.Sprintf(",\r\n b%d@example.com", i)
	}
	readOnly := "Bearer " + gmailToken(t, s, gmailFrom, google.ScopeRead)
	noSubject := "Bearer " + gmailToken(t, s, "", google.ScopeSend)
	noLicense := "Bearer " + gmailToken(t, s, "nolicense@contoso.example", google.ScopeSend)
	for name, r := range map[string]struct {
		got    gmailReply
		status int
		reason string
	}{
		"no token":    {post(gmailUploadPath+"media", "x", "Authorization", ""), 401, "authError"},
		"wrong token": {post(gmailUploadPath+"media", "x", "Authorization", "Bearer nonsense"), 401, "authError"},
		"scope": {post(gmailUploadPath+"media", gmailSample(""), "Authorization", readOnly, "Content-Type", "message/rfc822"), 403,
			"insufficientPermissions"},
		"no subject": {post(gmailUploadPath+"media", gmailSample(""), "Authorization", noSubject, "Content-Type", "message/rfc822"), 400,
			"failedPrecondition"},
		"no license": {post(gmailUploadPath+"media", gmailSample(""), "Authorization", noLicense, "Content-Type", "message/rfc822"), 400,
			"failedPrecondition"},
		"other mailbox": {post("/gmail/v1/users/other@contoso.example/messages/send", "{}", "Content-Type", "application/json"), 403,
			"delegationDenied"},
		"sniffed type":   {post(gmailUploadPath+"media", gmailSample(""), "Content-Type", "text/plain"), 400, "badContent"},
		"raw as message": {post("/gmail/v1/users/me/messages/send", gmailSample(""), "Content-Type", "message/rfc822"), 400, "badRequest"},
		"no raw":         {post("/gmail/v1/users/me/messages/send", "{}", "Content-Type", "application/json"), 400, "invalidArgument"},
		"standard base64": {post("/gmail/v1/users/me/messages/send", `{"raw":"++++"}`, "Content-Type", "application/json"), 400,
			"invalidArgument"},
		"no JSON": {post("/gmail/v1/users/me/messages/send", `{"raw"`, "Content-Type", "application/json"), 400, "parseError"},
		"no upload type": {post("/upload/gmail/v1/users/me/messages/send", gmailSample(""), "Content-Type", "message/rfc822"), 400,
			"badRequest"},
		"no recipients":   {c.media("From: " + gmailFrom + "\r\nTo: undisclosed-recipients:;\r\n\r\nx\r\n"), 400, "invalidArgument"},
		"bad address":     {c.media("From: " + gmailFrom + "\r\nTo: anna\r\n\r\nx\r\n"), 400, "invalidArgument"},
		"101 recipients":  {c.media(gmailSample(many + "\r\n")), 400, "invalidArgument"},
		"NUL":             {c.media(gmailSample("X-A: \x00\r\n")), 400, "invalidArgument"},
		"multipart type":  {c.multipart(gmailSample(""), "text/plain", 2), 400, "badContent"},
		"multipart one":   {c.multipart(gmailSample(""), "message/rfc822", 1), 400, "badRequest"},
		"multipart three": {c.multipart(gmailSample(""), "message/rfc822", 3), 400, "badRequest"},
		"unknown path":    {post("/gmail/v1/users/me/nothing", "{}"), 404, "notFound"},
		"unknown session": {post(gmailUploadPath+"resumable&upload_id=x", "x"), 404, "notFound"},
		"resumable type":  {post(gmailUploadPath+"resumable", ""), 400, "badContent"},
		"resumable length": {post(gmailUploadPath+"resumable", "", "X-Upload-Content-Type", "message/rfc822", "X-Upload-Content-Length",
			"36700161"), 413, "uploadTooLarge"},
	} {
		if r.got.status != r.status || r.got.reason() != r.reason {
			t.Errorf("%s: %d %s", name, r.got.status, r.got.body)
		}
	}
	if n := len(s.Deliveries()); n != 0 {
		t.Errorf("%d deliveries", n)
	}
	if r := c.media(gmailSample(strings.Replace(many, "a0@example.com,\r\n ", "", 1) + "\r\n")); r.status != http.StatusOK {
		t.Errorf("100 recipients: %d %s", r.status, r.body)
	}
}

func TestGmailSizeLimit(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	c := newGmailClient(t, s)
	msg := gmailSample("")
	for _, size := range []int{gmailLimit, gmailLimit + 1} {
		body := io.MultiReader(strings.NewReader(msg), io.LimitReader(letters{}, int64(size-len(msg))))
		r := c.do("POST", gmailUploadPath+"media", body, "Content-Type", "message/rfc822")
		if size == gmailLimit && r.status != http.StatusOK || size > gmailLimit && (r.status != 413 || r.reason() != "uploadTooLarge") {
			t.Errorf("%d bytes: %d %s", size, r.status, r.body)
		}
	}
	if all := s.Deliveries(); len(all) != 1 || all[0].Size != gmailLimit || all[0].File == "" {
		t.Errorf("%+v", all)
	}
}

// letters is endless text.
type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// TestGmailChangesMessage is contracts C5.
func TestGmailChangesMessage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		from, id, mode string
		wantFrom       string
		rewritten      bool // From
		newID          bool
	}{
		"own":          {"ERP <" + gmailFrom + ">", "<a@b.example>", "", "ERP <" + gmailFrom + ">", false, false},
		"other":        {"Boss <boss@contoso.example>", "<a@b.example>", "", "Boss <" + gmailFrom + ">", true, false},
		"other, kept":  {"Boss <boss@contoso.example>", "<a@b.example>", "keep", "Boss <boss@contoso.example>", false, false},
		"alias":        {"alias2@contoso.example", "<a@b.example>", "", "alias2@contoso.example", false, false},
		"foreign":      {"alias2@other.example", "<a@b.example>", "", gmailFrom, true, false},
		"none":         {"", "", "", gmailFrom, true, true},
		"two at":       {gmailFrom, "<a@b@c.example>", "", gmailFrom, false, true},
		"no dot":       {gmailFrom, "<a@localhost>", "", gmailFrom, false, true},
		"dot at end":   {gmailFrom, "<a@b.example.>", "", gmailFrom, false, true},
		"space":        {gmailFrom, "<a b@c.example>", "", gmailFrom, false, true},
		"no brackets":  {gmailFrom, "a@b.example", "", gmailFrom, false, true},
		"empty left":   {gmailFrom, "<@b.example>", "", gmailFrom, false, true},
		"double angle": {gmailFrom, "<<a@b.example>>", "", gmailFrom, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startSandbox(t)
			if c.mode != "" {
				s.Configure(func(sw *Switches) { sw.GmailFrom = c.mode })
			}
			cl := newGmailClient(t, s)
			head := "To: anna@example.com\r\n"
			if c.from != "" {
				head += "From: " + c.from + "\r\n"
			}
			if c.id != "" {
				head += "Message-ID: " + c.id + "\r\n"
			}
			if r := cl.media(head + "\r\nx\r\n"); r.status != http.StatusOK {
				t.Fatal(r)
			}
			d := s.Deliveries()[0]
			shown := readAll(t, s.OpenShown, d)
			if d.From != c.wantFrom || strings.Contains(shown, "X-Google-Original-From: ") != (c.rewritten && c.from != "") ||
				!strings.Contains(shown, "From: "+c.wantFrom+"\r\n") {
				t.Errorf("From %q\n%s", d.From, shown)
			}
			if (d.MessageID != c.id) != c.newID || !strings.Contains(shown, "Message-ID: "+d.MessageID+"\r\n") {
				t.Errorf("Message-ID %q\n%s", d.MessageID, shown)
			}
			if strings.Contains(shown, "X-Google-Original-Message-ID: "+c.id) != (c.newID && c.id != "") {
				t.Errorf("original id\n%s", shown)
			}
		})
	}
}

// TestGmailHeaderOrder is contracts C5.4.
func TestGmailHeaderOrder(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	c := newGmailClient(t, s)
	const msg = "From: " + gmailFrom +
		"\r\nCc: one@example.com\r\nMIME-Version: 1.0\r\nTo: two@example.com\r\nCc: three@example.com\r\nBcc: four@example.com\r\n\r\nx\r\n"
	c.media(msg)
	s.Configure(func(sw *Switches) { sw.GmailIgnoresOrder = true })
	c.media(msg)
	var got []string
	for _, d := range s.Deliveries() {
		got = append(got, strings.Join(d.Recipients, " "))
	}
	if want := []string{"one@example.com two@example.com",
		"four@example.com one@example.com three@example.com two@example.com"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestGmailFaults(t *testing.T) {
	t.Parallel()
	clk := newClock()
	s, err := Start(Options{AnyMailbox: true, Dir: t.TempDir(), Now: clk.now})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := newGmailClient(t, s)
	for _, f := range []struct {
		fault  Fault
		status int
		want   string
	}{
		{Fault{Status: 429, Code: "mailSendingLimit", RetryAfter: time.Hour}, 429, "Retry after " +
			clk.now().Add(time.Hour).UTC().Format("2006-01-02T15:04:05.000Z") + " (Mail sending)"},
		{Fault{Status: 429, Code: "concurrentRequests"}, 429, "Too many concurrent requests for user"},
		{Fault{Status: 429, RetryAfter: 17 * time.Second}, 429, `"rateLimitExceeded"`},
		{Fault{Status: 403, Code: "accessNotConfigured"}, 403, "SERVICE_DISABLED"},
		{Fault{Status: 403, Code: "domainPolicy"}, 403, "PERMISSION_DENIED"},
		{Fault{Status: 400, Code: "failedPrecondition"}, 400, "FAILED_PRECONDITION"},
		{Fault{Status: 503}, 503, "backendError"},
		{Fault{Status: 502, Body: "<html>bad gateway</html>"}, 502, "<html>"},
	} {
		f.fault.Service, f.fault.Op, f.fault.Times, f.fault.Match = "gmail", "send", 1, gmailFrom
		s.Inject(f.fault)
		r := c.media(gmailSample(""))
		if r.status != f.status || !strings.Contains(r.body, f.want) {
			t.Errorf("%+v: %d %s", f.fault, r.status, r.body)
		}
		if f.fault.Code == "mailSendingLimit" && r.header.Get("Retry-After") != "" {
			t.Error("the daily limit has no Retry-After")
		}
	}
	if n := len(s.Deliveries()); n != 0 {
		t.Errorf("%d deliveries", n)
	}
	s.Inject(Fault{Service: "gmail", Op: "send", Times: 1, After: true, Status: 503})
	if r := c.media(gmailSample("")); r.status != 503 || len(s.Deliveries()) != 1 {
		t.Errorf("after: %d, %d deliveries", r.status, len(s.Deliveries()))
	}
	s.Inject(Fault{Service: "gmail", Op: "send", Times: 1, After: true, Reset: true})
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.gmail.URL()+gmailUploadPath+"media", strings.NewReader(gmailSample("")))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", "message/rfc822")
	if res, err := s.HTTPClient().Do(req); err == nil {
		res.Body.Close()
		t.Error("an answer in place of a reset")
	}
	if len(s.Deliveries()) != 2 {
		t.Error("not accepted before the reset")
	}
}
