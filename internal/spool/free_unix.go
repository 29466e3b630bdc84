//go:build unix

package spool

import (
	"math"

	"golang.org/x/sys/unix"
)

// FreeSpace is how many bytes may still be written in a folder, by who is not root.
func FreeSpace(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	free := uint64(st.Bavail) * uint64(st.Bsize) //nolint:gosec,unconvert // types differ between systems, and no size is negative
	return int64(min(free, math.MaxInt64)), nil  //nolint:gosec // bounded
}
