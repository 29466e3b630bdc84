package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	gmailapi "google.golang.org/api/gmail/v1"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"

	"github.com/postino-mail/postino/adapters/sandbox/google"
)

// startSession starts a resumable upload; length < 0 does not tell it.
func (c *gmailClient) startSession(length int) string {
	c.t.Helper()
	header := []string{"X-Upload-Content-Type", "message/rfc822"}
	if length >= 0 {
		header = append(header, "X-Upload-Content-Length", fmt.Sprint(length))
	}
	r := c.do("POST", gmailUploadPath+"resumable", nil, header...)
	if r.status != http.StatusOK {
		c.t.Fatalf("start: %d %s", r.status, r.body)
	}
	return r.header.Get("Location")
}

// What the fake must hold to (contracts C1.2, C2.3, C3.2).
const (
	gmailUnit  = 256 << 10
	gmailLimit = 36700160
)

func TestGmailChunks(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	c := newGmailClient(t, s)
	msg := gmailSample("")
	msg += strings.Repeat("0123456789abcde\n", 3*gmailUnit/16)
	total := len(msg)
	uri := c.startSession(-1)
	put := func(method, rng, body string, header ...string) gmailReply {
		return c.do(method, uri, strings.NewReader(body), append([]string{"Content-Range", rng, "Authorization", ""}, header...)...)
	}
	unit := gmailUnit
	for i, step := range []struct {
		method, rng string
		body        string
		header      []string
		status      int
		got         string // Range
	}{
		{"PUT", "bytes */*", "", nil, 308, ""},
		{"PUT", fmt.Sprintf("bytes 0-%d/*", unit-1), msg[:unit], nil, 308, fmt.Sprintf("bytes=0-%d", unit-1)},
		{"PUT", fmt.Sprintf("bytes 0-%d/*", unit-1), msg[:unit], nil, 400, ""},                                 // again
		{"PUT", fmt.Sprintf("bytes %d-%d/*", 2*unit, 3*unit-1), msg[2*unit : 3*unit], nil, 400, ""},            // a gap
		{"PUT", fmt.Sprintf("bytes %d-%d/*", unit, unit+99), msg[unit : unit+100], nil, 400, ""},               // no multiple
		{"PUT", fmt.Sprintf("bytes %d-%d/*", unit, 2*unit-1), msg[unit : 2*unit-1], nil, 400, ""},              // too short
		{"PUT", fmt.Sprintf("bytes %d-%d/%d", unit, 2*unit-1, gmailLimit+1), msg[unit : 2*unit], nil, 413, ""}, // too large
		{"PUT", "bytes x", "", nil, 400, ""},                                                                   // nonsense
		{"POST", fmt.Sprintf("bytes %d-%d/*", unit, 2*unit-1), msg[unit : 2*unit], []string{"X-GUploader-No-308", "yes"}, 200,
			fmt.Sprintf("bytes=0-%d", 2*unit-1)},
		{"PUT", fmt.Sprintf("bytes */%d", total), "", nil, 308, fmt.Sprintf("bytes=0-%d", 2*unit-1)},
		{"PUT", fmt.Sprintf("bytes */%d", total+1), "", nil, 400, ""}, // another total
		{"GET", "", "", nil, 405, ""},
		{"PUT", fmt.Sprintf("bytes %d-%d/%d", 2*unit, total-1, total), msg[2*unit:], nil, 200, ""},
		{"PUT", fmt.Sprintf("bytes %d-%d/%d", 2*unit, total-1, total), msg[2*unit:], nil, 200, ""}, // replayed: not sent again
		{"PUT", fmt.Sprintf("bytes */%d", total), "", nil, 200, ""},
	} {
		r := put(step.method, step.rng, step.body, step.header...)
		if r.status != step.status || r.header.Get("Range") != step.got {
			t.Errorf("step %d: %d %q %s", i, r.status, r.header.Get("Range"), r.body)
		}
		if over := r.header.Get("X-Http-Status-Code-Override"); (over == "308") != (step.header != nil) {
			t.Errorf("step %d: override %q", i, over)
		}
	}
	all := s.Deliveries()
	if len(all) != 1 || all[0].Size != int64(total) || readAll(t, s.Open, all[0]) != msg {
		t.Fatalf("%+v", all)
	}
	if left, err := filepath.Glob(filepath.Join(s.Dir(), "messages", "*.upload")); err != nil || len(left) > 0 {
		t.Errorf("left on disk: %q %v", left, err)
	}
	if n := s.Counters(); n["gmail.send"] != 1 || n["gmail.start"] != 1 {
		t.Errorf("%v", n)
	}
}

