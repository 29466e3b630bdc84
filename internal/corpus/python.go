package corpus

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// Python runs index.py over messages by name: what Python's email package sees
// in each. Skips the test unless POSTINO_PEERS is set.
func Python(t *testing.T, messages map[string]string) map[string]Seen {
	t.Helper()
	if os.Getenv("POSTINO_PEERS") == "" {
		t.Skip("needs python3: set POSTINO_PEERS=1")
	}
	dir := t.TempDir()
	args := []string{filepath.Join(Dir(t), "index.py")}
	for _, name := range slices.Sorted(maps.Keys(messages)) {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(messages[name]), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	}
	cmd := exec.CommandContext(t.Context(), "python3", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Seen{}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// Same reports whether an independent parser sees in got what it saw in s,
// the recipients apart.
func (s Seen) Same(got Seen) bool {
	return slices.Equal(got.From, s.From) && (s.Subject == nil || got.Subject != nil && *got.Subject == *s.Subject) &&
		got.Text == s.Text && got.HTML == s.HTML && slices.Equal(got.Attachments, s.Attachments)
}
