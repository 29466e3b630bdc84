//go:build darwin || freebsd

package localsocket

import (
	"golang.org/x/sys/unix"
)

// solLocal is the level of options of unix sockets (SOL_LOCAL, sys/un.h).
const solLocal = 0

// peerCredentials reads LOCAL_PEERCRED (unix(4)).
func peerCredentials(fd int) (credentials, error) {
	c, err := unix.GetsockoptXucred(fd, solLocal, unix.LOCAL_PEERCRED)
	if err != nil {
		return credentials{}, err
	}
	n := min(int(c.Ngroups), len(c.Groups))
	return credentials{uid: c.Uid, groups: append([]uint32(nil), c.Groups[:max(0, n)]...)}, nil
}
