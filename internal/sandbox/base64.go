package sandbox

import (
	"encoding/base64"
	"errors"
	"io"
)

// errBase64 says that the body is no base64.
var errBase64 = errors.New("not base64")

// decodeBase64 decodes standard base64, wrapped in lines or not (contracts
// B1.3). It is stricter than base64.NewDecoder, which takes data after padding.
func decodeBase64(r io.Reader) io.Reader {
	return &base64Errors{base64.NewDecoder(base64.StdEncoding, &base64Text{r: r})}
}

// base64Errors turns the decoder's errors into errBase64 and keeps the reader's.
type base64Errors struct{ r io.Reader }

func (b *base64Errors) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	var corrupt base64.CorruptInputError
	if errors.As(err, &corrupt) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errBase64
	}
	return n, err
}

// base64Text passes base64 on without line ends and refuses text after padding.
type base64Text struct {
	r      io.Reader
	padded bool
}

func (b *base64Text) Read(p []byte) (int, error) {
	for {
		n, err := b.r.Read(p)
		kept := 0
		for _, c := range p[:n] {
			switch {
			case c == '\r' || c == '\n':
				continue
			case c == '=':
				b.padded = true
			case b.padded:
				return 0, errBase64
			}
			p[kept] = c
			kept++
		}
		if kept > 0 || err != nil || len(p) == 0 {
			return kept, err
		}
	}
}
