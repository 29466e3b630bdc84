// Package pickup takes messages from folders: .eml files that Windows programs
// drop, and the maildrop of `postino sendmail`. A file is claimed by renaming
// it, so of several servers on one folder one gets it; what became of it stands
// in sent/ or in failed/, with the reason beside it.
package pickup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/maildrop"
	"github.com/postino-mail/postino/internal/spool"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/mime"
)

// Options of a Pickup; each of the folders may be empty.
type Options struct {
	Dir      string // of .eml files: recipients are those of the header
	Drop     string // of package maildrop: the envelope is in the file
	OldDrop  string // the one used before, if any: what is left there is taken too
	Submit   *submit.Submitter
	Client   func(ctx context.Context) (*store.Client, error) // whom messages of Dir count as; nil: this machine
	SpoolDir string
	MaxSize  int64
	Every    time.Duration // pause between two looks; 1 s
	Settle   time.Duration // a file that changed within this time is still being written; 2 s
	Log      *slog.Logger
}

// A Pickup looks after the folders.
type Pickup struct {
	opt   Options
	seen  map[string]state // files that may still be written
	retry map[string]time.Time
}

type state struct {
	size  int64
	mtime time.Time
	since time.Time
}

// Subfolders of Dir.
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
	if o.Settle <= 0 {
		o.Settle = 2 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	for _, root := range []string{o.Dir, o.Drop, o.OldDrop} {
		if root == "" {
			continue
		}
		for _, sub := range []string{"", workDir, sentDir, failedDir} {
			if root != o.Dir && sub == sentDir {
				continue
			}
			dir := filepath.Join(root, sub)
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return nil, fmt.Errorf("the pickup folder cannot be made: %w", err)
			}
			// In a folder that all users may write to (mode 1733), subfolders of
			// another user would keep the server of its owner out.
			if err := CanList(dir); err != nil {
				return nil, fmt.Errorf("the pickup folder %s cannot be listed by this user: give it to the server's user with chown, or name another folder (POSTINO_MAILDROP for the maildrop): %w", dir, err)
			}
		}
	}
	return &Pickup{opt: o, seen: make(map[string]state), retry: make(map[string]time.Time)}, nil
}

// CanList says why a folder cannot be looked through.
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
	if p.opt.Dir != "" {
		p.folder(ctx, p.opt.Dir, ".eml", p.eml)
	}
	for _, drop := range []string{p.opt.Drop, p.opt.OldDrop} {
		if drop != "" {
			p.folder(ctx, drop, maildrop.Suffix, p.dropped)
		}
	}
}

// take reads a claimed file into a request.
type take func(ctx context.Context, f *os.File) (submit.Request, error)

func (p *Pickup) folder(ctx context.Context, root, suffix string, read take) {
	// First what an earlier process had claimed and not finished.
	for _, dir := range []string{filepath.Join(root, workDir), root} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			p.opt.Log.Error("the pickup folder cannot be read", "dir", dir, "err", err)
			return
		}
		for _, e := range entries {
			if ctx.Err() != nil {
				return
			}
			if !e.Type().IsRegular() || !strings.EqualFold(filepath.Ext(e.Name()), suffix) {
				continue
			}
			name := filepath.Join(dir, e.Name())
			if until, ok := p.retry[name]; ok && time.Now().Before(until) {
				continue
			}
			if dir == root && !p.complete(name, e, suffix) {
				continue
			}
			if err := p.one(ctx, root, name, read); err != nil {
				p.opt.Log.Error("a file of the pickup folder cannot be taken", "file", name, "err", err)
			}
		}
	}
}

// complete reports a file that nobody writes any more. The maildrop renames
// only complete files; other programs may still be writing.
func (p *Pickup) complete(name string, e fs.DirEntry, suffix string) bool {
	if suffix == maildrop.Suffix {
		return true
	}
	info, err := e.Info()
	if err != nil {
		delete(p.seen, name)
		return false
	}
	now := time.Now()
	s, ok := p.seen[name]
	if !ok || s.size != info.Size() || !s.mtime.Equal(info.ModTime()) {
		p.seen[name] = state{info.Size(), info.ModTime(), now}
		// One that was last changed long ago is complete at once.
		return now.Sub(info.ModTime()) > 10*p.opt.Settle
	}
	if now.Sub(s.since) < p.opt.Settle {
		return false
	}
	delete(p.seen, name)
	return true
}

// one claims, submits and puts away one file.
func (p *Pickup) one(ctx context.Context, root, name string, read take) error {
	claimed := filepath.Join(root, workDir, filepath.Base(name))
	if claimed != name {
		if err := os.Rename(name, claimed); err != nil {
			if errors.Is(err, fs.ErrNotExist) { // another server was faster
				return nil
			}
			return err
		}
	}
	result, err := p.submit(ctx, claimed, read)
	if _, gone := os.Lstat(claimed); errors.Is(gone, fs.ErrNotExist) {
		delete(p.retry, claimed)
		return nil // another server of this folder took it: the key makes it one message
	}
	if r := submit.AsRefusal(err); r != nil && r.Temporary() {
		p.opt.Log.Warn("a file waits in the pickup folder", "file", claimed, "err", r)
		p.retry[claimed] = time.Now().Add(10 * time.Second)
		return nil
	}
	delete(p.retry, claimed)
	if err != nil {
		return p.failed(root, claimed, err)
	}
	p.opt.Log.Info("picked up", "file", filepath.Base(name), "message", result.ID.String())
	if root != p.opt.Dir {
		err = os.Remove(claimed)
	} else {
		err = putAway(claimed, filepath.Join(root, sentDir))
	}
	if errors.Is(err, fs.ErrNotExist) { // as above, just now
		return nil
	}
	return err
}

