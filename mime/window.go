package mime

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"unicode/utf8"
)

const windowSize = 64 << 10

var windows = sync.Pool{New: func() any { return new([windowSize]byte) }}

// A window moves over a body. It tells of all lines in it at once what a look
// at each line would cost much more to find.
type window struct {
	b []byte // what was not taken yet
	// whole is the length of the complete lines at the start of b, up to which
	// it was found that
	whole  int
	nul    bool // there is a NUL
	seven  bool // no octet is over 127
	paired bool // there are as many CRs as LFs: when each LF has its CR, none is bare

	src  Source
	pos  int64 // in src, of the end of b
	size int64
	mem  []byte            // src, when it is in memory
	buf  *[windowSize]byte // else
}

func newWindow(src Source) window {
	w := window{src: src, size: src.Size()}
	if b := resident(src, 0); int64(len(b)) == w.size {
		w.mem = b
	} else {
		w.buf = windows.Get().(*[windowSize]byte)
	}
	return w
}

func (w *window) close() {
	if w.buf != nil {
		windows.Put(w.buf)
		w.buf, w.b = nil, nil
	}
}

// take drops n bytes from the start of b.
func (w *window) take(n int) {
	w.b = w.b[n:]
	w.whole = max(0, w.whole-n)
}

// fill reads more behind what was not taken, which is no complete line. It
// returns io.EOF when there is nothing at all; b has no complete line afterwards
// when that is longer than the window, or the last one.
func (w *window) fill() error {
	have := len(w.b)
	n := min(int64(windowSize-have), w.size-w.pos)
	if have == 0 && n == 0 {
		return io.EOF
	}
	if w.buf == nil {
		start := w.pos - int64(have)
		w.b = w.mem[start : w.pos+n]
	} else {
		copy(w.buf[:], w.b)
		w.b = w.buf[:have+int(n)]
		if k, err := w.src.ReadAt(w.b[have:], w.pos); int64(k) < n {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	w.pos += n
	w.measure()
	return nil
}

// measure looks at the complete lines of b.
func (w *window) measure() {
	w.whole = bytes.LastIndexByte(w.b, '\n') + 1
	b := w.b[:w.whole]
	w.nul = bytes.IndexByte(b, 0) >= 0
	w.seven = sevenBit(b)
	w.paired = bytes.Count(b, []byte{'\r'}) == bytes.Count(b, []byte{'\n'})
}

// sevenBit is isASCII for many bytes.
func sevenBit(b []byte) bool {
	const high = 0x8080808080808080
	for ; len(b) >= 32; b = b[32:] {
		le := binary.LittleEndian
		if (le.Uint64(b)|le.Uint64(b[8:])|le.Uint64(b[16:])|le.Uint64(b[24:]))&high != 0 {
			return false
		}
	}
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
