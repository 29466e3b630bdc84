package graph

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
)

// errBase64 says that the body is no base64.
var errBase64 = errors.New("not base64")

// base64Chunk is how much text is decoded at a time; a multiple of 4.
const base64Chunk = 32 << 10

// decodeBase64 decodes standard base64, wrapped in lines or not (contracts
// B1.3). It is stricter than base64.NewDecoder, which takes data after padding,
// and reads in larger pieces.
// done releases its memory: the reader is not to be used afterwards.
func (g *Server) decodeBase64(r io.Reader) (text io.Reader, done func()) {
	b, ok := g.base64Readers.Get().(*base64Reader)
	if !ok {
		b = new(base64Reader)
	}
	b.reset(r)
	return b, func() {
		b.reset(nil)
		g.base64Readers.Put(b)
	}
}

func (b *base64Reader) reset(r io.Reader) {
	b.r, b.held, b.decoded, b.padded, b.err = r, 0, nil, false, nil
}

type base64Reader struct {
	r       io.Reader
	text    [base64Chunk]byte
	held    int // characters in text that are not decoded yet: under 4 between reads
	out     [base64Chunk / 4 * 3]byte
	decoded []byte // of out, not given out yet
	padded  bool
	err     error
}

func (b *base64Reader) Read(p []byte) (int, error) {
	for len(b.decoded) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		b.fill()
	}
	n := copy(p, b.decoded)
	b.decoded = b.decoded[n:]
	return n, nil
}

// fill reads a piece and decodes what is whole in it.
func (b *base64Reader) fill() {
	n, err := b.r.Read(b.text[b.held:])
	n = b.held + compactLines(b.text[b.held:b.held+n])
	whole := n - n%4
	if err != nil {
		b.err = err
		if errors.Is(err, io.EOF) && whole != n {
			b.err, whole = errBase64, 0
		}
	}
	if whole > 0 && b.padded {
		b.err = errBase64
		return
	}
	got, err := base64.StdEncoding.Decode(b.out[:], b.text[:whole])
	if err != nil {
		b.err = errBase64
		return
	}
	b.padded = whole > 0 && b.text[whole-1] == '='
	b.decoded = b.out[:got]
	b.held = copy(b.text[:], b.text[whole:n])
}

// compactLines removes CR and LF in place and returns the new length.
func compactLines(p []byte) int {
	w := 0
	for r := 0; r < len(p); {
		eol := bytes.IndexByte(p[r:], '\n')
		line := p[r:]
		if eol >= 0 {
			line = p[r : r+eol]
			r += eol + 1
		} else {
			r = len(p)
		}
		for len(line) > 0 {
			cr := bytes.IndexByte(line, '\r')
			if cr < 0 {
				w += copy(p[w:], line)
				break
			}
			w += copy(p[w:], line[:cr])
			line = line[cr+1:]
		}
	}
	return w
}
