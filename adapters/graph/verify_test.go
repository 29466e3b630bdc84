package graph

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
)

// mailboxFake answers what Verify asks.
type mailboxFake struct {
	byID    string // JSON of the message with the id, empty: 404
	found   string // JSON list by Message-ID
	alike   string // JSON list by subject; "400": the search is refused
	status  int    // of everything, when not 0
	deleted int    // status of DELETE, 0: 204
	ops     []string
	filters []string
}

func (f *mailboxFake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	filter := r.URL.Query().Get("$filter")
	op := r.Method
	if filter != "" {
		op = strings.Fields(filter)[0]
		f.filters = append(f.filters, filter)
	}
	f.ops = append(f.ops, op)
	w.Header().Set("Date", "Sun, 22 Nov 2026 10:00:00 GMT")
	answer := func(list string) {
		if list == "400" {
			w.WriteHeader(400)
			fmt.Fprint(w, `{"error":{"code":"BadRequest","message":"no such filter"}}`)
			return
		}
		fmt.Fprintf(w, `{"value":[%s]}`, list)
	}
	switch {
	case r.Header.Get("Prefer") != immutable:
		w.WriteHeader(400)
	case f.status != 0:
		w.WriteHeader(f.status)
		fmt.Fprint(w, `{"error":{"code":"","message":""}}`)
	case r.Method == http.MethodDelete:
		w.WriteHeader(max(f.deleted, 204))
		if f.deleted == 404 {
			fmt.Fprint(w, `{"error":{"code":"ErrorItemNotFound","message":""}}`)
		}
	case strings.HasPrefix(filter, "internetMessageId"):
		answer(f.found)
	case filter != "":
		answer(f.alike)
	case f.byID == "":
		w.WriteHeader(404)
		fmt.Fprint(w, `{"error":{"code":"ErrorItemNotFound","message":""}}`)
	default:
		fmt.Fprint(w, f.byID)
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	item := func(draft bool, touched, sent string) string {
		b, _ := json.Marshal(map[string]any{"id": "m-1", "internetMessageId": "<kept@x>", "subject": "Fattura 42", "isDraft": draft,
			"createdDateTime": touched, "lastModifiedDateTime": touched, "sentDateTime": sent,
			"toRecipients": []any{map[string]any{"emailAddress": map[string]string{"address": smallOut(t).Addresses()[0].String()}}}})
		return string(b)
	}
	const fresh, stale, date = "2026-11-22T09:50:00Z", "2026-11-22T09:20:00Z", "2026-11-22T09:00:00Z"
	for _, c := range []struct {
		name string
		id   string
		fake mailboxFake
		want adapters.Verdict
		ops  string
	}{
		{"the draft has become a sent message", "draft-1", mailboxFake{byID: item(false, fresh, date)}, adapters.Sent, "GET"},
		{"the draft is on its way", "draft-1", mailboxFake{byID: item(true, fresh, date)}, adapters.InProgress, "GET"},
		{"the draft was left lying", "draft-1", mailboxFake{byID: item(true, stale, date)}, adapters.NotSent, "GET DELETE"},
		{"the draft moved while it was deleted", "draft-1", mailboxFake{byID: item(true, stale, date), deleted: 404}, adapters.InProgress,
			"GET DELETE"},
		{"the draft's times are unreadable", "draft-1", mailboxFake{byID: item(true, "soon", date)}, adapters.InProgress, "GET"},
		{"the draft is gone, the message is there", "draft-1", mailboxFake{found: item(false, fresh, date)}, adapters.Sent,
			"GET internetMessageId"},
		{"the draft is gone and nothing is there", "draft-1", mailboxFake{}, adapters.NotSent, "GET internetMessageId createdDateTime"},
		{"found by Message-ID", "", mailboxFake{found: item(false, fresh, date)}, adapters.Sent, "internetMessageId"},
		{"still in Drafts", "", mailboxFake{found: item(true, fresh, date)}, adapters.InProgress, "internetMessageId"},
		{"left lying in Drafts by a process that died", "", mailboxFake{found: item(true, stale, date)}, adapters.NotSent,
			"internetMessageId DELETE"},
		{"another part of a split message", "",
			mailboxFake{found: strings.ReplaceAll(item(false, fresh, date), smallOut(t).Addresses()[0].String(),
				"somebody.else@example.com")},
			adapters.NotSent, "internetMessageId"},
		{"one of two is sent", "", mailboxFake{found: item(true, stale, date) + "," + item(false, fresh, date)}, adapters.Sent,
			"internetMessageId"},
		{"nothing", "", mailboxFake{}, adapters.NotSent, "internetMessageId createdDateTime"},
		{"the Message-ID may have been replaced", "", mailboxFake{alike: item(false, fresh, date)}, adapters.CannotTell,
			"internetMessageId createdDateTime"},
		{"the same, still in Drafts", "", mailboxFake{alike: item(true, fresh, date)}, adapters.InProgress, "internetMessageId createdDateTime"},
		{"same subject, other date", "", mailboxFake{alike: item(false, fresh, fresh)}, adapters.NotSent, "internetMessageId createdDateTime"},
		{"no search by subject", "", mailboxFake{alike: "400"}, adapters.NotSent, "internetMessageId createdDateTime"},
		{"no permission", "", mailboxFake{status: 403}, adapters.CannotTell, "internetMessageId"},
		{"no permission for the draft", "draft-1", mailboxFake{status: 403}, adapters.CannotTell, "GET"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := c.fake
			a, _ := serve(t, &f)
			got, r, err := a.Verify(t.Context(), adapters.VerifyRequest{Outgoing: smallOut(t), ProviderID: c.id})
			if err != nil || got != c.want || strings.Join(f.ops, " ") != c.ops {
				t.Fatalf("%s, %v after %v; want %s after %s", got, err, f.ops, c.want, c.ops)
			}
			if got == adapters.Sent && (r.ProviderID != "m-1" || r.MessageID != "<kept@x>" || len(r.Recipients) != 1) {
				t.Errorf("receipt: %+v", r)
			}
			if len(f.filters) > 0 && f.filters[0] != "internetMessageId eq '<it''s.42@contoso.it>'" {
				t.Errorf("filter: %s", f.filters[0])
			}
		})
	}
}

