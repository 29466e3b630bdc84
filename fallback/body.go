package fallback

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

const (
	copyBuffer = 64 << 10
	// chunkSize is what one BDAT carries: the reply to each tells early that a
	// large message is not wanted.
	chunkSize = 4 << 20
)

// body sends the message and reads the reply to it. Once the last octet may
// have been seen the outcome is Unknown until that reply has been read. An
// error leaves the session unusable.
func (a *adapter) body(ctx context.Context, s *session, tx *transaction) (sum []byte, r reply, err error) {
	h := sha256.New()
	send := a.sendData
	if tx.chunking {
		send = a.sendChunks
	}
	early, seen, err := send(s, tx.view, h)
	switch {
	case early != nil:
		return nil, *early, nil
	case err != nil && seen:
		return nil, reply{}, a.unknown(ctx, err)
	case err != nil:
		return nil, reply{}, a.bodyError(ctx, s, err)
	}
	if r, err = s.read(a.opt.Timeouts.DataEnd); err != nil {
		return nil, reply{}, a.unknown(ctx, err)
	}
	if !r.ok() && r.Code < 400 {
		return nil, reply{}, a.unknown(ctx, &errGarbage{why: fmt.Sprintf("the message was answered with %d", r.Code)})
	}
	return h.Sum(nil), r, nil
}

// sendData sends the content of DATA and the final dot. seen tells whether the
// server may have got all of it.
func (a *adapter) sendData(s *session, src mime.Source, h hash.Hash) (early *reply, seen bool, err error) {
	d := &dotWriter{w: s.w}
	if err := a.copyBody(s, d, src, 0, src.Size(), h); err != nil {
		return nil, false, err
	}
	tail, err := d.end()
	if err != nil {
		return nil, false, err
	}
	if err := s.deadlineForWrite(a.opt.Timeouts.DataBlock); err != nil {
		return nil, false, err
	}
	seen, err = finish(s.w, tail)
	return nil, seen, err
}

// sendChunks sends the message with BDAT (RFC 3030). early is the refusal of a
// chunk before the last.
func (a *adapter) sendChunks(s *session, src mime.Source, h hash.Hash) (early *reply, seen bool, err error) {
	size := src.Size()
	check := &lineEnds{} // BDAT would carry a bare LF, and a server behind it would stumble: contracts F17
	if err := check.last(src, size); err != nil {
		return nil, false, err
	}
	for off := int64(0); ; off += chunkSize {
		n := min(chunkSize, size-off)
		line, last := fmt.Sprintf("BDAT %d", n), off+n == size
		if last {
			line += " LAST"
		}
		if err := s.deadlineForWrite(a.opt.Timeouts.DataBlock); err != nil {
			return nil, false, err
		}
		if err := s.put(line); err != nil {
			return nil, false, err
		}
		if err := a.copyBody(s, io.MultiWriter(check, s.w), src, off, n, h); err != nil {
			return nil, false, err
		}
		err := s.flush(a.opt.Timeouts.DataBlock)
		if last {
			return nil, err == nil || s.w.Buffered() == 0, err
		}
		if err != nil {
			return nil, false, err
		}
		r, err := s.read(a.opt.Timeouts.DataBlock)
		if err != nil {
			return nil, false, err
		}
		if !r.ok() {
			return &r, false, nil
		}
	}
}

// errSource is stored bytes that cannot be read.
type errSource struct{ error }

func (e *errSource) Unwrap() error { return e.error }

// copyBody streams n bytes of src from off through w, hashing them, with a
// deadline for each block.
func (a *adapter) copyBody(s *session, w io.Writer, src mime.Source, off, n int64, h hash.Hash) error {
	buf := make([]byte, min(copyBuffer, n))
	for n > 0 {
		block := buf[:min(int64(len(buf)), n)]
		if k, err := src.ReadAt(block, off); k < len(block) {
			if err == nil {
				err = io.ErrUnexpectedEOF
			}
			return &errSource{err}
		}
		h.Write(block)
		if err := s.deadlineForWrite(a.opt.Timeouts.DataBlock); err != nil {
			return err
		}
		if _, err := w.Write(block); err != nil {
			return err
		}
		off, n = off+int64(len(block)), n-int64(len(block))
	}
	return nil
}

// bodyError is a failure before the end of the message was sent: nothing can
// have been accepted, and closing the connection makes sure of it.
func (a *adapter) bodyError(ctx context.Context, s *session, err error) *adapters.Error {
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
