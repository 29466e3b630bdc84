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

// TestChunks writes pieces of many sizes around the size of a chunk, one buffer
// after the other: what went to the next message must not show in the last.
func TestChunks(t *testing.T) {
	t.Parallel()
	type kept struct {
		src  mime.Source
		want []byte
	}
	var all []kept
	for i, size := range []int{1, chunkSize - 1, chunkSize, chunkSize + 1, 2 * chunkSize, defaultMemory} {
		for _, piece := range []int{7, 4096, chunkSize, defaultMemory} {
			want := bytes.Repeat([]byte{byte('a' + i), byte(piece)}, size/2+1)[:size]
			b := New(t.TempDir(), 0, 0)
			for rest := want; len(rest) > 0; {
				n := min(piece, len(rest))
				if _, err := b.Write(rest[:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			src, err := b.Source()
			if err != nil || b.File() != nil {
				t.Fatalf("%d bytes in pieces of %d: %v, in a file: %v", size, piece, err, b.File() != nil)
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
			all = append(all, kept{src, want})
		}
	}
	for _, k := range all {
		if got, err := io.ReadAll(mime.NewReader(k.src)); err != nil || !bytes.Equal(got, k.want) {
			t.Errorf("%d bytes are others afterwards: %v", len(k.want), err)
		}
	}
}

func TestSealed(t *testing.T) {
	t.Parallel()
	b := New(t.TempDir(), 0, 0)
	if _, err := b.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Source(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Write([]byte("y")); err == nil {
		t.Error("written to while it is read")
	}
	b = New(t.TempDir(), 0, 0)
	if _, err := b.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Source(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("read after Close: %v", err)
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
