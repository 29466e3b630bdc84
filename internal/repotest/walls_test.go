package repotest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A wall is one file that breaks a rule of .golangci.yml, and who must object.
type wall struct {
	folder string // of the file, inside the module or at the end of a longer path
	source string // behind the package clause
	linter string // "": no linter may object
	text   string // in the objection
}

// imports is the source of a file that imports one package.
func imports(path string) string {
	if strings.Contains(path, ".") || path == "database/sql" {
		return fmt.Sprintf("import _ %q", path)
	}
	return fmt.Sprintf("import _ %q", module+"/"+path)
}

var walls = []wall{
	{"mime", imports("adapters"), "depguard", "mime does not know how a message is sent"},
	{"mime", imports("tokens"), "depguard", "mime does not know how a message is sent"},
	{"mime", imports("fallback"), "depguard", "mime does not know how a message is sent"},
	{"mime", imports("internal/store"), "depguard", "imports nothing of internal/ but locale"},
	{"mime", imports("internal/locale"), "", ""},
	{"adapters", imports("internal/store"), "depguard", "imports nothing of internal/ but its leaves"},
	{"adapters/graph", imports("internal/vault"), "depguard", "imports nothing of internal/ but its leaves"},
	{"adapters/sandbox/entra", imports("internal/smtpd"), "depguard", "imports nothing of internal/ but its leaves"},
	{"tokens", imports("internal/app"), "depguard", "imports nothing of internal/ but its leaves"},
	{"fallback", imports("internal/submit"), "depguard", "imports nothing of internal/ but its leaves"},
	{"fallback", imports("internal/locale"), "", ""},
	{"internal/locale", imports("mime"), "depguard", "locale is a leaf"},
	{"internal/smtpsyntax", imports("mime"), "depguard", "smtpsyntax is a leaf"},
	{"internal/telemetry", imports("mime"), "depguard", "telemetry is a leaf"},
	{"internal/pause", imports("mime"), "depguard", "pause is a leaf"},
	{"internal/gateway/policy", imports("mime"), "depguard", "policy is a leaf"},
	{"adapters/all", imports("internal/gateway/policy"), "", ""},
	{"adapters/all", imports("internal/gateway"), "depguard", "the public library imports nothing of internal/ but its leaves"},
	{"adapters/graph", imports("tokens/credential"), "", ""},
	{"tokens/credential", imports("adapters/graph"), "depguard", "tokens do not know who sends"},
	{"adapters/sandbox/smtp", imports("internal/smtpsyntax"), "", ""},
	{"adapters", imports("adapters/graph"), "depguard", "package adapters knows no provider"},
	{"adapters", imports("adapters/gmail"), "depguard", "package adapters knows no provider"},
	{"adapters", imports("fallback"), "depguard", "package adapters knows no provider"},
	{"adapters/all", imports("adapters/graph"), "", ""},
	{"adapters/graph", imports("tokens"), "depguard", "adapters meet tokens at adapters.TokenSources"},
	{"adapters/gmail", imports("tokens"), "depguard", "adapters meet tokens at adapters.TokenSources"},
	{"fallback", imports("tokens"), "depguard", "adapters meet tokens at adapters.TokenSources"},
	{"tokens", imports("adapters/graph"), "depguard", "tokens do not know who sends"},
	{"tokens", imports("adapters/gmail"), "depguard", "tokens do not know who sends"},
	{"tokens", imports("fallback"), "depguard", "tokens do not know who sends"},
	{"mime", imports("github.com/Azure/stub"), "depguard", "confined to adapters and tokens"},
	{"fallback", imports("github.com/microsoftgraph/stub"), "depguard", "confined to adapters and tokens"},
	{"internal/app", imports("google.golang.org/api/stub"), "depguard", "confined to adapters and tokens"},
	{"adapters/graph", imports("github.com/microsoftgraph/stub"), "", ""},
	{"adapters/gmail", imports("google.golang.org/api/gmail/stub"), "depguard", "docs/adr/0011-size.md"},
	{"adapters/gmail", imports("google.golang.org/api/googleapi/stub"), "", ""},
	{"internal/submit", imports("internal/store/sqlite"), "depguard", "only internal/app imports concrete parts"},
	{"internal/outbox", imports("internal/store/postgres"), "depguard", "only internal/app imports concrete parts"},
	{"internal/smtpd", imports("adapters/graph"), "depguard", "only internal/app imports concrete parts"},
	{"internal/api", imports("adapters/gmail"), "depguard", "only internal/app imports concrete parts"},
	{"internal/api", imports("fallback"), "depguard", "only internal/app imports concrete parts"},
	{"internal/submit", imports("tokens"), "depguard", "only internal/app imports concrete parts"},
	{"internal/app", imports("internal/store/sqlite"), "", ""},
	{"internal/outbox", imports("internal/submit"), "depguard", "imports run one way"},
	{"internal/outbox", imports("internal/pickup"), "depguard", "imports run one way"},
	{"internal/store", imports("internal/api"), "depguard", "imports run one way"},
	{"internal/store/sqlite", imports("internal/smtpd"), "depguard", "imports run one way"},
	{"internal/store/postgres", imports("internal/app"), "depguard", "imports run one way"},
	{"internal/store/sqlite", imports("internal/outbox"), "depguard", "imports run one way"},
	{"internal/store/engine", imports("internal/store/postgres"), "depguard", "the engine knows no database"},
	{"internal/store/engine", imports("internal/store/sqlite"), "depguard", "the engine knows no database"},
	{"internal/store/engine", imports("database/sql"), "depguard", "the engine knows no database"},
	{"internal/store/engine", imports("github.com/jackc/pgx/stub"), "depguard", "the engine knows no database"},
	{"internal/people", imports("internal/api"), "depguard", "below the entry points"},
	{"internal/presets", imports("internal/api"), "depguard", "below the entry points"},
	{"internal/script", imports("internal/api"), "depguard", "below the entry points"},
	{"internal/clientcert", imports("internal/api"), "depguard", "below the entry points"},
	{"internal/connections", imports("internal/api"), "depguard", "below the entry points"},
	{"internal/watch", imports("internal/api"), "depguard", "below the entry points"},
	{"internal/doctor", imports("internal/api"), "depguard", "below the entry points"},
	{"internal/retirement", imports("internal/api"), "depguard", "below the entry points"},
	{"internal/programs", imports("internal/api"), "depguard", "below the entry points"},
	{"internal/registry", imports("internal/api"), "depguard", "below the entry points"},
	{"internal/view", imports("internal/api"), "depguard", "below the entry points"},
	{"internal/doctor", imports("internal/store/sqlite"), "depguard", "only internal/app imports concrete parts"},
	{"internal/doctor", imports("internal/store"), "", ""},
	{"internal/presets", imports("internal/store"), "depguard", "needs no store"},
	{"internal/script", imports("internal/store"), "depguard", "needs no store"},
	{"internal/clientcert", imports("internal/store"), "depguard", "needs no store"},
	{"internal/people", imports("internal/gateway"), "depguard", "on records alone"},
	{"internal/programs", imports("internal/gateway"), "depguard", "on records alone"},
	{"internal/prompt", imports("internal/store"), "depguard", "between a terminal and a command"},
	{"internal/commandline", imports("internal/store"), "depguard", "between a terminal and a command"},
	{"internal/commandline", imports("internal/locale"), "", ""},
	{"internal/web", imports("internal/store/postgres"), "depguard", "services and views"},
	{"internal/web", imports("github.com/danielgtaylor/huma/stub"), "depguard", "pages call services"},
	{"internal/web", imports("internal/app"), "depguard", "imports run one way"},
	{"internal/web", imports("internal/view"), "", ""},
	{"internal/search", imports("internal/store/engine"), "depguard", "the drivers run them"},
	{"internal/search", imports("internal/store"), "", ""},
	{"cmd/postino", imports("adapters"), "depguard", "cmd holds no logic"},
	{"cmd/postino", imports("mime"), "depguard", "cmd holds no logic"},
	{"cmd/postino", imports("internal/store"), "depguard", "cmd holds no logic"},
	{"cmd/postino", imports("internal/outbox"), "depguard", "cmd holds no logic"},
	{"cmd/postino", imports("internal/app"), "", ""},

	{"internal/a", "func f() { panic(\"x\") }\n\nvar _ = f", "forbidigo", "no panic as control flow"},
	{"internal/a", "import \"time\"\n\nfunc f() { time.Sleep(1) }\n\nvar _ = f", "forbidigo", "use a clock"},
	{"internal/a", "func init() {}", "gochecknoinits", "init"},
	{"internal/a", "import \"log/slog\"\n\nfunc f(err error) { slog.Info(\"m\", \"error\", err) }\n\nvar _ = f", "sloglint",
		`"error" key is forbidden`},
	{"internal/a", "import \"log/slog\"\n\nfunc f() { slog.Info(\"m\", \"messageID\", 1) }\n\nvar _ = f", "sloglint", "snake_case"},
	{"internal/a", "import \"log/slog\"\n\nfunc f(m string) { slog.Info(m) }\n\nvar _ = f", "sloglint", "string literal or a constant"},
	{"internal/a", "import \"log/slog\"\n\nfunc f(err error) { slog.Info(\"m\", \"err\", err, \"message_id\", 1) }\n\nvar _ = f", "", ""},
	{"internal/a", "func Exported() {}", "revive", "should have comment"},
	{"internal/a", "var _ = \"" + strings.Repeat("long ", 30) + "\"", "lll", "exceeds the maximum of 140"},
	{"internal/a", "// Exported has no full stop\nfunc Exported() {}", "godot", "end in a period"},
	{"internal/a", "// Exported is what was recieved.\nfunc Exported() {}", "misspell", "received"}, //nolint:misspell // on purpose
}

