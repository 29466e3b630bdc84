//go:build unix

package sqlite

import (
	"errors"
	"os"
)

// renamesOpen: an open file can be renamed.
const renamesOpen = true

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
