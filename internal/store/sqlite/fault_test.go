package sqlite

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/spool"
	"github.com/postino-mail/postino/internal/store"
)

func now() time.Time { return time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC) }

func submitBody(t testing.TB, s *Store, body []byte) (store.Submitted, error) {
	t.Helper()
	out, err := s.Submit(t.Context(), store.Submission{Now: now(), Messages: []store.NewMessage{benchMessage("lane", body, now())}})
	if err != nil {
		return store.Submitted{}, err
	}
	return out[0], nil
}

func count(t testing.TB, s *Store) int64 {
	t.Helper()
	st, err := s.Stats(t.Context(), now())
	if err != nil {
		t.Fatal(err)
	}
	return st.States[store.Queued]
}

// spoolFiles lists what lies in the spool, locks apart.
func spoolFiles(t testing.TB, s *Store) (out []string) {
	t.Helper()
	err := filepath.WalkDir(s.spool.root, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != ".lock" {
			out = append(out, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A commit that the disk refuses acknowledges nothing, and the next one works.
func TestCommitFails(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	s := open(t, Options{fault: func() error {
		if broken.Load() {
			return syscall.EIO
		}
		return nil
	}})
	if _, err := submitBody(t, s, []byte("a")); err != nil {
		t.Fatal(err)
	}
	broken.Store(true)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := submitBody(t, s, []byte("b")); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("submit on a broken disk: %v", err)
			}
		})
	}
	wg.Wait()
	if err := s.Ping(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("ping on a broken disk: %v", err)
	}
	broken.Store(false)
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("ping after the repair: %v", err)
	}
	if _, err := submitBody(t, s, []byte("c")); err != nil {
		t.Errorf("submit after the repair: %v", err)
	}
	if n := count(t, s); n != 2 {
		t.Errorf("%d messages are stored, 2 were acknowledged", n)
	}
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	s := open(t, Options{maxPage: 120})
	body := make([]byte, 20<<10)
	stored := 0
	var full error
	for range 100 {
		if _, err := submitBody(t, s, body); err != nil {
			full = err
			break
		}
		stored++
	}
	if !errors.Is(full, store.ErrUnavailable) || !strings.Contains(full.Error(), "disk is full") {
		t.Fatalf("a full disk: %v", full)
	}
	if n := count(t, s); n != int64(stored) {
		t.Errorf("%d messages are stored, %d were acknowledged", n, stored)
	}
	// What is there can still be sent, and when there is room again, mail comes in.
	n, _, err := s.Register(t.Context(), "n", now(), now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	cc, err := s.Claim(t.Context(), store.ClaimRequest{Node: n, Now: now(), Max: 100})
	if err != nil || len(cc) != stored {
		t.Fatalf("claimed %d on a full disk: %v", len(cc), err)
	}
	for _, c := range cc {
		if err := s.Finish(t.Context(), benchFinish(c, now())); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Purge(t.Context(), store.PurgeRequest{Now: now(), Bodies: now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if _, err := submitBody(t, s, body); err != nil {
		t.Errorf("after the purge: %v", err)
	}
}

// faultyFiles fails where it is told to.
type faultyFiles struct {
	osFiles
	sync, rename, dir atomic.Bool
}

func (f *faultyFiles) Sync(x *os.File) error {
	if f.sync.Load() {
		return syscall.EIO
	}
	return f.osFiles.Sync(x)
}

func (f *faultyFiles) Rename(a, b string) error {
	if f.rename.Load() {
		return syscall.EROFS
	}
	return f.osFiles.Rename(a, b)
}

func (f *faultyFiles) SyncDir(d string) error {
	if f.dir.Load() {
		return syscall.EIO
	}
	return f.osFiles.SyncDir(d)
}

func TestSpoolFaults(t *testing.T) {
	t.Parallel()
	var f faultyFiles
	var commit atomic.Bool
	s := open(t, Options{files: &f, fault: func() error {
		if commit.Load() {
			return syscall.ENOSPC
		}
		return nil
	}})
	body := bytes.Repeat([]byte("x"), 200_000)
	for _, buffered := range []bool{false, true} {
		for name, fault := range map[string]*atomic.Bool{"sync": &f.sync, "rename": &f.rename, "folder": &f.dir} {
			nm := benchMessage("lane", body, now())
			if buffered {
				b, err := spool.Fill(bytes.NewReader(body), s.SpoolDir(), 100, 0)
				if err != nil {
					t.Fatal(err)
				}
				if nm.Body, err = b.Source(); err != nil {
					t.Fatal(err)
				}
				nm.Buffer = b
			}
			fault.Store(true)
			_, err := s.Submit(t.Context(), store.Submission{Now: now(), Messages: []store.NewMessage{nm}})
			if !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%s fails: %v", name, err)
			}
			fault.Store(false)
			if nm.Buffer != nil {
				if err := nm.Buffer.Close(); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Error(err)
				}
			}
			if left := spoolFiles(t, s); len(left) > 0 {
				t.Errorf("%s fails: left behind: %v", name, left)
			}
		}
	}
	// A commit that fails leaves its file to the sweep: it may have got through.
	commit.Store(true)
	if _, err := submitBody(t, s, body); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("commit fails: %v", err)
	}
	commit.Store(false)
	good, err := submitBody(t, s, body)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(spoolFiles(t, s)); n != 2 {
		t.Errorf("%d files in the spool", n)
	}
	if n, err := s.Sweep(t.Context(), time.Hour); n != 0 || err != nil {
		t.Errorf("what is young was swept: %d, %v", n, err)
	}
	if n, err := s.Sweep(t.Context(), -time.Minute); n != 1 || err != nil {
		t.Errorf("swept %d: %v", n, err)
	}
	c, err := s.Content(t.Context(), good.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// The incoming folder of a process that died is swept, that of a living one is not.
func TestSweepIncoming(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	living := open(t, Options{Dir: s.dir})
	dead, err := os.MkdirTemp(filepath.Join(s.spool.root, "incoming"), "*")
	if err != nil {
		t.Fatal(err)
	}
	mine, theirs, orphan := filepath.Join(s.SpoolDir(), "incoming-1"), filepath.Join(living.SpoolDir(), "incoming-2"),
		filepath.Join(dead, "incoming-3")
	for _, f := range []string{mine, theirs, orphan} {
		if err := os.WriteFile(f, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := s.Sweep(t.Context(), -time.Minute); n != 1 || err != nil {
		t.Errorf("swept %d: %v", n, err)
	}
	for f, want := range map[string]bool{mine: true, theirs: true, orphan: false} {
		if _, err := os.Stat(f); (err == nil) != want {
			t.Errorf("%s: %v", f, err)
		}
	}
}

func TestCorruptSpoolFile(t *testing.T) {
	t.Parallel()
	body := bytes.Repeat([]byte("0123456789"), 20_000)
	for name, damage := range map[string]func(file string) error{
		"missing": os.Remove,
		"cut":     func(f string) error { return os.Truncate(f, 1000) },
		"empty":   func(f string) error { return os.Truncate(f, 0) },
		"longer":  func(f string) error { return os.Truncate(f, 300_000) },
		"changed": func(f string) error {
			b, err := os.ReadFile(f)
			b[100_000] ^= 1
			return errors.Join(err, os.WriteFile(f, b, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, Options{})
			m, err := submitBody(t, s, body)
			if err != nil {
				t.Fatal(err)
			}
			if err := damage(s.spool.path(m.ID)); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Content(t.Context(), m.ID); !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("a file that is %s: %v", name, err)
			}
		})
	}
}

func TestCorruptRow(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	m, err := submitBody(t, s, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	s.Arrived.Take(m.ID) // as after a restart
	if err := s.do(t.Context(), func(t *tx) error { return t.exec(`UPDATE bodies SET body = x'68656c6c70'`) }); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Content(t.Context(), m.ID); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("a row that was changed: %v", err)
	}
	for what, size := range map[string]int{"in the row": 5, "in a file": 200_000} {
		m, err := submitBody(t, s, make([]byte, size))
		if err != nil {
			t.Fatal(err)
		}
		s.Arrived.Take(m.ID)
		if err := s.do(t.Context(), func(t *tx) error {
			return t.exec(`UPDATE bodies SET head = CAST(replace(CAST(head AS TEXT), 'Fattura', 'Fattuxa') AS BLOB)`)
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Content(t.Context(), m.ID); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("a head that was changed, its body %s: %v", what, err)
		}
	}
}

func TestOneServer(t *testing.T) {
	t.Parallel()
	s := open(t, Options{Server: true})
	_, err := Open(t.Context(), Options{Dir: s.dir, Server: true})
	if !errors.Is(err, store.ErrLocked) {
		t.Errorf("a second server: %v", err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("the first one after that: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, Options{Server: true, Dir: s.dir})
}

func TestNewerSchema(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	if err := s.do(t.Context(), func(t *tx) error {
		return t.exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), Options{Dir: s.dir})
	if err == nil || !strings.Contains(err.Error(), "newer postino") {
		t.Errorf("a database of a newer version: %v", err)
	}
}

func TestNotADatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "postino.db"), bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Options{Dir: dir}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a file that is none: %v", err)
	}
}

// Whoever gives up before the writer took the call has done nothing.
func TestCancelled(t *testing.T) {
	t.Parallel()
	stop := make(chan struct{})
	entered := make(chan struct{}, 1)
	s := open(t, Options{fault: func() error {
		select {
		case entered <- struct{}{}:
			<-stop
		default:
		}
		return nil
	}})
	go func() { _ = s.Ping(t.Context()) }()
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := s.Submit(ctx, store.Submission{Now: now(), Messages: []store.NewMessage{benchMessage("lane", nil, now())}})
		done <- err
	}()
	cancel()
	if err := <-done; err == nil {
		t.Error("a submission that was given up was acknowledged")
	}
	close(stop)
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := count(t, s); n != 0 {
		t.Errorf("%d messages of somebody who gave up", n)
	}
}
