package doctor

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strings"
	"time"
)

// What a listener offers to a program that calls it.
type offered struct {
	chain  []*x509.Certificate // that it shows; empty: it was not asked for TLS
	auth   []string            // mechanisms of AUTH once TLS is on, where it has TLS
	closed string              // the reply by which it turns this machine away; empty: it does not
}

var (
	errNoSMTP     = errors.New("this is no SMTP server")
	errNoSTARTTLS = errors.New("STARTTLS is not offered")
)

// Bounds of a call to a listener.
const (
	callTime = 5 * time.Second
	callRead = 64 << 10 // bytes
)

// call connects to a listener, has it show its certificate, whichever that is,
// and asks what it offers. Nothing is sent and no one logs in.
func call(ctx context.Context, l *Listener) (out offered, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	network, address := "tcp", reachable(l.Address)
	if l.Kind == Socket {
		network, address = "unix", l.Address
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return out, err
	}
	defer func() { _ = conn.Close() }() // nothing was sent that could be lost
	end, _ := ctx.Deadline()
	if err := conn.SetDeadline(end); err != nil {
		return out, err
	}
	if l.TLS == "implicit" {
		if conn, err = out.secure(ctx, conn); err != nil {
			return out, err
		}
	}
	if l.Kind != SMTP {
		return out, alive(ctx, conn)
	}
	return out, out.smtp(ctx, conn, l)
}

// secure begins TLS and notes the certificates.
func (o *offered) secure(ctx context.Context, conn net.Conn) (net.Conn, error) {
	s := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // shown judges it; nothing is sent
	if err := s.HandshakeContext(ctx); err != nil {
		return conn, err
	}
	o.chain = s.ConnectionState().PeerCertificates
	return s, nil
}

// smtp goes through a session as far as a login (RFC 5321, RFC 3207, RFC 4954).
func (o *offered) smtp(ctx context.Context, conn net.Conn, l *Listener) error {
	begin := func() *textproto.Conn {
		return textproto.NewConn(struct {
			io.Reader
			io.WriteCloser
		}{io.LimitReader(conn, callRead), conn})
	}
	session := begin()
	if first, err := session.R.Peek(1); err == nil && !strings.Contains("245", string(first)) { // textproto would wait for an end
		return errNoSMTP
	}
	code, text, err := session.ReadResponse(0)
	switch {
	case err != nil:
		return err
	case code/100 == 4 || code/100 == 5:
		o.closed = fmt.Sprintf("%d %s", code, text)
		return nil
	case code != 220:
		return errNoSMTP
	}
	offers, err := hello(session)
	if err != nil {
		return err
	}
	if l.TLS == "starttls" || l.TLS == "optional" {
		if _, ok := offers["STARTTLS"]; !ok {
			return errNoSTARTTLS
		}
		if _, err := command(session, 220, "STARTTLS"); err != nil {
			return err
		}
		if conn, err = o.secure(ctx, conn); err != nil {
			return err
		}
		session = begin()
		if offers, err = hello(session); err != nil {
			return err
		}
	}
	o.auth = strings.Fields(offers["AUTH"])
	_, err = command(session, 221, "QUIT")
	return err
}

// hello returns what EHLO offers: extensions in upper case, with their parameters.
func hello(session *textproto.Conn) (map[string]string, error) {
	text, err := command(session, 250, "EHLO localhost")
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for i, line := range strings.Split(text, "\n") {
		if name, rest, _ := strings.Cut(strings.TrimSpace(line), " "); i > 0 {
			out[strings.ToUpper(name)] = rest
		}
	}
	return out, nil
}

func command(session *textproto.Conn, want int, line string) (string, error) {
	if err := session.PrintfLine("%s", line); err != nil {
		return "", err
	}
	_, text, err := session.ReadResponse(want)
	return text, err
}

// alive asks a listener for HTTP whether the process lives.
func alive(ctx context.Context, conn net.Conn) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/healthz", http.NoBody)
	if err != nil {
		return err
	}
	if err := req.Write(conn); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, callRead)), req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("/healthz answers %d", resp.StatusCode)
	}
	return nil
}

// reachable is where a listener on all addresses is called.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	return net.JoinHostPort(host, port)
}
