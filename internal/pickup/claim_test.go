package pickup

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/maildrop"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/mime"
)

// A clock goes on when it is told to.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Now()} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func logTo(b *bytes.Buffer) *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }

func subjects(t *testing.T, st store.Store) string {
	t.Helper()
	var out []string
	for _, e := range queued(t, st) {
		out = append(out, e.Message.Subject)
	}
	return strings.Join(out, " ")
}

func letter(subject string) string {
	return "From: erp@contoso.it\nTo: a@x.it\nSubject: " + subject + "\n\nciao\n"
}

// A file waits while a second and a third one of its name come: all are mailed.
func TestNothingIsOverwritten(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newClock()
	down := true
	p, st := open(t, Options{Dir: dir, Now: c.now, Client: func(context.Context) (*store.Client, error) {
		if down {
			return nil, &submit.Refusal{SMTP: 451}
		}
		return nil, nil
	}})
	for _, subject := range []string{"one", "two", "two"} { // the third is the second again: another file, another message
		drop(t, dir, "order.eml", letter(subject))
		p.Look(t.Context())
		c.pass(time.Second)
	}
	if got := subjects(t, st); got != "" {
		t.Fatalf("sent: %s", got)
	}
	if n := len(strings.Fields(names(t, filepath.Join(dir, workDir)))); n != 3 {
		t.Fatalf("%d files wait", n)
	}
	down = false
	c.pass(20 * time.Second)
	p.Look(t.Context())
	if got := subjects(t, st); got != "one two two" {
		t.Errorf("sent: %s", got)
	}
	if got := strings.Fields(names(t, filepath.Join(dir, sentDir))); len(got) != 3 || got[2] != "order.eml" {
		t.Errorf("kept: %s", got)
	}
}

// The process died after it had stored the message: the file is known by its
// claim, and not submitted again.
func TestDeathAfterSubmit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, st := open(t, Options{Dir: dir})
	name, err := claimedName("one.eml")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		drop(t, filepath.Join(dir, workDir), name, good)
		p.Look(t.Context())
	}
	if q := queued(t, st); len(q) != 1 {
		t.Errorf("%d deliveries of one file", len(q))
	}
	if got := strings.Fields(names(t, filepath.Join(dir, sentDir))); len(got) != 2 {
		t.Errorf("sent: %s", got)
	}
	drop(t, filepath.Join(dir, workDir), "by-hand.eml", letter("by-hand"))
	p.Look(t.Context())
	p.Look(t.Context())
	if got := subjects(t, st); got != "Fattura by-hand" {
		t.Errorf("sent: %s", got)
	}
}

// Folders that someone removed are made again.
func TestMissingFolders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, st := open(t, Options{Dir: dir})
	for _, sub := range []string{workDir, sentDir, failedDir} {
		if err := os.Remove(filepath.Join(dir, sub)); err != nil {
			t.Fatal(err)
		}
	}
	drop(t, dir, "good.eml", letter("good"))
	drop(t, dir, "bad.eml", "To: a@x.it\n\nno sender\n")
	p.Look(t.Context())
	if names(t, filepath.Join(dir, sentDir)) != "good.eml" || names(t, filepath.Join(dir, failedDir)) != "bad.eml bad.eml.txt" ||
		subjects(t, st) != "good" {
		t.Errorf("sent %s, failed %s", names(t, filepath.Join(dir, sentDir)), names(t, filepath.Join(dir, failedDir)))
	}
}

func TestLongNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, st := open(t, Options{Dir: dir})
	for _, n := range []int{248, 251, 170} {
		drop(t, dir, strings.Repeat("n", n)+".eml", letter("good"))
		p.Look(t.Context())
		drop(t, dir, strings.Repeat("n", n)+".eml", "To: a@x.it\n\nno sender\n")
		p.Look(t.Context())
	}
	drop(t, dir, strings.Repeat("è", 125)+".eml", letter("good"))
	p.Look(t.Context())
	sent, failed := strings.Fields(names(t, filepath.Join(dir, sentDir))), strings.Fields(names(t, filepath.Join(dir, failedDir)))
	if len(sent) != 4 || len(failed) != 6 || names(t, filepath.Join(dir, workDir)) != "" || subjects(t, st) != "good good good good" {
		t.Errorf("sent %q, failed %q, work %q", sent, failed, names(t, filepath.Join(dir, workDir)))
	}
}

