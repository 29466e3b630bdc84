package locale

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// constructors are the functions of mime that make a text, with the number of
// English forms. A function of the module that only passes its arguments on to
// one of them is found and counts as well.
var constructors = map[string]int{"NewText": 1, "NewCount": 2}

// A message is one text of the sources.
type message struct {
	forms []string // other, or one and other
	at    string   // where it was found first
}

// collect returns the texts of every Go file under root by code, and what is
// wrong with a call.
func collect(t *testing.T, root string) (map[string]message, []string) {
	t.Helper()
	packages := make(map[string][]*ast.File)
	set := token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != root):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(set, path, src, parser.SkipObjectResolution)
		if err == nil {
			packages[filepath.Dir(path)] = append(packages[filepath.Dir(path)], f)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	c := &collector{set: set, found: make(map[string]message)}
	for dir, files := range packages {
		c.walk(dir == filepath.Join(root, "mime"), files)
		if dir == filepath.Join(root, "cmd", "postino") {
			c.help(files)
		}
	}
	slices.Sort(c.faults)
	return c.found, c.faults
}

type collector struct {
	set    *token.FileSet
	found  map[string]message
	faults []string
}

func (c *collector) fault(at token.Pos, format string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf("%s: %s", c.set.Position(at), fmt.Sprintf(format, args...)))
}

// walk collects from one package.
func (c *collector) walk(isMime bool, files []*ast.File) {
	local := make(map[string]int)
	if isMime {
		for name, forms := range constructors {
			local[name] = forms
		}
	}
	later := make(map[string]bool) // arguments that the package adds by With
	passing := make(map[*ast.FuncDecl]bool)
	for _, f := range files {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv != nil {
				continue
			}
			if isMime && constructors[fn.Name.Name] > 0 {
				passing[fn] = true
			} else if forms := passesOn(fn, local); forms > 0 {
				local[fn.Name.Name], passing[fn] = forms, true
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if s, ok := call.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "With" {
				for i := 0; i < len(call.Args); i += 2 {
					if name, ok := constant(call.Args[i]); ok {
						later[name] = true
					}
				}
			}
			return true
		})
	}
	for _, f := range files {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && passing[fn] {
				continue
			}
			ast.Inspect(d, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					if forms := formsOf(call, local); forms > 0 {
						c.add(call, forms, later)
					}
				}
				return true
			})
		}
	}
}

// formsOf returns how many English forms a call of a constructor has, 0 for another call.
func formsOf(call *ast.CallExpr, local map[string]int) int {
	switch fn := call.Fun.(type) {
	case *ast.Ident:
		return local[fn.Name]
	case *ast.SelectorExpr:
		if p, ok := fn.X.(*ast.Ident); ok && p.Name == "mime" {
			return constructors[fn.Sel.Name]
		}
	}
	return 0
}

// passesOn reports whether a function only passes its arguments on to a constructor.
func passesOn(fn *ast.FuncDecl, local map[string]int) int {
	if fn.Body == nil || len(fn.Body.List) != 1 {
		return 0
	}
	ret, ok := fn.Body.List[0].(*ast.ReturnStmt)
	if !ok || len(ret.Results) != 1 {
		return 0
	}
	call, ok := ret.Results[0].(*ast.CallExpr)
	if !ok {
		return 0
	}
	var names []string
	for _, field := range fn.Type.Params.List {
		for _, n := range field.Names {
			names = append(names, n.Name)
		}
	}
	if len(names) != len(call.Args) {
		return 0
	}
	for i, a := range call.Args {
		if id, ok := a.(*ast.Ident); !ok || id.Name != names[i] {
			return 0
		}
	}
	return formsOf(call, local)
}

// add collects one call: code, [count,] forms..., name, value, ...
func (c *collector) add(call *ast.CallExpr, forms int, later map[string]bool) {
	args := call.Args
	if len(args) == 0 {
		c.fault(call.Pos(), "a text has a code and its English")
		return
	}
	code, ok := constant(args[0])
	if !ok || !isCode(code) {
		c.fault(call.Pos(), "the code is no constant such as \"smtp.login_refused\"")
		return
	}
	args = args[1:]
	given := map[string]bool{}
	if forms == 2 && len(args) > 0 {
		args, given["count"] = args[1:], true
	}
	m := message{at: c.set.Position(call.Pos()).String()}
	for ; len(m.forms) < forms; args = args[1:] {
		if len(args) == 0 {
			c.fault(call.Pos(), "%s lacks its English", code)
			return
		}
		english, ok := constant(args[0])
		if !ok || english == "" {
			c.fault(call.Pos(), "the English of %s is no constant", code)
			return
		}
		m.forms = append(m.forms, english)
	}
	used := make(map[string]bool)
	for _, form := range m.forms {
		for _, p := range placeholdersOf(form) {
			used[p] = true
		}
	}
	if len(args)%2 != 0 {
		c.fault(call.Pos(), "%s has an argument without a value or a name", code)
	}
	for i := 0; i < len(args); i += 2 {
		name, ok := constant(args[i])
		switch {
		case !ok:
			c.fault(call.Pos(), "the name of argument %d of %s is no constant", i/2+1, code)
		case !used[name]:
			c.fault(call.Pos(), "%s has no place for its argument %q", code, name)
		case given[name]:
			c.fault(call.Pos(), "%s has the argument %q twice", code, name)
		}
		given[name] = true
	}
	for p := range used {
		if !given[p] && !later[p] {
			c.fault(call.Pos(), "%s lacks the argument %q", code, p)
		}
	}
	if old, ok := c.found[code]; ok && !slices.Equal(old.forms, m.forms) {
		c.fault(call.Pos(), "%s says something else at %s", code, old.at)
		return
	}
	c.found[code] = m
}

// isCode reports whether code is words of small letters with dots between them, two at least.
func isCode(code string) bool {
	words := strings.Split(code, ".")
	return len(words) > 1 && !slices.Contains(words, "") && strings.Trim(code, "abcdefghijklmnopqrstuvwxyz0123456789_.") == ""
}

// constant returns the value of a string literal, or of several with + between them.
func constant(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil && e.Kind == token.STRING
	case *ast.ParenExpr:
		return constant(e.X)
	case *ast.BinaryExpr:
		x, ok1 := constant(e.X)
		y, ok2 := constant(e.Y)
		return x + y, ok1 && ok2 && e.Op == token.ADD
	}
	return "", false
}
