package smtpd

import (
	"encoding/binary"
	"net"

	"github.com/postino-mail/postino/internal/arrived"
	"github.com/postino-mail/postino/internal/store"
)

// A client has heard a 250 when it sends anything that was not on its way
// before: what it had pipelined behind the message (RFC 2920) proves nothing, and
// neither does a connection that ends.

// listen is called when replies are about to be sent and input is awaited: when
// nothing has arrived by now, what comes next was sent by one who read them.
func (s *session) listen() {
	s.proof = len(s.unheard) > 0 && s.br.Buffered() == 0 && !s.inner.left() && arrived.Bytes(s.raw) == 0
}

// heard is called when input has come.
func (s *session) heard(ok bool) {
	if s.proof && ok {
		s.srv.opt.Submit.Heard(s.unheard...)
		s.unheard = s.unheard[:0]
	}
	s.proof = false
}

// maxUnheard bounds what a session keeps of messages of which its client has
// given no sign: the first ones stay unheard.
const maxUnheard = 1000

// hears keeps the receipt of a message whose 250 goes out.
func (s *session) hears(r store.Receipt) {
	if len(s.unheard) == maxUnheard {
		s.unheard = append(s.unheard[:0], s.unheard[1:]...)
	}
	s.unheard = append(s.unheard, r)
}

// An inner connection is what is read out of TLS. A nil one is of a session
// without.
type inner struct {
	net.Conn
	filled bool // the last read took all that it had room for
}

func (c *inner) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.filled = n == len(p)
	return n, err
}

// left reports that there may be more of a record that was read already, which
// is not to be seen in the socket.
func (c *inner) left() bool { return c != nil && c.filled }

// records reads a TLS connection record by record (RFC 8446 section 5.1), never
// beyond one, so that what has arrived behind it is still to be seen in the socket.
type records struct {
	net.Conn
	header [5]byte
	have   int // of the header
	left   int // of the record
}

func (r *records) Read(p []byte) (int, error) {
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