// What was decided on and cannot be moved is neither submitted nor refused
// again, by this process or the next, and logs it seldom.
func TestDecidedOnce(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newClock()
	var log bytes.Buffer
	p, st := open(t, Options{Dir: dir, Now: c.now, Log: logTo(&log)})
	for _, sub := range []string{sentDir, failedDir} {
		if err := os.Remove(filepath.Join(dir, sub)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, sub), nil, 0o600); err != nil { // a file in the folder's place
			t.Fatal(err)
		}
	}
	drop(t, dir, "good.eml", letter("good"))
	drop(t, dir, "bad.eml", "To: a@x.it\n\nno sender\n")
	for range 1000 {
		p.Look(t.Context())
		c.pass(time.Second)
	}
	if n := strings.Count(log.String(), "\n"); n > 12 || strings.Count(log.String(), "picked up") != 1 ||
		strings.Count(log.String(), "was refused") != 1 {
		t.Errorf("%d lines:\n%s", n, log.String())
	}
	work := names(t, filepath.Join(dir, workDir))
	if !strings.Contains(work, "-good.eml"+endingTaken) || !strings.Contains(work, "-bad.eml"+endingRefused) {
		t.Errorf("in work: %s", work)
	}
	for _, sub := range []string{sentDir, failedDir} {
		if err := os.Remove(filepath.Join(dir, sub)); err != nil {
			t.Fatal(err)
		}
	}
	next, err := New(p.opt) // after a restart; the folders are there again
	if err != nil {
		t.Fatal(err)
	}
	next.Look(t.Context())
	if names(t, filepath.Join(dir, sentDir)) != "good.eml" || names(t, filepath.Join(dir, failedDir)) != "bad.eml bad.eml.txt" ||
		subjects(t, st) != "good" {
		t.Errorf("sent %s, failed %s, stored %s", names(t, filepath.Join(dir, sentDir)), names(t, filepath.Join(dir, failedDir)), subjects(t, st))
	}
}

// A folder that cannot be used is left alone for ever longer.
func TestUnusableFolder(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newClock()
	var log bytes.Buffer
	p, st := open(t, Options{Dir: dir, Now: c.now, Log: logTo(&log)})
	work := filepath.Join(dir, workDir)
	if err := errors.Join(os.Remove(work), os.WriteFile(work, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		drop(t, dir, strings.Repeat("x", i%50+1)+".eml", letter("waits"))
	}
	for range 1000 {
		p.Look(t.Context())
		c.pass(time.Second)
	}
	if n := strings.Count(log.String(), "\n"); n > 5 || n == 0 {
		t.Errorf("%d lines:\n%s", n, log.String())
	}
	if err := os.Remove(work); err != nil {
		t.Fatal(err)
	}
	c.pass(10 * time.Minute)
	p.Look(t.Context())
	if n := len(queued(t, st)); n != 50 {
		t.Errorf("%d messages", n)
	}
}

// Several servers share one folder: whoever is late finds nothing, says
// nothing, and the message is there once.
func TestAnotherServerWasFaster(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var log bytes.Buffer
	p, st := open(t, Options{Drop: dir, Log: logTo(&log)})
	other, err := New(p.opt)
	if err != nil {
		t.Fatal(err)
	}
	env := mime.Envelope{From: mailboxtest.Of("erp@contoso.it"),
		Recipients: []mime.Recipient{{Address: mailboxtest.Of("anna@example.com")}}}
	if err := maildrop.Write(dir, env, mime.Bytes([]byte(good))); err != nil {
		t.Fatal(err)
	}
	inner := p.folders[0].read
	p.folders[0].read = func(ctx context.Context, f *os.File) (submit.Request, error) {
		other.Look(ctx) // meanwhile, it sees the file in work/
		return inner(ctx, f)
	}
	p.Look(t.Context())
	other.Look(t.Context())
	if n := len(queued(t, st)); n != 1 || strings.Count(log.String(), "\n") != 1 || names(t, filepath.Join(dir, workDir)) != "" {
		t.Errorf("%d messages, left %q\n%s", n, names(t, filepath.Join(dir, workDir)), log.String())
	}
}

// A server that stops leaves what it was reading for the next one.
func TestStopWhileReading(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var log bytes.Buffer
	p, st := open(t, Options{Dir: dir, Log: logTo(&log)})
	drop(t, dir, "a.eml", letter("a"))
	ctx, stop := context.WithCancel(t.Context())
	inner := p.folders[0].read
	p.folders[0].read = func(c context.Context, f *os.File) (submit.Request, error) {
		stop()
		return inner(c, f)
	}
	p.Look(ctx)
	if got := subjects(t, st); got != "" || names(t, filepath.Join(dir, failedDir)) != "" || log.Len() > 0 {
		t.Errorf("sent %q, failed %q, %s", got, names(t, filepath.Join(dir, failedDir)), log.String())
	}
	p.folders[0].read = inner
	p.Look(t.Context())
	if got := subjects(t, st); got != "a" {
		t.Errorf("sent %q", got)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, original := range []string{"order.eml", strings.Repeat("è", 200) + ".eml", ".eml", "a-b.eml", "x." + strings.Repeat("y", 200)} {
		name, err := claimedName(original)
		if err != nil {
			t.Fatal(err)
		}
		id, got, ending := splitName(name + endingTaken)
		if len(id) != idLength || got != shorten(original, maxName) || ending != endingTaken || len(got) > maxName ||
			filepath.Ext(original) == ".eml" && filepath.Ext(got) != ".eml" {
			t.Errorf("%s: %s %s %s", name, id, got, ending)
		}
	}
	for _, name := range []string{"order.eml", strings.Repeat("g", 32) + "-x.eml", strings.Repeat("a", 32)} {
		if id, got, _ := splitName(name); id != "" || got != name {
			t.Errorf("%s: %s %s", name, id, got)
		}
	}
}
