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

// A closeReason says why a session is told to close.
type closeReason int

const (
	closeNone closeReason = iota
	closeShutdown
	closeForRoom
)

// A session is one connection. Its goroutine owns it, except what mu guards.
type session struct {
	srv      *Server
	listener *listener
	log      *slog.Logger
	raw      net.Conn
	conn     net.Conn // raw, or TLS over it
	remote   netip.Addr
	id       string // in each line of the log
	br       *bufio.Reader
	bw       *bufio.Writer
	started  time.Time

	secure bool // under TLS
	helo   string
	esmtp  bool
	client *store.Client // by AUTH; nil: none yet
	// mechanism is that of AUTH, and tlsVersion that of the session; zero: none.
	mechanism  string
	tlsVersion uint16
	tx         *transaction
	talk       transcript
	closing    bool // end after the replies
	lastCode   int  // of the last reply

	tls               *tlsReader      // what br reads of TLS; nil without
	unheard           []store.Receipt // of messages with a 250 that the client may not have read yet
	nextInputConfirms bool            // what arrives now was sent by a client that read it

	badCommands  int // refused for their syntax or order
	idleCommands int // commands since the last message
	authFails    int
	discarded    int64 // octets of refused content since the last message

	evicted bool // guarded by the connLimiter

	makeRoom chan struct{} // closed: this session must make room

	mu           sync.Mutex
	closeReason  closeReason // set: told to close
	activity     activity
	since        time.Time // when the activity began
	octets       int64     // of content received since then
	trusted      bool      // it logged in, is known by its address, or sent a message
	readDeadline time.Time // deadline of the line that is awaited
}

// An activity is what a session does; it decides which session makes room.
type activity int

const (
	waiting   activity = iota // for a command, with nothing under way
	working                   // on a command: a handshake, a login, refused content
	receiving                 // in a transaction that was allowed
)

func newSession(s *Server, l *listener, c net.Conn, remote netip.Addr) *session {
	now := time.Now()
	n := &session{srv: s, listener: l, raw: c, conn: c, remote: remote, id: store.NewID().String(), started: now, since: now,
		makeRoom: make(chan struct{})}
	n.log = n.logger()
	return n
}

// logger names the session in each line, and with it what it did one after the other.
func (s *session) logger() *slog.Logger {
	return s.srv.opt.Log.With("session", s.id, "remote", s.remote.String())
}

// run serves the connection until it ends.
func (s *session) run() {
	buf := s.srv.buffer(s.raw)
	s.br, s.bw = buf.Reader, buf.Writer
	defer func() {
		s.endTransaction()
		s.closeConn()
		buf.Reader.Reset(nil) // the connection must not stay with it
		buf.Writer.Reset(nil)
		s.srv.buffers.Put(buf)
	}()
	if s.listener.policy.TLS == tlsImplicit && !s.handshake() {
		return
	}
	s.reply(220, "", s.srv.opt.Hostname+" ESMTP postino")
	for !s.closing {
		line, err := s.line(maxLine)
		if !s.proceed(err) {
			return
		}
		if err == nil {
			s.command(line)
		}
	}
}

// buffer takes a reader and a writer for c from the pool.
func (s *Server) buffer(c net.Conn) *bufio.ReadWriter {
	if b, ok := s.buffers.Get().(*bufio.ReadWriter); ok {
		b.Reader.Reset(c)
		b.Writer.Reset(c)
		return b
	}
	return bufio.NewReadWriter(bufio.NewReaderSize(c, readerSize), bufio.NewWriterSize(c, 1<<10))
}

// proceed replies to a line that could not be read; false ends the session.
func (s *session) proceed(err error) bool {
	switch e := err.(type) { //nolint:errorlint // line returns these unwrapped
	case nil:
		return true
	case badLine:
		s.badCommand(500, "5.5.2", string(e))
		return !s.closing
	case closeReply:
		s.reply(421, e.enhanced, e.text)
	}
	return false
}

