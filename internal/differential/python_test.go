package differential

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/postino-mail/postino/internal/corpus"
)

// seen is what the independent parser sees in a message (testdata/differential/parse.py).
type seen struct {
	Error   string   `json:"error"`
	From    []string `json:"from"`
	Sender  []string `json:"sender"`
	ReplyTo []string `json:"reply_to"`
	To      []string `json:"to"`
	Cc      []string `json:"cc"`
	Bcc     []string `json:"bcc"`
	Resent  []string `json:"resent"`
	Subject string   `json:"subject"`
	Texts   []text   `json:"texts"`
	Files   []file   `json:"files"`
}

type text struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

type file struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	SHA256 string `json:"sha256"`
	Size   int    `json:"size"`
	Exact  string `json:"exact"`
	Base64 bool   `json:"base64"`
}

// python gives all messages to the parser, in two processes.
func python(t *testing.T, messages [][]byte) []seen {
	t.Helper()
	script := filepath.Join(filepath.Dir(corpus.Dir(t)), "differential", "parse.py")
	all, half := make([]seen, len(messages)), len(messages)/2
	errs := make(chan error)
	go func() { errs <- parse(t.Context(), script, messages[:half], all[:half]) }()
	go func() { errs <- parse(t.Context(), script, messages[half:], all[half:]) }()
	if err := errors.Join(<-errs, <-errs); err != nil {
		t.Fatal(err)
	}
	return all
}

func parse(ctx context.Context, script string, messages [][]byte, out []seen) error {
	var in bytes.Buffer
	for _, m := range messages {
		fmt.Fprintf(&in, "%d\n", len(m))
		in.Write(m)
	}
	cmd := exec.CommandContext(ctx, "python3", script)
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	answers, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("parse.py: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(answers))
	for i := range out {
		if err := dec.Decode(&out[i]); err != nil {
			return fmt.Errorf("answer %d of %d: %w", i, len(out), err)
		}
	}
	return nil
}
