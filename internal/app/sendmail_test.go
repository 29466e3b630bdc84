package app

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mailq makes no store either.
func TestMailqWithoutStore(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "typo")
	var out bytes.Buffer
	err := Sendmail(t.Context(), SendmailOptions{Args: []string{"-bp"}, Stdout: &out, Getenv: func(name string) string { return map[string]string{"POSTINO_DATA": data}[name] }})
	if ExitCode(err) != ExitConfig || !strings.Contains(err.Error(), "there is no store in "+data) {
		t.Errorf("%v: %s", err, out.String())
	}
	if _, err := os.Stat(data); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder was left: %v", err)
	}
}
