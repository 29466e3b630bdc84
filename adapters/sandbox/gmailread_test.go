package sandbox

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters/sandbox/google"
)

func TestGmailSearchAndGet(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	c := newGmailClient(t, s)
	var sent gmailReceipt
	if err := json.Unmarshal([]byte(c.media(gmailSample("Bcc: carol@example.com\r\n")).body), &sent); err != nil {
		t.Fatal(err)
	}
	find := func(q string, header ...string) gmailReply {
		return c.do("GET", "/gmail/v1/users/me/messages?q="+url.QueryEscape(q), nil, header...)
	}
	for _, q := range []string{"rfc822msgid:1@contoso.example", "rfc822msgid:<1@contoso.example>"} {
		if r := find(q); r.status != 200 || !strings.Contains(r.body, sent.ID) {
			t.Errorf("%s: %d %s", q, r.status, r.body)
		}
	}
	if r := find("rfc822msgid:2@contoso.example"); r.status != 200 || strings.Contains(r.body, "messages") {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := find("rfc822msgid:1@contoso.example", "Authorization", "Bearer "+
		gmailToken(t, s, gmailFrom, google.ScopeSend)); r.reason() != "insufficientPermissions" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := find("rfc822msgid:1@contoso.example", "Authorization", "Bearer "+
		gmailToken(t, s, "other@contoso.example", google.ScopeRead)); strings.Contains(r.body, sent.ID) {
		t.Error("another mailbox finds it")
	}
	if r := c.do("GET", "/gmail/v1/users/me/messages/"+sent.ID+"?format=metadata", nil); !strings.Contains(r.body, "carol@example.com") ||
		!strings.Contains(r.body, "1@contoso.example") {
		t.Errorf("%s", r.body)
	}
	if r := c.do("GET", "/gmail/v1/users/me/messages/"+sent.ID+"?format=minimal", nil); r.status != 200 ||
		strings.Contains(r.body, "payload") {
		t.Errorf("%s", r.body)
	}
	if r := c.do("GET", "/gmail/v1/users/me/messages/nothing?format=minimal", nil); r.status != 404 {
		t.Errorf("%d", r.status)
	}
	if r := c.do("GET", "/gmail/v1/users/me/profile", nil); !strings.Contains(r.body, gmailFrom) {
		t.Errorf("%s", r.body)
	}
	s.Configure(func(sw *Switches) { sw.GmailDropSilently = true })
	if r := c.media(strings.Replace(gmailSample(""), "<1@", "<3@", 1)); r.status != 200 || len(s.Deliveries()) != 1 {
		t.Errorf("dropped: %d %s", r.status, r.body)
	}
	if r := find("rfc822msgid:3@contoso.example"); strings.Contains(r.body, "messages") {
		t.Errorf("dropped and found: %s", r.body)
	}
	if n := s.Counters()["gmail.search"]; n != 6 {
		t.Errorf("%d searches", n)
	}
}
