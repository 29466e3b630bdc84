package pickup

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/maildrop"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/sqlite"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/mime"
)

type noAdapter struct{}

func (noAdapter) Adapter(*adapters.Connection) (adapters.Adapter, error) { return fakeAdapter{}, nil }

type fakeAdapter struct{ adapters.Adapter }

func (fakeAdapter) Check(adapters.Outgoing) error { return nil }
func (fakeAdapter) MaxSize() int64                { return 0 }

func open(t *testing.T, o Options) (*Pickup, store.Store) {
	t.Helper()
	st, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	_, err = st.PutConnection(t.Context(), time.Now(),
		&gateway.Connection{Connection: adapters.Connection{Name: "a", Provider: adapters.SMTP, From: "erp@contoso.it",
			Settings: &fallback.Settings{Host: "127.0.0.1"}}})
	if err != nil {
		t.Fatal(err)
	}
	sub, err := submit.New(submit.Options{Store: st, Adapters: noAdapter{}, Connections: registry.NewConnections(st)})
	if err != nil {
		t.Fatal(err)
	}
	o.Submit, o.SpoolDir = sub, st.SpoolDir()
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p, st
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if !e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return strings.Join(out, " ")
}

func queued(t *testing.T, st store.Store) []store.Entry {
	t.Helper()
	page, err := st.List(context.Background(), store.ListRequest{Oldest: true})
	if err != nil {
		t.Fatal(err)
	}
	return page.Entries
}

// drop writes a file that was last changed long ago.
func drop(t *testing.T, dir, name, content string) {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(file, old, old); err != nil {
		t.Fatal(err)
	}
}

const good = "From: erp@contoso.it\nTo: a@x.it\nBcc: b@x.it\nSubject: Fattura\n\nciao\n"

func TestFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, st := open(t, Options{Dir: dir})
	drop(t, dir, "one.EML", good)
	drop(t, dir, "bad.eml", "To: a@x.it\n\nno sender\n")
	drop(t, dir, "stranger.eml", strings.Replace(good, "erp@contoso.it", "x@elsewhere.example", 1))
	drop(t, dir, "notes.txt", "not a message")
	p.Look(t.Context())
	q := queued(t, st)
	if len(q) != 1 || len(q[0].Delivery.Recipients) != 2 || q[0].Message.EntryPoint != "pickup" ||
		q[0].Message.Conversation != "one.EML\n" || q[0].Message.Envelope.From.String() != "erp@contoso.it" {
		t.Fatalf("queued %+v", q)
	}
	if got := names(t, dir); got != "notes.txt" {
		t.Errorf("left in the folder: %s", got)
	}
	if got := names(t, filepath.Join(dir, "sent")); got != "one.EML" {
		t.Errorf("sent: %s", got)
	}
	if got := names(t, filepath.Join(dir, "failed")); got != "bad.eml bad.eml.txt stranger.eml stranger.eml.txt" {
		t.Errorf("failed: %s", got)
	}
	why, err := os.ReadFile(filepath.Join(dir, "failed", "stranger.eml.txt"))
	if err != nil || !strings.Contains(string(why), "x@elsewhere.example") || !strings.Contains(string(why), "nessuna connessione") {
		t.Errorf("the reason: %s %v", why, err)
	}
}

func TestAFileBeingWrittenIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, st := open(t, Options{Dir: dir, Pause: time.Hour})
	if err := os.WriteFile(filepath.Join(dir, "new.eml"), []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Look(t.Context())
	p.Look(t.Context())
	if len(queued(t, st)) != 0 {
		t.Error("taken while it may still be written")
	}
}

