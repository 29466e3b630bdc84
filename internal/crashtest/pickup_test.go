//go:build unix

package crashtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/internal/app"
	"github.com/postino-mail/postino/internal/gateway"
)

// Programs write files of the same names into the pickup folder, slowly, while
// the server is killed again and again: each is mailed once, whole, and none is
// lost or left.
func TestPickupKilled(t *testing.T) {
	t.Parallel()
	const writers = 5
	files, kills := 40, 1
	if os.Getenv("POSTINO_PEERS") != "" {
		files, kills = 500, 15
	}
	if testing.Short() {
		t.Skip("kills a server")
	}
	sb, err := sandbox.Start(sandbox.Options{AnyMailbox: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	data, folder := filepath.Join(t.TempDir(), "data"), t.TempDir()
	st, err := app.OpenStore(t.Context(), app.Storage{Data: data}, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	conn := sb.GraphConnection("erp@crash.example")
	none, four := 0, 4
	conn.Limits.Concurrency, conn.Limits.PerMinute, conn.Limits.RecipientsPerDay = &four, &none, &none
	_, err = st.PutConnection(t.Context(), time.Now(), &gateway.Connection{Connection: *conn})
	if err := errors.Join(err, st.Close()); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "postino.toml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "%s\n[pickup]\ndir = %q\npause = \"100ms\"\n", settings, folder), 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	n := newNode(t, "pickup", self, config, "--data", data, "--ca-file", sb.CAFile())
	n.env = []string{serveVariable + "=1"}
	if err := n.start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := range files / writers {
				name := filepath.Join(folder, fmt.Sprintf("order-%d.eml", (i+w)%(files/writers)))
				if err := writeSlowly(ctx, name, fmt.Sprintf("file-%d-%d", w, i)); err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
			}
		})
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range kills {
		<-time.After(300*time.Millisecond + time.Duration(rng.Int64N(int64(900*time.Millisecond))))
		if err := errors.Join(n.kill(), n.start()); err != nil {
			t.Fatal(err)
		}
	}
	writing.Wait()
	written := time.Now()
	arrived := awaitSubjects(ctx, sb, files)
	t.Logf("%d files, %d kills: all arrived %v after the last was written", files, kills, time.Since(written).Round(time.Millisecond))
	if err := n.stop(); err != nil {
		t.Error(err)
	}
	for w := range writers {
		for i := range files / writers {
			if subject := fmt.Sprintf("file-%d-%d", w, i); arrived[subject] != 1 {
				t.Errorf("%s arrived %d times", subject, arrived[subject])
			}
		}
	}
	for _, d := range sb.Deliveries() {
		if raw := whole(t, sb, d); !strings.Contains(raw, "first half\r\n") || !strings.Contains(raw, "second half\r\n") {
			t.Errorf("half a file arrived: %s", raw)
		}
	}
	left := 0
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Base(filepath.Dir(path)) != "sent" {
			left++
			t.Errorf("left: %s", path)
		}
		return err
	})
	kept, rerr := os.ReadDir(filepath.Join(folder, "sent"))
	if err := errors.Join(err, rerr); err != nil || len(kept) != files || t.Failed() {
		t.Errorf("%d kept in sent/, %d left elsewhere, %v\n%s", len(kept), left, err, n.tail())
	}
}

// writeSlowly makes a file where none of that name is, in two halves with the
// file open between them.
func writeSlowly(ctx context.Context, name, subject string) error {
	for {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) { // another program's waits to be taken
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(10 * time.Millisecond):
			}
			continue
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(f, "From: erp@crash.example\r\nTo: anna@example.com\r\nSubject: %s\r\n\r\nfirst half\r\n", subject)
		select {
		case <-ctx.Done():
		case <-time.After(150 * time.Millisecond): // longer than the pause
		}
		_, serr := f.WriteString("second half\r\n")
		return errors.Join(err, serr, f.Close())
	}
}

// awaitSubjects counts what arrived, once all have.
func awaitSubjects(ctx context.Context, sb *sandbox.Sandbox, want int) map[string]int {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		got := make(map[string]int)
		for _, d := range sb.Deliveries() {
			got[d.Subject]++
		}
		if len(got) >= want {
			return got
		}
		select {
		case <-ctx.Done():
			return got
		case <-tick.C:
		}
	}
}

func whole(t *testing.T, sb *sandbox.Sandbox, d sandbox.Delivery) string {
	t.Helper()
	rc, err := sb.Open(d)
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	var b strings.Builder
	if _, err := io.Copy(&b, rc); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
