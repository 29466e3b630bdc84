package pickup

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// openFile opens for reading while no one else has the file open, but so that
// it may be renamed; a link itself is not followed.
func openFile(name string) (*os.File, error) {
	path, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	h, err := windows.CreateFile(path, windows.GENERIC_READ, windows.FILE_SHARE_DELETE, nil, windows.OPEN_EXISTING,
		windows.FILE_ATTRIBUTE_NORMAL|windows.FILE_FLAG_OPEN_REPARSE_POINT, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(h), name), nil
}

// isBusy reports that another program has the file open.
func isBusy(err error) bool { return errors.Is(err, windows.ERROR_SHARING_VIOLATION) }

// unreadable reports that the file is one that this user never reads.
func unreadable(err error) bool { return errors.Is(err, fs.ErrPermission) }

// lock: whoever has the file open is the only one.
func lock(*os.File) bool { return true }

// writers: opening fails while there are any.
func writers(*os.File) openState { return openFree }

// Windows decides by the folder's permissions who may put a file there.
func owner(fs.FileInfo) int { return 0 }

func links(fs.FileInfo) int { return 1 }

func trusted(fs.FileInfo, fs.FileInfo) bool { return true }

// renameNew renames, unless something has the new name already (fs.ErrExist).
func renameNew(from, to string) error {
	a, err := windows.UTF16PtrFromString(from)
	if err != nil {
		return err
	}
	b, err := windows.UTF16PtrFromString(to)
	if err != nil {
		return err
	}
	if err := windows.MoveFileEx(a, b, windows.MOVEFILE_WRITE_THROUGH); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// syncDir: renames are written through.
func syncDir(string) error { return nil }

func tooLong(err error) bool {
	return errors.Is(err, windows.ERROR_FILENAME_EXCED_RANGE) || errors.Is(err, windows.ERROR_INVALID_NAME)
}
