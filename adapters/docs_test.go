package adapters_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters/all"
)

// Every connection that the documentation shows is a valid one.
func TestDocumentedConnections(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("..", "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	italian, err := filepath.Glob(filepath.Join("..", "docs", "it", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, italian...)
	blocks := regexp.MustCompile("(?s)```json\n(.*?)```")
	shown := 0
	for _, file := range append(files, filepath.Join("..", "README.md")) {
		doc, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range blocks.FindAllStringSubmatch(string(doc), -1) {
			if strings.HasPrefix(m[1], `{"mailboxes"`) {
				continue // the directory of the sandbox
			}
			if strings.HasPrefix(m[1], `{"type": "/problems/`) {
				continue // an error of the API
			}
			if strings.Contains(m[1], `"graph": {"tenant": "contoso.it"}`) {
				continue // the beginning of one, for connection script and certificate
			}
			text := strings.ReplaceAll(m[1], "…", "x")
			if strings.HasPrefix(text, `"smtp"`) { // the part that matters there
				text = `{"name": "x", "provider": "smtp", ` + text + `}`
			}
			shown++
			if _, err := all.ParseConnection([]byte(text)); err != nil {
				t.Errorf("%s: %v\n%s", file, err, text)
			}
		}
	}
	if shown < 8 {
		t.Errorf("only %d connections were found", shown)
	}
}
