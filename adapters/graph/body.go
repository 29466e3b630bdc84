package graph

import (
	"encoding/base64"
	"errors"
	"hash"
	"io"
	"sync"
)

// rawBlock is how much is encoded at once: a multiple of 3, so that padding
// only occurs at the end.
const rawBlock = 24 << 10

// A base64Reader is src as unwrapped standard base64 (contracts B1.3, B2.2),
// hashed as it is read.
type base64Reader struct {
	src  io.Reader
	sum  hash.Hash // of the raw bytes; may be nil
	raw  []byte
	enc  []byte
	rest []byte // encoded and not yet delivered
	err  error
}

// newBase64 reads src, of which size bytes are expected.
func newBase64(src io.Reader, size int64, sum hash.Hash) *base64Reader {
	block := int(min(max(size+2, 3)/3*3, rawBlock))
	return &base64Reader{src: src, sum: sum, raw: make([]byte, block), enc: make([]byte, base64.StdEncoding.EncodedLen(block))}
}

func base64Len(n int64) int64 { return (n + 2) / 3 * 4 }

func (b *base64Reader) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		n, err := io.ReadFull(b.src, b.raw)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.EOF
		}
		b.err = err
		if b.sum != nil {
			_, _ = b.sum.Write(b.raw[:n]) // a hash never fails
		}
		base64.StdEncoding.Encode(b.enc, b.raw[:n])
		b.rest = b.enc[:base64.StdEncoding.EncodedLen(n)]
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

var errBodyClosed = errors.New("graph: body closed")

// A meter hands a body of exactly size bytes to the transport and knows how
// much of it was taken. After Close nothing reads the source any more, also
// when the transport has not noticed yet.
type meter struct {
	mu       sync.Mutex
	src      io.Reader
	left     int64
	closed   bool
	err      error  // of the source
	progress func() // called when the transport takes bytes
}

func (m *meter) Read(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed:
		return 0, errBodyClosed
	case m.left == 0:
		return 0, io.EOF
	}
	m.progress()
	if int64(len(p)) > m.left {
		p = p[:m.left]
	}
	n, err := m.src.Read(p)
	m.left -= int64(n)
	switch {
	case err == io.EOF && m.left > 0:
		err = io.ErrUnexpectedEOF // the stored message is shorter than it said
	case err == io.EOF || m.left == 0:
		err = nil
	}
	if err != nil {
		m.err = err
	}
	return n, err
}

func (m *meter) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

// taken reports whether the transport has taken every byte, and the source's error.
func (m *meter) taken() (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.left == 0, m.err
}
