package gmail

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
)

// session answers the start of an upload.
func session(w http.ResponseWriter, r *http.Request) {
	// Another host in the Location must not get the message.
	w.Header().Set("Location", "https://attacker.example"+r.URL.Path+"?uploadType=resumable&upload_id=CAPABILITY")
}

func stands(n int64) http.HandlerFunc {
	if n == 0 {
		return respond(308, "")
	}
	return respond(308, "", "Range", fmt.Sprintf("bytes=0-%d", n-1))
}

func TestResumableRequests(t *testing.T) {
	t.Parallel()
	a, _, seen := serve(t, session, stands(testChunk), stands(2*testChunk), respond(200, okBody))
	r, err := a.Send(t.Context(), large(t))
	if err != nil {
		t.Fatal(err)
	}
	got := seen()
	if h := got[0]; h.uri != "/upload/gmail/v1/users/me/messages/send?uploadType=resumable" ||
		h.header.Get("X-Upload-Content-Type") != "message/rfc822" ||
		h.header.Get("X-Upload-Content-Length") != fmt.Sprint(r.Bytes) || h.contentLength != 0 {
		t.Errorf("start: %+v", h)
	}
	whole := 0
	for i, h := range got[1:] {
		first := int64(i) * testChunk
		want := fmt.Sprintf("bytes %d-%d/%d", first, min(first+testChunk, r.Bytes)-1, r.Bytes)
		if h.method != "PUT" || h.header.Get("Content-Range") != want || h.contentLength != int64(len(h.body)) ||
			h.uri != "/upload/gmail/v1/users/me/messages/send?uploadType=resumable&upload_id=CAPABILITY" {
			t.Errorf("chunk %d: %s %s %q, want %q", i, h.method, h.uri, h.header.Get("Content-Range"), want)
		}
		whole += len(h.body)
	}
	if int64(whole) != r.Bytes || r.Route != "resumable" || r.RequestID != "" {
		t.Errorf("%d bytes in chunks, %+v", whole, r)
	}
}

func TestResumableOdds(t *testing.T) {
	t.Parallel()
	interim200 := respond(200, "", "X-Http-Status-Code-Override", "308", "Range", fmt.Sprintf("bytes=0-%d", testChunk-1)) // contracts C2.4
	for _, c := range []struct {
		name     string
		answers  []http.HandlerFunc
		class    adapters.Class
		requests int
	}{
		{"interim answers as 200", []http.HandlerFunc{session, interim200, stands(2 * testChunk), respond(201, okBody)}, adapters.Accepted, 4},
		{"half a chunk was kept", []http.HandlerFunc{session, stands(chunkUnit), stands(chunkUnit + testChunk), stands(2*testChunk + chunkUnit),
			respond(200, okBody)}, adapters.Accepted, 5},
		{"503, then asked", []http.HandlerFunc{session, respond(503, ""), stands(0), stands(testChunk), stands(2 * testChunk),
			respond(200, okBody)}, adapters.Accepted, 6},
		{"the question fails once too", []http.HandlerFunc{session, respond(503, ""), respond(502, ""), stands(testChunk), stands(2 * testChunk),
			respond(200, okBody)}, adapters.Accepted, 6},
		{"never gets on", []http.HandlerFunc{session, stands(0)}, adapters.Transient, 8},
		{"asks for more than was sent", []http.HandlerFunc{session, stands(3 * testChunk), respond(499, "")}, adapters.Transient, 3},
		{"range is nonsense", []http.HandlerFunc{session, respond(308, "", "Range", "bytes=7-9"), respond(499, "")}, adapters.Transient, 3},
		{"no Location", []http.HandlerFunc{respond(200, "")}, adapters.Transient, 1},
		{"start refused", []http.HandlerFunc{respond(403, `{"error":{"code":403,"errors":[{"reason":"domainPolicy"}]}}`)}, adapters.Auth, 1},
		{"told to wait for hours", []http.HandlerFunc{session, respond(429, "", "Retry-After", "7200"), respond(499, "")}, adapters.Throttled, 3},
		{"last chunk 504, session incomplete, cannot be cancelled", []http.HandlerFunc{session, stands(testChunk), stands(2 * testChunk),
			respond(504, ""), stands(2 * testChunk), respond(405, "")}, adapters.Unknown, 6},
		{"last chunk 504, session incomplete, cancelled", []http.HandlerFunc{session, stands(testChunk), stands(2 * testChunk), respond(504, ""),
			stands(2 * testChunk), respond(499, "")}, adapters.Transient, 6},
		{"last chunk 504, session sent it", []http.HandlerFunc{session, stands(testChunk), stands(2 * testChunk), respond(504, ""),
			respond(200, okBody)}, adapters.Accepted, 5},
		{"last chunk 504, session knows nothing", []http.HandlerFunc{session, stands(testChunk), stands(2 * testChunk), respond(504, ""),
			respond(410, "")}, adapters.Unknown, 5},
		{"last chunk 308", []http.HandlerFunc{session, stands(testChunk), stands(2 * testChunk), stands(2 * testChunk), stands(2 * testChunk),
			respond(204, "")}, adapters.Transient, 6},
		{"last chunk 429", []http.HandlerFunc{session, stands(testChunk), stands(2 * testChunk), respond(429, "", "Retry-After", "60")},
			adapters.Throttled, 4},
		{"last chunk 200 without a message", []http.HandlerFunc{session, stands(testChunk), stands(2 * testChunk), respond(200, "{}"),
			respond(200, "{}")}, adapters.Unknown, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a, _, seen := serve(t, c.answers...)
			_, err := a.Send(t.Context(), large(t))
			if adapters.ClassOf(err) != c.class || len(seen()) != c.requests {
				t.Errorf("%v (%s) after %d requests", err, adapters.ClassOf(err), len(seen()))
			}
			if err != nil && strings.Contains(fmt.Sprint(err, errors.Unwrap(err)), "CAPABILITY") {
				t.Errorf("the session shows: %v", err)
			}
			last := 0
			for _, r := range seen() {
				if n := len(r.body); n > 0 && strings.HasPrefix(r.header.Get("Content-Range"), fmt.Sprintf("bytes %d-", 2*testChunk)) {
					last++
				}
			}
			if last > 1 {
				t.Errorf("the last chunk went out %d times", last)
			}
		})
	}
}

func TestPausesGrowAndHonourRetryAfter(t *testing.T) {
	t.Parallel()
	a, _, _ := serve(t, session, respond(503, ""), respond(503, ""), respond(503, "", "Retry-After", "20"), respond(503, ""))
	var waits []time.Duration
	a.SkipPauses(func(d time.Duration) { waits = append(waits, d) })
	_, err := a.Send(t.Context(), large(t))
	if e := adapters.AsError(err); e.Class != adapters.Transient || e.Status != 503 {
		t.Errorf("%+v", e)
	}
	if got := fmt.Sprint(waits); got != "[1s 2s 20s 8s 16s]" {
		t.Errorf("waited %s", got)
	}
}
