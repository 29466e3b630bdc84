// Package arrived reports what the peer of a TCP connection has sent and what
// it has acknowledged, as the operating system knows it. From that the
// listeners conclude whether a client got its answer.
package arrived

import (
	"net"
	"syscall"
)

// Bytes is how many bytes have come that no one has read yet; 0 where the
// system does not report it.
func Bytes(c net.Conn) (n int) {
	control(c, func(fd uintptr) { n = inQueue(fd) })
	return n
}

// Acknowledged reports that the peer's system has got everything that was
// written and that the connection was not reset. True where the system does not
// say.
func Acknowledged(c net.Conn) (ok bool) {
	ok = true
	control(c, func(fd uintptr) { ok = outEmpty(fd) })
	return ok
}

func control(c net.Conn, f func(fd uintptr)) {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return // closed: the next read reports it
	}
	_ = raw.Control(f) // likewise
}
