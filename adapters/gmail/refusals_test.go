package gmail

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
)

var update = flag.Bool("update", false, "write the golden files again")

// Every row of contracts C4, as an answer to a message that was sent whole.
func TestRefusals(t *testing.T) {
	t.Parallel()
	api := func(code int, reason, status, msg, more string) string {
		return fmt.Sprintf(`{"error":{"code":%d,"message":%q,"status":%q,"errors":[{"domain":"global","reason":%q,"message":%q}]%s}}`, code, msg,
			status, reason, msg, more)
	}
	info := func(reason string) string {
		return fmt.Sprintf(`,"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":%q}]`, reason)
	}
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var out strings.Builder
	for _, c := range []struct {
		status int
		body   string
		header []string
	}{
		{400, api(400, "badRequest", "INVALID_ARGUMENT", "Bad Request", ""), nil},
		{400, api(400, "invalidArgument", "INVALID_ARGUMENT", "Invalid To header", ""), nil},
		{400, api(400, "invalidArgument", "INVALID_ARGUMENT", "Recipient address required", ""), nil},
		{400, api(400, "invalidArgument", "INVALID_ARGUMENT", "Invalid From header", ""), nil},
		{400, api(400, "failedPrecondition", "FAILED_PRECONDITION", "Mail service not enabled", ""), nil},
		{400, api(400, "failedPrecondition", "FAILED_PRECONDITION", "Precondition check failed.", ""), nil},
		{403, api(403, "insufficientPermissions", "PERMISSION_DENIED", "Request had insufficient authentication scopes.",
			info("ACCESS_TOKEN_SCOPE_INSUFFICIENT")), nil},
		{403, api(403, "forbidden", "PERMISSION_DENIED", "Request had insufficient authentication scopes.",
			info("ACCESS_TOKEN_SCOPE_INSUFFICIENT")), nil},
		{403, api(403, "accessNotConfigured", "PERMISSION_DENIED", "Gmail API has not been used in project 100200300", info("SERVICE_DISABLED")),
			nil},
		{403, api(403, "forbidden", "PERMISSION_DENIED", "Delegation denied for shop@example.com", ""), nil},
		{403, api(403, "delegationDenied", "PERMISSION_DENIED", "Delegation denied", ""), nil},
		{403, api(403, "domainPolicy", "PERMISSION_DENIED", "The domain administrators have disabled Gmail apps.", ""), nil},
		{403, api(403, "dailyLimitExceeded", "PERMISSION_DENIED", "Daily Limit Exceeded", ""), nil},
		{403, api(403, "rateLimitExceeded", "PERMISSION_DENIED", "Rate Limit Exceeded", ""), nil},
		{403, api(403, "userRateLimitExceeded", "PERMISSION_DENIED", "User Rate Limit Exceeded", ""), []string{"Retry-After", "30"}},
		{403, api(403, "somethingNew", "PERMISSION_DENIED", "x", ""), nil},
		{404, api(404, "notFound", "NOT_FOUND", "Requested entity was not found.", ""), nil},
		{413, "", nil},
		{413, "<html>Request Entity Too Large", []string{"Content-Type", "text/html"}},
		{413, api(413, "uploadTooLarge", "INVALID_ARGUMENT", "Media too large", ""), nil},
		{429, api(429, "userRateLimitExceeded", "RESOURCE_EXHAUSTED", "User-rate limit exceeded.  Retry after 2026-11-22T16:30:00.123Z (Mail "+
			"sending)", ""), nil},
		{429, api(429, "rateLimitExceeded", "RESOURCE_EXHAUSTED", "User-rate limit exceeded (Mail sending)", ""), nil},
		{429, api(429, "userRateLimitExceeded", "RESOURCE_EXHAUSTED", "User-rate limit exceeded.  Retry after 2036-11-22T16:30:00Z", ""), nil},
		{429, api(429, "rateLimitExceeded", "RESOURCE_EXHAUSTED", "Too many concurrent requests for user", ""), nil},
		{429, api(429, "rateLimitExceeded", "RESOURCE_EXHAUSTED", "Bandwidth limit", ""),
			[]string{"Retry-After", now.Add(90 * time.Second).Format(http.TimeFormat)}},
		{429, "", []string{"Retry-After", "17"}},
		{500, api(500, "backendError", "INTERNAL", "Backend Error", ""), nil},
		{502, "<html>Bad Gateway", nil},
		{503, api(503, "backendError", "UNAVAILABLE", "x", ""), []string{"Retry-After", "5"}},
		{504, "", nil},
		{200, "", nil},
		{200, "<html>Welcome", nil},
		{200, `{"id":""}`, nil},
		{200, `{"id":"a b"}`, nil},
		{200, "\x00\x01", nil},
		{302, "", []string{"Location", "https://portal.example/"}},
		{403, "<html>blocked by policy", nil},
		{418, `{"error":{"code":418,"message":"x","status":"TEAPOT"}}`, nil},
	} {
		a, _, seen := serve(t, respond(c.status, c.body, c.header...))
		a.now = func() time.Time { return now }
		_, err := a.Send(t.Context(), small(t))
		e := adapters.AsError(err)
		if e == nil || e.Message.String() == "" || e.Message.In("it") == "" || e.Hint.String() == "" || e.Hint.In("it") == "" || e.Code == "" ||
			e.Provider != adapters.Gmail || e.Scope == "" || e.Enhanced == "" {
			t.Errorf("%d %s: incomplete %+v", c.status, c.body, e)
			continue
		}
		if len(seen()) != 1 {
			t.Errorf("%d %s: %d requests", c.status, c.body, len(seen()))
		}
		if strings.Contains(e.Error(), "shop@example.com") || strings.Contains(e.Error(), "100200300") {
			t.Errorf("the provider's text shows: %v", e)
		}
		fmt.Fprintf(&out, "%d %q %v\n  %s %s %s %s %q retry=%v toolarge=%v noretry=%v\n  en: %s: %s\n  it: %s: %s\n", c.status, c.body, c.header,
			e.Class, e.Scope, e.Code, e.Enhanced, e.ProviderCode, e.RetryAfter, e.TooLarge, e.NoRetry,
			e.Message.String(), e.Hint.String(), e.Message.In("it"),
			e.Hint.In("it"))
	}
	path := filepath.Join("testdata", "refusals.golden")
	got := regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(out.String(), "gmail.example")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run go test -update and read the change\n%s", path, got)
	}
}

