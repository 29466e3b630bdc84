package fallback

import (
	"bufio"
	"context"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
)

// A session is one connection to the server. One goroutine uses it at a time.
type session struct {
	raw  net.Conn // the socket: closing it ends every wait at once
	conn net.Conn // raw, or TLS over it
	r    *bufio.Reader
	w    *bufio.Writer
	t    Timeouts
	now  func() time.Time

	caps   capabilities
	tls    bool
	authed bool
	censor censor
	sasl   bool                   // what is said now are the steps of AUTH
	talk   *adapters.Conversation // of the message in hand; nil: none is noted

	user  string    // the mailbox it is authenticated for
	born  time.Time // when it was opened
	used  time.Time // when it was last put back
	sent  int       // messages carried
	reset bool      // a transaction is open: RSET before the next
	kept  bool      // it came from the pool

	sender []string // of the message in hand: envelope sender and From, in lower case
}

// ours are the addresses of this side that a reply may name, in lower case.
func (s *session) ours(login string) []string {
	return append(slices.Clone(s.sender), strings.ToLower(login), strings.ToLower(s.user))
}

const (
	readBuffer  = 4 << 10
	writeBuffer = 32 << 10
)

func (s *session) attach(conn net.Conn) {
	s.conn = conn
	if s.r == nil {
		s.r, s.w = bufio.NewReaderSize(conn, readBuffer), bufio.NewWriterSize(conn, writeBuffer)
		return
	}
	s.r.Reset(conn)
	s.w.Reset(conn)
}

// bind makes the end of ctx close the socket; the returned function undoes it
// and reports whether the session is still alive.
func (s *session) bind(ctx context.Context) func() bool {
	return context.AfterFunc(ctx, s.kill)
}

// kill closes the socket without a word. Safe from any goroutine.
func (s *session) kill() { _ = s.raw.Close() } // nothing is left to do with an error

// read reads one reply.
func (s *session) read(timeout time.Duration) (reply, error) {
	if err := s.conn.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return reply{}, err
	}
	r, err := readReply(s.r)
	switch {
	case err != nil || s.talk == nil:
	case r.Code == 334: // a challenge may hold what is secret
		s.talk.Note("S: 334 ***")
	default:
		s.talk.Note("S: " + s.censor.show(r.code()+" "+r.text()))
	}
	return r, err
}

// note notes a command that is sent, without what is secret in it.
func (s *session) note(line string) {
	switch {
	case s.talk == nil:
		return
	case strings.HasPrefix(line, "AUTH "):
		name, initial, _ := strings.Cut(line[len("AUTH "):], " ")
		if line = "AUTH " + name; initial != "" {
			line += " ***"
		}
	case s.sasl && line != "*":
		line = "***"
	}
	s.talk.Note("C: " + line)
}

// flush sends what is buffered.
func (s *session) flush(timeout time.Duration) error {
	if err := s.deadlineForWrite(timeout); err != nil {
		return err
	}
	return s.w.Flush()
}

func (s *session) deadlineForWrite(timeout time.Duration) error {
	return s.conn.SetWriteDeadline(time.Now().Add(timeout))
}

// put buffers one command line.
func (s *session) put(line string) error {
	if strings.ContainsAny(line, "\r\n\x00") { // every part was checked before; never let one out all the same
		return &errGarbage{why: "a command holds a line end"}
	}
	s.note(line)
	if _, err := s.w.WriteString(line); err != nil {
		return err
	}
	_, err := s.w.WriteString("\r\n")
	return err
}

// cmd sends one command and reads its reply.
func (s *session) cmd(line string, timeout time.Duration) (reply, error) {
	if err := s.deadlineForWrite(timeout); err != nil { // a long line may leave before flush
		return reply{}, err
	}
	if err := s.put(line); err != nil {
		return reply{}, err
	}
	if err := s.flush(timeout); err != nil {
		return reply{}, err
	}
	return s.read(timeout)
}

// alive tests a kept connection with NOOP: one that a firewall forgot would
// otherwise hold the message until a timeout.
func (s *session) alive() bool {
	r, err := s.cmd("NOOP", s.t.Liveness)
	return err == nil && r.ok()
}

// quit says goodbye and closes. It waits for no more than Timeouts.Quit.
func (s *session) quit() {
	defer s.kill()
	if _, err := s.cmd("QUIT", s.t.Quit); err != nil {
		return // the connection is gone, which is what was wanted
	}
}
