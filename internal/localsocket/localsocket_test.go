//go:build unix

package localsocket

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// shortDir is a folder with a path that leaves room for a socket's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ls")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestRole(t *testing.T) {
	t.Parallel()
	const group = 500
	for name, c := range map[string]struct {
		policy policy
		who    credentials
		want   Role
	}{
		"root":                        {policy{self: 100, group: group, overflow: noID}, credentials{0, []uint32{0}}, Owner},
		"the server's user":           {policy{self: 100, group: group, overflow: noID}, credentials{100, []uint32{100}}, Owner},
		"primary group":               {policy{self: 100, group: group, overflow: noID}, credentials{7, []uint32{group}}, Member},
		"another group of the user":   {policy{self: 100, group: group, overflow: noID}, credentials{7, []uint32{1, 2, group, 7}}, Member},
		"no member":                   {policy{self: 100, group: group, overflow: noID}, credentials{7, []uint32{1, 2}}, Stranger},
		"no group is named":           {policy{self: 100, group: noID, overflow: noID}, credentials{7, []uint32{noID}}, Stranger},
		"a user of elsewhere":         {policy{self: 65534, group: group, overflow: 65534}, credentials{65534, []uint32{group}}, Stranger},
		"a group of elsewhere":        {policy{self: 100, group: 65534, overflow: 65534}, credentials{7, []uint32{65534}}, Stranger},
		"the user nobody, all known":  {policy{self: 65534, group: group, overflow: noID}, credentials{65534, nil}, Owner},
		"root of the server's own ns": {policy{self: 100, group: noID, overflow: 65534}, credentials{0, nil}, Owner},
	} {
		if got := c.policy.role(c.who); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestStalePaths(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	path := filepath.Join(dir, "s")
	listen := func() (net.Listener, error) { return Listen(Options{Path: path}) }

	if err := os.WriteFile(path, []byte("a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listen(); err == nil || !strings.Contains(err.Error(), "is no socket") {
		t.Errorf("over a file: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	l, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listen(); err == nil || !strings.Contains(err.Error(), "another server answers") {
		t.Errorf("over a live server: %v", err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	// A server that lost its socket does not take the next one's away.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	again, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the socket of the new server: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
	// As kill -9 leaves it.
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	if again, err = listen(); err != nil {
		t.Fatalf("over what a dead server left: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestRefusedSettings(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	if _, err := Listen(Options{Path: filepath.Join(dir, strings.Repeat("x", maxPath()))}); err == nil ||
		!strings.Contains(err.Error(), "name a shorter one") {
		t.Errorf("a long path: %v", err)
	}
	if _, err := Listen(Options{Path: filepath.Join(dir, "s"), Group: "no-such-group"}); err == nil ||
		!strings.Contains(err.Error(), "groupadd") {
		t.Errorf("a group that does not exist: %v", err)
	}
	if _, err := Listen(Options{Path: filepath.Join(dir, "missing", "s")}); err == nil {
		t.Error("in a folder that does not exist")
	}
}

func TestLongestPath(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	path := filepath.Join(dir, strings.Repeat("x", maxPath()-len(dir)-1))
	l, err := Listen(Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

const connectRole = "POSTINO_CONNECT_TO" // the socket that a process of TestPeers connects to

// TestConnect is the body of the processes of TestPeers.
func TestConnect(t *testing.T) {
	path := os.Getenv(connectRole)
	if path == "" {
		t.Skip("a process of TestPeers")
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.ReadAll(c); err != nil {
		t.Fatal(err)
	}
}

// The kernel's word on real processes of other users, their further groups
// included.
func TestPeers(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can run a process as another user")
	}
	const group = 54321
	dir := shortDir(t)
	program := filepath.Join(dir, "test")
	raw, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(program, raw, 0o755), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	l, err := Listen(Options{Path: path, Group: "54321"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v %v", info, err)
	}
	many := make([]uint32, 0, 200) // more than the first answer of the kernel has room for
	for i := range uint32(199) {
		many = append(many, 60_000+i)
	}
	peers := make(chan Peer, 1)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			peers <- c.RemoteAddr().(Peer)
			_ = c.Close()
		}
	}()
	for name, c := range map[string]struct {
		who  syscall.Credential
		want Role
	}{
		"root":                    {syscall.Credential{}, Owner},
		"primary group":           {syscall.Credential{Uid: 54000, Gid: group}, Member},
		"further group":           {syscall.Credential{Uid: 54000, Gid: 54000, Groups: []uint32{group}}, Member},
		"one of very many groups": {syscall.Credential{Uid: 54000, Gid: 54000, Groups: append(many, group)}, Member},
		"another user":            {syscall.Credential{Uid: 54000, Gid: 54000}, Stranger},
	} {
		if runtime.GOOS != "linux" && len(c.who.Groups) > 16 {
			continue // NGROUPS_MAX
		}
		cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestConnect$")
		cmd.Env = append(os.Environ(), connectRole+"="+path)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &c.who}
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if c.want == Stranger {
			if err == nil {
				t.Errorf("%s came in: %s", name, out)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v %s", name, err, out)
			continue
		}
		if got := <-peers; got.Role != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
	// Where the file alone would let everyone in, the user still decides.
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestConnect$")
	cmd.Env = append(os.Environ(), connectRole+"="+path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 54000, Gid: 54000}}
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if got := <-peers; got.Role != Stranger || got.User != "uid 54000" {
		t.Errorf("%+v", got)
	}
}