// badCommand refuses a command for its syntax or order; too many end the session.
func (s *session) badCommand(code int, enhanced string, texts ...string) {
	s.reply(code, enhanced, texts...)
	if s.badCommands++; s.badCommands >= s.srv.opt.Limits.Errors && !s.closing {
		s.reply(421, "4.7.0", "too many errors, closing")
		s.closing = true
	}
}

// context is the context of a submission: it ends when the grace of a stopping server is over.
func (s *session) context() context.Context { return s.srv.work }

// handshake starts TLS. When it fails the session ends: a plaintext session after
// a failed STARTTLS is what an attacker in the middle wants.
func (s *session) handshake() bool {
	s.setActivity(working)
	err := s.deadline(time.Now().Add(s.srv.opt.Limits.Handshake), s.raw.SetDeadline)
	t := tls.Server(&recordReader{Conn: s.raw}, s.listener.tls)
	if err == nil {
		err = t.HandshakeContext(s.context())
	}
	if err != nil {
		s.log.Info("SMTP TLS handshake failed", "err", err)
		s.closing = true
		return false
	}
	s.conn, s.secure, s.tlsVersion = t, true, t.ConnectionState().Version
	s.tls = &tlsReader{Conn: t}
	s.br.Reset(s.tls)
	s.bw.Reset(t)
	return true
}

// closeConn closes the connection so that the last reply arrives: closing with
// unread input would reset the connection and lose it.
func (s *session) closeConn() {
	if s.flush() == nil {
		if t, ok := s.conn.(*tls.Conn); ok {
			_ = t.CloseWrite() // the peer may be gone
		}
		if t, ok := s.raw.(*net.TCPConn); ok && s.lastCode >= 400 && s.toldToClose() == closeNone {
			s.linger(t)
		}
	}
	_ = s.raw.Close() // every reply was sent
}

// linger lets the peer read the last reply: for a moment it discards what still
// arrives.
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

// errMakeRoom ends a wait of a session that must make room for another.
var errMakeRoom = errors.New("the session makes room for another")

// setActivity records what the session does now.
func (s *session) setActivity(a activity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a != receiving || s.activity != receiving { // a transaction counts from its first octet
		s.activity, s.since, s.octets = a, time.Now(), 0
	}
}

// markTrusted records that the session belongs to a client that may send.
func (s *session) markTrusted() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trusted = true
}

// deadline sets the deadline of a wait, unless the session must make room now.
func (s *session) deadline(t time.Time, set func(time.Time) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closeReason == closeForRoom {
		return errMakeRoom
	}
	s.readDeadline = t
	return set(t)
}

// requestClose tells the session to close: to make room at once, whatever it does; for
// a shutdown when it next waits for a command.
func (s *session) requestClose(why closeReason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closeReason = why
	switch {
	case why == closeForRoom:
		close(s.makeRoom)                 // requested once a session
		_ = s.raw.SetDeadline(time.Now()) // fails only on a closed connection
	case s.activity == waiting:
		_ = s.raw.SetReadDeadline(time.Now()) // likewise
	}
}

func (s *session) toldToClose() closeReason {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closeReason
}

// honestRate is a rate of content, in bytes a second, that no longer counts as slow.
const honestRate = 10 << 10

// evictionRank ranks the session among those that could make room; 0 is never.
// Within a rank the one with the greater d closes first.
//
//	4  waits for a command and is not trusted
//	3  does anything else outside a transaction and is not trusted
//	2  waits for a command and is trusted
//	1  sends a message and is not trusted: slow ones first
func (s *session) evictionRank() (rank int, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d = time.Since(s.since)
	switch {
	case s.activity == waiting && !s.trusted:
		return 4, d
	case s.activity == working && !s.trusted:
		return 3, d
	case s.activity == waiting:
		return 2, d
	case !s.trusted:
		return 1, d - time.Duration(s.octets)*time.Second/honestRate
	}
	return 0, 0
}
