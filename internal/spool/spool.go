// Package spool holds bytes on their way in: in memory while they are few, in
// a file as soon as they are many, so that memory does not grow with the
// message.
package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/postino-mail/postino/mime"
)

// DefaultMemory is how many bytes stay in memory when New is given 0.
const DefaultMemory = 64 << 10

// A Buffer is written once, from start to end, and then read any number of
// times. It implements mime.Spool. Writing is for one goroutine; the Source is
// safe for concurrent use until Close.
type Buffer struct {
	dir    string
	memory int
	max    int64
	buf    bytes.Buffer
	file   *os.File
	size   int64
	kept   bool
}

// ErrTooLarge is what Write gives past the size that was allowed.
var ErrTooLarge = errors.New("the message is larger than allowed")

// New makes a Buffer that goes to a file in dir (the system's temporary folder
// when empty) beyond memory bytes. Writing more than max bytes gives
// ErrTooLarge; 0 means no limit.
func New(dir string, memory int, max int64) *Buffer {
	if memory <= 0 {
		memory = DefaultMemory
	}
	return &Buffer{dir: dir, memory: memory, max: max}
}

// Write appends p.
func (b *Buffer) Write(p []byte) (int, error) {
	if b.max > 0 && b.size+int64(len(p)) > b.max {
		return 0, ErrTooLarge
	}
	if b.file == nil && b.buf.Len()+len(p) <= b.memory {
		b.size += int64(len(p))
		return b.buf.Write(p)
	}
	if b.file == nil {
		f, err := os.CreateTemp(b.dir, "incoming-*")
		if err != nil {
			return 0, fmt.Errorf("no spool file can be made: %w", err)
		}
		b.file = f
		if _, err := f.Write(b.buf.Bytes()); err != nil {
			return 0, fmt.Errorf("the spool cannot be written: %w", err)
		}
		b.buf = bytes.Buffer{}
	}
	n, err := b.file.Write(p)
	b.size += int64(n)
	if err != nil {
		return n, fmt.Errorf("the spool cannot be written: %w", err)
	}
	return n, nil
}

// Size is how many bytes were written.
func (b *Buffer) Size() int64 { return b.size }

// Source is what was written.
func (b *Buffer) Source() (mime.Source, error) {
	if b.file == nil {
		return mime.Bytes(b.buf.Bytes()), nil
	}
	return io.NewSectionReader(b.file, 0, b.size), nil
}

// File is the temporary file, nil while the bytes are in memory. After Keep,
// Close leaves it: somebody else has taken it over (by renaming it).
func (b *Buffer) File() *os.File { return b.file }

// Keep leaves the file to its new owner.
func (b *Buffer) Keep() { b.kept = true }

// Close ends reading and removes the file unless it was kept.
func (b *Buffer) Close() error {
	if b.file == nil {
		return nil
	}
	err := b.file.Close()
	if !b.kept {
		err = errors.Join(err, os.Remove(b.file.Name()))
	}
	return err
}

// Fill reads all of r into a new Buffer; on error nothing is left behind.
func Fill(r io.Reader, dir string, memory int, max int64) (*Buffer, error) {
	b := New(dir, memory, max)
	if _, err := io.CopyBuffer(struct{ io.Writer }{b}, r, make([]byte, 32<<10)); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}
