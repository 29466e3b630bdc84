//go:build unix

package postgres

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// pgbouncer starts a pooler before the tests' server and returns a URL through it.
func pgbouncer(t *testing.T, mode string, size int) string {
	t.Helper()
	bin, err := exec.LookPath("pgbouncer")
	if err != nil {
		if bin = "/usr/sbin/pgbouncer"; os.Getenv("POSTINO_PEERS") != "1" {
			t.Skip("needs pgbouncer: set POSTINO_PEERS=1")
		}
	}
	u, err := url.Parse(schema(t))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "pgbouncer.ini")
	if err := os.WriteFile(conf,
		fmt.Appendf(nil, "[databases]\n* = host=127.0.0.1 port=%s "+
			"user=%s\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port=%d\nunix_socket_dir=\nauth_type=any\npool_mode=%s\ndefault_pool_size=%d\n",
			u.Port(), u.User.Username(), port, mode, size), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "-q", conf)
	if os.Getuid() == 0 { // it refuses to run as root
		p, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		uid, uerr := strconv.ParseUint(p.Uid, 10, 32)
		gid, gerr := strconv.ParseUint(p.Gid, 10, 32)
		if err := errors.Join(uerr, gerr, os.Chmod(dir, 0o755), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
			t.Fatal(err)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
	})
	u.Host = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	until(t, "the pooler listens", func() bool {
		c, err := net.DialTimeout("tcp", u.Host, time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return u.String()
}

// With pooled sessions all works as it is, the parameters of the URL included;
// whatever else is pooled is refused with the reason.
func TestPoolers(t *testing.T) {
	t.Parallel()
	if os.Getenv("POSTINO_PEERS") != "1" {
		t.Skip("starts pgbouncer: set POSTINO_PEERS=1")
	}
	for _, mode := range []string{"session", "transaction", "statement"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			u := pgbouncer(t, mode, 40)
			if mode == "session" {
				s := open(t, Options{URL: u})
				if _, err := send(t, s, "l", []byte("x")); err != nil {
					t.Error(err)
				}
				return
			}
			s, err := Open(t.Context(), Options{URL: u, Dir: t.TempDir()})
			if !errors.Is(err, errPooling) {
				t.Errorf("it gives %v", err)
			}
			if s != nil {
				t.Error(s.Close())
			}
		})
	}
}

// A pooler of sessions with one server is told from one of transactions: the
// hint is another.
func TestPoolerOfOne(t *testing.T) {
	t.Parallel()
	if os.Getenv("POSTINO_PEERS") != "1" {
		t.Skip("starts pgbouncer: set POSTINO_PEERS=1")
	}
	s, err := Open(t.Context(), Options{URL: pgbouncer(t, "session", 1), Dir: t.TempDir()})
	if !errors.Is(err, errPoolSize) || errors.Is(err, errPooling) {
		t.Errorf("it returns %v", err)
	}
	if s != nil {
		t.Error(s.Close())
	}
}
