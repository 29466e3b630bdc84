package smtpd

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"time"
)

// Longest lines, in octets with CR LF. MAIL and RCPT grow by their parameters
// (RFC 5321 section 4.5.3.1.4; RFC 3461 section 5; RFC 4954 section 5; RFC 6531
// section 3.4).
const (
	maxLine     = 2048
	maxAuthLine = readerSize
	maxSkip     = 1 << 20 // of an endless line, before the session ends
)

// A badLine is input that is not a command line; the session goes on.
type badLine string

func (e badLine) Error() string { return string(e) }

// A closeReply ends the session with 421 and this text.
type closeReply struct{ enhanced, text string }

func (e closeReply) Error() string { return e.text }

// line reads one line and cuts the CR LF off. The line is valid until the next
// read. limit holds for all lines but AUTH's. Replies are sent before it waits, so
// that those to a pipelined group leave in one write (RFC 2920 section 3.2).
func (s *session) line(limit int) ([]byte, error) {
	if err := s.await(); err != nil {
		return nil, err
	}
	line, err := s.br.ReadSlice('\n')
	s.inputArrived(err == nil)
	s.setActivity(s.commandActivity())
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, s.skipLine()
	}
	if err != nil {
		return nil, s.readError(err)
	}
	if len(line) > limit && !bytes.EqualFold(line[:5], []byte("AUTH ")) {
		return nil, badLine("line too long")
	}
	text, ok := bytes.CutSuffix(line, []byte("\r\n"))
	switch {
	case !ok && s.listener.policy.BareLF:
		text = line[:len(line)-1]
	case !ok:
		return nil, badLine("a command must end with CR LF, this one ended with a bare LF. For a device that cannot: bare_lf and networks of " +
			"the listener")
	}
	switch {
	case bytes.IndexByte(text, '\r') >= 0:
		return nil, badLine("there is a bare CR in the command")
	case bytes.IndexByte(text, 0) >= 0:
		return nil, badLine("there is a NUL in the command")
	}
	return text, nil
}

// await sends the replies and sets the deadline of the next line, unless the
// line has arrived already. The deadline is for the whole line: single octets do
// not extend it.
func (s *session) await() error {
	if have, _ := s.br.Peek(s.br.Buffered()); bytes.IndexByte(have, '\n') >= 0 {
		return nil // peeking at what is buffered cannot fail
	}
	s.beforeWait()
	if err := s.flush(); err != nil {
		return err
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closeReason != closeNone {
		return s.closingReply()
	}
	s.readDeadline = now.Add(s.srv.opt.Limits.Command)
	if end := s.sessionEnd(); s.readDeadline.After(end) {
		s.readDeadline = end
	}
	if s.tx == nil || s.tx.body == nil {
		if s.activity == receiving {
			s.since, s.octets = now, 0
		}
		s.activity = waiting // since the last command
	}
	return s.raw.SetReadDeadline(s.readDeadline)
}

// commandActivity is the activity while a command or content is handled.
func (s *session) commandActivity() activity {
	if s.tx != nil {
		return receiving
	}
	return working
}

// sessionEnd is when the session reaches its longest duration.
func (s *session) sessionEnd() time.Time { return s.started.Add(s.srv.opt.Limits.Session) }

// closingReply says why the session must end. mu is held.
func (s *session) closingReply() error {
	switch s.closeReason {
	case closeShutdown:
		return closeReply{"4.3.2", s.srv.opt.Hostname + " is shutting down, try again later"}
	case closeForRoom:
		return closeReply{"4.7.0", "closing a connection that brings nothing: there are too many. More: max_connections of the listener"}
	}
	return closeReply{"4.4.2", "timeout waiting for a command, closing"}
}

// readError turns a timeout into the reply that ends the session.
func (s *session) readError(err error) error {
	var t net.Error
	if !errors.As(err, &t) || !t.Timeout() {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closingReply()
}

// skipLine discards a line that is longer than any may be.
func (s *session) skipLine() error {
	for skipped := readerSize; skipped < maxSkip; skipped += readerSize {
		_, err := s.br.ReadSlice('\n')
		if err == nil {
			return badLine("line too long")
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return s.readError(err)
		}
	}
	return closeReply{"4.7.0", "endless line, closing"}
}

// more waits for content and returns what has arrived, at least one octet, valid
// until discard.
func (s *session) more(deadline func() time.Time) ([]byte, error) {
	if s.br.Buffered() == 0 {
		s.beforeWait()
		if err := s.flush(); err != nil {
			return nil, err
		}
		if err := s.deadline(deadline(), s.raw.SetReadDeadline); err != nil {
			return nil, err
		}
		if _, err := s.br.Peek(1); err != nil {
			if errors.Is(err, io.EOF) {
				return nil, io.ErrUnexpectedEOF
			}
			return nil, err
		}
		s.inputArrived(true)
	}
	return s.br.Peek(s.br.Buffered())
}

func (s *session) discard(n int) {
	_, _ = s.br.Discard(n) // of what was peeked at: cannot fail
	s.mu.Lock()
	s.octets += int64(n)
	s.mu.Unlock()
}

// inputPending reports input after a command that must be the last of its
// pipelined group (RFC 2920 section 3.1).
func (s *session) inputPending() bool { return s.br.Buffered() > 0 }
