package api

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/postino-mail/postino/internal/arrived"
	"github.com/postino-mail/postino/internal/store"
)

// A client has received ("heard") an answer when it sends anything after it was
// written (its next request), or ends the connection in order when its system
// has received all of it. A reset or a time-out proves nothing, and the same message
// again is then the client trying again (submit.Request.Unheard). Over HTTP/2
// anything that comes after the answer counts, on any stream.

// An answerListener returns connections that report which answers were received.
type answerListener struct {
	net.Listener
	heard func(...store.Receipt)
}

func (l *answerListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &answerConn{Conn: c, heard: l.heard}, nil
}

// An answerConn notes which of its answers the client has received. nil, for a
// request without such a connection, notes nothing.
type answerConn struct {
	net.Conn
	heard func(...store.Receipt)

	mu      sync.Mutex
	carried []store.Receipt // by answers of which it is not known whether they were read
	written bool            // those answers are out, and nothing had come before
	early   bool            // something came before them
}

// lingering is how long an answer that closes the connection waits for the
// client to close it too.
const lingering = 2 * time.Second

type answersKey struct{}

// An answerAddr leads from a connection to its answers: whatever is wrapped
// around a connection passes its address on.
type answerAddr struct {
	net.Addr
	of *answerConn
}

// LocalAddr implements net.Conn.
func (a *answerConn) LocalAddr() net.Addr { return answerAddr{a.Conn.LocalAddr(), a} }

func withAnswers(ctx context.Context, c net.Conn) context.Context {
	addr, ok := c.LocalAddr().(answerAddr)
	if !ok {
		return ctx
	}
	return context.WithValue(ctx, answersKey{}, addr.of)
}

// answerOf is the connection that the answer of a request goes over.
func answerOf(ctx context.Context) *answerConn {
	a, _ := ctx.Value(answersKey{}).(*answerConn)
	return a
}

// carries notes that the answer written next reports an acceptance.
func (a *answerConn) carries(r store.Receipt) {
	if a == nil || r == (store.Receipt{}) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.carried = append(a.carried, r)
	a.written, a.early = false, false
}

func (a *answerConn) Read(p []byte) (int, error) {
	n, err := a.Conn.Read(p)
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case len(a.carried) == 0:
	case !a.written:
		a.early = a.early || n > 0
	case n > 0, errors.Is(err, io.EOF) && arrived.Acknowledged(a.Conn):
		a.report()
	}
	return n, err
}

// report passes on which answers were received. mu is held.
func (a *answerConn) report() {
	a.heard(a.carried...)
	a.carried, a.written = nil, false
}

func (a *answerConn) Write(p []byte) (int, error) {
	a.mu.Lock()
	waits := len(a.carried) > 0 && !a.written
	quiet := waits && arrived.Bytes(a.Conn) == 0
	a.mu.Unlock()
	n, err := a.Conn.Write(p)
	if waits && err == nil {
		a.mu.Lock()
		a.written = quiet && !a.early
		a.early = false
		a.mu.Unlock()
	}
	return n, err
}

// Close lets a client that was told to close take the answer: when it closes in
// order it has heard.
func (a *answerConn) Close() error {
	a.mu.Lock()
	waits := len(a.carried) > 0 && a.written
	a.mu.Unlock()
	half, ok := a.Conn.(interface{ CloseWrite() error })
	if !waits || !ok || half.CloseWrite() != nil || a.SetReadDeadline(time.Now().Add(lingering)) != nil {
		return a.Conn.Close()
	}
	go func() {
		_, _ = io.CopyN(io.Discard, a, 64<<10) // Read notes what it proves
		_ = a.Conn.Close()                     // all was said
	}()
	return nil
}