func TestMaildrop(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, st := open(t, Options{Drop: dir})
	env := mime.Envelope{From: mailboxtest.Of("erp@contoso.it"), Recipients: []mime.Recipient{{Address: mailboxtest.Of("only@x.it")}}}
	if err := maildrop.Write(dir, env, mime.Bytes([]byte(good))); err != nil {
		t.Fatal(err)
	}
	drop(t, dir, "garbage.msg", "not an envelope\n")
	many := `{"From":"erp@contoso.it","Recipients":[` + strings.Repeat(`{"Address":"a@x.it"},`, 10_000) + `{"Address":"a@x.it"}]}`
	drop(t, dir, "many.msg", many+"\n"+good) // over SMTP 452: the rest may come in another message
	p.Look(t.Context())
	q := queued(t, st)
	if len(q) != 1 || len(q[0].Delivery.Recipients) != 1 || q[0].Delivery.Recipients[0].Address.String() != "only@x.it" ||
		q[0].Message.EntryPoint != "sendmail" || q[0].Message.Conversation != "" {
		t.Fatalf("queued %+v", q)
	}
	if got := names(t, dir) + names(t, filepath.Join(dir, "work")); got != "" {
		t.Errorf("left: %s", got)
	}
	if got := names(t, filepath.Join(dir, "failed")); got != "garbage.msg garbage.msg.txt many.msg many.msg.txt" {
		t.Errorf("failed: %s", got)
	}
}

// The reason beside a file with an address that is none is about the address, in
// both languages.
func TestMaildropAddress(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, _ := open(t, Options{Drop: dir})
	drop(t, dir, "to.msg", `{"From":"erp@contoso.it","Recipients":[{"address":"nope"}]}`+"\n"+good)
	drop(t, dir, "from.msg", `{"From":"nope","Recipients":[{"address":"a@x.it"}]}`+"\n"+good)
	p.Look(t.Context())
	for _, name := range []string{"to", "from"} {
		why, err := os.ReadFile(filepath.Join(dir, "failed", name+".msg.txt"))
		if err != nil {
			t.Fatal(err)
		}
		if s := string(why); strings.Contains(s, "sendmail") || !strings.Contains(s, `"nope" is not a mail address`) ||
			!strings.Contains(s, `"nope" non è un indirizzo di posta`) {
			t.Errorf("%s: %s", name, s)
		}
	}
}

// A maildrop made later does not strand what was left in the one before.
func TestOldMaildrop(t *testing.T) {
	t.Parallel()
	dir, old := t.TempDir(), t.TempDir()
	p, st := open(t, Options{Drop: dir, OldDrop: old})
	env := mime.Envelope{From: mailboxtest.Of("erp@contoso.it"),
		Recipients: []mime.Recipient{{Address: mailboxtest.Of("anna@example.com")}}}
	for _, d := range []string{dir, old} {
		if err := maildrop.Write(d, env, mime.Bytes([]byte(good))); err != nil {
			t.Fatal(err)
		}
	}
	p.Look(t.Context())
	if n := len(queued(t, st)); n != 2 {
		t.Errorf("%d messages", n)
	}
	if got := names(t, dir) + names(t, old) + names(t, filepath.Join(old, "work")); got != "" {
		t.Errorf("left: %s", got)
	}
}

// A server that may not list the maildrop leaves it as it is: subfolders that
// are not its owner's would keep the owner's server out.
func TestMaildropOfAnotherUser(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		t.Skip("no folder is closed to this user")
	}
	for _, closed := range []string{"", workDir, failedDir} {
		dir := t.TempDir()
		sub := filepath.Join(dir, closed)
		if err := os.MkdirAll(sub, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(sub, 0o333|fs.ModeSticky); err != nil {
			t.Fatal(err)
		}
		_, err := New(Options{Drop: dir})
		if err == nil || !strings.Contains(err.Error(), sub) || !strings.Contains(err.Error(), "POSTINO_MAILDROP") {
			t.Errorf("%q closed: %v", closed, err)
		}
		if err := os.Chmod(sub, 0o700); err != nil {
			t.Fatal(err)
		}
		if left, err := os.ReadDir(dir); err != nil || closed == "" && len(left) > 0 {
			t.Errorf("made in it: %v, %v", left, err)
		}
	}
}
