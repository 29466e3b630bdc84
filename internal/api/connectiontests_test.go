package api

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters/all"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/internal/doctor"
	"github.com/postino-mail/postino/internal/view"
)

// testWorld is a world with connections that can be tested against a sandbox, and the
// JSON of a connection to it.
func testWorld(t *testing.T) (*world, *sandbox.Sandbox, string) {
	t.Helper()
	sb, err := sandbox.Start(sandbox.Options{AnyMailbox: true, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *Options) {
		o.Doctor = doctor.New(doctor.Options{Sender: func() doctor.Sender { return all.New(all.Options{RootCAs: sb.CertPool()}) }})
	})
	t.Cleanup(func() { w.must(sb.Close()) })
	doc, err := sandbox.ConnectionJSON(sb.SMTPConnection("erp@contoso.it"))
	w.must(err)
	return w, sb, string(doc)
}

func names(all []view.Stage) (out []string) {
	for _, s := range all {
		out = append(out, s.Name+"="+s.Status)
	}
	return out
}

func TestConnectionTest(t *testing.T) {
	t.Parallel()
	w, sb, doc := testWorld(t)
	const path = "/v1/connections/test"
	want := []string{"settings=ok", "dns=skipped", "tcp=ok", "greeting=ok", "tls=ok", "offers=ok", "authentication=ok", "sender=ok",
		"budget=skipped"}

	t.Run("nothing is stored", func(t *testing.T) {
		var res view.ConnectionTest
		w.want(w.do(w.admin, "POST", path, doc), http.StatusOK).into(t, &res)
		if !res.OK || !slices.Equal(names(res.Stages), want) {
			t.Errorf("%v: %v", res.OK, names(res.Stages))
		}
		var list struct{ Items []shownConnection }
		w.want(w.do(w.admin, "GET", "/v1/connections", nil), http.StatusOK).into(t, &list)
		if len(list.Items) != 1 || len(sb.Deliveries()) != 0 {
			t.Errorf("%d connections, %d deliveries", len(list.Items), len(sb.Deliveries()))
		}
	})
	t.Run("a message", func(t *testing.T) {
		var res view.ConnectionTest
		w.want(w.do(w.admin, "POST", path+"?to=anna@example.com&from=erp@contoso.it", doc), http.StatusOK).into(t, &res)
		if !res.OK || len(sb.Deliveries()) != 1 {
			t.Errorf("%v, %d deliveries", names(res.Stages), len(sb.Deliveries()))
		}
	})
	t.Run("wrong password", func(t *testing.T) {
		var res view.ConnectionTest
		bad := strings.Replace(doc, `"password": "`, `"password": "x`, 1)
		w.want(w.do(w.admin, "POST", path, bad, "Accept-Language", "it"), http.StatusOK).into(t, &res)
		i := slices.IndexFunc(res.Stages, func(s view.Stage) bool { return s.Status == "failed" })
		if res.OK || i < 0 {
			t.Fatalf("%v", names(res.Stages))
		}
		s := res.Stages[i]
		if s.Name != "authentication" || s.ProviderCode != "535 5.7.8" || s.Class != "auth" || !strings.HasPrefix(s.Hint, "controllare") {
			t.Errorf("%+v", s)
		}
	})
	t.Run("a login and no password", func(t *testing.T) {
		var res view.ConnectionTest
		bare := strings.Replace(doc, `"password": "`, `"hostname": "`, 1)
		w.want(w.do(w.admin, "POST", path, bare), http.StatusOK).into(t, &res)
		i := slices.IndexFunc(res.Stages, func(s view.Stage) bool { return s.Name == "authentication" })
		if i < 0 || !strings.HasPrefix(res.Stages[i].Message, "the connection has a login and no password") || res.Stages[i].Hint == "" {
			t.Errorf("%+v", res.Stages)
		}
	})
	t.Run("a stored one, as a stream", func(t *testing.T) {
		w.want(w.do(w.admin, "POST", "/v1/connections", doc), http.StatusCreated)
		a := w.want(w.do(w.admin, "POST", "/v1/connections/Sandbox%20SMTP/test", nil, "Accept", "text/event-stream"), http.StatusOK)
		if ct := a.header.Get("Content-Type"); ct != "text/event-stream" {
			t.Error(ct)
		}
		events := strings.Split(strings.TrimSpace(string(a.body)), "\n\n")
		if len(events) != len(want)+1 || !strings.HasPrefix(events[0], "event: stage\ndata: {\"name\":\"settings\"") ||
			!strings.HasPrefix(events[len(events)-1], "event: result\ndata: {\"ok\":true,\"stages\":[") {
			t.Errorf("%s", a.body)
		}
	})
	t.Run("what is wrong", func(t *testing.T) {
		w.want(w.do(w.admin, "POST", path, `{"name":"x"}`), http.StatusUnprocessableEntity)
		w.want(w.do(w.admin, "POST", path+"?to=nobody", doc), http.StatusUnprocessableEntity)
		w.want(w.do(w.admin, "POST", path+"?too=a@b.it", doc), http.StatusUnprocessableEntity)
		w.want(w.do(w.admin, "POST", "/v1/connections/none/test", nil), http.StatusNotFound)
	})
}

