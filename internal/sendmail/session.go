package sendmail

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// A NothingTakenError ends a session in which the server took no message.
type NothingTakenError struct {
	Temporary bool   // a later try may do better
	Reply     string // the last refusal, if there was one
}

func (e *NothingTakenError) Error() string {
	if e.Reply == "" {
		return "the session ended and no message was handed over: end DATA with a line of one dot"
	}
	return "the server took no message; it answered " + e.Reply
}

// session is an SMTP session on standard input and output with the local
// server. Programs and here-documents write LF and do not wait for the replies;
// the server, which is strict about both, gets CR LF and one command at a time.
type session struct {
	in      *bufio.Reader // the program
	out     io.Writer
	conn    net.Conn
	replies *bufio.Reader

	began   bool // a transaction, or something that is no command
	taken   int
	refused string // the last reply of 400 and above
}

func runSession(ctx context.Context, o Options) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", o.Address)
	if err != nil {
		_, werr := io.WriteString(o.Stdout, "421 4.3.2 the postino server is not running\r\n")
		return errors.Join(err, werr)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	s := newSession(o.Stdin, o.Stdout, conn)
	err = s.run()
	switch {
	case s.taken > 0 && errors.Is(err, io.EOF):
		return nil
	case errors.Is(err, io.EOF):
		err = nil
	case err != nil:
		return texterr.Wrap(mime.NewText("sendmail.session_broke", "the session with the server broke"), err)
	}
	if s.taken == 0 && s.began {
		return &NothingTakenError{Temporary: strings.HasPrefix(s.refused, "4"), Reply: s.refused}
	}
	return err
}

func newSession(in io.Reader, out io.Writer, conn net.Conn) *session {
	return &session{in: bufio.NewReaderSize(in, maxCommand), out: out, conn: conn, replies: bufio.NewReader(conn)}
}

// run passes commands and replies until either side ends; io.EOF is the end of
// the input, or of the server's replies.
func (s *session) run() error {
	if code, err := s.reply(); err != nil || code != 220 {
		s.began = true
		return err
	}
	quit := false
	for !quit {
		line, err := s.line()
		if err != nil {
			s.began = s.began || !quit
			return err
		}
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		verb = strings.ToUpper(verb)
		switch verb {
		case "EHLO", "HELO", "NOOP", "RSET", "VRFY", "HELP", "AUTH", "STARTTLS":
		case "QUIT":
			quit = true
		default:
			s.began = true
		}
		if err := s.command(verb, rest, line); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) command(verb, rest, line string) error {
	if _, err := io.WriteString(s.conn, line+"\r\n"); err != nil {
		return err
	}
	last := false
	if verb == "BDAT" { // RFC 3030: the octets follow the command, whatever comes back
		words := strings.Fields(rest)
		last = len(words) > 1 && strings.EqualFold(words[1], "LAST")
		if len(words) > 0 {
			if n, err := strconv.ParseInt(words[0], 10, 64); err == nil && n > 0 {
				if _, err := io.CopyN(s.conn, s.in, n); err != nil {
					return err
				}
			}
		}
	}
	code, err := s.reply()
	if err != nil {
		return err
	}
	switch {
	case verb == "DATA" && code == 354:
		return s.data()
	case verb == "DATA" && s.in.Buffered() > 0:
		// What a program wrote behind a DATA that was refused is a message: its
		// lines are no commands.
		return s.content(io.Discard)
	case verb == "BDAT" && last && code/100 == 2:
		s.taken++
	case verb == "STARTTLS" && code == 220:
		return s.secret()
	}
	for verb == "AUTH" && code == 334 {
		line, err := s.line()
		if err != nil {
			return err
		}
		if _, err := io.WriteString(s.conn, line+"\r\n"); err != nil {
			return err
		}
		if code, err = s.reply(); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) data() error {
	w := bufio.NewWriterSize(s.conn, 32<<10)
	err := s.content(w)
	if err == nil {
		_, err = w.WriteString(".\r\n")
	}
	if err == nil {
		err = w.Flush()
	}
	if errors.Is(err, io.EOF) { // the input ended before the message did: it is not to be sent
		return err
	}
	if err != nil { // the server may have said why it takes no more
		_, rerr := s.reply()
		return errors.Join(err, rerr)
	}
	code, err := s.reply()
	if code/100 == 2 {
		s.taken++
	}
	return err
}

// content copies lines with CR LF up to the line of one dot.
func (s *session) content(w io.Writer) error {
	start := true
	for {
		part, err := s.in.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		text := part
		if err == nil {
			text = bytes.TrimSuffix(text[:len(text)-1], []byte("\r"))
			if start && string(text) == "." {
				return nil
			}
		}
		if _, werr := w.Write(text); werr != nil {
			return werr
		}
		if start = err == nil; start {
			if _, werr := io.WriteString(w, "\r\n"); werr != nil {
				return werr
			}
		}
	}
}

// secret passes on what is encrypted from here on, and cannot be looked into.
func (s *session) secret() error {
	s.taken++ // the program hears the replies itself
	go func() {
		// Ends with the program's end or with the connection.
		_, _ = io.Copy(s.conn, s.in)
		if t, ok := s.conn.(*net.TCPConn); ok {
			_ = t.CloseWrite()
		}
	}()
	if _, err := io.Copy(s.out, s.replies); err != nil {
		return err
	}
	return io.EOF
}

// maxCommand bounds a line; the server's own limit is lower.
const maxCommand = 64 << 10

// line reads a command, without its end.
func (s *session) line() (string, error) {
	line, err := s.in.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", texterr.New(mime.NewText("sendmail.command_too_long", "a command is longer than {limit} octets", "limit", maxCommand))
	case errors.Is(err, io.EOF) && len(line) > 0: // the last line of a here-string
	case err != nil:
		return "", err
	}
	return strings.TrimRight(string(line), "\r\n"), nil
}

// reply copies one reply and returns its code.
func (s *session) reply() (int, error) {
	for {
		line, err := s.replies.ReadString('\n')
		if _, werr := io.WriteString(s.out, line); werr != nil {
			return 0, werr
		}
		if err != nil {
			return 0, err
		}
		if len(line) < 4 || line[3] == '-' {
			continue
		}
		code, cerr := strconv.Atoi(line[:3])
		if cerr != nil {
			return 0, texterr.New(mime.NewText("sendmail.no_reply", "the server answers {line}, which is no SMTP reply", "line",
				fmt.Sprintf("%.40q", line)))
		}
		if code >= 400 {
			s.refused = strings.TrimRight(line, "\r\n")
		}
		return code, nil
	}
}
