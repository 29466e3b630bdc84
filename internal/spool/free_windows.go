package spool

import (
	"math"

	"golang.org/x/sys/windows"
)

// FreeSpace is how many bytes this user may still write in a folder.
func FreeSpace(dir string) (int64, error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(path, &free, nil, nil); err != nil {
		return 0, err
	}
	return int64(min(free, math.MaxInt64)), nil //nolint:gosec // bounded
}
