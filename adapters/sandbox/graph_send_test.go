package sandbox

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func wrapped(msg, eol string) string {
	var b bytes.Buffer
	enc := base64.StdEncoding.EncodeToString([]byte(msg))
	for len(enc) > 76 {
		b.WriteString(enc[:76] + eol)
		enc = enc[76:]
	}
	b.WriteString(enc + eol)
	return b.String()
}

func gzipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text)) // a Buffer never fails
	_ = z.Close()
	return b.String()
}

// What sendMail takes and refuses, one row of the contracts each.
func TestSendMailStrictness(t *testing.T) {
	t.Parallel()
	good := base64.StdEncoding.EncodeToString([]byte(sample("")))
	jsonMail := func(message string) string { return `{"message":` + message + `}` }
	to := `"toRecipients":[{"emailAddress":{"address":"anna@example.com"}}]`
	mimeOf := func(header string) string {
		return base64.StdEncoding.EncodeToString([]byte(header + "\r\n\r\nCiao\r\n"))
	}
	text, jsonType := []string{"Content-Type", "text/plain"}, []string{"Content-Type", "application/json"}
	for name, tt := range map[string]struct {
		user   string
		body   io.Reader
		header []string
		set    func(*Switches)
		status int
		code   string
		text   string
	}{
		"unwrapped":    {body: strings.NewReader(good), header: text, status: 202},
		"wrapped LF":   {body: strings.NewReader(wrapped(sample(""), "\n")), header: text, status: 202},
		"wrapped CRLF": {body: strings.NewReader(wrapped(sample(""), "\r\n")), header: text, status: 202},
		"chunked":      {body: io.MultiReader(strings.NewReader(good)), header: text, status: 202},
		"charset":      {body: strings.NewReader(good), header: []string{"Content-Type", "text/plain; charset=utf-8"}, status: 202},
		"LF message":   {body: strings.NewReader(mimeOf("To: a@b.example\nSubject: x")), header: text, status: 202},
		"base64url": {
			body:   strings.NewReader(base64.URLEncoding.EncodeToString([]byte(sample("X: " + strings.Repeat("\xfb\xff", 9) + "\r\n")))),
			header: text, status: 400, code: "ErrorMimeContentInvalidBase64String", text: "Invalid base64 string for MIME content."},
		"raw MIME": {body: strings.NewReader(sample("")), header: text, status: 400, code: "ErrorMimeContentInvalidBase64String"},
		"no padding": {body: strings.NewReader(strings.TrimRight(mimeOf("To: a@b.example\r\nSubject: xx"), "=")), header: text,
			status: 400, code: "ErrorMimeContentInvalidBase64String"},
		"data after padding": {body: strings.NewReader("VG86IGFAYi5leGFtcGxlDQoNCg==" + good), header: text, status: 400,
			code: "ErrorMimeContentInvalidBase64String"},
		"empty": {body: http.NoBody, header: text, status: 400, code: "ErrorMimeContentInvalidBase64String"},
		"no colon": {body: strings.NewReader(mimeOf("To: a@b.example\r\nnonsense")), header: text, status: 400,
			code: "ErrorMimeContentInvalid"},
		"NUL": {body: strings.NewReader(mimeOf("To: a@b.example\r\nSubject: \x00")), header: text, status: 400,
			code: "ErrorMimeContentInvalid"},
		"rfc822 type": {body: strings.NewReader(sample("")), header: []string{"Content-Type", "message/rfc822"}, status: 415,
			code: "UnsupportedMediaType"},
		"no type": {body: strings.NewReader(good), status: 415, code: "UnsupportedMediaType"},
		"no recipients": {body: strings.NewReader(mimeOf("To: undisclosed-recipients:;\r\nSubject: x")), header: text, status: 400,
			code: "ErrorInvalidRecipients", text: "contains no recipients"},
		"group and Bcc": {body: strings.NewReader(mimeOf("To: undisclosed-recipients:;\r\nBcc: a@b.example")), header: text, status: 202},
		"unusable recipient": {body: strings.NewReader(mimeOf("To: a@b.example, not an address")), header: text, status: 400,
			code: "ErrorInvalidRecipients", text: "is not resolved"},
		"no domain": {body: strings.NewReader(mimeOf("To: a@b.example, <a@>")), header: text, status: 400,
			code: "ErrorInvalidRecipients"},
		"gzip refused": {body: strings.NewReader(gzipped(good)), header: append([]string{"Content-Encoding", "gzip"}, text...),
			status: 415, code: "UnsupportedMediaType"},
		"gzip taken": {body: strings.NewReader(gzipped(good)), header: append([]string{"Content-Encoding", "gzip"}, text...),
			set: func(s *Switches) { s.GraphGzip = true }, status: 202},
		"gzip label only": {body: strings.NewReader(good), header: append([]string{"Content-Encoding", "gzip"}, text...),
			set: func(s *Switches) { s.GraphGzip = true }, status: 400, code: "RequestBodyRead"},
		"no user": {user: "nouser@contoso.example", body: strings.NewReader(good), header: text, status: 404,
			code: "ErrorInvalidUser"},
		"not found": {user: "notfound@contoso.example", body: strings.NewReader(good), header: text, status: 404,
			code: "ResourceNotFound"},
		"no mailbox": {user: "nomailbox@contoso.example", body: strings.NewReader(good), header: text, status: 404,
			code: "MailboxNotEnabledForRESTAPI", text: "hosted on-premise"},
		"on premises": {user: "onprem@contoso.example", body: strings.NewReader(good), header: text, status: 404,
			code: "MailboxNotEnabledForRESTAPI"},
		"AAP": {user: "blocked@contoso.example", body: strings.NewReader(good), header: text, status: 403,
			code: "ErrorAccessDenied", text: "[RAOP]"},
		"denied": {user: "denied@contoso.example", body: strings.NewReader(good), header: text, status: 403,
			code: "ErrorAccessDenied"},
		"disabled": {user: "disabled@contoso.example", body: strings.NewReader(good), header: text, status: 403,
			code: "ErrorAccountDisabled"},
		"full": {user: "full@contoso.example", body: strings.NewReader(good), header: text, status: 400,
			code: "ErrorQuotaExceeded"},
		"moving": {user: "moving@contoso.example", body: strings.NewReader(good), header: text, status: 423,
			code: "ErrorMailboxMoveInProgress"},
		"no address": {user: "erp", body: strings.NewReader(good), header: text, status: 404, code: "Request_ResourceNotFound"},
		"user id":    {user: OtherTenantID, body: strings.NewReader(good), header: text, status: 202},
		"other From": {user: "b@contoso.example", body: strings.NewReader(good), header: text, status: 202},
		"From denied": {user: "b@contoso.example", body: strings.NewReader(good), header: text, set: func(s *Switches) {
			s.GraphFrom = "deny"
		}, status: 403, code: "ErrorSendAsDenied"},
		"own From not denied": {body: strings.NewReader(good), header: text, set: func(s *Switches) { s.GraphFrom = "deny" }, status: 202},
		"JSON": {body: strings.NewReader(jsonMail(`{"subject":"x","body":{"contentType":"Text","content":"c"},` + to + `}`)),
			header: jsonType, status: 202},
		"JSON null message": {body: strings.NewReader(jsonMail(`null`)), header: jsonType, status: 400, code: "RequestBodyRead"},
		"JSON unknown field": {body: strings.NewReader(jsonMail(`{"subjekt":"x",` + to + `}`)), header: jsonType, status: 400,
			code: "RequestBodyRead"},
		"JSON garbage": {body: strings.NewReader(`{`), header: jsonType, status: 400, code: "RequestBodyRead"},
		"JSON no recipient": {body: strings.NewReader(jsonMail(`{"subject":"x"}`)), header: jsonType, status: 400,
			code: "ErrorInvalidRecipients"},
		"JSON bad recipient": {body: strings.NewReader(jsonMail(`{"bccRecipients":[{"emailAddress":{"address":"x"}}],` + to + `}`)),
			header: jsonType, status: 400, code: "ErrorInvalidRecipients"},
		"JSON header name": {body: strings.NewReader(jsonMail(`{"internetMessageHeaders":[{"name":"References","value":"<x>"}],` + to +
			`}`)), header: jsonType, status: 400, code: "InvalidInternetMessageHeader"},
		"JSON header lines": {body: strings.NewReader(jsonMail(`{"internetMessageHeaders":[{"name":"x-a","value":"b\r\nBcc: c@d.example"}],` +
			to + `}`)), header: jsonType, status: 400, code: "InvalidInternetMessageHeader"},
		"JSON six headers": {
			body: strings.NewReader(jsonMail(`{"internetMessageHeaders":[` + strings.TrimSuffix(strings.Repeat(`{"name":"x-a","value":"b"},`, 6),
				",") + `],` + to + `}`)), header: jsonType, status: 400, code: "InvalidInternetMessageHeaderCollection"},
		"JSON From denied": {body: strings.NewReader(jsonMail(`{"from":{"emailAddress":{"address":"b@contoso.example"}},` + to + `}`)),
			header: jsonType, set: func(s *Switches) { s.GraphFrom = "deny" }, status: 403, code: "ErrorSendAsDenied"},
		"no Authorization": {body: strings.NewReader(good), header: append([]string{"Authorization", ""}, text...), status: 401,
			code: "InvalidAuthenticationToken"},
		"foreign token": {body: strings.NewReader(good), header: append([]string{"Authorization", "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x"},
			text...), status: 401, code: "InvalidAuthenticationToken"},
		"save as string": {body: strings.NewReader(`{"saveToSentItems":"false","message":{` + to + `}}`), header: jsonType, status: 202},
		"save as number": {body: strings.NewReader(`{"saveToSentItems":1,"message":{` + to + `}}`), header: jsonType, status: 400,
			code: "RequestBodyRead"},
		"RBAC instead of role": {body: strings.NewReader(good), header: text, set: func(s *Switches) { s.GraphRoles = false }, status: 202},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, Options{AnyMailbox: true})
			if tt.set != nil {
				s.Configure(tt.set)
			}
			user := tt.user
			if user == "" {
				user = box
			}
			r := newGraphClient(t, s).do("POST", user+"/sendMail", tt.body, tt.header...)
			if r.status != tt.status || r.code() != tt.code || !strings.Contains(r.text(), tt.text) {
				t.Fatalf("%d %v, want %d %s %q", r.status, r.doc, tt.status, tt.code, tt.text)
			}
			delivered := len(s.Deliveries())
			if want := map[bool]int{true: 1}[tt.status == 202]; delivered != want {
				t.Errorf("%d deliveries", delivered)
			}
			if tt.status != 202 {
				inner, _ := r.doc["error"].(map[string]any)["innerError"].(map[string]any)
				if inner["request-id"] != r.header.Get("request-id") || inner["date"] == "" {
					t.Errorf("innerError %v", inner)
				}
			}
		})
	}
}

