package pickup

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// renameNew renames, unless something has the new name already (fs.ErrExist).
// errUnsupported: the file system cannot promise that.
func renameNew(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ENOTSUP) {
		return errUnsupported
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// writers asks for a read lease, which the kernel grants only while no one has
// the file open for writing. Who is neither the file's owner nor has CAP_LEASE
// gets no answer; neither do users of file systems without leases.
func writers(f *os.File) openState {
	_, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_RDLCK)
	switch {
	case errors.Is(err, unix.EAGAIN):
		return openWriting
	case err != nil:
		return openUnknown
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_UNLCK); err != nil {
		return openUnknown
	}
	return openFree
}
