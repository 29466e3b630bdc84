package smtpd

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// readerSize is also the longest line that can be read: an AUTH line with a
// token (RFC 4954 section 4 asks for 12,288 octets).
const readerSize = 16 << 10

// A bye says why a session is sent away.
type bye int

const (
	byeNone bye = iota
	byeShutdown
	byeCrowded
)

// A session is one connection. Its goroutine owns it, but for what mu guards.
type session struct {
	srv    *Server
	on     *listener
	log    *slog.Logger
	raw    net.Conn
	conn   net.Conn // raw, or TLS over it
	remote netip.Addr
	br     *bufio.Reader
	bw     *bufio.Writer
	born   time.Time

	secure   bool // under TLS
	helo     string
	esmtp    bool
	client   *store.Client // by AUTH; nil: none yet
	tx       *transaction
	over     bool // end after the replies
	lastCode int  // of the last reply

	inner   *inner          // what br reads of TLS; nil without
	unheard []store.Receipt // of messages whose 250 the client may not have read
	proof   bool            // what comes now was sent after it

	errors    int // refused for their form
	fruitless int // commands since the last message
	authFails int
	wasted    int64 // octets of refused content since the last message

	dismissed bool // guarded by the crowd

	leave chan struct{} // closed: make room

	mu     sync.Mutex
	why    bye // told to leave
	doing  activity
	since  time.Time // when that began
	octets int64     // of content that came since then
	proven bool      // logged in, known by its address, or brought a message
	cutoff time.Time // deadline of the line that is awaited
}

// An activity is what a session does, for the choice of who makes room.
type activity int

const (
	waiting   activity = iota // for a command, with nothing under way
	working                   // on a command: a handshake, a login, octets that nobody wants
	receiving                 // in a transaction that was allowed
)

func newSession(s *Server, l *listener, c net.Conn, remote netip.Addr) *session {
	now := time.Now()
	return &session{srv: s, on: l, raw: c, conn: c, remote: remote, born: now, since: now, leave: make(chan struct{}),
		log: s.opt.Log.With("remote", remote.String())}
}

// run serves the connection to its end.
func (s *session) run() {
	buf := s.srv.buffer(s.raw)
	s.br, s.bw = buf.Reader, buf.Writer
	defer func() {
		s.endTransaction()
		s.hangUp()
		buf.Reader.Reset(nil) // the connection must not stay with it
		buf.Writer.Reset(nil)
		s.srv.buffers.Put(buf)
	}()
	if s.on.policy.TLS == tlsImplicit && !s.handshake() {
		return
	}
	s.reply(220, "", s.srv.opt.Hostname+" ESMTP postino")
	for !s.over {
		line, err := s.line(maxLine)
		if !s.proceed(err) {
			return
		}
		if err == nil {
			s.command(line)
		}
	}
}

// buffer is what a session reads into and writes from.
func (s *Server) buffer(c net.Conn) *bufio.ReadWriter {
	if b, ok := s.buffers.Get().(*bufio.ReadWriter); ok {
		b.Reader.Reset(c)
		b.Writer.Reset(c)
		return b
	}
	return bufio.NewReadWriter(bufio.NewReaderSize(c, readerSize), bufio.NewWriterSize(c, 1<<10))
}

// proceed deals with what is no command line; false ends the session.
func (s *session) proceed(err error) bool {
	switch e := err.(type) { //nolint:errorlint // line gives these as they are
	case nil:
		return true
	case badLine:
		s.wrong(500, "5.5.2", string(e))
		return !s.over
	case farewell:
		s.reply(421, e.enhanced, e.text)
	}
	return false
}

// wrong refuses a command for its form; too many end the session.
func (s *session) wrong(code int, enhanced string, texts ...string) {
	s.reply(code, enhanced, texts...)
	if s.errors++; s.errors >= s.srv.opt.Limits.Errors && !s.over {
		s.reply(421, "4.7.0", "too many errors, closing")
		s.over = true
	}
}

// context is of one submission: it ends when the server stops for good.
func (s *session) context() context.Context { return s.srv.work }

// handshake puts TLS on the connection. A failure leaves nothing to talk over:
// the session ends (a plaintext session behind a failed STARTTLS would be what
// an attacker in the middle wants).
func (s *session) handshake() bool {
	s.does(working)
	err := s.deadline(time.Now().Add(s.srv.opt.Limits.Handshake), s.raw.SetDeadline)
	t := tls.Server(&records{Conn: s.raw}, s.on.tls)
	if err == nil {
		err = t.HandshakeContext(s.context())
	}
	if err != nil {
		s.log.Info("SMTP TLS handshake failed", "err", err)
		s.over = true
		return false
	}
	s.conn, s.secure = t, true
	s.inner = &inner{Conn: t}
	s.br.Reset(s.inner)
	s.bw.Reset(t)
	return true
}

// hangUp ends the connection so that the last reply arrives: closing with
// unread input would make the network drop it.
func (s *session) hangUp() {
	if s.flush() == nil {
		if t, ok := s.conn.(*tls.Conn); ok {
			_ = t.CloseWrite() // the peer may be gone
		}
		if t, ok := s.raw.(*net.TCPConn); ok && s.lastCode >= 400 && s.told() == byeNone {
			s.linger(t)
		}
	}
	_ = s.raw.Close() // all was said
}

// linger lets the peer read the reply: what it still sends is read away for a
// moment.
func (s *session) linger(t *net.TCPConn) {
	if t.CloseWrite() != nil || t.SetReadDeadline(time.Now().Add(time.Second)) != nil {
		return
	}
	buf := make([]byte, 4<<10)
	for left := 1 << 20; left > 0; {
		n, err := t.Read(buf)
		if left -= n; err != nil {
			return
		}
	}
}

// errDismissed ends a wait of a session that was told to make room.
var errDismissed = errors.New("the session makes room for another")

// does notes what the session turns to.
func (s *session) does(a activity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a != receiving || s.doing != receiving { // a transaction counts from its first octet
		s.doing, s.since, s.octets = a, time.Now(), 0
	}
}

// prove notes that the session is somebody's who may send.
func (s *session) prove() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proven = true
}

// deadline sets one for a wait, unless the session must leave at once.
func (s *session) deadline(t time.Time, set func(time.Time) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why == byeCrowded {
		return errDismissed
	}
	s.cutoff = t
	return set(t)
}

// dismiss tells the session to leave: for want of room now, whatever it does;
// because the server stops, when it next waits for a command.
func (s *session) dismiss(why bye) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.why = why
	switch {
	case why == byeCrowded:
		close(s.leave)                    // a session is told this once
		_ = s.raw.SetDeadline(time.Now()) // fails on a closed connection alone
	case s.doing == waiting:
		_ = s.raw.SetReadDeadline(time.Now()) // likewise
	}
}

func (s *session) told() bye {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.why
}

// honestRate is content in bytes a second that needs no excuse.
const honestRate = 10 << 10

// expendable ranks the session among those that could leave, 0 is never. Within
// a rank the one with the greater d goes first.
//
//	4  waits for a command and has proved nothing
//	3  does anything else outside a transaction and has proved nothing
//	2  waits between commands, and is somebody's
//	1  brings a message and has proved nothing: slow ones first
func (s *session) expendable() (rank int, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d = time.Since(s.since)
	switch {
	case s.doing == waiting && !s.proven:
		return 4, d
	case s.doing == working && !s.proven:
		return 3, d
	case s.doing == waiting:
		return 2, d
	case !s.proven:
		return 1, d - time.Duration(s.octets)*time.Second/honestRate
	}
	return 0, 0
}
