package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postino-mail/postino/adapters/stages"
	"github.com/postino-mail/postino/internal/doctor"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

// Bounds of tests: each opens connections and asks for a token.
const (
	testsEach = 2  // of one caller at once
	testsMost = 20 // of all

	testsAtOnce  = 10 // of one caller, then one each interval
	testInterval = 6 * time.Second
)

// A connectionTestService tests connections, stored or not.
type connectionTestService struct {
	*connectionService
	*testLimiter
	doctor   *doctor.Doctor
	spoolDir string // of messages that are sent as tests
	stopping <-chan struct{}
}

// A testLimiter bounds what reaches out for callers: tests, and the search for the
// provider of an address. Safe for concurrent use.
type testLimiter struct {
	limiter *rateLimiter // of tests, by caller

	mu      sync.Mutex
	running map[string]int // by quotaKey
	all     int
}

func newTestLimiter(now func() time.Time) *testLimiter {
	return &testLimiter{limiter: newRateLimiter(now, testsAtOnce, testInterval), running: map[string]int{}}
}

func (s *connectionTestService) routes(rt *router) {
	const about = "Tests DNS, connection, TLS, greeting, token, login, permission, mailbox, sender and daily budget; " +
		"with to, a real message is sent and followed; where the connection is stored and its mail leaves now, it is listed with the tag test. " +
		"With Accept: text/event-stream each stage comes as it ends " +
		"(event stage, data a Stage) and the whole test last (event result); otherwise the answer is the whole test. " +
		"It ends with the request. A test that fails is answered with 200 and ok false."
	ways := []*huma.Param{
		{Name: "to", In: "query", Schema: &huma.Schema{Type: "string"}, Description: "A real message goes there; absent: nothing is sent"},
		{Name: "from", In: "query", Schema: &huma.Schema{Type: "string"}, Description: "Sender to test; absent: the connection's own"},
		{Name: "Accept-Language", In: "header", Schema: &huma.Schema{Type: "string"}},
	}
	answers := func() map[string]*huma.Response {
		return map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
			"application/json":  {Schema: schema[view.ConnectionTest](rt)},
			"text/event-stream": {Schema: &huma.Schema{Type: "string"}}}}}
	}
	s.migrationRoutes(rt)
	given := op("test-connection-settings", http.MethodPost, "/v1/connections/test", connectionsTag, ScopeConnectionsWrite,
		"Test a connection before it is stored", about+" Nothing is stored.")
	given.Parameters, given.Responses = ways, answers()
	given.Metadata["body"] = rt.connectionSchema()
	rt.raw(given, s.testGiven)
	kept := op("test-connection", http.MethodPost, "/v1/connections/{id}/test", connectionsTag, ScopeConnectionsWrite,
		"Test a connection", about)
	kept.Parameters = append([]*huma.Param{{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: "string"}}}, ways...)
	kept.Responses = answers()
	rt.raw(kept, s.testStored)
}

func (s *connectionTestService) testGiven(w http.ResponseWriter, r *http.Request) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSmallBody))
	if err != nil {
		return bodyError(err)
	}
	c, err := s.fresh(r.Context(), body)
	if err != nil {
		return err
	}
	if err := s.noLoop(r.Context(), c); err != nil {
		return err
	}
	return s.test(w, r, doctor.Test{Connection: c})
}

func (s *connectionTestService) testStored(w http.ResponseWriter, r *http.Request) error {
	c, err := s.stored(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	status, err := registry.StatusOf(r.Context(), s.store, c)
	if err != nil {
		return err
	}
	t := doctor.Test{Connection: c, State: doctor.StateOf(c, status.State, status.Lane)}
	if t.State.Sends(c, s.now()) { // otherwise the message would wait, and prove nothing
		t.Queue = &testMail{submit: s.submit, store: s.store, dir: s.spoolDir, who: caller(r.Context()), connection: c}
	}
	return s.test(w, r, t)
}

// test runs a test and answers, in the form that the caller asks for.
func (s *connectionTestService) test(w http.ResponseWriter, r *http.Request, t doctor.Test) error {
	t.Language = language(r.Header.Get("Accept-Language"))
	for _, p := range []struct {
		name string
		set  *mime.Mailbox
	}{{"from", &t.From}, {"to", &t.To}} {
		v := r.URL.Query().Get(p.name)
		if v == "" {
			continue
		}
		var err error
		if *p.set, err = mime.ParseMailbox(v); err != nil {
			return invalid("query."+p.name, text("api.test_address", "{field} is no e-mail address", "field", p.name))
		}
	}
	leave, err := s.enter(caller(r.Context()).quotaKey())
	if err != nil {
		return err
	}
	defer leave()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() {
		select {
		case <-s.stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	if strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		s.stream(ctx, w, t)
		return nil
	}
	whole := testResult(s.doctor.Connection(ctx, t, nil), t)
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(whole); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(body.Bytes()) // a reader that left needs no report
	return nil
}

// testResult shows a whole test.
func testResult(res doctor.Result, t doctor.Test) view.ConnectionTest {
	out := view.OfConnectionTest(res.OK, res.Stages, t.Language)
	if q, ok := t.Queue.(*testMail); ok {
		out.Mail = q.id()
	}
	return out
}

// stream writes each stage as it ends, and the whole test at the end.
func (s *connectionTestService) stream(ctx context.Context, w http.ResponseWriter, t doctor.Test) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // nginx
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w)
	passed, done := make(chan stages.Stage), make(chan doctor.Result, 1)
	go func() {
		done <- s.doctor.Connection(ctx, t, func(st stages.Stage) {
			select {
			case passed <- st:
			case <-ctx.Done():
			}
		})
	}()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	gone := false // the reader left: ctx ends the test, which is waited for
	write := func(event string, v any) {
		data, err := json.Marshal(v)
		if err == nil && !gone {
			_, err = fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, data)
		}
		gone = gone || err != nil || flush.Flush() != nil
	}
	for {
		select {
		case st := <-passed:
			write("stage", view.OfStage(st, t.Language))
		case res := <-done:
			write("result", testResult(res, t))
			return
		case <-beat.C:
			if _, err := fmt.Fprint(w, ": still here\n\n"); err != nil || flush.Flush() != nil {
				gone = true
			}
		}
	}
}

// enter counts a test of a caller; leave ends it.
func (s *testLimiter) enter(key string) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	busy := func(wait time.Duration) error {
		f := fail(http.StatusTooManyRequests, "too_many_tests", "",
			text("api.too_many_tests", "too many tests of connections run or have just run"),
			text("api.too_many_tests_hint", "wait until the tests under way have ended; after ten at once one is taken every six seconds"))
		f.retryAfter = wait
		return f
	}
	if s.all >= testsMost || s.running[key] >= testsEach {
		return nil, busy(failureInterval)
	}
	if wait := s.limiter.charge(key); wait > 0 {
		return nil, busy(wait)
	}
	s.running[key]++
	s.all++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.running[key]--; s.running[key] == 0 {
			delete(s.running, key)
		}
		s.all--
	}, nil
}
