//go:build linux

package pickup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/postino-mail/postino/internal/maildrop"
)

// What is no plain file of one name is put away unread, and holds nothing up.
func TestOnlyPlainFiles(t *testing.T) {
	t.Parallel()
	for _, suffix := range []string{".eml", maildrop.Suffix} {
		dir, elsewhere := t.TempDir(), t.TempDir()
		o := Options{Dir: dir}
		if suffix != ".eml" {
			o = Options{Drop: dir}
		}
		p, st := open(t, o)
		secret := filepath.Join(elsewhere, "secret")
		drop(t, elsewhere, "secret", "{\"Recipients\":[{\"address\":\"a@x.it\"}]}\n"+good)
		err := errors.Join(
			unix.Mkfifo(filepath.Join(dir, "fifo"+suffix), 0o666),
			os.Symlink(secret, filepath.Join(dir, "symlink"+suffix)),
			os.Symlink(filepath.Join(elsewhere, "nothing"), filepath.Join(dir, "dangling"+suffix)),
			os.Link(secret, filepath.Join(dir, "hardlink"+suffix)),
			os.Mkdir(filepath.Join(dir, "folder"+suffix), 0o700))
		if err != nil {
			t.Fatal(err)
		}
		c := newClock()
		p.opt.Now = c.now
		for range 3 {
			p.Look(t.Context())
			c.pass(time.Minute)
		}
		if n := len(queued(t, st)); n != 0 {
			t.Errorf("%s: %d sent", suffix, n)
		}
		failed := strings.Fields(names(t, filepath.Join(dir, failedDir)))
		if len(failed) != 8 || names(t, dir) != "" {
			t.Errorf("%s: failed %q, left %q", suffix, failed, names(t, dir))
		}
		for _, name := range failed {
			info, err := os.Lstat(filepath.Join(dir, failedDir, name))
			if err != nil || strings.HasPrefix(name, "symlink") && !strings.HasSuffix(name, ".txt") && info.Mode()&fs.ModeSymlink == 0 {
				t.Errorf("%s: %v, %v", name, info, err)
			}
		}
	}
}

// Between the list and the opening a file can become another one.
func TestExchangedFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	drop(t, dir, "a", "x")
	drop(t, dir, "b", "x")
	listed, err := os.Lstat(filepath.Join(dir, "a"))
	if err != nil {
		t.Fatal(err)
	}
	put := map[string]func(name string) error{
		"fifo":    func(name string) error { return unix.Mkfifo(name, 0o666) },
		"symlink": func(name string) error { return os.Symlink(filepath.Join(dir, "b"), name) },
		"folder":  func(name string) error { return os.Mkdir(name, 0o700) },
		"another": func(name string) error { return os.WriteFile(name, nil, 0o600) },
	}
	for what, f := range put {
		name := filepath.Join(dir, what)
		if err := f(name); err != nil {
			t.Fatal(err)
		}
		if file, _, err := openRegular(name, listed); err == nil || file != nil {
			t.Errorf("%s was opened", what)
		}
	}
	if os.Geteuid() == 0 {
		info, err := os.Lstat(filepath.Join(dir, "b"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(filepath.Join(dir, "b"), 65534, 65534); err != nil {
			t.Fatal(err)
		}
		if file, _, err := openRegular(filepath.Join(dir, "b"), info); err == nil || file != nil {
			t.Error("a file of another owner was opened")
		}
	}
}

// A program that has its file open for writing is waited for, however old the
// file's time is; its pauses do not count.
func TestHalfAFileIsNotSent(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newClock()
	p, st := open(t, Options{Dir: dir, Now: c.now})
	drop(t, dir, "slow.eml", "From: erp@contoso.it\nTo: a@x.it\nSubject: s\n\nfirst\n")
	w, err := os.OpenFile(filepath.Join(dir, "slow.eml"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		p.Look(t.Context())
		c.pass(time.Minute)
	}
	if n := len(queued(t, st)); n != 0 {
		t.Fatal("half a file was sent")
	}
	_, werr := w.WriteString("second\n")
	if err := errors.Join(werr, w.Close(), os.Chtimes(filepath.Join(dir, "slow.eml"), c.now(), c.now())); err != nil {
		t.Fatal(err)
	}
	p.Look(t.Context())
	if n := len(queued(t, st)); n != 0 {
		t.Fatal("sent without the pause")
	}
	c.pass(3 * time.Second)
	p.Look(t.Context())
	if q := queued(t, st); len(q) != 1 || !strings.HasSuffix(content(t, st, q[0].Message.ID), "first\r\nsecond\r\n") {
		t.Errorf("%d messages", len(q))
	}
}

// The pause is a setting.
func TestPause(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newClock()
	p, st := open(t, Options{Dir: dir, Now: c.now, Pause: time.Minute})
	if err := os.WriteFile(filepath.Join(dir, "new.eml"), []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		p.Look(t.Context())
		if n := len(queued(t, st)); (n == 1) != (i >= 6) {
			t.Fatalf("%d sent after %d times 10 s", n, i)
		}
		c.pass(10 * time.Second)
	}
}
