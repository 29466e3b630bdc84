package commandline

import (
	"cmp"
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

//go:embed shells
var shells embed.FS

// Script returns the script that has a shell complete the words of postino's
// command line. It asks the program itself (Complete), so it need not change
// with the program.
func Script(shell string) (string, error) {
	b, err := shells.ReadFile("shells/postino." + shell)
	if err != nil {
		return "", fmt.Errorf("no completion for the shell %q", shell)
	}
	return string(b), nil
}

// A Candidate is a word that may stand next, and what it is.
type Candidate struct{ Word, Help string }

// Complete returns what may stand in place of the last of words, which follow the
// program's name, sorted; files says that a name of a file or folder may too.
func Complete(root *kong.Node, words []string) (candidates []Candidate, files bool) {
	words = joinEquals(words)
	if len(words) == 0 {
		words = []string{""}
	}
	last, words := words[len(words)-1], words[:len(words)-1]
	node, position := root, 0
	var value *kong.Flag // its value stands next
	for i, w := range words {
		switch {
		case value != nil:
			value = nil
		case w == "--":
			return nil, true
		case strings.HasPrefix(w, "-"):
			if !strings.Contains(w, "=") {
				if f := flagNamed(node, w); f != nil && !f.IsBool() {
					value = f
				}
			}
		default:
			if child := childNamed(node, w); child != nil {
				node, position = child, 0
			} else {
				position++
			}
		}
		if node.Passthrough || i > 10_000 {
			return nil, true
		}
	}
	if name, start, ok := strings.Cut(last, "="); ok && strings.HasPrefix(name, "--") {
		if f := flagNamed(node, name); f != nil {
			candidates, files = values(f.Value, start)
			for i := range candidates {
				candidates[i].Word = name + "=" + candidates[i].Word
			}
		}
		return candidates, files
	}
	switch {
	case value != nil:
		return values(value.Value, last)
	case strings.HasPrefix(last, "-"):
		return flags(node, last), false
	case len(node.Children) > 0:
		return commands(node, last), false
	case len(node.Positional) > 0:
		return values(node.Positional[min(position, len(node.Positional)-1)], last)
	}
	return nil, false
}

// joinEquals puts together --flag = value, which bash takes apart.
func joinEquals(words []string) []string {
	var out []string
	for i := 0; i < len(words); i++ {
		if n := len(out); words[i] == "=" && n > 0 && strings.HasPrefix(out[n-1], "--") {
			out[n-1] += "="
			if i+1 < len(words) {
				i++
				out[n-1] += words[i]
			}
			continue
		}
		out = append(out, words[i])
	}
	return out
}

func flagNamed(n *kong.Node, w string) *kong.Flag {
	for _, group := range n.AllFlags(false) {
		for _, f := range group {
			if "--"+f.Name == w || f.Short != 0 && "-"+string(f.Short) == w {
				return f
			}
		}
	}
	return nil
}

func childNamed(n *kong.Node, w string) *kong.Node {
	for _, c := range n.Children {
		if c.Name == w || slices.Contains(c.Aliases, w) {
			return c
		}
	}
	return nil
}

func commands(n *kong.Node, start string) (out []Candidate) {
	for _, c := range n.Children {
		if !c.Hidden && strings.HasPrefix(c.Name, start) {
			out = append(out, Candidate{c.Name, c.Help})
		}
	}
	return sorted(out)
}

func flags(n *kong.Node, start string) (out []Candidate) {
	for _, group := range n.AllFlags(true) {
		for _, f := range group {
			if strings.HasPrefix("--"+f.Name, start) {
				out = append(out, Candidate{"--" + f.Name, f.Help})
			}
		}
	}
	return sorted(out)
}

// values are the words that a flag or an argument may have.
func values(v *kong.Value, start string) (out []Candidate, files bool) {
	if v.Enum != "" {
		for _, w := range v.EnumSlice() {
			if strings.HasPrefix(w, start) {
				out = append(out, Candidate{w, ""})
			}
		}
		return sorted(out), false
	}
	holder := strings.ToUpper(v.Tag.PlaceHolder)
	return nil, strings.Contains(holder, "FILE") || strings.Contains(holder, "DIR") || strings.Contains(v.Tag.Type, "path") ||
		strings.HasPrefix(v.Tag.Type, "existing")
}

func sorted(c []Candidate) []Candidate {
	slices.SortFunc(c, func(a, b Candidate) int { return cmp.Compare(a.Word, b.Word) })
	return c
}
