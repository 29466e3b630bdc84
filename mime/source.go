package mime

import (
	"bytes"
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
func Bytes(b []byte) Source { return bytes.NewReader(b) }

// NewReader reads s from its start. Every call gives an independent reader;
// the result is also an io.Seeker and an io.WriterTo where that is cheap.
func NewReader(s Source) *io.SectionReader { return io.NewSectionReader(s, 0, s.Size()) }

// Join is the concatenation of parts as one Source, without copying.
func Join(parts ...Source) Source {
	j := &joined{}
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
		return 0, errors.New("mime: read at a negative offset")
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