func TestSearchableIDs(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]bool{
		"a.b+c=1@example.com": true, "a@b@c.example": false, "a@localhost": false, "a@example.": false, "": false,
		"a b@example.com": false, `a"@example.com`: false, "è@example.com": false, "a@example.com in:trash": false, "x": false,
	} {
		if searchable(id) != want {
			t.Errorf("searchable(%q) = %v", id, !want)
		}
	}
}

func FuzzRefusal(f *testing.F) {
	f.Add(400, []byte(`{"error":{"code":400,"message":"Invalid To header","errors":[{"reason":"invalidArgument"}],`+
		`"details":[{"reason":"X"}]}}`), "5")
	f.Add(429, []byte(`[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED",`+
		`"message":"Retry after 2026-11-22T16:30:00.123Z (Mail sending)"}}]`), "Sun, 22 Nov 2026 10:00:00 GMT")
	f.Add(200, []byte("<html>"), "-1")
	a := &Adapter{base: "https://h.example", now: time.Now}
	f.Fuzz(func(t *testing.T, status int, body []byte, retry string) {
		if status < 100 || status > 599 {
			return
		}
		ans := answer{status: status, header: http.Header{"Retry-After": {retry}}, body: body, handed: true}
		e := a.failure(ans, true)
		if e.Class == "" || e.Class == adapters.Accepted || e.Code == "" || e.Message.In("it") == "" || e.RetryAfter < 0 ||
			e.RetryAfter > maxWait || strings.ContainsAny(e.Error(), "<\r\n\x00") {
			t.Errorf("%+v", e)
		}
		if (status < 300 || status >= 500) && e.Class != adapters.Unknown && e.Class != adapters.Throttled {
			t.Errorf("%d is %s, the message may have been sent", status, e.Class)
		}
	})
}

func FuzzRange(f *testing.F) {
	f.Add("bytes=0-262143")
	f.Add("bytes=0-9223372036854775807")
	f.Fuzz(func(t *testing.T, v string) {
		if n := received(http.Header{"Range": {v}}); n < -1 {
			t.Errorf("%q gives %d", v, n)
		}
	})
}
