//go:build unix

package pickup

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// openFile opens for reading, a link itself not followed, a FIFO not waited for.
func openFile(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
}

// isBusy: here no one is kept from opening a file.
func isBusy(error) bool { return false }

// unreadable reports that the file is one that this user never reads.
func unreadable(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO)
}

// lock takes the file for this process as long as it is open. A file system
// without locks grants it to everyone.
func lock(f *os.File) bool {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	return !errors.Is(err, unix.EWOULDBLOCK)
}

func stat(info fs.FileInfo) *syscall.Stat_t {
	st, _ := info.Sys().(*syscall.Stat_t)
	if st == nil {
		st = &syscall.Stat_t{Nlink: 1}
	}
	return st
}

func owner(info fs.FileInfo) int { return int(stat(info).Uid) }

func links(info fs.FileInfo) int { return int(stat(info).Nlink) }

// trusted reports a subfolder that is this user's, root's or of the owner of
// the folder that it is in.
func trusted(info, root fs.FileInfo) bool {
	o := owner(info)
	return o == os.Geteuid() || o == 0 || o == owner(root)
}

// syncDir makes renames durable, where the file system does that at all.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	if err = d.Sync(); errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

func tooLong(err error) bool { return errors.Is(err, unix.ENAMETOOLONG) }
