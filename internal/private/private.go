// Package private makes the folders in which secrets and mail lie.
package private

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// MkdirAll makes a folder, and those above it that are missing, for this user alone;
// on Windows, where folders inherit who may read them, for the system and its
// administrators besides, and so is what is made in it. From the first moment: no one
// can enter before the rights are there. A folder that exists keeps its rights.
func MkdirAll(dir string) error {
	if above := filepath.Dir(dir); above != dir {
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			if err := MkdirAll(above); err != nil {
				return err
			}
		}
	}
	err := mkdir(dir)
	if err == nil {
		return nil
	}
	at, found := os.Stat(dir)
	switch {
	case found != nil:
		return err
	case !at.IsDir():
		return &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
	}
	return nil
}