func TestGmailUploadEnds(t *testing.T) {
	t.Parallel()
	clk := newClock()
	s, err := Start(Options{AnyMailbox: true, Dir: t.TempDir(), Now: clk.now})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := newGmailClient(t, s)
	msg := gmailSample("")
	whole := fmt.Sprintf("bytes 0-%d/%d", len(msg)-1, len(msg))

	uri := c.startSession(len(msg) + 1)
	if r := c.do("PUT", uri, strings.NewReader(msg), "Content-Range", whole); r.status != 400 {
		t.Errorf("other length than announced: %d", r.status)
	}
	if r := c.do("DELETE", uri, nil); r.status != 499 {
		t.Errorf("cancelled: %d", r.status)
	}
	if r := c.do("PUT", uri, strings.NewReader(msg), "Content-Range", whole); r.status != http.StatusGone {
		t.Errorf("after the end: %d", r.status)
	}

	uri = c.startSession(-1)
	other := "Bearer " + gmailToken(t, s, "other@contoso.example", google.ScopeSend)
	if r := c.do("PUT", uri, strings.NewReader(msg), "Content-Range", whole, "Authorization", other); r.status != 401 {
		t.Errorf("another's token: %d", r.status)
	}
	// No Content-Range: the body is all.
	if r := c.do("PUT", uri, strings.NewReader(msg)); r.status != 200 {
		t.Errorf("whole: %d %s", r.status, r.body)
	}

	uri = c.startSession(-1)
	bad := strings.Replace(msg, "To:", "X-To:", 1)
	for range 2 { // the refusal stays
		if r := c.do("PUT", uri, strings.NewReader(bad)); r.status != 400 || r.reason() != "invalidArgument" {
			t.Errorf("refused: %d %s", r.status, r.body)
		}
	}

	// A refused last chunk is not kept, one accepted before its answer was lost is.
	uri = c.startSession(-1)
	s.Inject(Fault{Service: "gmail", Op: "send", Times: 1, Status: 503})
	s.Inject(Fault{Service: "gmail", Op: "send", Times: 1, Status: 503, After: true})
	for i, want := range []int{503, 503, 200} {
		if r := c.do("PUT", uri, strings.NewReader(msg), "Content-Range", whole); r.status != want {
			t.Errorf("%d: %d %s", i, r.status, r.body)
		}
	}
	if n := len(s.Deliveries()); n != 2 {
		t.Errorf("%d deliveries", n)
	}

	uri = c.startSession(-1)
	clk.advance(7 * 24 * time.Hour)
	if r := c.do("PUT", uri, strings.NewReader(msg), "Authorization", ""); r.status != http.StatusGone {
		t.Errorf("expired: %d", r.status)
	}
	s.Reset()
	if left, err := filepath.Glob(filepath.Join(s.Dir(), "messages", "*.upload")); err != nil || len(left) > 0 {
		t.Errorf("left on disk: %q %v", left, err)
	}
}

// TestGmailGoClient drives the fake with Google's own client (contracts C2).
func TestGmailGoClient(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, s.HTTPClient())
	src := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: gmailToken(t, s, gmailFrom, google.ScopeSend, google.ScopeRead)})
	svc, err := gmailapi.NewService(t.Context(), option.WithHTTPClient(oauth2.NewClient(ctx, src)), option.WithEndpoint(s.gmail.URL()+"/"))
	if err != nil {
		t.Fatal(err)
	}
	small := gmailSample("")
	sent, err := svc.Users.Messages.Send(gmailFrom,
		&gmailapi.Message{Raw: "RnJvbTogZXJwQGNvbnRvc28uZXhhbXBsZQ0KVG86IGFAYi5leGFtcGxlDQoNCngNCg=="}).Do()
	if err != nil || sent.Id == "" || len(sent.LabelIds) != 1 {
		t.Fatalf("%+v %v", sent, err)
	}
	if _, err = svc.Users.Messages.Send("me", nil).Media(strings.NewReader(small), googleapi.ContentType("message/rfc822")).Do(); err != nil {
		t.Fatal(err)
	}
	const large = 20 << 20 // two chunks of 16 MiB at most
	body := io.MultiReader(strings.NewReader(small), io.LimitReader(letters{}, large-int64(len(small))))
	if _, err = svc.Users.Messages.Send("me", nil).Media(body, googleapi.ContentType("message/rfc822")).Do(); err != nil {
		t.Fatal(err)
	}
	var routes []string
	for _, d := range s.Deliveries() {
		routes = append(routes, d.Route)
	}
	if strings.Join(routes, " ") != "raw multipart resumable" || s.Deliveries()[2].Size != large {
		t.Errorf("%q, %d bytes", routes, s.Deliveries()[2].Size)
	}
	list, err := svc.Users.Messages.List("me").Q("rfc822msgid:1@contoso.example").Do()
	if err != nil || len(list.Messages) != 2 {
		t.Errorf("%+v %v", list, err)
	}
	_, err = svc.Users.Messages.Send("other@contoso.example", nil).Media(strings.NewReader(small),
		googleapi.ContentType("message/rfc822")).Do()
	var ge *googleapi.Error
	if !errors.As(err, &ge) || ge.Code != 403 || len(ge.Errors) != 1 || ge.Errors[0].Reason != "delegationDenied" {
		t.Errorf("%v", err)
	}
	_, err = svc.Users.Messages.Send("me", nil).Media(strings.NewReader(small)).Do() // sniffed: C2.7
	if !errors.As(err, &ge) || ge.Code != 400 {
		t.Errorf("%v", err)
	}
}
