package smtpd

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

type step struct {
	at   string
	kind string
	text string
}

// A player is the client of a script.
type player struct {
	t     testing.TB
	w     *world
	raw   net.Conn
	conn  net.Conn
	r     *bufio.Reader
	reply string
}

func (p *player) connect() {
	p.close()
	p.raw = p.w.dial()
	p.conn, p.r = p.raw, bufio.NewReader(p.raw)
}

func (p *player) close() {
	if p.raw != nil {
		_ = p.raw.Close() // the server may have been first
		p.raw = nil
	}
}

func (p *player) send(text string) error {
	_, err := io.WriteString(p.conn, text)
	return err
}

func (p *player) readReply() (string, error) {
	var lines []string
	for {
		line, err := p.r.ReadString('\n')
		if err != nil {
			return "", fmt.Errorf("%w after %q", err, lines)
		}
		if len(line) > 512 || !strings.HasSuffix(line, "\r\n") || len(line) < 5 {
			return "", fmt.Errorf("reply line %q", line)
		}
		line = strings.TrimSuffix(line, "\r\n")
		lines = append(lines, line)
		if line[3] != '-' {
			return strings.Join(lines, "|"), nil
		}
	}
}

func (p *player) step(st step) (err error) {
	switch st.kind {
	case "C:":
		return p.send(st.text + "\r\n")
	case "S:":
		if p.reply, err = p.readReply(); err != nil {
			return err
		}
		got := p.reply
		if len(st.text) > 3 && st.text[3] == ' ' {
			got = texts(got)
		}
		if !glob(st.text, got) {
			return fmt.Errorf("the server said %q", p.reply)
		}
		return nil
	case "S!":
		if glob(st.text, p.reply) {
			return fmt.Errorf("the server said %q", p.reply)
		}
		return nil
	}
	word, arg, _ := strings.Cut(st.text, " ")
	first, rest, _ := strings.Cut(arg, " ")
	switch word {
	case "raw":
		s, err := strconv.Unquote(arg)
		return errors.Join(err, p.send(s))
	case "lines":
		return p.send(strings.ReplaceAll(strings.ReplaceAll(arg, " ", "\r\n"), "_", " ") + "\r\n")
	case "times":
		n, err := strconv.Atoi(first)
		return errors.Join(err, p.send(strings.Repeat(rest+"\r\n", n)))
	case "octets":
		n, err := strconv.Atoi(first)
		return errors.Join(err, p.send(strings.Repeat(strings.Repeat("x", 62)+"\r\n", n/64)))
	case "plain":
		return p.send("AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00"+first+"\x00"+rest)) + "\r\n")
	case "b64":
		return p.send(base64.StdEncoding.EncodeToString([]byte(arg)) + "\r\n")
	case "tls":
		return p.tls(arg)
	case "raw-times":
		n, err := strconv.Atoi(first)
		if err == nil {
			_, _ = io.WriteString(p.conn, strings.Repeat(rest, n)) // the server may stop reading
		}
		return err
	case "eof":
		return p.eof()
	case "eof-tls": // alerts of TLS may come before the end
		_, _ = io.ReadAll(p.r) // as may a reset
		return nil
	case "tls-fails":
		if err := p.tls(arg); err == nil {
			return errors.New("the handshake succeeded")
		}
		return nil
	case "connection":
		p.connect()
		return nil
	}
	return fmt.Errorf("no such step")
}

func (p *player) tls(arg string) error {
	c := &tls.Config{InsecureSkipVerify: true} //nolint:gosec // the certificate is the server's own; TestCertificates compares it
	switch arg {
	case "1.0":
		c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10
	case "1.2":
		c.MaxVersion = tls.VersionTLS12
	}
	t := tls.Client(p.raw, c)
	if err := t.Handshake(); err != nil {
		return err
	}
	p.conn, p.r = t, bufio.NewReader(t)
	return nil
}

// eof expects the end, whatever way it came.
func (p *player) eof() error {
	rest, err := io.ReadAll(p.r)
	if len(rest) > 0 {
		return fmt.Errorf("the server went on: %q", rest)
	}
	if err != nil && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return nil
}

// texts are the lines of a reply without the codes of all but the first.
func texts(reply string) string {
	lines := strings.Split(reply, "|")
	for i := range lines {
		if lines[i] = lines[i][4:]; i > 0 {
			if enhanced, rest, ok := strings.Cut(lines[i], " "); ok && strings.Count(enhanced, ".") == 2 {
				lines[i] = rest
			}
		}
	}
	return reply[:3] + " " + strings.Join(lines, "|")
}

// glob matches a whole text; * stands for anything.
func glob(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	if !strings.HasPrefix(text, parts[0]) {
		return false
	}
	text = text[len(parts[0]):]
	for _, m := range parts[1 : len(parts)-1] {
		i := strings.Index(text, m)
		if i < 0 {
			return false
		}
		text = text[i+len(m):]
	}
	return strings.HasSuffix(text, parts[len(parts)-1])
}