func TestFromPolicy(t *testing.T) {
	t.Parallel()
	s := start(t, Options{AnyMailbox: true})
	c := newGraphClient(t, s)
	s.Configure(func(sw *Switches) { sw.GraphFrom, sw.GraphKeepMessageID = "overwrite", false })
	if r := c.sendMIME("b@contoso.example", sample("")); r.status != 202 {
		t.Fatalf("%+v", r)
	}
	d := s.Deliveries()[0]
	shown := readAll(t, s.OpenShown, d)
	if d.From != "<b@contoso.example>" || !strings.HasPrefix(shown, "From: <b@contoso.example>\r\nTo: ") || strings.Contains(shown, "erp@") {
		t.Errorf("From %q in %q", d.From, shown)
	}
	if d.MessageID == "<1@contoso.example>" || !strings.Contains(shown, "\r\nMessage-ID: "+d.MessageID+"\r\n") ||
		strings.Contains(shown, "<1@") {
		t.Errorf("Message-ID %q in %q", d.MessageID, shown)
	}
	if got := readAll(t, s.Open, d); got != sample("") {
		t.Errorf("received %q", got)
	}
}

func TestGraphAudienceAndConsent(t *testing.T) {
	t.Parallel()
	now := newClock()
	s := start(t, Options{AnyMailbox: true, Now: now.now})
	c := newGraphClient(t, s)
	good := c.token
	c.token = token(t, s, OutlookResource)
	if r := c.sendMIME(box, sample("")); r.status != 401 || !strings.Contains(r.text(), "audience") {
		t.Errorf("%+v", r)
	}
	_, unconsented := tokenRequest(t, s, TenantID, url.Values{
		"grant_type": {"client_credentials"}, "client_id": {UnconsentedClientID}, "client_secret": {ClientSecret},
		"scope": {GraphResource + "/.default"},
	})
	c.token, _ = unconsented["access_token"].(string)
	if r := c.sendMIME(box, sample("")); r.status != 403 || r.code() != "ErrorAccessDenied" { // A3.5
		t.Errorf("%+v", r)
	}
	c.token = good
	if r := c.do("GET", box, nil); r.status != 403 || r.code() != "Authorization_RequestDenied" {
		t.Errorf("%+v", r)
	}
	if r := c.do("GET", c.s.graph.URL()+"/v1.0/me/messages", nil); r.status != 400 {
		t.Errorf("%+v", r)
	}
	if r := c.do("POST", box+"/sendmial", nil); r.status != 400 || !strings.Contains(r.text(), "sendmial") {
		t.Errorf("%+v", r)
	}
	now.advance(time.Hour)
	if r := c.sendMIME(box, sample("")); r.status != 401 || !strings.Contains(r.text(), "expired") || r.header.Get("WWW-Authenticate") == "" {
		t.Errorf("%+v", r)
	}
}
