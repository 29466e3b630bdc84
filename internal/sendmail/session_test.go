package sendmail

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/textproto"
	"strings"
	"testing"
	"time"
)

// strict is an SMTP server that takes CR LF alone and refuses what comes before
// it answered. It notes commands and messages.
func strict(t *testing.T, answer func(line string) string) (address string, heard func() string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done, notes := make(chan struct{}), new(strings.Builder)
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		c := textproto.NewConn(conn)
		say := func(s string) { _, _ = io.WriteString(conn, s+"\r\n") }
		say("220 gw.contoso.example ESMTP")
		data := false
		for {
			line, err := c.R.ReadString('\n')
			if err != nil {
				return
			}
			notes.WriteString(line)
			if !strings.HasSuffix(line, "\r\n") {
				say("500 5.5.2 line end")
				return
			}
			line = strings.TrimSpace(line)
			if data {
				if line == "." {
					data = false
					say("250 2.0.0 queued")
				}
				continue
			}
			r := answer(line)
			data = r == "354 go"
			if r != "" {
				say(r)
			}
			if line == "QUIT" {
				return
			}
		}
	}()
	t.Cleanup(func() { l.Close() })
	return l.Addr().String(), func() string { l.Close(); <-done; return notes.String() }
}

func TestSession(t *testing.T) {
	t.Parallel()
	const mail = "EHLO localhost\nMAIL FROM:<a@x.it>\nRCPT TO:<b@x.it>\nDATA\n"
	const text = "From: a@x.it\nSubject: s\n\nRSET\n..\nx\n.\n"
	for name, c := range map[string]struct {
		in, heard, out string
		refuse         string // the verb that is refused
		fails, temp    bool
	}{
		"here-document":            {in: mail + text + "QUIT\n", heard: mail + text + "QUIT\n", out: "250 2.0.0 queued"},
		"CR LF":                    {in: strings.ReplaceAll(mail+text+"QUIT\n", "\n", "\r\n"), heard: mail + text + "QUIT\n"},
		"no QUIT":                  {in: mail + text, heard: mail + text},
		"last line without an end": {in: mail + text + "QUIT", heard: mail + text + "QUIT\n"},
		"QUIT alone":               {in: "QUIT\n", heard: "QUIT\n"},
		"nothing":                  {in: "", fails: true},
		"the input ends in DATA":   {in: mail + "From: a@x.it\n\nhalf", heard: mail + "From: a@x.it\n\nhalf", fails: true},
		"recipient refused":        {in: mail + text + "QUIT\n", refuse: "RCPT,DATA", heard: mail + "QUIT\n", fails: true},
		"for now":                  {in: mail + text + "QUIT\n", refuse: "4DATA", heard: mail + "QUIT\n", fails: true, temp: true},
		// this server has no BDAT
		"BDAT": {in: "EHLO x\nMAIL FROM:<a@x.it>\nRCPT TO:<b@x.it>\nBDAT 8 LAST\nabcdef\r\nQUIT\n",
			heard: "EHLO x\nMAIL FROM:<a@x.it>\nRCPT TO:<b@x.it>\nBDAT 8 LAST\nabcdef\r\nQUIT\n", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, heard := strict(t, func(line string) string {
				verb, _, _ := strings.Cut(line, " ")
				switch {
				case strings.Contains(c.refuse, "4"+verb):
					return "451 4.3.0 later"
				case verb == "abcdef": // answered with its command
					return ""
				case verb == "BDAT", strings.Contains(c.refuse, verb):
					return "550 5.1.1 no"
				case verb == "DATA":
					return "354 go"
				case verb == "QUIT":
					return "221 bye"
				}
				return "250 ok"
			})
			var out bytes.Buffer
			err := Run(t.Context(), Args{Mode: Session}, Options{Address: address, Stdin: strings.NewReader(c.in), Stdout: &out})
			var nothing *NothingTakenError
			if (err != nil) != c.fails || c.fails && !errors.As(err, &nothing) || c.temp != (nothing != nil && nothing.Temporary) {
				t.Errorf("error %v", err)
			}
			want := c.heard
			if !strings.Contains(name, "BDAT") && !strings.HasSuffix(want, "half") {
				want = strings.ReplaceAll(want, "\n", "\r\n")
			}
			got := heard()
			if name == "BDAT" || name == "the input ends in DATA" {
				got, want = strings.ReplaceAll(got, "\r\n", "\n"), strings.ReplaceAll(want, "\r\n", "\n")
			}
			if name == "the input ends in DATA" { // what was not flushed was not heard
				if !strings.HasPrefix(want, got) || strings.Contains(got, "\n.\n") {
					t.Errorf("heard %q", got)
				}
				return
			}
			if got != want || !strings.Contains(out.String(), c.out) {
				t.Errorf("heard %q\nwant  %q\n%s", got, want, out.String())
			}
		})
	}
}

func TestServerName(t *testing.T) {
	t.Parallel()
	address, heard := strict(t, func(string) string { return "221 bye" })
	if got := ServerName(t.Context(), address); got != "gw.contoso.example" {
		t.Errorf("%q", got)
	}
	if got := heard(); got != "QUIT\r\n" {
		t.Errorf("heard %q", got)
	}
	if got := ServerName(t.Context(), "127.0.0.1:1"); got != "" {
		t.Errorf("%q", got)
	}
}

// The time that a program takes to write its message is not the server's.
func TestSlowInput(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	s := &server{}
	done := make(chan error, 1)
	go func() {
		done <- Run(t.Context(), Args{Mode: Deliver, FromHeader: true},
			Options{Server: s, Host: "host.it", Stdin: r, Wait: 500 * time.Millisecond})
	}()
	_, err := io.WriteString(w, "From: a@x.it\nTo: b@x.it\n\nfirst\n")
	if err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		t.Fatalf("gave up while the message was written: %v", err)
	case <-time.After(600 * time.Millisecond):
	}
	_, err = io.WriteString(w, "last\n")
	if err := errors.Join(err, w.Close(), <-done); err != nil || !strings.Contains(s.raw, "last") {
		t.Errorf("%v: %q", err, s.raw)
	}
}

func FuzzSession(f *testing.F) {
	f.Add("EHLO x\nDATA\n.\nQUIT\n")
	f.Add("BDAT 5 LAST\nabAUTH PLAIN\n\n")
	f.Fuzz(func(t *testing.T, in string) {
		a, b := net.Pipe()
		defer a.Close()
		go func() {
			defer b.Close()
			_, _ = io.WriteString(b, "220 x\r\n")
			r := textproto.NewConn(b)
			for {
				line, err := r.ReadLine()
				if err != nil {
					return
				}
				code := "250 ok\r\n"
				if line == "DATA" {
					code = "354 go\r\n"
				}
				if _, err := io.WriteString(b, code); err != nil {
					return
				}
			}
		}()
		deadline := time.Now().Add(200 * time.Millisecond)
		if err := errors.Join(a.SetDeadline(deadline), b.SetDeadline(deadline)); err != nil {
			t.Fatal(err)
		}
		s := newSession(strings.NewReader(in), io.Discard, a)
		_ = s.run() // only that it ends
	})
}