// Each rule of .golangci.yml objects to what breaks it, and to nothing else:
// a module of small files is linted with the repository's configuration.
func TestLinterObjects(t *testing.T) {
	t.Parallel()
	lint := linter(t)
	dir := t.TempDir()
	write := func(path, content string) {
		path = filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	mod := "module " + module + "\n\ngo 1.26\n"
	stubs := map[string]bool{} // of packages that the files import; in folders of their own there are no cycles
	for i, w := range walls {
		path := fmt.Sprintf("wall%d/%s", i, w.folder)
		write(path+"/file.go", fmt.Sprintf("// Package %s is one wall.\npackage %[1]s\n\n%s\n", filepath.Base(w.folder), w.source))
		imported, isImport := strings.CutPrefix(w.source, "import _ ")
		if imported = strings.Trim(imported, `"`); !isImport || imported == "database/sql" || stubs[imported] {
			continue
		}
		stubs[imported] = true
		at, own := strings.CutPrefix(imported, module+"/")
		if !own {
			at = "stubs/" + imported
			mod += fmt.Sprintf("\nrequire %s v0.0.0\n\nreplace %[1]s => ./%s\n", imported, at)
			write(at+"/go.mod", "module "+imported+"\n\ngo 1.26\n")
		}
		write(at+"/stub.go", fmt.Sprintf("// Package %s is imported by walls.\npackage %[1]s\n", filepath.Base(imported)))
	}
	write("go.mod", mod)
	config, err := filepath.Abs(filepath.Join(root, ".golangci.yml"))
	if err != nil {
		t.Fatal(err)
	}
	found := issues(t, lint, dir, config)
	for i, w := range walls {
		path := fmt.Sprintf("wall%d/%s/file.go", i, w.folder)
		objections := found[path]
		switch {
		case w.linter == "" && objections != "":
			t.Errorf("%s with %q is fine, but a linter objects:\n%s", w.folder, w.source, objections)
		case w.linter != "" && !strings.Contains(objections, w.linter+": ") || !strings.Contains(objections, w.text):
			t.Errorf("%s with %q: %s does not object with %q, only:\n%s", w.folder, w.source, w.linter, w.text, objections)
		}
	}
}

// linter is the path of golangci-lint. Where all other programs must be there
// it must be, too.
func linter(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("the linter takes seconds")
	}
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOPATH").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{filepath.Join(strings.TrimSpace(string(out)), "bin", "golangci-lint"), "golangci-lint"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("POSTINO_PEERS") != "" {
		t.Fatal("golangci-lint is not installed: make lint installs it")
	}
	t.Skip("golangci-lint is not installed: make lint installs it")
	return ""
}

// issues lints the module in dir and returns what is objected to in each file.
func issues(t *testing.T, lint, dir, config string) map[string]string {
	t.Helper()
	c := exec.CommandContext(context.WithoutCancel(t.Context()), lint, "run", "--config", config, "--allow-parallel-runners",
		"--issues-exit-code", "0", "--max-same-issues", "0", "--max-issues-per-linter", "0", "--show-stats=false",
		"--path-mode", "abs", "--output.json.path", "stdout", "./...")
	c.Dir = dir
	c.Env = append(os.Environ(), "GOLANGCI_LINT_CACHE="+filepath.Join(dir, ".cache"), "GOFLAGS=-mod=mod", "GOWORK=off")
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("golangci-lint: %v\n%s", err, stderr.String())
	}
	var report struct {
		Issues []struct {
			FromLinter, Text string
			Pos              struct{ Filename string }
		}
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	found := map[string]string{}
	for _, issue := range report.Issues {
		path, err := filepath.Rel(dir, issue.Pos.Filename)
		if err != nil {
			t.Fatal(err)
		}
		found[filepath.ToSlash(path)] += issue.FromLinter + ": " + issue.Text + "\n"
	}
	return found
}
