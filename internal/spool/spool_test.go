package spool

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/postino-mail/postino/mime"
)

func TestBuffer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		size int
		max  int64
		file bool
		err  error
	}{
		{"empty", 0, 0, false, nil},
		{"just in memory", 100, 0, false, nil},
		{"one more than memory", 101, 0, true, nil},
		{"large", 1 << 20, 0, true, nil},
		{"just allowed", 200, 200, true, nil},
		{"one too many", 201, 200, true, ErrTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			in := bytes.Repeat([]byte("x\n"), c.size/2+1)[:c.size]
			b, err := Fill(bytes.NewReader(in), dir, 100, c.max)
			if !errors.Is(err, c.err) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if err == nil {
				src, err := b.Source()
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(mime.NewReader(src))
				if err != nil || !bytes.Equal(got, in) {
					t.Errorf("read back %d bytes, %v; want %d", len(got), err, len(in))
				}
				if (b.File() != nil) != c.file {
					t.Errorf("in a file: %v, want %v", b.File() != nil, c.file)
				}
				if err := b.Close(); err != nil {
					t.Error(err)
				}
			}
			if left, _ := os.ReadDir(dir); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestKeep(t *testing.T) {
	t.Parallel()
	b, err := Fill(bytes.NewReader(make([]byte, 200)), t.TempDir(), 100, 0)
	if err != nil {
		t.Fatal(err)
	}
	name := b.File().Name()
	b.Keep()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(name); err != nil {
		t.Errorf("a kept file is gone: %v", err)
	}
}
