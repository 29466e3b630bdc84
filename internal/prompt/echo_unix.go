//go:build linux || darwin

package prompt

import "golang.org/x/sys/unix"

// echoOff has the terminal show no more of what is typed; it is read in lines, and Ctrl-C interrupts.
func echoOff(fd int) error {
	t, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return err
	}
	t.Lflag = t.Lflag&^unix.ECHO | unix.ICANON | unix.ISIG
	t.Iflag |= unix.ICRNL
	return unix.IoctlSetTermios(fd, setTermios, t)
}
