// Package corpus gives tests the real-world messages of testdata/messages and
// what an independent parser sees in each. The wire views, routes and entry
// points are held to it.
package corpus

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/postino-mail/postino/mime"
)

// Seen is what an independent parser sees in a message (testdata/messages/index.py).
type Seen struct {
	From        []string `json:"from"`
	Recipients  []string `json:"recipients"`
	Subject     *string  `json:"subject"`
	Text        string   `json:"text_sha256"`
	HTML        string   `json:"html_sha256"`
	Attachments []File   `json:"attachments"`
}

// A File is one attachment.
type File struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	SHA256 string `json:"sha256"`
}

// Expected is an entry of the index: what Accept returns, strictly and leniently
// ("ok" or the code of its error), and what the independent parser sees.
type Expected struct {
	Strict     string   `json:"strict"`
	Lenient    string   `json:"lenient"`
	Unreadable []string `json:"unreadable"` // attachments with content that is an error
	Seen
}

// Dir is the folder of the messages, found from wherever a test runs.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "testdata", "messages")
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the working folder")
		}
		dir = up
	}
}

// Index is expected.json by file name; every message must be in it.
func Index(t testing.TB) map[string]Expected {
	t.Helper()
	dir := Dir(t)
	b, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var index map[string]Expected
	if err := json.Unmarshal(b, &index); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.eml"))
	if err != nil || len(files) != len(index) || len(files) < 45 {
		t.Fatalf("%d messages, %d entries, %v: run index.py", len(files), len(index), err)
	}
	return index
}

// Raw is a message as its file has it.
func Raw(t testing.TB, file string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(Dir(t), file))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Accept takes a message in as an entry point does, at a fixed time.
func Accept(raw []byte, lenient bool) (*mime.Message, error) {
	return mime.Accept(mime.Bytes(raw), mime.AcceptOptions{Lenient: lenient, Hostname: "gateway.contoso.example",
		Now: func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }})
}
