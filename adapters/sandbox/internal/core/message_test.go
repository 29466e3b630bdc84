package core

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

func newCore(t testing.TB) *Core {
	t.Helper()
	c, err := New(t.TempDir(), nil, nil, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func TestContentHashLeavesAddressLinesOut(t *testing.T) {
	t.Parallel()
	s := newCore(t)
	for name, tt := range map[string]struct{ msg, content string }{
		"usual": {"From: a\r\nSubject: x\r\nTo: b,\r\n c\r\nX-A: 1\r\n 2\r\nBCC : d\r\n\r\nTo: body\r\n",
			"Subject: x\r\nX-A: 1\r\n 2\r\n\r\nTo: body\r\n"},
		"LF":           {"To: b\nSubject: x\n\nbody", "Subject: x\n\nbody"},
		"header alone": {"Subject: x\r\nCc: y", "Subject: x\r\n"},
		"no body":      {"Cc: y\r\nSubject: x", "Subject: x"},
		"not sent":     {"X-Postino-Not-Sent: a@b\r\nReply-To: x\r\nSender: y\r\n\r\n", "\r\n"},
		"empty":        {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, r := range []io.Reader{strings.NewReader(tt.msg), iotest.OneByteReader(strings.NewReader(tt.msg))} {
				m, err := s.Receive(r)
				if err != nil {
					t.Fatal(err)
				}
				if m.SHA256 != hashOf(tt.msg) || m.ContentSHA256 != hashOf(tt.content) || m.Size != int64(len(tt.msg)) {
					t.Errorf("size %d, content hash is not that of %q", m.Size, tt.content)
				}
			}
		})
	}
}

func TestReceiveErrors(t *testing.T) {
	t.Parallel()
	s := newCore(t)
	broken := errors.New("broken")
	if _, err := s.Receive(io.MultiReader(strings.NewReader("To: x\r\n\r\n"+strings.Repeat("x", smallMessage)),
		iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Error(err)
	}
	if _, err := s.Receive(strings.NewReader(strings.Repeat("X: y\r\n", MaxHeader/6+1))); !errors.Is(err, ErrHeaderTooLarge) {
		t.Error(err)
	}
	left, err := filepath.Glob(filepath.Join(s.Dir, "messages", "*.eml"))
	if err != nil || len(left) > 0 {
		t.Errorf("left on disk: %v, %v", left, err)
	}
}

func TestRewrite(t *testing.T) {
	t.Parallel()
	e := Edits{Drop: []string{"x-gone"}, Set: map[string]string{"from": "From: <n@x>\r\n"}}
	for in, want := range map[string]string{
		"From: a\r\nX-Gone: 1\r\n 2\r\nBcc: c\r\nSubject: s\r\nFrom: b\r\n\r\nBcc: body": "From: <n@x>\r\nSubject: s\r\n\r\nBcc: body",
		"Subject: s\r\n\r\nbody": "From: <n@x>\r\nSubject: s\r\n\r\nbody",
		"Subject: s\r\n":         "From: <n@x>\r\nSubject: s\r\n",
	} {
		for _, r := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in))} {
			rc := rewrite(io.NopCloser(r), e)
			got, err := io.ReadAll(rc)
			if err != nil || string(got) != want {
				t.Errorf("%q, %v; want %q", got, err, want)
			}
			if err := rc.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func FuzzReceive(f *testing.F) {
	for _, seed := range []string{"", "\r\n", "To: a\r\n b\r\n\r\nx", " x\nTo", ":\n\n", "To: undisclosed:;\r\nBcc: a@b\r\n\r\n"} {
		f.Add(seed)
	}
	s := newCore(f)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := s.Receive(iotest.HalfReader(strings.NewReader(text)))
		if err != nil {
			t.Fatal(err)
		}
		if m.SHA256 != hashOf(text) || !strings.HasPrefix(text, string(m.Header)) {
			t.Errorf("header %q of %q", m.Header, text)
		}
		m.Recipients()
		got, err := io.ReadAll(rewrite(io.NopCloser(strings.NewReader(text)), Edits{}))
		if err != nil || !strings.HasSuffix(string(got), text[len(m.Header):]) {
			t.Errorf("rewritten %q, %v", got, err)
		}
	})
}
