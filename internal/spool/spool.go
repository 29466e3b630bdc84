// Package spool holds the bytes of messages while they arrive, in memory while
// they are few and in a file when they are many, so that memory does not grow
// with the message.
package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// defaultMemory is how many bytes stay in memory when New is given 0.
const defaultMemory = 64 << 10

// Bytes in memory are collected in chunks that go from message to message, and
// copied once to a place of their size when they are all there.
const chunkSize = 16 << 10

var (
	chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}
	copies = sync.Pool{New: func() any { return new([32 << 10]byte) }}
)

// A Buffer is written once, from start to end, and then read any number of
// times. It implements mime.Spool. A Buffer is for one goroutine; its Source is
// safe for concurrent use until Close.
type Buffer struct {
	dir    string
	memory int
	max    int64
	chunks []*[chunkSize]byte // all full but the last
	whole  []byte             // instead of them, once it is read
	sealed bool
	file   *os.File
	size   int64
	kept   bool
	share  *share // of the disk; nil: unbounded
}

// ErrTooLarge is what Write returns past the size that was allowed.
var ErrTooLarge = texterr.New(mime.NewText("spool.too_large", "the message is larger than allowed"))

// New makes a Buffer that goes to a file in dir (the system's temporary folder
// when empty) beyond memory bytes. Writing more than max bytes returns
// ErrTooLarge; 0 means no limit.
func New(dir string, memory int, max int64) *Buffer {
	if memory <= 0 {
		memory = defaultMemory
	}
	return &Buffer{dir: dir, memory: memory, max: max}
}

// Charged makes what b has on disk count against a party's share of the budget,
// until Close. Write returns a *FullError beyond it. A nil budget bounds nothing.
func (b *Buffer) Charged(to *Budget, party string) *Buffer {
	if to != nil {
		b.share = &share{budget: to, party: party}
	}
	return b
}

// Write appends p.
func (b *Buffer) Write(p []byte) (int, error) {
	if b.sealed {
		return 0, errors.New("the spool is being read and takes nothing more")
	}
	if b.max > 0 && b.size+int64(len(p)) > b.max {
		return 0, ErrTooLarge
	}
	if b.file == nil && b.size+int64(len(p)) <= int64(b.memory) {
		b.collect(p)
		return len(p), nil
	}
	if err := b.share.hold(b.size + int64(len(p))); err != nil {
		return 0, err
	}
	if b.file == nil {
		f, err := os.CreateTemp(b.dir, "incoming-*")
		if err != nil {
			return 0, texterr.Wrap(mime.NewText("spool.not_made", "no spool file can be made"), err)
		}
		b.file = f
		if err := b.each(func(part []byte) error {
			_, err := f.Write(part)
			return err
		}); err != nil {
			return 0, texterr.Wrap(mime.NewText("spool.not_written", "the spool cannot be written"), err)
		}
		b.release()
	}
	n, err := b.file.Write(p)
	b.size += int64(n)
	if err != nil {
		return n, texterr.Wrap(mime.NewText("spool.not_written", "the spool cannot be written"), err)
	}
	return n, nil
}

// collect keeps p in memory.
func (b *Buffer) collect(p []byte) {
	for len(p) > 0 {
		at := int(b.size % chunkSize)
		if at == 0 {
			b.chunks = append(b.chunks, chunks.Get().(*[chunkSize]byte))
		}
		n := copy(b.chunks[len(b.chunks)-1][at:], p)
		b.size += int64(n)
		p = p[n:]
	}
}

// each passes the bytes in memory in order.
func (b *Buffer) each(f func([]byte) error) error {
	left := b.size
	for _, c := range b.chunks {
		n := min(left, chunkSize)
		if err := f(c[:n]); err != nil {
			return err
		}
		left -= n
	}
	return nil
}

// release returns the chunks to the pool.
func (b *Buffer) release() {
	for _, c := range b.chunks {
		chunks.Put(c)
	}
	b.chunks = nil
}

// Size is how many bytes were written.
func (b *Buffer) Size() int64 { return b.size }

// Source is what was written; nothing can be written afterwards.
func (b *Buffer) Source() (mime.Source, error) {
	if !b.sealed && b.file == nil {
		b.whole = make([]byte, 0, b.size)
		if err := b.each(func(part []byte) error {
			b.whole = append(b.whole, part...)
			return nil
		}); err != nil {
			return nil, err
		}
		if int64(len(b.whole)) < b.size {
			return nil, fmt.Errorf("the spool: %w", os.ErrClosed)
		}
		b.release()
	}
	b.sealed = true
	if b.file == nil {
		return mime.Bytes(b.whole), nil
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
	b.release()
	b.share.end()
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
	return New(dir, memory, max).Fill(r)
}

// Fill reads all of r into an empty Buffer; on error nothing is left behind.
func (b *Buffer) Fill(r io.Reader) (*Buffer, error) {
	buf := copies.Get().(*[32 << 10]byte)
	defer copies.Put(buf)
	if _, err := io.CopyBuffer(struct{ io.Writer }{b}, struct{ io.Reader }{r}, buf[:]); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}
