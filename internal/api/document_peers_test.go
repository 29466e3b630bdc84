package api

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestDocumentWithTools holds the OpenAPI document against what developers use: two linters
// find nothing in it, and a TypeScript program that knows the API by its types alone compiles
// and works. POSTINO_PEERS=1 asks for it; the tools are those of testdata/clients, in NODE_PATH.
func TestDocumentWithTools(t *testing.T) {
	if os.Getenv("POSTINO_PEERS") == "" {
		t.Skip("needs Node.js and the packages of testdata/clients: set POSTINO_PEERS=1")
	}
	t.Parallel()
	w := newWorld(t, nil)
	dir := t.TempDir()
	document := filepath.Join(dir, "openapi.json")
	w.must(os.WriteFile(document, w.server.spec, 0o600))
	clients, err := filepath.Abs(filepath.Join("..", "..", "testdata", "clients"))
	w.must(err)
	source, err := os.ReadFile(filepath.Join(clients, "api.ts"))
	w.must(err)
	w.must(os.WriteFile(filepath.Join(dir, "api.ts"), source, 0o600))
	run := func(name string, args ...string) []byte {
		t.Helper()
		if name != "node" {
			name = filepath.Join(os.Getenv("NODE_PATH"), ".bin", name)
		}
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true", "POSTINO_URL="+w.http.URL,
			"POSTINO_KEY="+w.key)
		out, err := cmd.Output()
		if err != nil {
			exit := new(exec.ExitError) // an error of another kind leaves it empty
			errors.As(err, &exit)
			t.Errorf("%s: %v\n%s\n%s", filepath.Base(name), err, out, exit.Stderr)
		}
		return out
	}
	var found struct {
		Totals struct{ Errors, Warnings, Ignored int }
	}
	if out := run("redocly", "lint", "--format=json", document); json.Unmarshal(out, &found) != nil || found.Totals.Errors+
		found.Totals.Warnings+found.Totals.Ignored != 0 {
		t.Errorf("redocly finds %s", out)
	}
	run("spectral", "lint", "--fail-severity=hint", "--ruleset="+filepath.Join(clients, "spectral.yaml"), document)
	run("openapi-typescript", document, "--output="+filepath.Join(dir, "postino.d.ts"))
	run("tsc", "--strict", "--noUncheckedIndexedAccess", "--target", "es2022", "--module", "commonjs",
		"--lib", "es2022,dom", "--outDir", "out", "api.ts")
	run("node", filepath.Join(dir, "out", "api.js"))
}