func TestVerifyFailures(t *testing.T) {
	t.Parallel()
	for status, class := range map[int]adapters.Class{429: adapters.Throttled, 503: adapters.Transient, 401: adapters.Auth} {
		f := mailboxFake{status: status}
		a, _ := serve(t, &f)
		got, _, err := a.Verify(t.Context(), adapters.VerifyRequest{Outgoing: smallOut(t)})
		if got != adapters.CannotTell || adapters.ClassOf(err) != class {
			t.Errorf("%d: %s, %v", status, got, err)
		}
	}
	a, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "<html>") }))
	if got, _, err := a.Verify(t.Context(), adapters.VerifyRequest{Outgoing: smallOut(t)}); got != adapters.CannotTell || err == nil {
		t.Errorf("HTML: %s, %v", got, err)
	}
}

// TestSweepSparesOlderDrafts: a draft of an earlier attempt may be on its way.
func TestSweepSparesOlderDrafts(t *testing.T) {
	t.Parallel()
	old := `{"id":"older","isDraft":true,"createdDateTime":"2026-11-22T09:59:50Z"}`
	f := mailboxFake{found: old + `,{"id":"sent","isDraft":false,"createdDateTime":"2026-11-22T10:00:00Z"}`}
	a, _ := serve(t, &f)
	j, err := a.prepare(smallOut(t))
	if err != nil {
		t.Fatal(err)
	}
	a.sweep(t.Context(), j, 2*time.Second)
	if strings.Join(f.ops, " ") != "internetMessageId" {
		t.Errorf("%v: only drafts of this attempt may be deleted", f.ops)
	}
	a.sweep(t.Context(), j, 20*time.Second)
	if strings.Join(f.ops[1:], " ") != "internetMessageId DELETE" {
		t.Errorf("%v: the draft of this attempt stays", f.ops)
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		code   string
		class  adapters.Class
	}{
		{400, "ErrorMimeContentInvalidBase64String", adapters.Accepted},
		{400, "ErrorMimeContentInvalid", adapters.Accepted},
		{403, "ErrorAccessDenied", adapters.Auth},
		{401, "InvalidAuthenticationToken", adapters.Auth},
		{404, "MailboxNotEnabledForRESTAPI", adapters.Permanent},
		{429, "ApplicationThrottled", adapters.Throttled},
		{503, "ServiceUnavailable", adapters.Transient},
		{200, "", adapters.Transient},
	} {
		a, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(c.status)
			fmt.Fprintf(w, `{"error":{"code":%q,"message":""}}`, c.code)
		}))
		err := a.Probe(t.Context())
		if adapters.ClassOf(err) != c.class {
			t.Errorf("%d %s: %v", c.status, c.code, err)
		}
		var e *adapters.Error
		if err != nil && !errors.As(err, &e) {
			t.Errorf("%T", err)
		}
	}
	// Without a mailbox only token and reachability are asked.
	var path string
	a, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { path = r.URL.Path }))
	a.conn.From = "*@contoso.it"
	if err := a.Probe(t.Context()); err != nil || path != "/v1.0/" {
		t.Errorf("%s: %v", path, err)
	}
}
