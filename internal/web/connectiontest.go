package web

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/postino-mail/postino/adapters/stages"
	"github.com/postino-mail/postino/internal/doctor"
	record "github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

// A testRun is the test of a connection as far as it has come.
type testRun struct {
	Stages []record.Stage
	Ended  bool
	OK     bool   // nothing failed
	Mail   string // id of the message that was sent with other mail; empty: none was
}

// State is the badge of a stage.
func (testRun) State(s record.Stage) string {
	switch stages.Status(s.Status) {
	case stages.OK:
		return "ok"
	case stages.Failed:
		return "failed"
	case stages.Skipped:
		return "off"
	}
	return "attention"
}

// Label is what people call a stage.
func (testRun) Label(s record.Stage) mime.Text { return doctor.Label(stages.Name(s.Name)) }

// Result is how a stage ended, in words.
func (testRun) Result(s record.Stage) mime.Text { return doctor.StatusLabel(stages.Status(s.Status)) }

// A testScreen shows a test without script.
type testScreen struct {
	connection
	Run *testRun
}

// live reports that the reader's script shows what is sent while it happens.
func (v *visit) live() bool { return strings.Contains(v.r.Header.Get("Accept"), "text/event-stream") }

// test runs a test of the API. A reader with script is sent the list of stages each
// time that one has ended, and run is nil; others wait for the whole.
func (v *visit) test(target string, in any) (run *testRun, err error) {
	if !v.live() {
		var whole record.ConnectionTest
		if err := v.call(http.MethodPost, target, in, &whole); err != nil {
			return nil, err
		}
		return &testRun{Stages: whole.Stages, Ended: true, OK: whole.OK, Mail: whole.Mail}, nil
	}
	out, flush := &testRun{}, http.NewResponseController(v.w)
	begun := false
	send := func() error {
		page, err := v.part("connectiontest", "stages", &frame{visit: v, Data: out})
		if err != nil {
			return err
		}
		if !begun {
			begun = true
			h := v.w.Header()
			h.Set("Content-Type", "text/event-stream")
			h.Set("X-Accel-Buffering", "no") // nginx
			v.w.WriteHeader(http.StatusOK)
		}
		for line := range bytes.Lines(page) {
			if _, err := fmt.Fprintf(v.w, "data: %s\n", bytes.TrimRight(line, "\r\n")); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprint(v.w, "\n"); err != nil {
			return err
		}
		return flush.Flush()
	}
	err = v.follow(http.MethodPost, target, in, func(event string, data []byte) error {
		switch event {
		case "stage":
			var st record.Stage
			if err := json.Unmarshal(data, &st); err != nil {
				return err
			}
			out.Stages = append(out.Stages, st)
		case "result":
			var whole record.ConnectionTest
			if err := json.Unmarshal(data, &whole); err != nil {
				return err
			}
			out.Stages, out.OK, out.Ended, out.Mail = whole.Stages, whole.OK, true, whole.Mail
		}
		return send()
	})
	if begun { // what was sent cannot be taken back; a reader that left needs no report
		if err != nil {
			v.s.opt.Log.Debug("a test was not shown to its end", "err", err)
		}
		return nil, nil
	}
	return nil, err
}

// refuseLive shows a reader with script, in place of the stages, why there are none.
func (v *visit) refuseLive(f *form, err error) error {
	if err := f.refuseConnection(v, err); err != nil {
		return err
	}
	return v.showSummary(f)
}

// showSummary sends the errors of a form alone.
func (v *visit) showSummary(f *form) error {
	page, err := v.part("connectiontest", "summary", &frame{visit: v, Form: f})
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	return compressed(v.w, v.r, http.StatusOK, page)
}

// testConnection tests a stored connection, and the right to send as the sender of the
// form, where that has one.
func (s *Server) testConnection(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	return v.testStored(testQuery(f, "from"), f)
}

// testQuery is the query of the API's operation with these fields of the form.
func testQuery(f *form, fields ...string) string {
	q := url.Values{}
	for _, name := range fields {
		if value := f.Get(name); value != "" {
			q.Set(name, value)
		}
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// testStored tests the connection of the address; query goes to the API's operation.
func (v *visit) testStored(query string, f *form) error {
	c, err := v.connection()
	if err != nil {
		return err
	}
	run, err := v.test(path("/v1/connections/", c.ID, "/test")+query, nil)
	switch {
	case err != nil && v.live():
		return v.refuseLive(f, err)
	case err != nil:
		if err := f.refuseConnection(v, err); err != nil {
			return err
		}
	case v.live():
		return nil
	}
	return v.showForm("connectiontest", f, &testScreen{connection: *c, Run: run})
}

// backToConnection answers for the address of a test that is opened by itself.
func (s *Server) backToConnection(v *visit) error {
	c, err := v.connection()
	if err != nil {
		return err
	}
	return v.redirect(path("/connections/", c.ID))
}

func (s *Server) askSendTest(v *visit) error {
	c, err := v.connection()
	if err != nil {
		return err
	}
	q := v.r.URL.Query()
	return v.showForm("sendtest", formOf("from", q.Get("from"), "to", cmp.Or(q.Get("to"), v.person.Email)), c)
}

// sendTest sends a real message over a connection and follows it.
func (s *Server) sendTest(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	if f.Get("to") == "" {
		f.object("to", text("web.conn_no_recipient", "this is missing: who is to get the message?"), v.lang)
		c, err := v.connection()
		if err != nil {
			return err
		}
		return v.showForm("sendtest", f, c)
	}
	return v.testStored(testQuery(f, "from", "to"), f)
}
