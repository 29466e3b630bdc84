package fallback

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// copyBuffer is what is read of a message at once.
const copyBuffer = 64 << 10

var copyBuffers = sync.Pool{New: func() any { return new([copyBuffer]byte) }}

// A content is what a transaction sends: size octets, the same at every write.
type content struct {
	size   int64
	write  func(io.Writer) error
	permit func() error // adapters.Outgoing.Permit
}

// permitted is an error once the message may not be sent any more.
func (c content) permitted() error {
	if c.permit == nil {
		return nil
	}
	if err := c.permit(); err != nil {
		return &errSource{err}
	}
	return nil
}

// sourceContent streams src.
func sourceContent(src mime.Source) content {
	return content{size: src.Size(), write: func(w io.Writer) error {
		if b, ok := mime.InMemory(src); ok {
			for block := range slices.Chunk(b, copyBuffer) {
				if _, err := w.Write(block); err != nil {
					return err
				}
			}
			return nil
		}
		buf := copyBuffers.Get().(*[copyBuffer]byte)
		defer copyBuffers.Put(buf)
		for off := int64(0); off < src.Size(); off += copyBuffer {
			block := buf[:min(copyBuffer, src.Size()-off)]
			if n, err := src.ReadAt(block, off); n < len(block) {
				if err == nil {
					err = io.ErrUnexpectedEOF
				}
				return err
			}
			if _, err := w.Write(block); err != nil {
				return err
			}
		}
		return nil
	}}
}

// body sends the message and reads the reply to it. Once the last octet may
// have been seen the outcome is Unknown until that reply has been read. An
// error leaves the session unusable.
func (a *Adapter) body(ctx context.Context, s *session, tx *transaction) (sum []byte, r reply, err error) {
	h := sha256.New()
	send := a.sendData
	if tx.chunking {
		send = a.sendChunks
	}
	c := tx.content
	c.permit = tx.out.Permit
	seen, err := send(s, c, h)
	var early *earlyReply
	switch {
	case errors.As(err, &early):
		return nil, early.reply, nil
	case err != nil && seen:
		return nil, reply{}, a.unknown(ctx, s, err)
	case err != nil:
		return nil, reply{}, a.bodyError(ctx, s, err)
	}
	s.talk.Note(fmt.Sprintf("C: (%d bytes)", c.size))
	if r, err = s.read(a.opt.Timeouts.DataEnd); err != nil {
		return nil, reply{}, a.unknown(ctx, s, err)
	}
	if r.mixed || !r.ok() && r.Code < 400 { // accepted and refused at once, or neither
		return nil, reply{}, a.unknown(ctx, s, &errGarbage{why: "the answer to the message contradicts itself", got: r.code() + " " + r.text()})
	}
	return h.Sum(nil), r, nil
}

// sendData sends the content of DATA and the final dot. seen tells whether the
// server may have got all of it.
func (a *Adapter) sendData(s *session, c content, h hash.Hash) (seen bool, err error) {
	d := &dotWriter{w: s.w}
	if err := a.stream(s, c, h, d); err != nil {
		return false, err
	}
	tail, err := d.end()
	if err != nil {
		return false, err
	}
	if err := s.deadlineForWrite(a.opt.Timeouts.DataBlock); err != nil {
		return false, err
	}
	if err := c.permitted(); err != nil {
		return false, err
	}
	return finish(s.w, tail)
}

// stream writes the content to w, hashing it, with a deadline for each block.
func (a *Adapter) stream(s *session, c content, h hash.Hash, w io.Writer) error {
	g := &bodyWriter{s: s, permitted: c.permitted, block: a.opt.Timeouts.DataBlock, h: h, w: w}
	err := c.write(g)
	switch {
	case g.err != nil:
		return g.err
	case err != nil:
		return &errSource{err}
	case g.n != c.size:
		return &errSource{fmt.Errorf("%d octets instead of %d", g.n, c.size)}
	}
	return nil
}

// A bodyWriter stands between the content and the wire, and keeps the wire's error.
type bodyWriter struct {
	s         *session
	permitted func() error
	block     time.Duration
	h         hash.Hash
	w         io.Writer
	n         int64
	err       error
}

func (g *bodyWriter) Write(p []byte) (int, error) {
	if g.err != nil {
		return 0, g.err
	}
	if g.err = g.permitted(); g.err != nil {
		return 0, g.err
	}
	g.h.Write(p)
	if g.err = g.s.deadlineForWrite(g.block); g.err != nil {
		return 0, g.err
	}
	if _, g.err = g.w.Write(p); g.err != nil {
		return 0, g.err
	}
	g.n += int64(len(p))
	return len(p), nil
}

// errSource is stored bytes that cannot be read.
type errSource struct{ error }

func (e *errSource) Unwrap() error { return e.error }

// bodyError is a failure before the end of the message was sent: nothing can
// have been accepted, and closing the connection makes sure of it.
func (a *Adapter) bodyError(ctx context.Context, s *session, err error) *adapters.Error {
	var (
		ends   *errLineEnd
		source *errSource
	)
	switch {
	case ctx.Err() != nil:
		return a.cancelled(ctx)
	case errors.As(err, &ends):
		return a.errLineEnds(ends)
	case errors.As(err, &source):
		return a.errUnreadable(source)
	}
	// A server that hangs up has often said why.
	if r, rerr := s.read(min(2*time.Second, a.opt.Timeouts.DataEnd)); rerr == nil && r.Code >= 400 {
		return a.refused(s, atDot, r)
	}
	return a.ioError(ctx, s, atDot, err)
}
