package arrived

import "golang.org/x/sys/unix"

func inQueue(fd uintptr) int {
	n, err := unix.IoctlGetInt(int(fd), unix.TIOCINQ)
	if err != nil {
		return 0
	}
	return n
}

func outEmpty(fd uintptr) bool {
	n, err := unix.IoctlGetInt(int(fd), unix.TIOCOUTQ)
	if err != nil || n > 0 {
		return false
	}
	code, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
	return err == nil && code == 0
}
