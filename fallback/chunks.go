package fallback

import (
	"fmt"
	"hash"
	"time"
)

// chunkSize is what one BDAT carries: the reply to each tells early that a
// large message is not wanted.
const chunkSize = 4 << 20

// earlyReply is the refusal of a chunk before the last.
type earlyReply struct{ reply }

func (e *earlyReply) Error() string { return "smtp: a chunk was refused with " + e.code() }

// sendChunks sends the message with BDAT (RFC 3030). seen tells whether the
// server may have got all of it.
func (a *Adapter) sendChunks(s *session, c content, h hash.Hash) (seen bool, err error) {
	w := &chunkWriter{s: s, timeout: a.opt.Timeouts.DataBlock, left: c.size}
	if c.size == 0 {
		if err := w.begin(); err != nil {
			return false, err
		}
	}
	if err := a.stream(s, c, h, w); err != nil {
		return false, err
	}
	err = s.flush(w.timeout)
	return err == nil || s.w.Buffered() == 0, err
}

// A chunkWriter writes a message of a known size as chunks. Nothing leaves
// before its line ends have been found sane: BDAT would carry a bare LF, and a
// server further on would stumble over it (contracts F17).
type chunkWriter struct {
	s       *session
	timeout time.Duration
	check   lineEnds
	left    int64 // of the message
	chunk   int64 // of the chunk that was begun
}

func (c *chunkWriter) begin() error {
	c.chunk = min(chunkSize, c.left)
	line := fmt.Sprintf("BDAT %d", c.chunk)
	if c.chunk == c.left {
		line += " LAST"
	}
	return c.s.put(line)
}

func (c *chunkWriter) Write(p []byte) (int, error) {
	n := len(p)
	if _, err := c.check.Write(p); err != nil {
		return 0, err
	}
	if int64(n) >= c.left { // the end: what comes now may be all that was missing
		if int64(n) > c.left {
			return 0, &errSource{fmt.Errorf("more octets than %d", c.check.offset)}
		}
		if err := c.check.end(); err != nil {
			return 0, err
		}
	}
	for len(p) > 0 {
		if c.chunk == 0 {
			if err := c.begin(); err != nil {
				return 0, err
			}
		}
		part := p[:min(int64(len(p)), c.chunk)]
		if _, err := c.s.w.Write(part); err != nil {
			return 0, err
		}
		p = p[len(part):]
		c.chunk -= int64(len(part))
		c.left -= int64(len(part))
		if c.chunk == 0 && c.left > 0 {
			if err := c.turn(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

// turn waits for the reply to a chunk that is not the last.
func (c *chunkWriter) turn() error {
	if err := c.s.flush(c.timeout); err != nil {
		return err
	}
	r, err := c.s.read(c.timeout)
	if err != nil {
		return err
	}
	if !r.ok() {
		return &earlyReply{r}
	}
	return nil
}
