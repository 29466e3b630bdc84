package sandbox

import (
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	s := start(t, Options{AnyMailbox: true})
	c := newGraphClient(t, s)
	for _, tt := range []struct {
		limit   int64 // B2.2
		extra   int
		chunked bool
		status  int
	}{{4 << 20, 0, false, 202}, {4 << 20, 1, false, 413}, {4 << 20, 1, true, 413}, {4_000_000, 0, true, 202}, {4_000_000, 1, true, 413}} {
		s.Configure(func(sw *Switches) { sw.GraphBodyLimit = tt.limit })
		head := sample("")
		fit := int(tt.limit/4*3) - len(head)
		var body io.Reader = strings.NewReader(base64.StdEncoding.EncodeToString([]byte(head + strings.Repeat("x", fit+tt.extra))))
		if tt.chunked {
			body = io.MultiReader(body)
		}
		if r := c.do("POST", box+"/sendMail", body, "Content-Type", "text/plain"); r.status != tt.status {
			t.Errorf("%+v: %d %v", tt, r.status, r.doc)
		}
	}
	for _, d := range s.Deliveries() {
		if d.File == "" {
			t.Errorf("delivery %d of %d bytes has no file", d.Seq, d.Size)
		}
	}
}

// Four requests are in work; the fifth is throttled (B7.2, B7.5, B7.6).
func TestConcurrencyCap(t *testing.T) {
	t.Parallel()
	s := start(t, Options{AnyMailbox: true})
	c := newGraphClient(t, s)
	c.sendMIME(box, sample(""))
	release, inWork := make(chan struct{}), make(chan struct{})
	results := make(chan reply)
	for i := range 4 {
		go func() {
			// With Expect, the body is read only when the server asks for it.
			body := &heldReader{release: release, reached: inWork, r: strings.NewReader(base64.StdEncoding.EncodeToString([]byte(sample(""))))}
			results <- c.do("POST", box+"/sendMail", body, "Content-Type", "text/plain", "client-request-id", fmt.Sprint(i), "Expect",
				"100-continue")
		}()
	}
	for range 4 {
		<-inWork
	}
	r := c.sendMIME(box, sample(""))
	if r.status != 429 || r.code() != "ApplicationThrottled" || r.text() != "Application is over its MailboxConcurrency limit." ||
		r.header.Get("Retry-After") != "1" {
		t.Errorf("%+v", r)
	}
	if r := c.sendMIME("other@contoso.example", sample("")); r.status != 202 {
		t.Errorf("another mailbox: %+v", r)
	}
	close(release)
	for range 4 {
		if r := <-results; r.status != 202 {
			t.Errorf("%+v", r)
		}
	}
	if n := s.MaxInFlight("graph"); n != 5 {
		t.Errorf("most in flight %d", n)
	}
}

// A heldReader tells when it is first read, and returns nothing before release
// is closed.
type heldReader struct {
	release, reached chan struct{}
	r                io.Reader
	told             bool
}

func (g *heldReader) Read(p []byte) (int, error) {
	if !g.told {
		g.told = true
		g.reached <- struct{}{}
	}
	<-g.release
	return g.r.Read(p)
}

func TestLimitsOverTime(t *testing.T) {
	t.Parallel()
	now := newClock()
	s := start(t, Options{AnyMailbox: true, Now: now.now})
	c := newGraphClient(t, s)
	s.Configure(func(sw *Switches) { sw.GraphPerMinute = 2 })
	for i, want := range []int{202, 202, 429} {
		if r := c.sendMIME(box, sample("")); r.status != want {
			t.Errorf("message %d: %+v", i, r)
		}
	}
	now.advance(time.Minute)
	s.Configure(func(sw *Switches) { sw.GraphPerMinute, sw.GraphUploadQuota = 0, 500 })
	for i, want := range []int{202, 429} {
		if r := c.sendMIME(box, sample("")); r.status != want {
			t.Errorf("upload %d: %+v", i, r)
		}
	}
}
