package pickup

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/submit"
)

// A folder is one that files are taken from.
type folder struct {
	opt     *Options
	log     *slog.Logger
	root    string
	suffix  string
	written bool // other programs write files in place; else complete ones are renamed into it
	keep    bool // what was taken is kept in sent/
	read    take

	seen    map[string]sighting // files of root that may still be written
	claimed map[string]*claim   // files of work/ that wait
	pause   backoff             // of the whole folder: it cannot be read or changed
}

// take reads an open file into a request.
type take func(ctx context.Context, f *os.File) (submit.Request, error)

// look goes through the folder once: first what was claimed before and is not
// finished, then what is new.
func (f *folder) look(ctx context.Context) {
	now := f.opt.Now()
	if !f.pause.over(now) {
		return
	}
	work, err := f.list(workDir)
	if errors.Is(err, fs.ErrNotExist) { // an administrator tidied up
		work, err = nil, nil
	}
	for _, sub := range []string{workDir, failedDir} {
		if oerr := f.own(filepath.Join(f.root, sub)); !errors.Is(oerr, fs.ErrNotExist) {
			err = errors.Join(err, oerr)
		}
	}
	if err != nil {
		f.troubled(now, "the pickup folder cannot be read: give it to the server's user", err)
		return
	}
	f.forget(work)
	for _, e := range work {
		if ctx.Err() != nil {
			return
		}
		f.handle(ctx, e.Name())
	}
	if ctx.Err() != nil {
		return
	}
	entries, err := f.list("")
	if err != nil {
		f.troubled(now, "the pickup folder cannot be read: is it mounted, and does it belong to the server's user?", err)
		return
	}
	f.takeNew(ctx, now, entries)
}

func (f *folder) list(sub string) ([]fs.DirEntry, error) {
	return os.ReadDir(filepath.Join(f.root, sub))
}

// atOnce is how many files are claimed before they are worked on: they share
// the syncs of the folders.
const atOnce = 32

// takeNew claims the files of root that are complete, and works on them.
func (f *folder) takeNew(ctx context.Context, now time.Time, entries []fs.DirEntry) {
	seen := make(map[string]sighting)
	var ready []fs.FileInfo
	for _, e := range entries {
		if !strings.EqualFold(filepath.Ext(e.Name()), f.suffix) || e.IsDir() {
			continue
		}
		info, err := e.Info()
		if err != nil { // gone meanwhile
			continue
		}
		if f.complete(now, info, seen) {
			ready = append(ready, info)
		}
	}
	f.seen = seen
	for len(ready) > 0 && ctx.Err() == nil {
		n := min(len(ready), atOnce)
		names, err := f.claimAll(ready[:n])
		if ready = ready[n:]; err != nil {
			f.troubled(now, "files cannot be moved into work/ and wait: the folder must be writable for the server's user", err)
			ready = nil
		} else {
			f.pause = backoff{}
		}
		for _, name := range names {
			if ctx.Err() != nil {
				return
			}
			f.handle(ctx, name)
		}
	}
}

// troubled leaves the folder alone for a while.
func (f *folder) troubled(now time.Time, what string, err error) {
	if f.pause.again(now, 10*time.Second, 5*time.Minute) {
		//nolint:sloglint // the callers give constants
		f.log.Error(what, "err", err, "next_try", f.pause.next.Format(time.RFC3339))
	}
}

// forget drops what is known of files that have gone.
func (f *folder) forget(work []fs.DirEntry) {
	there := make(map[string]bool, len(work))
	for _, e := range work {
		there[e.Name()] = true
	}
	for name := range f.claimed {
		if !there[name] {
			delete(f.claimed, name)
		}
	}
}

// A backoff spaces the attempts at what does not work.
type backoff struct {
	failures int
	next     time.Time
}

func (b *backoff) over(now time.Time) bool { return !now.Before(b.next) }

// again plans the next try, and reports whether this one is to be logged: the
// first, and then ever fewer.
func (b *backoff) again(now time.Time, first, longest time.Duration) bool {
	b.failures++
	wait := first
	for range b.failures - 1 {
		if wait *= 2; wait >= longest {
			wait = longest
			break
		}
	}
	b.next = now.Add(wait)
	return b.failures&(b.failures-1) == 0
}