func (p *Pickup) submit(ctx context.Context, name string, read take) (submit.Result, error) {
	f, err := os.Open(name)
	if err != nil {
		return submit.Result{}, err
	}
	defer f.Close()
	r, err := read(ctx, f)
	if err != nil {
		return submit.Result{}, err
	}
	defer r.Message.Close()
	key, err := p.key(name, r.Message)
	if err != nil {
		return submit.Result{}, err
	}
	out, err := p.opt.Submit.SubmitAll(ctx, []submit.Request{r}, key)
	if err != nil {
		return submit.Result{}, err
	}
	return out[0], nil
}

// key makes the repeat of a file whose submission was stored, but which could
// not be put away before the process died, give the first answer.
func (p *Pickup) key(name string, b *spool.Buffer) (*store.Idempotency, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	src, err := b.Source()
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	if _, err := io.Copy(h, mime.NewReader(src)); err != nil {
		return nil, err
	}
	sum := h.Sum(nil)
	return &store.Idempotency{Client: "pickup", Request: sum, ExpiresAt: time.Now().Add(24 * time.Hour),
		Key: fmt.Sprintf("%s %d %s", filepath.Base(name), info.ModTime().UnixNano(), hex.EncodeToString(sum))}, nil
}

func (p *Pickup) eml(ctx context.Context, f *os.File) (submit.Request, error) {
	r := submit.Request{Door: "pickup", Lenient: true} // files have the line ends of their program
	if p.opt.Client != nil {
		c, err := p.opt.Client(ctx)
		if err != nil {
			return r, err
		}
		r.Client = c
	}
	b, err := p.fill(f)
	if err != nil {
		return r, err
	}
	r.Message = b
	src, err := b.Source()
	if err == nil {
		var m *mime.Message
		// The envelope's sender is the header's; a message that cannot be read is
		// refused by Submit, in better words.
		if m, err = mime.Read(src, mime.Limits{}); err == nil && len(m.From()) > 0 {
			r.Envelope.From = append(m.Sender(), m.From()...)[0].Address
		}
		err = nil
	}
	return r, err
}

func (p *Pickup) dropped(_ context.Context, f *os.File) (submit.Request, error) {
	r := submit.Request{Door: "sendmail", Lenient: true}
	env, body, err := maildrop.Read(f)
	if err != nil {
		return r, refusal("bad_maildrop_file", err.Error(), "il file non inizia con una busta leggibile")
	}
	r.Envelope = env
	r.Message, err = p.fill(body)
	return r, err
}

func (p *Pickup) fill(r io.Reader) (*spool.Buffer, error) {
	b, err := spool.Fill(r, p.opt.SpoolDir, 0, p.opt.MaxSize)
	if errors.Is(err, spool.ErrTooLarge) {
		return nil, refusal("too_large", fmt.Sprintf("the file is larger than %d bytes", p.opt.MaxSize), fmt.Sprintf("il file supera %d byte", p.opt.MaxSize))
	}
	return b, err
}

// refusal is for good: trying the same file again does not help.
func refusal(code, en, it string) *submit.Refusal {
	return &submit.Refusal{Code: code, SMTP: 554, Enhanced: "5.6.0", HTTP: http.StatusUnprocessableEntity, Sentence: adapters.Text{EN: en, IT: it}}
}

// failed puts a file away with the reason beside it.
func (p *Pickup) failed(root, name string, cause error) error {
	reason := submit.AsRefusal(cause)
	text := fmt.Sprintf("%s\n%s\n\n%s\n%s\n", reason.Sentence.EN, reason.Remedy.EN, reason.Sentence.In("it"), reason.Remedy.In("it"))
	if reason.Code == "internal" {
		text = cause.Error() + "\n"
	}
	p.opt.Log.Warn("a file of the pickup folder was refused", "file", filepath.Base(name), "err", reason)
	dir := filepath.Join(root, failedDir)
	if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)+".txt"), []byte(text), 0o600); err != nil {
		return err
	}
	return putAway(name, dir)
}

// putAway moves a file, beside one of the same name where there is one.
func putAway(name, dir string) error {
	target := filepath.Join(dir, filepath.Base(name))
	if _, err := os.Lstat(target); err == nil {
		ext := filepath.Ext(target)
		target = strings.TrimSuffix(target, ext) + "." + time.Now().UTC().Format("20060102T150405.000000000") + ext
	}
	return os.Rename(name, target)
}
