package pickup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/mime"
)

// A claim is a file in work/ and what is known of it.
type claim struct {
	listed fs.FileInfo // as it stood in the folder, nil when an earlier process claimed it
	ending string      // what was decided: endingTaken, endingRefused, or nothing yet
	reason string      // of a refusal
	wait   backoff
}

// claimAll gives files names of their own in work/, durably: after a power
// failure they must not stand in the folder again, as other files.
func (f *folder) claimAll(files []fs.FileInfo) (names []string, err error) {
	work := filepath.Join(f.root, workDir)
	for _, info := range files {
		name, nerr := claimedName(info.Name())
		if nerr != nil {
			return names, nerr
		}
		target, merr := moveInto(filepath.Join(f.root, info.Name()), work, name)
		if errors.Is(merr, fs.ErrNotExist) || isBusy(merr) { // another server was faster; a program has it open again
			continue
		}
		if merr != nil {
			err = merr
			break
		}
		name = filepath.Base(target)
		f.claimed[name] = &claim{listed: info}
		names = append(names, name)
	}
	if len(names) > 0 {
		err = errors.Join(err, syncDir(work), syncDir(f.root))
	}
	return names, err
}

// handle works on one file of work/: decides on it, and puts it away.
func (f *folder) handle(ctx context.Context, name string) {
	now := f.opt.Now()
	id, original, ending := splitName(name)
	if !strings.EqualFold(filepath.Ext(original), f.suffix) {
		return
	}
	path := filepath.Join(f.root, workDir, name)
	if id == "" { // someone put it here
		f.adopt(path, name)
		return
	}
	c := f.claimed[name]
	if c == nil {
		c = &claim{ending: ending}
		f.claimed[name] = c
	}
	if !c.wait.over(now) {
		return
	}
	file, err := f.decide(ctx, now, path, id, original, c)
	if file != nil {
		defer file.Close() // read only: nothing to lose; the lock is held until then
	}
	what := "a file of the pickup folder cannot be opened and waits"
	if err == nil && c.ending != "" {
		what = "a file of the pickup folder cannot be moved out of work/; it was decided on and is not sent again"
		err = f.putAway(path, original, c)
	}
	if err != nil && c.wait.again(now, 10*time.Second, 5*time.Minute) {
		//nolint:sloglint // one of the two constants above
		f.log.Error(what, "file", path, "err", err)
	}
}

// adopt claims a file that stands in work/ under no claimed name.
func (f *folder) adopt(path, name string) {
	unique, err := claimedName(name)
	if err == nil {
		_, err = moveInto(path, filepath.Join(f.root, workDir), unique)
	}
	if err != nil && !gone(path) {
		f.troubled(f.opt.Now(), "a file in work/ cannot be renamed: the folder must be writable for the server's user", err)
	}
}

// decide opens a file that was not decided on, and submits it. The file stays
// open, and so this process's alone, until it was put away.
func (f *folder) decide(ctx context.Context, now time.Time, path, id, original string, c *claim) (*os.File, error) {
	if c.ending != "" {
		return nil, nil
	}
	listed, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // another server of this folder took it
	}
	if err != nil {
		return nil, err
	}
	if c.listed != nil && owner(c.listed) != owner(listed) {
		c.refuse(f, original, refusal("not_a_plain_file", mime.NewText("pickup.exchanged_for_other_user",
			"the file was exchanged for one of another user while it was taken: it was not read")))
		return nil, nil
	}
	file, info, err := openRegular(path, listed)
	switch r := (*submit.Refusal)(nil); {
	case err == nil:
	case isBusy(err), errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.As(err, &r):
		c.refuse(f, original, err)
		return nil, nil
	case unreadable(err):
		c.refuse(f, original, refusal("unreadable_file", mime.NewText("pickup.unreadable",
			"the server's user may not read the file: give it the right and move the file back into the folder")))
		return nil, nil
	default:
		return nil, err
	}
	if !lock(file) || f.written && writers(file) == openWriting {
		_ = file.Close() // another server has it, or its program after all
		return nil, nil
	}
	if !stands(path, info) { // put away before the lock was ours
		return file, nil
	}
	f.submit(ctx, now, file, path, id, original, c)
	return file, nil
}

