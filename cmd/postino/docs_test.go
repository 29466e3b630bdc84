package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// guides are the pages for people, in both languages, with README.md.
func guides(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, pattern := range []string{"README.md", "docs/*.md", "docs/it/*.md", "docs/monitoring/README*.md"} {
		files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(pattern)))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", pattern, files, err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			out[filepath.ToSlash(file)] = string(b)
		}
	}
	return out
}

// Every command of postino that a guide shows exists, and so do its flags.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	p, err := kong.New(new(commands), kong.Name("postino"))
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	for file, page := range guides(t) {
		for _, line := range shownCommands(page) {
			shown++
			if wrong := wrongCommand(p.Model.Node, line); wrong != "" {
				t.Errorf("%s: postino %s: %s", file, line, wrong)
			}
		}
	}
	if shown < 140 {
		t.Errorf("only %d commands were found", shown)
	}
}

func TestWrongCommand(t *testing.T) {
	t.Parallel()
	p, err := kong.New(new(commands), kong.Name("postino"))
	if err != nil {
		t.Fatal(err)
	}
	for line, ok := range map[string]bool{
		"queue list --state held --since 24h": true, "--lang it queue list": true, "queue": true, "--version": true, "sendmail -t -i": true,
		"connection edit NAME --set=smtp.port=25": true, "connection": true, "connection default [NAME]": true,
		"queues list": false, "queue lst": false, "queue list --stat held": false, "connection add --sekret x": false, "vault": true,
	} {
		if wrong := wrongCommand(p.Model.Node, line); (wrong == "") != ok {
			t.Errorf("postino %s: %q", line, wrong)
		}
	}
	got := shownCommands("a `postino queue list` b `x` and\n```\n$ sudo -u postino postino setup --again   # why\n" +
		"X=1 postino a | postino b > c\npostino c \\\n  --d\nopt/postino.db\n```\n```json\n{\"postino e\"}\n```\n")
	if want := []string{"queue list", "setup --again", "a", "b", "c --d"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

var (
	span       = regexp.MustCompile("`([^`\n]+)`")
	invocation = regexp.MustCompile(`(?:^|^\$ |[|&(] *|^[A-Z_]+=\S* +|sudo +|exec +)(?:\./|/)?postino +([a-z-][^|;&>#)]*)`)
	account    = regexp.MustCompile(`-u postino +(?:-- +)?`)
)

// shownCommands are the arguments of postino in the code of a page: in spans, and in
// blocks for a shell.
func shownCommands(page string) (out []string) {
	add := func(code string) {
		code = account.ReplaceAllString(code, "")
		for _, m := range invocation.FindAllStringSubmatch(code, -1) {
			out = append(out, strings.TrimSpace(m[1]))
		}
	}
	fence, shell, goesOn := false, false, ""
	for line := range strings.Lines(page) {
		line = strings.TrimRight(line, "\n")
		if language, ok := strings.CutPrefix(strings.TrimSpace(line), "```"); ok {
			fence, shell = !fence, slices.Contains([]string{"", "sh", "console"}, language)
			continue
		}
		switch {
		case fence && shell:
			line = goesOn + strings.TrimSpace(line)
			if goesOn = ""; strings.HasSuffix(line, `\`) {
				goesOn = strings.TrimSuffix(line, `\`)
				continue
			}
			add(strings.Join(strings.Fields(line), " "))
		case !fence:
			for _, m := range span.FindAllStringSubmatch(line, -1) {
				if strings.HasPrefix(m[1], "postino ") || strings.HasPrefix(m[1], "sudo ") {
					add(m[1])
				}
			}
		}
	}
	return out
}

// wrongCommand says what of a command line does not exist; "" is nothing. Values are
// not looked at.
func wrongCommand(n *kong.Node, line string) string {
	value := false
	for _, word := range strings.Fields(line) {
		word = strings.Trim(word, `[]"',.`)
		if value {
			value = false
			continue
		}
		switch name, flag := strings.CutPrefix(word, "--"); {
		case word == "" || n.Name == "sendmail":
		case flag && name == "":
			return ""
		case flag:
			name, _, given := strings.Cut(name, "=")
			f := findFlag(n, name)
			if f == nil && name != "help" && name != "version" {
				return "there is no flag --" + name
			}
			value = f != nil && !f.IsBool() && !given
		case strings.HasPrefix(word, "-") || len(n.Children) == 0:
		default:
			i := slices.IndexFunc(n.Children, func(c *kong.Node) bool { return c.Name == word || slices.Contains(c.Aliases, word) })
			if i < 0 {
				return "there is no command " + word
			}
			n = n.Children[i]
		}
	}
	return ""
}

func findFlag(n *kong.Node, name string) *kong.Flag {
	for ; n != nil; n = n.Parent {
		if i := slices.IndexFunc(n.Flags, func(f *kong.Flag) bool { return f.Name == name }); i >= 0 {
			return n.Flags[i]
		}
	}
	return nil
}
