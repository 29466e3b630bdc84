package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The configuration that docs/operation.md shows is one that starts.
func TestDocumentedConfiguration(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "operation.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(doc), "```toml\n")
	text, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatal("docs/operation.md shows no configuration")
	}
	for name, shown := range map[string]string{
		"as shown": text,
		"with what is commented out on": strings.NewReplacer("\n# database", "\ndatabase", "\n# node", "\nnode", "\n# cert_file", "\ncert_file",
			"\n# key_file", "\nkey_file",
			"\n# client", "\nclient", "\n# [maildrop]", "\n[maildrop]",
			"\n# socket", "\nsocket", "\n# public_url", "\npublic_url", "\n# trusted_proxies", "\ntrusted_proxies").Replace(text),
	} {
		file := filepath.Join(t.TempDir(), "postino.toml")
		if err := os.WriteFile(file, []byte(shown), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(file, func(string) string { return "" })
		if err == nil {
			err = c.Validate()
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(c.SMTP) != 3 || c.HTTP.Address == "" || len(c.Webhooks.Networks) == 0 || c.Pickup.Dir == "" {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// systemd takes a comment only on a line of its own.
func TestDocumentedUnit(t *testing.T) {
	t.Parallel()
	unit, err := os.ReadFile(filepath.Join("..", "..", ".ci", "package", "postino.service"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(unit)) {
		if strings.LastIndex(line, "#") > 0 {
			t.Errorf("a comment within a line: %s", line)
		}
	}
}

// Every configuration that a guide shows is one that starts, in both languages.
func TestDocumentedBlocks(t *testing.T) {
	t.Parallel()
	shown := 0
	for _, pattern := range []string{"*.md", "it/*.md"} {
		files, err := filepath.Glob(filepath.Join("..", "..", "docs", filepath.FromSlash(pattern)))
		if err != nil {
			t.Fatal(err)
		}
		for _, doc := range files {
			page, err := os.ReadFile(doc)
			if err != nil {
				t.Fatal(err)
			}
			for i, b := range strings.Split(string(page), "```toml\n")[1:] {
				shown++
				text, _, _ := strings.Cut(b, "```")
				text = strings.ReplaceAll(text, "<tenant id>", "11111111-2222-3333-4444-555555555555")
				file := filepath.Join(t.TempDir(), "postino.toml")
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				c, err := Load(file, func(string) string { return "" })
				if err == nil {
					err = c.Validate()
				}
				proxy := filepath.Base(doc) == "reverse-proxy.md"
				if err != nil || proxy && (c.HTTP.PublicHost() == "" || len(c.HTTP.TrustedProxies) == 0) {
					t.Errorf("%s, block %d: %v: %s", doc, i+1, err, text)
				}
			}
		}
	}
	if shown < 6 {
		t.Errorf("only %d configurations were found", shown)
	}
}
