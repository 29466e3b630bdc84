package graph

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/mailboxtest"
)

var update = flag.Bool("update", false, "write the golden files again")

// TestClasses reads every recorded reply and compares class, scope and words
// with testdata/classes.golden, for a request that sends and was complete.
func TestClasses(t *testing.T) {
	t.Parallel()
	a, _ := adapterOn(t, "http://127.0.0.1:1", http.DefaultClient)
	files, err := filepath.Glob("testdata/errors/*.json")
	if err != nil || len(files) < 50 {
		t.Fatalf("%d replies, %v", len(files), err)
	}
	var got strings.Builder
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		status, err := strconv.Atoi(name[:3])
		if err != nil {
			t.Fatalf("%s: a name begins with the status", name)
		}
		res := &result{status: status, header: http.Header{}, body: body, complete: true, token: "tok"}
		rq := &request{op: "sendMail", sends: true, job: &job{mailbox: erp, from: mailboxtest.Of("info@contoso.it")}}
		e := wantClass(t, a.classify(context.Background(), rq, res), adapters.ClassOf(a.classify(context.Background(), rq, res)))
		fmt.Fprintf(&got, "%s: %s %s %s %q %s", name, e.Class, e.Scope, e.Code, e.ProviderCode, e.Enhanced)
		if e.NoRetry {
			got.WriteString(" no-retry")
		}
		if e.TooLarge {
			got.WriteString(" too-large")
		}
		if e.RetryAfter > 0 {
			fmt.Fprintf(&got, " wait=%v", e.RetryAfter)
		}
		fmt.Fprintf(&got, "\n  EN %s\n     %s\n  IT %s\n     %s\n", e.Message.String(), e.Hint.String(), e.Message.In("it"), e.Hint.In("it"))
	}
	golden(t, "testdata/classes.golden", got.String())
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run go test -update and look at the difference. Got:\n%s", file, got)
	}
}

// TestContractClasses is contracts B9 row by row, independent of the golden file.
func TestContractClasses(t *testing.T) {
	t.Parallel()
	a, _ := adapterOn(t, "http://127.0.0.1:1", http.DefaultClient)
	for class, names := range map[adapters.Class]string{
		adapters.Auth: "401-InvalidAuthenticationToken 403-Authorization_RequestDenied 403-ErrorAccessDenied 403-ErrorAccessDenied-raop " +
			"403-unknown-code 403-html 404-html 407-empty 401-empty 302-empty 400-html",
		adapters.Permanent: "403-ErrorSendAsDenied 400-ErrorInvalidRecipients 400-ErrorMimeContentInvalidBase64String " +
			"400-ErrorMimeContentInvalid " +
			"500-ErrorMimeContentConversionFailed 404-ResourceNotFound 404-Request_ResourceNotFound 404-ErrorInvalidUser " +
			"404-MailboxNotEnabledForRESTAPI 403-ErrorMailboxNotEnabledForRESTAPI 403-ErrorAccountDisabled 403-ErrorMailboxLogonFailed " +
			"400-ErrorMessageSizeExceeded 413-RequestEntityTooLarge 400-ErrorAttachmentSizeLimitExceeded 400-ErrorRequestStreamTooBig " +
			"400-ErrorAttachmentSizeShouldNotBeLessThanMinimumSize 400-InvalidInternetMessageHeader 400-InvalidInternetMessageHeaderCollection " +
			"400-ErrorInvalidParameter 400-RequestBodyRead 400-BadRequest 413-html 400-BadRequest-nested-innererror 400-unknown-code",
		adapters.Throttled: "400-ErrorExceededMessageLimit 403-ErrorMessageSubmissionBlocked 429-ErrorExceededMaxRecipientLimitBlock " +
			"500-ErrorSubmissionQuotaExceeded 429-ApplicationThrottled 429-TooManyRequests 503-ErrorServerBusy 429-empty 509-bandwidth",
		adapters.Transient: "400-ErrorQuotaExceeded 423-Locked 423-ErrorMailboxMoveInProgress 500-ErrorExceededConnectionCount " +
			"500-ErrorTooManyObjectsOpened 500-generic-nested-innerError 409-unknown-code",
		adapters.Unknown: "404-ErrorItemNotFound 408-ErrorTimeoutExpired 500-ErrorInternalServerError 500-ErrorMailboxStoreUnavailable " +
			"503-ServiceUnavailable 504-GatewayTimeout 504-UnknownError 503-html 502-garbage 500-empty 200-html 204-empty",
	} {
		for _, name := range strings.Fields(names) {
			body, err := os.ReadFile(filepath.Join("testdata/errors", name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			status, _ := strconv.Atoi(name[:3])
			res := &result{status: status, header: http.Header{}, body: body, complete: true}
			for _, c := range []struct {
				sends, complete bool
			}{{true, true}, {false, true}, {true, false}} {
				res.complete = c.complete
				want := class
				if want == adapters.Unknown && (!c.sends || !c.complete) {
					want = adapters.Transient // nothing can have been sent
				}
				got := adapters.ClassOf(a.classify(context.Background(), &request{sends: c.sends}, res))
				if got != want {
					t.Errorf("%s (sends %v, complete %v) is %s, want %s", name, c.sends, c.complete, got, want)
				}
			}
		}
	}
}

func TestSendAsIsNeverRetried(t *testing.T) {
	t.Parallel()
	if r, ok := ruleFor("ErrorSendAsDenied"); !ok || !r.noRetry {
		t.Error("contracts F30")
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		value, date string
		want        time.Duration
	}{
		{"17", "", 17 * time.Second},
		{"0", "", 0},
		{"-5", "", 0},
		{"", "", 0},
		{"soon", "", 0},
		{"99999999999999999999999", "", 24 * time.Hour},
		{"Sun, 22 Nov 2026 10:00:30 GMT", "", 30 * time.Second},
		{"Sun, 22 Nov 2026 09:59:00 GMT", "", 0},
		{"Sun, 22 Nov 2026 11:00:30 GMT", "Sun, 22 Nov 2026 11:00:00 GMT", 30 * time.Second}, // our clock is an hour off
		{"Fri, 31 Dec 9999 23:59:59 GMT", "", 24 * time.Hour},
	} {
		h := http.Header{}
		h.Set("Retry-After", c.value)
		if c.date != "" {
			h.Set("Date", c.date)
		}
		if got := retryAfter(h, now); got != c.want {
			t.Errorf("%q at %q: %v, want %v", c.value, c.date, got, c.want)
		}
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	if got := redact("token tok.en is bad "+strings.Repeat("é", 400), "tok.en"); strings.Contains(got, "tok.en") || len(got) > 310 {
		t.Errorf("%q", got)
	}
}

func FuzzParseError(f *testing.F) {
	files, _ := filepath.Glob("testdata/errors/*.json")
	for _, file := range files {
		if body, err := os.ReadFile(file); err == nil {
			f.Add(body)
		}
	}
	f.Add([]byte(`{"error":null}`))
	f.Add([]byte(`{"error":{"details":[null,{"code":"X"}],"innerError":[1]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, c := range parseError(body).codes {
			if !isCode(c) {
				t.Errorf("%q is shown as a code", c)
			}
		}
	})
}

// Only what tells of too many requests at once lowers the concurrency of a mailbox (contracts B7.5).
func TestConcurrency(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]bool{"ApplicationThrottled": true, "TooManyRequests": false, "ErrorServerBusy": false} {
		if r, ok := ruleFor(code); !ok || r.concurrency != want || r.class != adapters.Throttled {
			t.Errorf("%s: %+v", code, r)
		}
	}
}
