package maildrop

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

func TestWriteAndRead(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "drop")
	env := mime.Envelope{From: mailboxtest.Of("erp@contoso.it"),
		Recipients: []mime.Recipient{{Address: mailboxtest.Of("anna@example.com"), Notify: []mime.Notify{"NEVER"}}},
		Ret:        "HDRS", EnvID: "x"}
	const message = "From: erp@contoso.it\r\n\r\n{\"not\": \"an envelope\"}\r\n"
	// A folder that is made here would be one that no server looks into.
	if err := Write(dir, env, mime.Bytes([]byte(message))); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Fatalf("into no folder: %v", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(dir, env, mime.Bytes([]byte(message))); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 || !strings.HasSuffix(files[0], Suffix) {
		t.Fatalf("in the folder: %v, %v", files, err)
	}
	f, err := os.Open(files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, body, err := Read(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(body)
	if err != nil || string(b) != message || got.From != env.From || len(got.Recipients) != 1 ||
		got.Recipients[0].Address.String() != "anna@example.com" || got.Ret != "HDRS" {
		t.Errorf("%+v %q %v", got, b, err)
	}
	if _, _, err := Read(strings.NewReader(message)); err == nil {
		t.Error("a file without envelope passed")
	}
	// Whoever may write into the folder does not choose how much memory it takes.
	for _, one := range []string{"{}", "null"} {
		many := `{"From":"a@b.it","Recipients":[` + strings.Repeat(one+",", maxRecipients) + one + "]}\n" + message
		if env, _, err := Read(strings.NewReader(many)); !errors.Is(err, ErrEnvelope) || len(env.Recipients) > 0 {
			t.Errorf("%d recipients %s: %v", len(env.Recipients), one, err)
		}
	}
}

// Where all users of a machine share the folder, the server must be able to
// read what they leave, and no one else; elsewhere the file stays its writer's.
func TestModes(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	for folder, want := range map[fs.FileMode]fs.FileMode{
		0o700:                 0o600,
		0o733 | fs.ModeSticky: 0o644,
		0o777 | fs.ModeSticky: 0o600, // anybody lists it
		0o773 | fs.ModeSticky: 0o600, // its group does
		0o733:                 0o600, // anybody could replace files
	} {
		dir := t.TempDir()
		if err := os.Chmod(dir, folder); err != nil {
			t.Fatal(err)
		}
		if err := Write(dir, mime.Envelope{From: mailboxtest.Of("a@b.it")}, mime.Bytes([]byte("x"))); err != nil {
			t.Fatal(err)
		}
		files, err := os.ReadDir(dir)
		if err != nil || len(files) != 1 {
			t.Fatalf("%v, %v", files, err)
		}
		info, err := files[0].Info()
		if err != nil || info.Mode() != want {
			t.Errorf("in a folder of mode %v: %v, want %v (%v)", folder, info.Mode(), want, err)
		}
	}
}

// A file that sendmail did not write is refused in the reader's language.
func TestRefusalsInItalian(t *testing.T) {
	t.Parallel()
	one := `{"recipients":[{"address":"a@x.it"}]`
	for file, want := range map[string]string{
		"{}": "il file non comincia con una busta: ha una sola riga", strings.Repeat("x", maxEnvelope+1): "la sua prima riga è troppo lunga",
		"{}\n": "il suo Recipients non è come lo scrive sendmail", one + `,"ret":"x"}` + "\n": "il suo Ret non è come lo scrive sendmail",
		`{"recipients":[` + strings.Repeat(`{},`, maxRecipients+1) + "{}]}\n": "ha più di",
	} {
		_, _, err := Read(strings.NewReader(file))
		if said := texterr.In(err, "it"); !errors.Is(err, ErrEnvelope) || !strings.Contains(said, want) {
			t.Errorf("%.40q: %s, want %q", file, said, want)
		}
	}
}