// stands reports that the open file still has its name.
func stands(path string, open fs.FileInfo) bool {
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(there, open)
}

// submit hands the message over and notes what was decided.
func (f *folder) submit(ctx context.Context, now time.Time, file *os.File, path, id, original string, c *claim) {
	result, err := f.send(ctx, now, file, id, original)
	switch r := submit.AsRefusal(err); {
	case ctx.Err() != nil && err != nil: // the server stops: the next one takes it up
	case err == nil:
		c.ending, c.wait = endingTaken, backoff{}
		if result.Replayed {
			f.log.Info("picked up before", "file", original, "message", result.ID.String())
			return
		}
		f.log.Info("picked up", "file", original, "message", result.ID.String())
	case r.Temporary() && r.Code != "too_many_recipients": // no file becomes smaller by waiting
		if c.wait.again(now, 10*time.Second, 10*time.Second) {
			f.log.Warn("a file waits in the pickup folder", "file", path, "err", r)
		}
		if c.wait.failures > 30 { // for five minutes
			c.wait.next = now.Add(time.Minute)
		}
	default:
		c.refuse(f, original, err)
	}
}

// keyLife is how long a file that can be neither moved nor renamed is known as
// taken.
const keyLife = 90 * 24 * time.Hour

func (f *folder) send(ctx context.Context, now time.Time, file *os.File, id, original string) (submit.Result, error) {
	r, err := f.read(ctx, file)
	if err != nil {
		return submit.Result{}, err
	}
	defer r.Message.Close()
	if r.EntryPoint == "pickup" { // the names in the maildrop are our own
		r.Said = original
	}
	out, err := f.opt.Submit.SubmitAll(ctx, []submit.Request{r},
		&store.Idempotency{Client: "pickup", Key: id, Request: []byte(id), ExpiresAt: now.Add(keyLife)})
	if err != nil {
		return submit.Result{}, err
	}
	return out[0], nil
}

// refuse notes a refusal for good.
func (c *claim) refuse(f *folder, original string, err error) {
	r := submit.AsRefusal(err)
	c.ending, c.wait = endingRefused, backoff{}
	c.reason = fmt.Sprintf("%s\n%s\n\n%s\n%s\n", r.Message.String(), r.Hint.String(), r.Message.In("it"), r.Hint.In("it"))
	f.log.Warn("a file of the pickup folder was refused", "file", original, "err", r)
}

// putAway moves a file that was decided on out of work/. Where that cannot be
// done it is marked, so that it is not decided on again after a restart.
func (f *folder) putAway(path, original string, c *claim) error {
	var err error
	target := ""
	switch {
	case c.ending == endingRefused:
		target, err = moveInto(path, filepath.Join(f.root, failedDir), original)
	case f.keep:
		_, err = moveInto(path, filepath.Join(f.root, sentDir), original)
	default:
		err = os.Remove(path)
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		delete(f.claimed, filepath.Base(path))
		if target != "" {
			f.explain(target, c.reason)
		}
		return nil
	}
	if name := filepath.Base(path); !strings.HasSuffix(name, c.ending) {
		if merr := os.Rename(path, path+c.ending); merr != nil { // no other file has that name: the id is in it
			return errors.Join(err, merr)
		}
		delete(f.claimed, name)
		f.claimed[name+c.ending] = c
	}
	return err
}

// explain writes the reason beside a refused file.
func (f *folder) explain(file, reason string) {
	if reason == "" {
		reason = "The file was refused before the server started; its log has the reason.\n\nIl file è stato rifiutato prima dell'avvio del " +
			"server; il registro dice perché.\n"
	}
	w, err := os.OpenFile(file+".txt", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		_, err = w.WriteString(reason)
		err = errors.Join(err, w.Close())
	}
	if err != nil {
		f.log.Warn("the reason cannot be written beside the refused file", "file", file, "err", err)
	}
}
