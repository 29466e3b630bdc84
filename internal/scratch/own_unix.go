//go:build unix

package scratch

import (
	"io/fs"
	"os"
	"syscall"
)

// own reports a folder of this user that no one else can write in.
func own(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Getuid() && info.Mode().Perm()&0o022 == 0
}
