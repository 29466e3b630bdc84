package localsocket

import (
	"errors"
	"log/slog"
	"net"

	"golang.org/x/sys/windows"
)

func refused(err error) bool { return errors.Is(err, windows.WSAECONNREFUSED) }

// A policy is that of the folder: who can open the socket is an administrator.
type policy struct{}

func newPolicy(group string) (*policy, error) {
	if group != "" {
		return nil, errors.New("socket_group has no effect on Windows: the permissions of the socket's folder decide; remove the setting")
	}
	return &policy{}, nil
}

func (*policy) permit(string, *slog.Logger) error { return nil }

func (*policy) peer(*net.UnixConn) (Peer, error) {
	return Peer{Role: Owner, User: "local"}, nil
}
