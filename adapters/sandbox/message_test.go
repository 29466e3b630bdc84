package sandbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func TestContentHashLeavesAddressLinesOut(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	for name, tt := range map[string]struct{ msg, content string }{
		"usual":        {"From: a\r\nSubject: x\r\nTo: b,\r\n c\r\nX-A: 1\r\n 2\r\nBCC : d\r\n\r\nTo: body\r\n", "Subject: x\r\nX-A: 1\r\n 2\r\n\r\nTo: body\r\n"},
		"LF":           {"To: b\nSubject: x\n\nbody", "Subject: x\n\nbody"},
		"header alone": {"Subject: x\r\nCc: y", "Subject: x\r\n"},
		"no body":      {"Cc: y\r\nSubject: x", "Subject: x"},
		"not sent":     {"X-Postino-Not-Sent: a@b\r\nReply-To: x\r\nSender: y\r\n\r\n", "\r\n"},
		"empty":        {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, r := range []io.Reader{strings.NewReader(tt.msg), iotest.OneByteReader(strings.NewReader(tt.msg))} {
				m, err := s.receive(r)
				if err != nil {
					t.Fatal(err)
				}
				if m.sha256 != hash(tt.msg) || m.contentSHA256 != hash(tt.content) || m.size != int64(len(tt.msg)) {
					t.Errorf("size %d, content hash is not that of %q", m.size, tt.content)
				}
			}
		})
	}
}

func TestReceiveErrors(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	broken := errors.New("broken")
	if _, err := s.receive(io.MultiReader(strings.NewReader("To: x\r\n\r\n"+strings.Repeat("x", smallMessage)), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Error(err)
	}
	if _, err := s.receive(strings.NewReader(strings.Repeat("X: y\r\n", maxHeader/6+1))); !errors.Is(err, errHeaderTooLarge) {
		t.Error(err)
	}
	checkNoFiles(t, s, "")
}

func TestRewrite(t *testing.T) {
	t.Parallel()
	e := edits{drop: []string{"x-gone"}, set: map[string]string{"from": "From: <n@x>\r\n"}}
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

// What the decoder takes is what was encoded, however it is wrapped; what it
// refuses is not base64.
func FuzzDecodeBase64(f *testing.F) {
	for _, seed := range []string{"", "QQ==", "QUI=", "QUJD\r\nRA==\n", "QQ==QQ==", "QQ", "=", "Q Q=", "QUJD=", "\n\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, done := decodeBase64(iotest.HalfReader(strings.NewReader(text)))
		got, err := io.ReadAll(r)
		done()
		plain := strings.NewReplacer("\r", "", "\n", "").Replace(text)
		want, wantErr := base64.StdEncoding.DecodeString(plain)
		if (err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(got, want) {
			t.Errorf("%q: %q %v, want %q %v", text, got, err, want, wantErr)
		}
	})
}

func TestDecodeBase64Large(t *testing.T) {
	t.Parallel()
	data := bytes.Repeat([]byte("0123456789"), 20_001)
	for _, text := range []string{base64.StdEncoding.EncodeToString(data), wrapped(string(data), "\r\n")} {
		for _, src := range []io.Reader{strings.NewReader(text), iotest.HalfReader(strings.NewReader(text)), iotest.DataErrReader(strings.NewReader(text))} {
			r, done := decodeBase64(src)
			got, err := io.ReadAll(r)
			done()
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		}
	}
}

func FuzzReceive(f *testing.F) {
	for _, seed := range []string{"", "\r\n", "To: a\r\n b\r\n\r\nx", " x\nTo", ":\n\n", "To: undisclosed:;\r\nBcc: a@b\r\n\r\n"} {
		f.Add(seed)
	}
	s := start(f, Options{})
	f.Fuzz(func(t *testing.T, text string) {
		m, err := s.receive(iotest.HalfReader(strings.NewReader(text)))
		if err != nil {
			t.Fatal(err)
		}
		if m.sha256 != hash(text) || !strings.HasPrefix(text, string(m.header)) {
			t.Errorf("header %q of %q", m.header, text)
		}
		m.recipients()
		got, err := io.ReadAll(rewrite(io.NopCloser(strings.NewReader(text)), edits{}))
		if err != nil || !strings.HasSuffix(string(got), text[len(m.header):]) {
			t.Errorf("rewritten %q, %v", got, err)
		}
	})
}
