//go:build unix

package app

import (
	"net"
	"os"
	"syscall"
)

func reloadSignals() []os.Signal { return []os.Signal{syscall.SIGHUP} }

// notifySystemd tells the service manager of a state (sd_notify(3)); outside of
// systemd it does nothing.
func (s *server) notifySystemd(state string) {
	socket := os.Getenv("NOTIFY_SOCKET")
	if socket == "" {
		return
	}
	if socket[0] == '@' { // abstract namespace
		socket = "\x00" + socket[1:]
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		s.log.Warn("systemd cannot be told", "state", state, "err", err)
		return
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(state)); err != nil {
		s.log.Warn("systemd cannot be told", "state", state, "err", err)
	}
}
