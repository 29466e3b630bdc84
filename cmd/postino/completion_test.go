package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCompletionInShells runs the scripts in the shells themselves. zsh's own
// completion needs a terminal, so what it is told is printed in its place.
func TestCompletionInShells(t *testing.T) {
	t.Parallel()
	peers := os.Getenv("POSTINO_PEERS") != ""
	if !peers {
		t.Skip("needs bash, fish, zsh and mandoc: set POSTINO_PEERS=1")
	}
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "postino"), ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "ufficio.json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const zsh = `compdef() { :; }; source <(postino completion zsh); _files() { print FILES; }; ` +
		`_describe() { shift 2; print -l "${(@P)2}"; }; `
	for _, c := range []struct{ shell, script, want, not string }{
		{"bash", `source <(postino completion bash); COMP_WORDS=(postino conne); COMP_CWORD=1; _postino; echo "${COMPREPLY[@]}"`,
			"connection", "queue"},
		{"bash", `source <(postino completion bash); COMP_WORDS=(postino connection default x --mode = un); COMP_CWORD=6; _postino
			echo "${COMPREPLY[@]}"`, "unrouted", "--mode"},
		{"bash", `source <(postino completion bash); COMP_WORDS=(postino connection add --file uff); COMP_CWORD=4; _postino
			echo "${COMPREPLY[@]}"`, "ufficio.json", ":files"},
		{"fish", `postino completion fish | source; complete -C "postino conne"`, "connection\tGestisce le connessioni.", "queue"},
		{"fish", `postino completion fish | source; complete -C "postino connection add --file uff"`, "ufficio.json", ":files"},
		{"fish", `postino completion fish | source; complete -C "postino connection default x --mode "`, "always", "--mode"},
		{"zsh", zsh + `words=(postino conne); CURRENT=2; _postino`, "connection:Gestisce le connessioni.", "queue"},
		{"zsh", zsh + `words=(postino connection add --file ""); CURRENT=5; _postino`, "FILES", ":files"},
	} {
		cmd := exec.CommandContext(t.Context(), c.shell, "-c", c.script)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "LC_ALL=it_IT.UTF-8", "HOME="+dir)
		out, err := cmd.CombinedOutput()
		if s := string(out); err != nil || !strings.Contains(s, c.want) || strings.Contains(s, c.not) {
			t.Errorf("%s: %s\n%v, %q; want %q without %q", c.shell, c.script, err, s, c.want, c.not)
		}
	}
	for _, lang := range []string{"en", "it"} {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", filepath.Join(dir, "postino")+` --lang `+lang+` manual | mandoc -T lint -W error`)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("the manual page in %s: %v\n%s", lang, err, out)
		}
	}
}
