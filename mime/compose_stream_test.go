package mime

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

// brokenFile ends with an error of reading or closing.
type brokenFile struct {
	io.Reader
	closeErr error
}

func (f brokenFile) Close() error { return f.closeErr }

func TestComposeStreamFailures(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	one := func(name string, open func() (io.ReadCloser, error)) *Draft {
		return &Draft{From: Address{Address: mailbox("a@example.com")}, Attachments: []Attachment{{Filename: name, Open: open}}}
	}
	times := 0
	cases := map[string]struct {
		draft *Draft
		cause error
	}{
		"open":  {one("a.pdf", func() (io.ReadCloser, error) { return nil, boom }), boom},
		"close": {one("a.pdf", func() (io.ReadCloser, error) { return brokenFile{strings.NewReader("x"), boom}, nil }), boom},
		// A file that was cut off must not pass for a whole one.
		"cut off": {one("a.pdf", func() (io.ReadCloser, error) {
			return brokenFile{io.MultiReader(strings.NewReader("x"), errReader{io.ErrUnexpectedEOF}), nil}, nil
		}), io.ErrUnexpectedEOF},
		"wrapped end": {one("a.pdf", func() (io.ReadCloser, error) {
			return brokenFile{errReader{fmt.Errorf("connection: %w", io.EOF)}, nil}, nil
		}), io.EOF},
		"message cut off": {one("a.eml", func() (io.ReadCloser, error) {
			return brokenFile{errReader{io.ErrUnexpectedEOF}, nil}, nil
		}), io.ErrUnexpectedEOF},
		"message changes": {one("a.eml", func() (io.ReadCloser, error) {
			times++
			return io.NopCloser(strings.NewReader(strings.Repeat("é", times-1))), nil
		}), errUnfit},
		"idle": {one("a.pdf", func() (io.ReadCloser, error) { return brokenFile{errReader{nil}, nil}, nil }), io.ErrNoProgress},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := Compose(io.Discard, c.draft)
			var e *Error
			if !errors.As(err, &e) || e.Code != "attachment_unreadable" || !errors.Is(err, c.cause) {
				t.Errorf("got %#v, want attachment_unreadable because of %v", err, c.cause)
			}
		})
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// limitedWriter fails after n octets.
type limitedWriter struct {
	n   int
	err error
}

func (w *limitedWriter) Write(p []byte) (int, error) {
	if w.n -= len(p); w.n < 0 {
		return 0, w.err
	}
	return len(p), nil
}

// TestComposeWriterFails stops the writer at every octet: the error comes
// back as it is and every file is closed.
func TestComposeWriterFails(t *testing.T) {
	t.Parallel()
	full := goldenDrafts()["full"]
	opened, closed := 0, 0
	for i := range full.Attachments {
		inner := full.Attachments[i].Open
		full.Attachments[i].Open = func() (io.ReadCloser, error) {
			opened++
			rc, err := inner()
			return closer{rc, &closed}, err
		}
	}
	var b bytes.Buffer
	if err := Compose(&b, full); err != nil {
		t.Fatal(err)
	}
	full.MessageID, full.Seed = "1@contoso.example", "golden"
	gone := errors.New("gone")
	for n := 0; n < b.Len(); n += 101 {
		if err := Compose(&limitedWriter{n, gone}, full); !errors.Is(err, gone) {
			t.Fatalf("after %d octets: %v", n, err)
		}
	}
	if opened == 0 || opened != closed {
		t.Errorf("%d files opened, %d closed", opened, closed)
	}
}

type closer struct {
	io.Reader
	closed *int
}

func (c closer) Close() error { *c.closed++; return nil }

// zeros is an endless file.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestComposeMemory holds rule 10 of the design: memory does not grow with the
// attachment.
func TestComposeMemory(t *testing.T) {
	const size, most = 6 << 20, 512 << 10
	for _, name := range []string{"a.bin", "a.eml"} {
		src := io.Reader(zeros{})
		if name == "a.eml" {
			src = lines{}
		}
		d := &Draft{From: Address{Address: mailbox("a@example.com")}, Text: "x", Attachments: []Attachment{{Filename: name,
			Open: func() (io.ReadCloser, error) { return io.NopCloser(io.LimitReader(src, size)), nil }}}}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := Compose(io.Discard, d); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > most {
			t.Errorf("%s: %d octets allocated for %d", name, got, size)
		}
	}
}

// lines is an endless message of short lines.
type lines struct{}

func (lines) Read(p []byte) (int, error) {
	for i := range p {
		if p[i] = 'a'; i%64 == 63 {
			p[i] = '\n'
		}
	}
	return len(p), nil
}
