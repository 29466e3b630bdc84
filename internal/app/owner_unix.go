//go:build unix

package app

import (
	"io/fs"
	"syscall"
)

// ownerOf is the user id of the owner of a file or folder.
func ownerOf(info fs.FileInfo) (uid int, known bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(st.Uid), true
}
