//go:build unix

package localsocket

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

func refused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// credentials are those of a peer when it connected.
type credentials struct {
	uid    uint32
	groups []uint32 // the primary one and all others that the process had
}

// noID is no group and no user.
const noID = ^uint32(0)

// A policy decides the role of a user.
type policy struct {
	self     uint32 // the server's user
	group    uint32 // noID: none
	name     string // of the group
	overflow uint32 // what the kernel shows for users of elsewhere; noID: there are none
}

func newPolicy(group string) (*policy, error) {
	p := &policy{self: uint32(os.Geteuid()), group: noID, name: group, overflow: overflowID()}
	if group == "" {
		return p, nil
	}
	id := group
	if g, err := user.LookupGroup(group); err == nil {
		id = g.Gid
	}
	n, err := strconv.ParseUint(id, 10, 32)
	if err != nil || uint32(n) == noID {
		return nil, fmt.Errorf("there is no group %q on this machine: make it with groupadd, or correct socket_group under [http]", group)
	}
	p.group = uint32(n)
	return p, nil
}

// role is that of a peer. In a user namespace that does not know all users of
// the machine the kernel shows every unknown one as the same overflow number
// (user_namespaces(7)): that number is no one, whatever the server runs as.
func (p *policy) role(c credentials) Role {
	switch {
	case c.uid == p.overflow:
		return Stranger
	case c.uid == 0 || c.uid == p.self:
		return Owner
	case p.group != noID && p.group != p.overflow && slices.Contains(c.groups, p.group):
		return Member
	}
	return Stranger
}

func (p *policy) peer(c *net.UnixConn) (Peer, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return Peer{}, err
	}
	var who credentials
	var cerr error
	if err := raw.Control(func(fd uintptr) { who, cerr = peerCredentials(int(fd)) }); err != nil {
		return Peer{}, err
	}
	if cerr != nil {
		return Peer{}, fmt.Errorf("the kernel does not say who connected: %w", cerr)
	}
	return Peer{Role: p.role(who), User: fmt.Sprint("uid ", who.uid)}, nil
}

// permit opens the socket to the server's user alone or to the group as well.
// A server that is no member of the group cannot assign it the socket: then the
// file is open to all, and the role alone decides, as it does in any case.
func (p *policy) permit(path string, log *slog.Logger) error {
	if p.group == noID {
		return os.Chmod(path, 0o600)
	}
	mode := os.FileMode(0o660)
	if err := os.Chown(path, -1, int(p.group)); errors.Is(err, os.ErrPermission) {
		mode = 0o666
	} else if err != nil {
		return err
	}
	if dir := p.closedFolder(path); dir != "" {
		log.Warn("members of the group cannot reach the socket: its folder is closed to them; name a path in an open folder with socket "+
			"under [http]",
			"group", p.name, "socket", path, "folder", dir)
	}
	return os.Chmod(path, mode)
}

// closedFolder is the first folder above path that members of the group cannot
// pass; empty: none.
func (p *policy) closedFolder(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return ""
	}
	for dir := filepath.Dir(abs); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return ""
		}
		pass := info.Mode().Perm()&0o001 != 0
		if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Gid == p.group {
			pass = info.Mode().Perm()&0o010 != 0
		}
		if !pass {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
	}
}

// overflowID is what the kernel shows for users that this user namespace does
// not know; noID where all are known.
func overflowID() uint32 {
	m, err := os.ReadFile("/proc/self/uid_map")
	if err != nil { // not Linux: there are no such namespaces
		return noID
	}
	if slices.Equal(strings.Fields(string(m)), []string{"0", "0", strconv.FormatUint(uint64(noID), 10)}) {
		return noID
	}
	b, err := os.ReadFile("/proc/sys/kernel/overflowuid")
	if err == nil {
		if n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 32); err == nil {
			return uint32(n)
		}
	}
	return 65534 // DEFAULT_OVERFLOWUID of the kernel
}
