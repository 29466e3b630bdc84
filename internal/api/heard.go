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

// A client has heard an answer when it sends anything after the answer was
// written (its next request), or ends the connection in order when its system
// has got all of it. A reset or a time-out proves nothing, and the same message
// again is then the client trying again (submit.Request.Unheard). Over HTTP/2
// anything that comes after the answer counts, of whatever stream.

// A hearing listener returns connections that report which answers were received.
type hearing struct {
	net.Listener
	heard func(...store.Receipt)
}

func (l *hearing) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &answers{Conn: c, heard: l.heard}, nil
}

// answers are a connection's. A nil one is of a request without a connection of
// ours: its methods do nothing.
type answers struct {
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

// A tellingAddr leads from a connection to its answers: whatever is wrapped
// around a connection passes its address on.
type tellingAddr struct {
	net.Addr
	of *answers
}

// LocalAddr implements net.Conn.
func (a *answers) LocalAddr() net.Addr { return tellingAddr{a.Conn.LocalAddr(), a} }

func withAnswers(ctx context.Context, c net.Conn) context.Context {
	addr, ok := c.LocalAddr().(tellingAddr)
	if !ok {
		return ctx
	}
	return context.WithValue(ctx, answersKey{}, addr.of)
}

// answerOf is the connection that the answer of a request goes over.
func answerOf(ctx context.Context) *answers {
	a, _ := ctx.Value(answersKey{}).(*answers)
	return a
}

// carries notes that the answer written next reports an acceptance.
func (a *answers) carries(r store.Receipt) {
	if a == nil || r == (store.Receipt{}) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.carried = append(a.carried, r)
	a.written, a.early = false, false
}

func (a *answers) Read(p []byte) (int, error) {
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
func (a *answers) report() {
	a.heard(a.carried...)
	a.carried, a.written = nil, false
}

func (a *answers) Write(p []byte) (int, error) {
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
func (a *answers) Close() error {
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
