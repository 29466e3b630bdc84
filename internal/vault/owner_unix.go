//go:build unix

package vault

import (
	"os"
	"syscall"
)

// giveTo gives a file to the owner of another one: root may change the key of a
// server that runs as a user of its own, which must read it still.
func giveTo(file string, like os.FileInfo) error {
	st, ok := like.Sys().(*syscall.Stat_t)
	if !ok || int(st.Uid) == os.Geteuid() && int(st.Gid) == os.Getegid() {
		return nil
	}
	return os.Chown(file, int(st.Uid), int(st.Gid))
}
