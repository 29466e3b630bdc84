package sandbox

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestGraphFaults(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault     Fault
		status    int // 0: the connection breaks
		code      string
		delivered int
	}{
		"before":         {Fault{Op: "sendMail", Status: 503}, 503, "ServiceUnavailable", 0},
		"after":          {Fault{Op: "sendMail", Status: 504, After: true}, 504, "UnknownError", 1},
		"code":           {Fault{Status: 400, Code: "ErrorInvalidRecipients", Message: "m"}, 400, "ErrorInvalidRecipients", 0},
		"lost":           {Fault{Reset: true, After: true}, 0, "", 1},
		"reset":          {Fault{Reset: true}, 0, "", 0},
		"other op":       {Fault{Op: "send", Reset: true}, 202, "", 1},
		"other mailbox":  {Fault{Match: "x@y", Reset: true}, 202, "", 1},
		"own mailbox":    {Fault{Match: "ERP@contoso.example", Status: 500}, 500, "ErrorInternalServerError", 0},
		"only delay":     {Fault{Delay: time.Millisecond}, 202, "", 1},
		"delayed answer": {Fault{Delay: time.Millisecond, Status: 502, After: true}, 502, "ErrorInternalServerError", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, Options{AnyMailbox: true})
			c := newGraphClient(t, s)
			tt.fault.Service = "graph"
			s.Inject(tt.fault)
			if tt.status == 0 {
				req, err := http.NewRequest("POST", s.graph.URL()+"/v1.0/users/"+box+"/sendMail", strings.NewReader(wrapped(sample(""), "\n")))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Authorization", "Bearer "+c.token)
				req.Header.Set("Content-Type", "text/plain")
				if res, err := s.HTTPClient().Do(req); err == nil {
					res.Body.Close()
					t.Errorf("answered %d", res.StatusCode)
				}
			} else if r := c.sendMIME(box, sample("")); r.status != tt.status || r.code() != tt.code {
				t.Errorf("%+v", r)
			}
			if n := len(s.Deliveries()); n != tt.delivered {
				t.Errorf("%d deliveries", n)
			}
		})
	}
	t.Run("body", func(t *testing.T) {
		t.Parallel()
		s := start(t, Options{AnyMailbox: true})
		c := newGraphClient(t, s)
		s.Inject(Fault{Service: "graph", Times: 2, Status: 502, Body: "<html>Bad Gateway</html>"})
		req, err := http.NewRequest("GET", s.graph.URL()+"/v1.0/users/"+box+"/messages", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+c.token)
		res, err := s.HTTPClient().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if data, err := io.ReadAll(res.Body); err != nil || res.StatusCode != 502 || string(data) != "<html>Bad Gateway</html>" ||
			!strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
			t.Errorf("%d %q %v", res.StatusCode, data, err)
		}
	})
}

// A request that hangs ends with Close.
func TestCloseEndsDelays(t *testing.T) {
	t.Parallel()
	acts := make(chan struct{}, 1)
	s, err := Start(Options{AnyMailbox: true, Log: slog.New(slog.NewTextHandler(writerFunc(func(p []byte) {
		if strings.Contains(string(p), "a fault acts") {
			acts <- struct{}{}
		}
	}), &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	s.Inject(Fault{Service: "graph", Delay: time.Hour})
	tk := token(t, s, GraphResource)
	done := make(chan error, 1)
	go func() {
		req, err := http.NewRequest("POST", s.graph.URL()+"/v1.0/users/"+box+"/sendMail", strings.NewReader("eA=="))
		if err != nil {
			done <- err
			return
		}
		req.Header.Set("Authorization", "Bearer "+tk)
		req.Header.Set("Content-Type", "text/plain")
		res, err := s.HTTPClient().Do(req)
		if err == nil {
			res.Body.Close()
			err = errors.New("answered")
		} else {
			err = nil
		}
		done <- err
	}()
	<-acts
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error("second Close:", err)
	}
}

type writerFunc func(p []byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}
