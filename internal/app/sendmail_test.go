package app

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Where neither the server nor its maildrop is there, nothing was taken.
func TestSendmailWithoutServer(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	err := Sendmail(t.Context(), SendmailOptions{Args: []string{"-t", "-f", "erp@contoso.it"},
		Stdin: strings.NewReader("To: a@example.com\n\nciao\n"), Stdout: new(bytes.Buffer),
		Getenv: func(name string) string {
			return map[string]string{"POSTINO_MAILDROP": filepath.Join(data, "maildrop"), "POSTINO_SMTP": "127.0.0.1:1"}[name]
		}})
	if ExitCode(err) != ExitTempFail || !strings.Contains(err.Error(), "install -d -m 1733") {
		t.Errorf("exit %d: %v", ExitCode(err), err)
	}
	if _, err := os.Stat(data); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder was left: %v", err)
	}
}

// mailq makes no store either.
func TestMailqWithoutStore(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "typo")
	var out bytes.Buffer
	err := Sendmail(t.Context(), SendmailOptions{Args: []string{"-bp"}, Stdout: &out,
		Getenv: func(name string) string { return map[string]string{"POSTINO_DATA": data}[name] }})
	if ExitCode(err) != ExitConfig || !strings.Contains(err.Error(), "there is no store in "+data) {
		t.Errorf("%v: %s", err, out.String())
	}
	if _, err := os.Stat(data); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder was left: %v", err)
	}
}
