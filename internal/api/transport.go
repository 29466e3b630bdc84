package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"golang.org/x/net/netutil"

	"github.com/postino-mail/postino/internal/localsocket"
	"github.com/postino-mail/postino/internal/store"
)

// A transport listens by TCP and at a unix socket, and answers with one handler.
type transport struct {
	http     *http.Server
	tcp      net.Listener // nil: none
	socket   net.Listener // nil: none
	heard    func(...store.Receipt)
	most     int           // connections at once
	mostEach int           // of those, of one address or user
	stopping chan struct{} // closed when the server ends, for streams
}

func newTransport(o *Options, h http.Handler) *transport {
	t := &transport{heard: o.Submit.Heard, most: o.MaxConnections, mostEach: o.MaxPerAddress, stopping: make(chan struct{})}
	t.http = &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return withAnswers(withPeer(ctx, c), c) },
		ErrorLog:    slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn),
	}
	return t
}

// bounded wraps a listener: what was heard of answers, and how many connections
// there may be. The limiter of each address is outside: what it refuses frees
// its place at once.
func (t *transport) bounded(l net.Listener) net.Listener {
	return newConnLimiter(netutil.LimitListener(&answerListener{l, t.heard}, t.most), t.mostEach)
}

// Listen opens the address; with a TLS configuration it speaks HTTPS.
func (t *transport) Listen(addr string, conf *tls.Config) error {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return fmt.Errorf("HTTP cannot listen on %s: %w", addr, err)
	}
	l = t.bounded(l)
	if conf != nil {
		conf = conf.Clone()
		conf.NextProtos = append([]string{"h2", "http/1.1"}, conf.NextProtos...)
		t.http.TLSConfig = conf
		l = tls.NewListener(l, conf)
	}
	t.tcp = l
	return nil
}

// ListenSocket opens a unix socket too, or instead: there the user of the
// program decides what it may do.
func (t *transport) ListenSocket(o localsocket.Options) error {
	l, err := localsocket.Listen(o)
	if err != nil {
		return fmt.Errorf("HTTP: %w", err)
	}
	t.socket = t.bounded(l)
	return nil
}

// Addr is where the server listens by TCP; empty before Listen.
func (t *transport) Addr() string {
	if t.tcp == nil {
		return ""
	}
	return t.tcp.Addr().String()
}

// Handler answers without a listener, for tests and for other servers. Streams
// of events need Server.Serve as well.
func (t *transport) Handler() http.Handler { return t.http.Handler }

// serve answers until ctx ends, then lets requests under way finish for up to
// ten seconds.
func (t *transport) serve(ctx context.Context) error {
	listeners := slices.DeleteFunc([]net.Listener{t.tcp, t.socket}, func(l net.Listener) bool { return l == nil })
	if len(listeners) == 0 {
		return errors.New("api: Serve before Listen")
	}
	served := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { served <- t.http.Serve(l) }()
	}
	var err error
	select {
	case <-ctx.Done():
		close(t.stopping)
		limit, done := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		if serr := t.http.Shutdown(limit); serr != nil {
			err = errors.Join(serr, t.http.Close())
		}
		done()
	case err = <-served: // by itself: the other one cannot stay alone
		listeners = listeners[1:]
		close(t.stopping)
		err = errors.Join(err, t.http.Close())
	}
	for range listeners {
		<-served //nolint:errcheck // http.ErrServerClosed
	}
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}
