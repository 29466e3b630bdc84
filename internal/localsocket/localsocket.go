// Package localsocket listens on a unix socket and reports which user is at the
// other end, so that programs of this machine need no key. The kernel reports who
// that is (SO_PEERCRED, LOCAL_PEERCRED); on Windows the permissions of the
// folder of the socket decide who can connect at all.
package localsocket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"runtime"
	"sync"
	"time"
)

// A Role is what the user of a peer makes of it.
type Role int

// The roles, from none to all rights.
const (
	Stranger Role = iota // any other user
	Member               // of the group that is allowed
	Owner                // root, or the user that the server runs as
)

// A Peer is who connected. It is the RemoteAddr of the connection.
type Peer struct {
	Role Role
	User string // such as "uid 1000", for logs and limits
}

// Network is that of the socket.
func (Peer) Network() string { return "unix" }

func (p Peer) String() string { return p.User }

// Options of Listen.
type Options struct {
	Path  string
	Group string       // name or number of a group: its members may connect; empty: none
	Log   *slog.Logger // nil: silent
}

// maxPath is the room for a path in sockaddr_un, without its final NUL
// (unix(7); 104 bytes on the BSDs and macOS).
func maxPath() int {
	switch runtime.GOOS {
	case "linux", "windows":
		return 107
	}
	return 103
}

// NoServer reports an error of connecting to a socket at which no server is.
func NoServer(err error) bool { return errors.Is(err, fs.ErrNotExist) || refused(err) }

// answerTime bounds the wait for a server that may be at the path already.
const answerTime = 2 * time.Second

// Listen opens the socket. One that is there already is replaced where nothing
// answers on it; closing the listener removes it.
func Listen(o Options) (net.Listener, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if len(o.Path) > maxPath() {
		return nil, fmt.Errorf("the path of the socket has %d bytes, and a socket's may have %d: name a shorter one with socket under [http]: %s",
			len(o.Path), maxPath(), o.Path)
	}
	allow, err := newPolicy(o.Group)
	if err != nil {
		return nil, err
	}
	if err := clearPath(o.Path); err != nil {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: o.Path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("the socket %s cannot be made: %w", o.Path, err)
	}
	l.SetUnlinkOnClose(false) // only while it is still ours, see Close
	own, err := os.Lstat(o.Path)
	if err == nil {
		err = allow.permit(o.Path, o.Log)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the socket %s cannot be opened to those who may use it: %w", o.Path, err), l.Close(),
			os.Remove(o.Path))
	}
	return &listener{UnixListener: l, path: o.Path, own: own, allow: allow, log: o.Log}, nil
}

// clearPath removes the socket of a server that ended without removing it.
func clearPath(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the socket %s cannot be made: %w", path, err)
	}
	socket := info.Mode()&fs.ModeSocket != 0 || runtime.GOOS == "windows" && info.Mode()&fs.ModeIrregular != 0
	if !socket {
		return fmt.Errorf("at %s there is something that is no socket: remove it, or name another path with socket under [http]", path)
	}
	c, err := (&net.Dialer{Timeout: answerTime}).DialContext(context.Background(), "unix", path)
	if err == nil {
		return errors.Join(fmt.Errorf("another server answers on the socket %s", path), c.Close())
	}
	if !refused(err) { // not allowed, or busy: another program's socket that may be in use
		return fmt.Errorf("the socket %s is there and may be in use: %w", path, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("the socket that another server left cannot be removed: %w", err)
	}
	return nil
}

type listener struct {
	*net.UnixListener
	path  string
	own   fs.FileInfo
	allow *policy
	log   *slog.Logger
	once  sync.Once
	err   error
}

// Accept returns the next connection; its RemoteAddr is a Peer.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		peer, err := l.allow.peer(c)
		if err == nil {
			return &conn{UnixConn: c, peer: peer}, nil
		}
		l.log.Warn("a connection to the socket was closed: its user is not known", "err", errors.Join(err, c.Close()))
	}
}

// Close also removes the socket, unless another server has replaced it.
func (l *listener) Close() error {
	l.once.Do(func() {
		if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.own) {
			l.err = os.Remove(l.path)
		}
		l.err = errors.Join(l.UnixListener.Close(), l.err)
	})
	return l.err
}

type conn struct {
	*net.UnixConn
	peer Peer
}

func (c *conn) RemoteAddr() net.Addr { return c.peer }
