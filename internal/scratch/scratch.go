// Package scratch makes temporary folders that do not outlive their process:
// where a process was killed, the next one removes its folder.
//
// Each folder has a lock file, held by its process and released by the kernel
// when the process ends, however it ends. Whoever gets the lock of a folder
// that is not its own may remove it.
package scratch

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/filelock"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

const (
	prefix = "postino-run-"
	lock   = ".alive"

	// unlocked is how long a folder may be without a lock file: its process
	// makes one as the next thing after the folder.
	unlocked = time.Hour
)

// A Dir is a temporary folder of this process.
type Dir struct {
	path string
	held *os.File
}

// New removes what dead processes left and makes a folder, readable by its
// owner alone, in os.TempDir.
func New() (*Dir, error) {
	root := os.TempDir()
	sweep(root, time.Now())
	for range 10 { // another process may take a folder for dead before it is locked
		d, err := create(root)
		if d != nil || err != nil {
			return d, err
		}
	}
	return nil, texterr.New(mime.NewText("scratch.no_folder", "no temporary folder can be kept in {folder}", "folder", root))
}

// create returns nil without an error when the folder was taken away.
func create(root string) (*Dir, error) {
	path, err := os.MkdirTemp(root, prefix)
	if err != nil {
		return nil, err
	}
	name := filepath.Join(path, lock)
	held, err := filelock.Lock(name)
	if err != nil { // a sweeper holds it, or removed the folder
		return nil, os.RemoveAll(path)
	}
	ours, err1 := held.Stat()
	there, err2 := os.Stat(name)
	if err1 != nil || err2 != nil || ours.Size() > 0 || !os.SameFile(ours, there) {
		return nil, errors.Join(held.Close(), os.RemoveAll(path))
	}
	return &Dir{path, held}, nil
}

// Path is the folder, absolute where os.TempDir is.
func (d *Dir) Path() string { return d.path }

// Close removes the folder with all that is in it.
func (d *Dir) Close() error { return remove(d.path, d.held) }

// remove removes the lock last, so that what is left when it is interrupted is
// still found; and closed, as Windows asks. A byte in it means that the folder
// is lost, to whoever gets the lock between.
func remove(path string, held *os.File) error {
	_, werr := held.Write([]byte{1})
	entries, rerr := os.ReadDir(path)
	errs := []error{werr, rerr}
	for _, e := range entries {
		if e.Name() != lock {
			errs = append(errs, os.RemoveAll(filepath.Join(path, e.Name())))
		}
	}
	errs = append(errs, held.Close())
	err := os.RemoveAll(path)
	for range 3 { // a sweeper may look in at this moment
		if err == nil {
			break
		}
		err = os.RemoveAll(path)
	}
	return errors.Join(append(errs, err)...)
}

// sweep removes the folders of dead processes of this user. That one of them
// cannot be seen or removed is no reason not to work.
func sweep(root string, now time.Time) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		info, err := e.Info()
		if err != nil || !info.IsDir() || !own(info) { // the folder of temporary folders may be everybody's
			continue
		}
		bury(filepath.Join(root, e.Name()), info, now)
	}
}

func bury(path string, folder fs.FileInfo, now time.Time) {
	name := filepath.Join(path, lock)
	info, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if now.Sub(folder.ModTime()) > unlocked {
			_ = os.RemoveAll(path) // the next run tries again
		}
	case err == nil && info.Mode().IsRegular():
		if held, err := filelock.Lock(name); err == nil {
			_ = remove(path, held) // the next run tries again
		}
	}
}
