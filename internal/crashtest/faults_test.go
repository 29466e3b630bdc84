//go:build unix

package crashtest

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"net/smtp"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/internal/app"
	"github.com/postino-mail/postino/internal/store"
)

// slow skips what takes long or needs a machine of its own.
func slow(t *testing.T) {
	t.Helper()
	if os.Getenv("POSTINO_PEERS") == "" && os.Getenv("POSTINO_CRASH") == "" {
		t.Skip("runs the real server for some time: set POSTINO_PEERS=1")
	}
}

// scale skips what takes minutes and gigabytes.
func scale(t *testing.T) {
	t.Helper()
	if os.Getenv("POSTINO_SCALE") == "" {
		t.Skip("takes minutes and gigabytes: set POSTINO_SCALE=1")
	}
}

// smallDisk is a file system of its own with so many bytes.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a small disk")
	}
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("no small disk can be mounted here: %v %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v %s", err, out)
		}
	})
	return dir
}

// fill takes all room that is left on the disk.
func fill(t *testing.T, file string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for n := 1 << 20; n > 0; {
		if _, err := f.Write(make([]byte, n)); err != nil {
			n /= 2
		}
	}
}

// A disk that fills up while clients submit and the outbox sends: refusals are
// temporary, and with room again everything goes on without anybody's help.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	slow(t)
	disk := smallDisk(t, "192m")
	w := newWorld(t, app.Storage{Data: filepath.Join(disk, "data")}, 1)
	c := w.clients(400)
	c.pause = 50 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var submitting sync.WaitGroup
	for i := range 6 {
		submitting.Go(func() { c.run(ctx, rand.New(rand.NewPCG(1, uint64(i)))) })
	}
	ballast := filepath.Join(disk, "ballast")
	for round := range 3 {
		for want := int64(100 * (round + 1)); c.acked.Load() < want && ctx.Err() == nil; {
			<-time.After(10 * time.Millisecond)
		}
		for end := time.Now().Add(6 * time.Second); time.Now().Before(end); { // beyond the lease
			fill(t, ballast)
			<-time.After(50 * time.Millisecond)
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	}
	submitting.Wait()
	if c.refused() == 0 {
		t.Error("nothing was refused while the disk was full")
	}
	if c.acked.Load() < c.want {
		t.Fatalf("only %d of %d were taken: %v\n%s", c.acked.Load(), c.want, c.said, w.nodes[0].tail())
	}
	w.drained(ctx, t)
	w.stop(t)
	y := count(t, w.sandbox, c, readLedger(ctx, t, w.store))
	y.judge(t)
	t.Logf("%d taken, refusals %v", c.acked.Load(), c.said)
	y.report(t, 0)
	for code := range c.codes {
		if code/100 != 4 {
			t.Errorf("refused with %d: a full disk passes", code)
		}
	}
}

// A data folder that cannot be written is said at the start, with the hint.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	slow(t)
	disk := smallDisk(t, "16m")
	w := newWorld(t, app.Storage{Data: filepath.Join(disk, "data")}, 1)
	w.stop(t)
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	remount := func(mode string) {
		if out, err := exec.CommandContext(t.Context(), "mount", "-o", "remount,"+mode, disk).CombinedOutput(); err != nil {
			t.Fatalf("remount: %v %s", err, out)
		}
	}
	remount("ro")
	out, err := exec.CommandContext(t.Context(), w.nodes[0].binary, w.nodes[0].args...).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != app.ExitTempFail {
		t.Errorf("on a read-only disk: %v\n%s", err, out)
	}
	t.Logf("it says: %s", out)
	remount("rw")
	if err := w.nodes[0].start(); err != nil {
		t.Fatal(err)
	}
	w.stop(t)
}

// Spool files that the disk lost, cut or changed are never sent as they are:
// the delivery fails, its sender is told, and all others go on.
func TestCorruptSpool(t *testing.T) {
	t.Parallel()
	slow(t)
	w := newWorld(t, app.Storage{Data: filepath.Join(t.TempDir(), "data")}, 1)
	w.sandbox.Inject(sandbox.Fault{Service: "graph", Op: "sendMail", Status: 429, Code: "ApplicationThrottled", RetryAfter: time.Second})
	conn, err := smtp.Dial(w.nodes[0].smtp)
	if err != nil {
		t.Fatal(err)
	}
	from := "graph0@crash.example"
	spools := map[string]string{} // token to file
	for _, token := range []string{"missing", "cut", "changed", "whole"} {
		known := spoolFiles(t, w.where.Data)
		if err := conn.Mail(from); err != nil {
			t.Fatal(err)
		}
		if err := conn.Rcpt("anna@example.com"); err != nil {
			t.Fatal(err)
		}
		d, err := conn.Data()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Write(message(from, token, 3000)); err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		for f := range spoolFiles(t, w.where.Data) {
			if !known[f] {
				spools[token] = f
			}
		}
	}
	if err := conn.Quit(); err != nil {
		t.Error(err)
	}
	if len(spools) != 4 {
		t.Fatalf("spool files: %v", spools)
	}
	b, err := os.ReadFile(spools["changed"])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	for _, err := range []error{os.Remove(spools["missing"]), os.Truncate(spools["cut"], 100000), os.WriteFile(spools["changed"], b, 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w.sandbox.ClearFaults()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	w.drained(ctx, t)
	w.stop(t)
	got := received(w.sandbox)
	l := readLedger(ctx, t, w.store)
	told := 0
	for subject, dd := range got {
		if _, ours := spools[subject]; !ours {
			told += len(dd)
		}
	}
	for token := range spools {
		want, n := store.Failed, 0
		if token == "whole" {
			want, n = store.Sent, 1
		}
		d := l.entries[token][0].Delivery
		if d.State != want || len(got[token]) != n {
			t.Errorf("%s: %v, arrived %d times (%v)", token, d.State, len(got[token]), d.Error)
		}
		if want == store.Failed && (d.Error == nil || d.Error.Code != "corrupt" || d.Error.Hint.In("it") == "") {
			t.Errorf("%s: %+v", token, d.Error)
		}
	}
	if told != 3 {
		t.Errorf("%d notifications for three corrupt messages", told)
	}
}

// spoolFiles are the stored bodies of a data folder.
func spoolFiles(t *testing.T, data string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	root := filepath.Join(data, "spool")
	err := filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && e.Name() == "incoming" {
			return fs.SkipDir
		}
		if !e.IsDir() {
			out[p] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// replyCode is the code of an SMTP refusal, 0 for another error.
func replyCode(err error) int {
	var e *textproto.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}