// TestConnectionTestNoAdmin: who is no administrator cannot look around in the
// network by a test.
func TestConnectionTestNoAdmin(t *testing.T) {
	t.Parallel()
	w, sb, doc := testWorld(t)
	key := w.addKey("", ScopeConnectionsWrite)
	for _, host := range []string{"127.0.0.1", "localhost", "192.168.1.1", "::1", "169.254.169.254"} {
		named := strings.Replace(doc, `"host": "127.0.0.1"`, `"host": "`+host+`"`, 1)
		w.want(w.do(key, "POST", "/v1/connections/test", named), http.StatusForbidden)
	}
	graph, err := sandbox.ConnectionJSON(sb.GraphConnection("erp@contoso.it"))
	w.must(err)
	w.want(w.do(key, "POST", "/v1/connections/test", string(graph)), http.StatusForbidden)
	if n := sb.Counters()["smtp.connect"]; n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

// TestConnectionTestLimits: tests of one caller are counted, those of another not
// with them, and a caller that leaves ends its test.
func TestConnectionTestLimits(t *testing.T) {
	t.Parallel()
	w, sb, doc := testWorld(t)
	other := w.addKey("", ScopeAdmin)
	for range testsAtOnce {
		w.want(w.do(w.admin, "POST", "/v1/connections/test", doc), http.StatusOK)
	}
	if a := w.want(w.do(w.admin, "POST", "/v1/connections/test", doc), http.StatusTooManyRequests); a.header.Get("Retry-After") == "" {
		t.Error("there is no Retry-After")
	}
	w.want(w.do(other, "POST", "/v1/connections/test", doc), http.StatusOK)

	sb.Inject(sandbox.Fault{Service: "smtp", Op: "auth", Delay: time.Hour})
	for range testsEach + 1 { // a test that did not end would keep its place
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			r := httptest.NewRequestWithContext(ctx, "POST", "/v1/connections/test", bytes.NewReader([]byte(doc)))
			r.Header.Set("Authorization", "Bearer "+other)
			w.server.Handler().ServeHTTP(httptest.NewRecorder(), r)
		}()
		for before := sb.Counters()["smtp.auth"]; sb.Counters()["smtp.auth"] == before && ctx.Err() == nil; {
			select {
			case <-ended:
				t.Fatal("the test ended by itself")
			case <-time.After(5 * time.Millisecond):
			}
		}
		cancel()
		<-ended
	}
}

// TestDoctor: GET /v1/doctor looks at the installation, for administrators alone.
func TestDoctor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var c view.Checkup
	w.want(w.do(w.admin, "GET", "/v1/doctor", nil, "Accept-Language", "it"), http.StatusOK).into(t, &c)
	i := slices.IndexFunc(c.Findings, func(f view.Finding) bool { return f.Check == "store" })
	if i < 0 || c.Findings[i].Status != "ok" || !strings.Contains(c.Findings[i].Message, "accetta messaggi") {
		t.Errorf("%+v", c)
	}
	w.want(w.do(w.key, "GET", "/v1/doctor", nil), http.StatusForbidden)
}
