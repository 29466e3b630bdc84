package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/postino-mail/postino/internal/commandline"
)

// TestEveryWordIsCompletedAndDescribed walks the tree of commands: each command and each
// flag that is not hidden is offered where it may stand, by what the scripts of all
// shells ask, and stands in the manual page below its command.
func TestEveryWordIsCompletedAndDescribed(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		script, err := commandline.Script(shell)
		if err != nil || !strings.Contains(script, "completion candidates --") {
			t.Errorf("the script for %s does not ask for candidates: %v", shell, err)
		}
	}
	parser, err := kong.New(new(commands), kong.Name("postino"))
	if err != nil {
		t.Fatal(err)
	}
	root := parser.Model.Node
	page := strings.ReplaceAll(commandline.Manual(root, "en", "1"), `\-`, "-")
	top, _, _ := strings.Cut(page, "\n.SS ")
	for _, f := range root.Flags {
		if !f.Hidden && !strings.Contains(top, "--"+f.Name) {
			t.Errorf("the manual has no --%s before the commands", f.Name)
		}
	}
	found := 0
	offered := func(words ...string) (out []string) {
		candidates, _ := commandline.Complete(root, words)
		for _, c := range candidates {
			out = append(out, c.Word)
		}
		return out
	}
	var walk func(n *kong.Node, path []string)
	walk = func(n *kong.Node, path []string) {
		flags := offered(append(slices.Clone(path), "--")...)
		for parent := n; parent != nil && !n.Passthrough; parent = parent.Parent {
			for _, f := range parent.Flags {
				if found++; !f.Hidden && !slices.Contains(flags, "--"+f.Name) {
					t.Errorf("postino %s: --%s is not offered", strings.Join(path, " "), f.Name)
				}
			}
		}
		below := offered(append(slices.Clone(path), "")...)
		if len(n.Children) == 0 {
			section := sectionOf(page, strings.Join(path, " "))
			if section == "" {
				t.Errorf("the manual has no postino %s", strings.Join(path, " "))
			}
			for parent := n; parent != root; parent = parent.Parent {
				for _, f := range parent.Flags {
					if !f.Hidden && !strings.Contains(section, "--"+f.Name) {
						t.Errorf("the manual has no --%s below postino %s", f.Name, strings.Join(path, " "))
					}
				}
			}
		}
		for _, c := range n.Children {
			if c.Hidden {
				continue
			}
			if found++; !slices.Contains(below, c.Name) {
				t.Errorf("postino %s: %s is not offered", strings.Join(path, " "), c.Name)
			}
			walk(c, append(slices.Clone(path), c.Name))
		}
	}
	walk(root, nil)
	if found < 300 {
		t.Errorf("the tree has %d words: it was not walked", found)
	}
}

// sectionOf is what the manual page has of a command.
func sectionOf(page, command string) string {
	for section := range strings.SplitSeq(page, "\n.SS ") {
		line, _, _ := strings.Cut(section, "\n")
		if words, ok := strings.CutPrefix(line, "postino "+command); ok && (words == "" || words[0] == ' ') {
			return section
		}
	}
	return ""
}
