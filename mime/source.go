package mime

import (
	"errors"
	"io"
)

// A Source is the stored bytes of a message or of a part of one. It is read
// at any offset, by any number of goroutines at once, and its bytes never
// change while it is in use. *bytes.Reader and *io.SectionReader are Sources.
type Source interface {
	io.ReaderAt
	// Size is the number of bytes.
	Size() int64
}

// Bytes makes a Source of b, which must not be changed afterwards.
func Bytes(b []byte) Source { return memory(b) }

// memory is a Source of bytes that are used where they lie.
type memory []byte

func (m memory) Size() int64 { return int64(len(m)) }

// ReadAt implements io.ReaderAt.
func (m memory) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errOffset
	}
	n := copy(p, m[min(off, int64(len(m))):])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

var errOffset = errors.New("mime: read at a negative offset")

// InMemory returns the bytes of s without a copy when s has them in memory, all
// together. They must not be changed, and stay as long as they are referred to.
func InMemory(s Source) ([]byte, bool) {
	b := resident(s, 0)
	return b, int64(len(b)) == s.Size()
}

// section is n bytes of s from off, in memory where s has them there.
func section(s Source, off, n int64) Source {
	if b := resident(s, off); int64(len(b)) >= n {
		return memory(b[:n:n])
	}
	return io.NewSectionReader(s, off, n)
}

// resident is what s has in memory from off on: all of it or a part, nothing
// when it is elsewhere.
func resident(s Source, off int64) []byte {
	switch s := s.(type) {
	case memory:
		return s[min(off, int64(len(s))):]
	case *joined:
		for i, p := range s.parts {
			if off < s.ends[i] {
				return resident(p, off-(s.ends[i]-p.Size()))
			}
		}
	}
	return nil
}

// NewReader reads s from its start. Every call returns an independent reader;
// the result is also an io.Seeker and an io.WriterTo where that is cheap.
func NewReader(s Source) *io.SectionReader { return io.NewSectionReader(s, 0, s.Size()) }

// Join is the concatenation of parts as one Source, without copying.
func Join(parts ...Source) Source {
	j := &joined{parts: make([]Source, 0, len(parts)), ends: make([]int64, 0, len(parts))}
	for _, p := range parts {
		if p == nil || p.Size() == 0 {
			continue
		}
		j.parts = append(j.parts, p)
		j.ends = append(j.ends, j.size+p.Size())
		j.size += p.Size()
	}
	return j
}

type joined struct {
	parts []Source
	ends  []int64 // offset just past each part
	size  int64
}

func (j *joined) Size() int64 { return j.size }

// ReadAt implements io.ReaderAt across the parts.
func (j *joined) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errOffset
	}
	n := 0
	for i, part := range j.parts {
		if n == len(p) {
			break
		}
		if off >= j.ends[i] {
			continue
		}
		start := j.ends[i] - part.Size()
		want := min(int64(len(p)-n), j.ends[i]-off)
		m, err := part.ReadAt(p[n:n+int(want)], off-start)
		n += m
		off += int64(m)
		if int64(m) < want {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return n, err
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
