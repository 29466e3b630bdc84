package smtpd

import (
	"encoding/binary"
	"net"

	"github.com/postino-mail/postino/internal/arrived"
	"github.com/postino-mail/postino/internal/store"
)

// A client has read a 250 when it sends anything that was not on its way before:
// what it had pipelined behind the message (RFC 2920) proves nothing, and neither
// does a connection that ends. Until then the receipt stays unconfirmed
// ("unheard" in the store), and a repeat of the message is recognised.

// beforeWait is called before replies are sent and input is awaited: when nothing
// has arrived by now, what comes next was sent by a client that read the replies.
func (s *session) beforeWait() {
	s.nextInputConfirms = len(s.unheard) > 0 && s.br.Buffered() == 0 && !s.tls.mayHoldMore() && arrived.Bytes(s.raw) == 0
}

// inputArrived is called when input has arrived; ok, when it was read.
func (s *session) inputArrived(ok bool) {
	if s.nextInputConfirms && ok {
		s.srv.opt.Submit.Heard(s.unheard...)
		s.unheard = s.unheard[:0]
	}
	s.nextInputConfirms = false
}

// maxUnheard bounds the unconfirmed receipts that a session keeps: beyond it the
// oldest stay unconfirmed.
const maxUnheard = 1000

// keepReceipt keeps the receipt of a message while its 250 goes out.
func (s *session) keepReceipt(r store.Receipt) {
	if len(s.unheard) == maxUnheard {
		s.unheard = append(s.unheard[:0], s.unheard[1:]...)
	}
	s.unheard = append(s.unheard, r)
}

// A tlsReader is a TLS connection that knows whether more of a record may be
// waiting in it. It is nil in a session without TLS.
type tlsReader struct {
	net.Conn
	full bool // the last read took all that it had room for
}

func (c *tlsReader) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.full = n == len(p)
	return n, err
}

// mayHoldMore reports that there may be more of a record that was read from the
// socket already.
func (c *tlsReader) mayHoldMore() bool { return c != nil && c.full }

// A recordReader reads a TLS connection record by record (RFC 8446 section 5.1) and
// never beyond one, so that what arrived behind it stays visible in the socket.
type recordReader struct {
	net.Conn
	header [5]byte
	have   int // of the header
	left   int // of the record
}

func (r *recordReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return r.Conn.Read(p)
	}
	if r.left > 0 {
		n, err := r.Conn.Read(p[:min(len(p), r.left)])
		r.left -= n
		return n, err
	}
	n, err := r.Conn.Read(p[:min(len(p), len(r.header)-r.have)])
	r.have += copy(r.header[r.have:], p[:n])
	if r.have == len(r.header) {
		r.have, r.left = 0, int(binary.BigEndian.Uint16(r.header[3:]))
	}
	return n, err
}
