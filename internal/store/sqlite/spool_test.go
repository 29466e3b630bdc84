package sqlite

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// A sweep leaves the file of a submission under way alone, also when the clock
// was set forward meanwhile and makes it look old.
func TestSweepBesideSubmission(t *testing.T) {
	t.Parallel()
	var slow atomic.Bool
	entered, release := make(chan struct{}), make(chan struct{})
	s := open(t, Options{fault: func() error {
		if slow.CompareAndSwap(true, false) {
			close(entered)
			<-release
		}
		return nil
	}})
	slow.Store(true)
	done := make(chan store.Submitted)
	go func() {
		m, err := submitBody(t, s, bytes.Repeat([]byte("x"), 200_000))
		if err != nil {
			t.Error(err)
		}
		done <- m
	}()
	<-entered
	if n, err := s.Sweep(t.Context(), -time.Minute); n != 0 || err != nil {
		t.Errorf("swept %d: %v", n, err)
	}
	close(release)
	m := <-done
	c, err := s.Content(t.Context(), m.ID)
	if err != nil {
		t.Fatalf("acknowledged, and then: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if len(s.spool.writing) != 0 {
		t.Errorf("still held to be written: %v", s.spool.writing)
	}
}

// notingFiles notes the folders that were synced.
type notingFiles struct {
	faultyFiles
	mu     sync.Mutex
	synced []string
}

func (f *notingFiles) SyncDir(dir string) error {
	err := f.faultyFiles.SyncDir(dir)
	if err == nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.synced = append(f.synced, dir)
	}
	return err
}

// A subfolder of the spool is on the disk before the first message in it is
// acknowledged, also when whoever made it failed after that.
func TestSpoolSubfolderIsSynced(t *testing.T) {
	t.Parallel()
	f := &notingFiles{}
	s := open(t, Options{files: f})
	submit := func(id store.ID) error {
		m := benchMessage("lane", bytes.Repeat([]byte("x"), 200_000), now())
		m.ID = id
		_, err := s.Submit(t.Context(), store.Submission{Now: now(), Messages: []store.NewMessage{m}})
		return err
	}
	id := store.NewID()
	f.dir.Store(true)
	if err := submit(id); !errors.Is(err, store.ErrUnavailable) {
		t.Fatal(err)
	}
	f.dir.Store(false)
	for range 3 { // into the same subfolder
		id[5]++
		if err := submit(id); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(slices.DeleteFunc(slices.Clone(f.synced), func(d string) bool { return d != s.spool.root })); n != 1 {
		t.Errorf("the folder above was synced %d times, want once: %v", n, f.synced)
	}
}
