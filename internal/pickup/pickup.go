// Package pickup takes messages from folders: .eml files that programs drop,
// and what `postino sendmail` left in the maildrop. A file is claimed by
// renaming it to a name of its own in work/, so that of several servers on one
// folder only one gets it and nothing is overwritten. Afterwards it stands in
// sent/, or in failed/ with the reason beside it.
package pickup

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/postino-mail/postino/internal/maildrop"
	"github.com/postino-mail/postino/internal/spool"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// A ClientFunc finds the client that messages count as; nil stands for this machine.
type ClientFunc func(ctx context.Context) (*store.Client, error)

// Options of a Pickup; each of the folders may be empty.
type Options struct {
	Dir        string // of .eml files: the envelope is in the header
	Drop       string // of package maildrop: the envelope is in the file
	OldDrop    string // the one used before, if any: what is left there is taken too
	Submit     *submit.Submitter
	Client     ClientFunc // of messages in Dir
	DropClient ClientFunc // of messages in Drop and OldDrop
	SpoolDir   string
	Budget     *spool.Budget // of disk space for messages on their way in; nil: unbounded
	MaxSize    int64
	Every      time.Duration    // between two passes; 1 s
	Pause      time.Duration    // a file that changed within this time may still be written; 2 s
	Now        func() time.Time // time.Now
	Log        *slog.Logger
}

// A Pickup looks after the folders.
type Pickup struct {
	opt     Options
	folders []*folder
}

// Subfolders of each folder; a maildrop has no sent.
const (
	workDir   = "work"
	sentDir   = "sent"
	failedDir = "failed"
)

// New makes the folders.
func New(o Options) (*Pickup, error) {
	if o.Every <= 0 {
		o.Every = time.Second
	}
	if o.Pause <= 0 {
		o.Pause = 2 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p := &Pickup{opt: o}
	if o.Dir != "" {
		p.add(&folder{root: o.Dir, suffix: ".eml", written: true, keep: true, read: p.eml})
	}
	for _, drop := range []string{o.Drop, o.OldDrop} {
		if drop != "" {
			p.add(&folder{root: drop, suffix: maildrop.Suffix, read: p.dropped})
		}
	}
	for _, f := range p.folders {
		if err := f.make(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *Pickup) add(f *folder) {
	f.opt, f.log = &p.opt, p.opt.Log.With("folder", f.root)
	f.seen, f.claimed = make(map[string]sighting), make(map[string]*claim)
	p.folders = append(p.folders, f)
}

// make makes the folder and its subfolders.
func (f *folder) make() error {
	subs := []string{"", workDir, failedDir}
	if f.keep {
		subs = append(subs, sentDir)
	}
	for _, sub := range subs {
		dir := filepath.Join(f.root, sub)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return texterr.Wrap(mime.NewText("pickup.folder_not_made", "the pickup folder cannot be made"), err)
		}
		// In a folder that all users may write to (mode 1733), subfolders of
		// another user would keep the server of its owner out, or be theirs to
		// change.
		if err := CanList(dir); err != nil {
			return texterr.Wrap(mime.NewText("pickup.folder_not_listed",
				"the pickup folder {folder} cannot be listed by this user: give it to the server's user with chown, or name another folder "+
					"(POSTINO_MAILDROP for the maildrop)", "folder", dir), err)
		}
		if sub != "" {
			if err := f.own(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// own refuses a subfolder that another user of the machine made.
func (f *folder) own(dir string) error {
	root, err := os.Stat(f.root)
	if err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if root.Mode().Perm()&0o002 == 0 {
		return nil
	}
	if !info.IsDir() || !trusted(info, root) {
		return texterr.New(mime.NewText("pickup.folder_of_other_user",
			"the folder {folder} was made by another user of this machine, who could change what waits there: remove it and start again", "folder",
			dir))
	}
	return nil
}

// CanList returns why a folder cannot be listed.
func CanList(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_, err = d.Readdirnames(1)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

// Serve looks until ctx ends. A message that the store cannot take now stays
// and is tried again.
func (p *Pickup) Serve(ctx context.Context) error {
	t := time.NewTicker(p.opt.Every)
	defer t.Stop()
	for {
		p.Look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// Look goes through the folders once. For one goroutine.
func (p *Pickup) Look(ctx context.Context) {
	for _, f := range p.folders {
		f.look(ctx)
	}
}

// gone reports that nothing has that name any more.
func gone(name string) bool {
	_, err := os.Lstat(name)
	return errors.Is(err, fs.ErrNotExist)
}
