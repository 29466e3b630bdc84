package locale

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template/parse"
)

// templateFunctions are those of templates that make a text: mime.NewText by its
// code, and mime.NewCount.
var templateFunctions = map[string]int{"t": 1, "count": 2}

// collectTemplates adds the texts of the HTML templates under root.
func collectTemplates(t *testing.T, root string, found map[string]message) []string {
	t.Helper()
	c := &templateCollector{found: found}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") && path != root):
			return fs.SkipDir
		case d.IsDir() || filepath.Base(filepath.Dir(path)) != "templates" || !strings.HasSuffix(path, ".html"):
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		c.read(path, string(src))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(c.faults)
	return c.faults
}

type templateCollector struct {
	tree   *parse.Tree
	found  map[string]message
	faults []string
}

// read collects from one file.
func (c *templateCollector) read(path, src string) {
	top := parse.New(path)
	top.Mode = parse.SkipFuncCheck
	trees := map[string]*parse.Tree{}
	if _, err := top.Parse(src, "", "", trees); err != nil {
		c.faults = append(c.faults, err.Error())
		return
	}
	for _, tree := range trees {
		if tree.Root != nil {
			c.tree = tree
			c.walk(tree.Root)
		}
	}
}

func (c *templateCollector) fault(n parse.Node, what string) {
	at, _ := c.tree.ErrorContext(n)
	c.faults = append(c.faults, at+": "+what)
}

// walk looks at a node and what is in it.
func (c *templateCollector) walk(n parse.Node) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, x := range n.Nodes {
				c.walk(x)
			}
		}
	case *parse.ActionNode:
		c.walk(n.Pipe)
	case *parse.TemplateNode:
		if n.Pipe != nil {
			c.walk(n.Pipe)
		}
	case *parse.IfNode:
		c.branch(&n.BranchNode)
	case *parse.RangeNode:
		c.branch(&n.BranchNode)
	case *parse.WithNode:
		c.branch(&n.BranchNode)
	case *parse.PipeNode:
		for _, cmd := range n.Cmds {
			c.command(cmd)
		}
	case *parse.ChainNode:
		c.walk(n.Node)
	}
}

func (c *templateCollector) branch(n *parse.BranchNode) {
	c.walk(n.Pipe)
	c.walk(n.List)
	if n.ElseList != nil {
		c.walk(n.ElseList)
	}
}

// command collects one call: code, [count,] forms..., name, value, ...
func (c *templateCollector) command(n *parse.CommandNode) {
	for _, a := range n.Args {
		c.walk(a)
	}
	name, ok := n.Args[0].(*parse.IdentifierNode)
	if !ok || templateFunctions[name.Ident] == 0 {
		return
	}
	forms, args := templateFunctions[name.Ident], n.Args[1:]
	literal := func() (string, bool) {
		if len(args) == 0 {
			return "", false
		}
		s, ok := args[0].(*parse.StringNode)
		args = args[1:]
		if !ok {
			return "", false
		}
		return s.Text, true
	}
	code, ok := literal()
	if !ok || !isCode(code) {
		c.fault(n, "the code is no constant such as \"web.people\"")
		return
	}
	given := map[string]bool{}
	if forms == 2 && len(args) > 0 {
		args, given["count"] = args[1:], true
	}
	at, _ := c.tree.ErrorContext(n)
	m := message{at: at}
	for range forms {
		english, ok := literal()
		if !ok || english == "" {
			c.fault(n, "the English of "+code+" is no constant")
			return
		}
		m.forms = append(m.forms, english)
	}
	used := map[string]bool{}
	for _, form := range m.forms {
		for _, p := range placeholdersOf(form) {
			used[p] = true
		}
	}
	if len(args)%2 != 0 {
		c.fault(n, code+" has an argument without a value or a name")
		return
	}
	for len(args) > 0 {
		name, ok := literal()
		if !ok || !used[name] || given[name] {
			c.fault(n, code+" has no place for an argument, or has it twice")
		}
		given[name] = true
		args = args[1:]
	}
	for p := range used {
		if !given[p] {
			c.fault(n, code+" lacks the argument "+p)
		}
	}
	if old, ok := c.found[code]; ok && !slices.Equal(old.forms, m.forms) {
		c.fault(n, code+" says something else at "+old.at)
		return
	}
	c.found[code] = m
}

// TestTemplateCollector reads a template with every way of calling the functions.
func TestTemplateCollector(t *testing.T) {
	t.Parallel()
	c := &templateCollector{found: map[string]message{}}
	c.read("a.html", `{{define "x"}}{{if .A}}{{t "web.a" "A {n}" "n" .N}}{{else}}{{template "y" args "Text" (t "web.b" "B")}}{{end}}
{{range .L}}{{with .X}}{{count "web.c" (len .) "one" "{count} many"}}{{end}}{{end}}<a title="{{t "web.d" "D"}}"></a>{{end}}`)
	var codes []string
	for code := range c.found {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	if got := strings.Join(codes, " "); got != "web.a web.b web.c web.d" || len(c.faults) != 0 {
		t.Errorf("%s, faults %q", got, c.faults)
	}
	for _, bad := range []string{`{{t .Code "A"}}`, `{{t "web" "A"}}`, `{{t "web.a" .English}}`, `{{t "web.a" "A" "n" 1}}`,
		`{{t "web.a" "A {n}"}}`,
		`{{t "web.a" "A {n}" "n"}}`, `{{count "web.a" 1 "one"}}`, `{{t "web.a" "A"}}{{t "web.a" "B"}}`} {
		c := &templateCollector{found: map[string]message{}}
		if c.read("bad.html", bad); len(c.faults) != 1 {
			t.Errorf("%s: faults %q", bad, c.faults)
		}
	}
}
