package scratch

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const role = "POSTINO_SCRATCH_ROLE" // of a process of the test

// TestHolder is the body of the test's processes: it makes a folder, prints its
// name and waits to be killed.
func TestHolder(t *testing.T) {
	if os.Getenv(role) == "" {
		t.Skip("a process of TestKilled")
	}
	d, err := New()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.Path(), "message.eml"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("folder=%s\n", d.Path())
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		t.Error(err)
	}
}

// holder starts a process with a folder.
func holder(t *testing.T) (cmd *exec.Cmd, folder string) {
	t.Helper()
	cmd = exec.Command(os.Args[0], "-test.run=^TestHolder$")
	cmd.Env = append(os.Environ(), role+"=1")
	in, err := cmd.StdinPipe() // open until the test ends
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Kill() // most are dead
		_ = cmd.Wait()
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "folder="); ok {
			return cmd, name
		}
	}
	t.Fatal("the process said nothing")
	return nil, ""
}

// A folder of a process that was killed goes with the next run; that of a
// living one stays. Not parallel: the temporary folder is the process's.
func TestKilled(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dead, left := holder(t)
	_, living := holder(t)
	if err := dead.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = dead.Wait() // "signal: killed"
	if _, err := os.Stat(left); err != nil {
		t.Fatalf("nothing was left, so nothing is shown here: %v", err)
	}
	mine, err := New()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("the folder of a dead process is still there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(living, "message.eml")); err != nil {
		t.Errorf("the folder of a living process was taken: %v", err)
	}
	other, err := New() // this process holds one already
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(mine.Path()); err != nil {
		t.Errorf("the folder of this process was taken: %v", err)
	}
	for _, d := range []*Dir{mine, other} {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(d.Path()); !os.IsNotExist(err) {
			t.Errorf("left behind by Close: %v", err)
		}
	}
}

// What is not certainly a dead process's stays.
func TestStays(t *testing.T) {
	root := t.TempDir()
	folder := func(name string, mode os.FileMode, files ...string) string {
		dir := filepath.Join(root, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if err := os.WriteFile(filepath.Join(dir, f), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	kept := []string{folder("other-1", 0o700, lock), folder(prefix+"open", 0o777, lock), folder(prefix+"young", 0o700, "file")}
	outside := filepath.Join(t.TempDir(), "outside")
	link := folder(prefix+"link", 0o700)
	if err := os.Symlink(outside, filepath.Join(link, lock)); err != nil {
		t.Fatal(err)
	}
	kept = append(kept, link)
	target := folder("target", 0o700, lock)
	if err := os.Symlink(target, filepath.Join(root, prefix+"pointer")); err != nil {
		t.Fatal(err)
	}
	kept = append(kept, filepath.Join(target, lock))
	gone := []string{folder(prefix+"dead", 0o700, lock, "file")}
	sweep(root, time.Now())
	for _, name := range kept {
		if _, err := os.Lstat(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Lstat(outside); !os.IsNotExist(err) {
		t.Errorf("a link was followed: %v", err)
	}
	for _, name := range gone {
		if _, err := os.Lstat(name); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	sweep(root, time.Now().Add(2*unlocked))
	if _, err := os.Lstat(filepath.Join(root, prefix+"young")); !os.IsNotExist(err) {
		t.Errorf("a folder that never got its lock stays for ever: %v", err)
	}
}

// Many starts at once take nothing from one another.
func TestAtOnce(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 30 {
				d, err := New()
				if err != nil {
					t.Error(err)
					return
				}
				if err := os.WriteFile(filepath.Join(d.Path(), "x"), nil, 0o600); err != nil {
					t.Error(err)
				}
				if err := d.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
}
