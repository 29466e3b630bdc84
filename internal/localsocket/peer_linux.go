package localsocket

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

// peerCredentials reads SO_PEERCRED and SO_PEERGROUPS (socket(7), unix(7)): the
// first has the primary group alone.
func peerCredentials(fd int) (credentials, error) {
	c, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return credentials{}, err
	}
	more, err := peerGroups(fd)
	if err != nil && !errors.Is(err, unix.ENOPROTOOPT) { // before Linux 4.13: the primary group counts
		return credentials{}, err
	}
	return credentials{uid: c.Uid, groups: append(more, c.Gid)}, nil
}

func peerGroups(fd int) ([]uint32, error) {
	list := make([]uint32, 64)
	for {
		size := uint32(len(list)) * 4
		_, _, e := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&list[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case e == 0:
			return list[:size/4], nil
		case e == unix.ERANGE && int(size/4) > len(list): // the kernel says how much it takes
			list = make([]uint32, size/4)
		default:
			return nil, e
		}
	}
}
