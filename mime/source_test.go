package mime

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestJoin(t *testing.T) {
	t.Parallel()
	j := Join(Bytes([]byte("ab")), nil, Bytes(nil), Join(Bytes([]byte("c")), Bytes([]byte("defg"))), strings.NewReader("h"))
	if err := iotest.TestReader(NewReader(j), []byte("abcdefgh")); err != nil {
		t.Error(err)
	}
	if _, err := j.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("negative offset")
	}
	if n, err := j.ReadAt(make([]byte, 3), 7); n != 1 || !errors.Is(err, io.EOF) {
		t.Error(n, err)
	}
}

func TestInMemory(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		src  Source
		want string
		ok   bool
	}{
		{Bytes([]byte("abc")), "abc", true},
		{Bytes(nil), "", true},
		{Join(nil, Bytes([]byte("abc"))), "abc", true},
		{Join(Bytes([]byte("ab")), Bytes([]byte("c"))), "", false},
		{strings.NewReader("abc"), "", false},
		{mustRead(t, "A: b\r\n\r\nbody").Body(), "body", true},
	} {
		if b, ok := InMemory(c.src); ok != c.ok || ok && string(b) != c.want {
			t.Errorf("%q %v, want %q %v", b, ok, c.want, c.ok)
		}
	}
}

// short says that it is longer than it is: a spool file that was cut.
type short struct{ Source }

func (s short) Size() int64 { return s.Source.Size() + 10 }

func TestSourceTooShort(t *testing.T) {
	t.Parallel()
	cut := short{Bytes([]byte(okHead + "\r\nbody\r\n"))}
	if _, err := Join(cut, Bytes([]byte("x"))).ReadAt(make([]byte, 500), 0); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Join: %v", err)
	}
	_, err := Accept(cut, acceptOptions(false))
	var e *Error
	if !asError(err, &e) || e.Code != "unreadable" {
		t.Errorf("Accept: %v", err)
	}
	if _, err := Read(short{Bytes([]byte("From: a"))}, Limits{}); !asError(err, &e) || e.Code != "unreadable" {
		t.Errorf("Read: %v", err)
	}
}
