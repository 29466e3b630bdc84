package repotest

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/build"
	"go/doc"
	"go/format"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "accept the public API as it is: write testdata/api")

// What the public library promises changes on purpose only: testdata/api has
// the exported declarations of each public package as "go doc -all" shows
// them, without the prose. A change of a line there is a change for users: it
// belongs into CHANGELOG.md.
func TestPublicAPI(t *testing.T) {
	t.Parallel()
	golden := filepath.Join(root, "testdata", "api")
	got := map[string]string{}
	for _, dir := range publicPackages(t) {
		got[strings.ReplaceAll(dir, "/", "-")+".txt"] = publicAPI(t, dir)
	}
	if *update {
		if err := os.RemoveAll(golden); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(golden, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range got {
			if err := os.WriteFile(filepath.Join(golden, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	const how = "; if that is meant: make api, and a line in CHANGELOG.md"
	for _, name := range slices.Sorted(maps.Keys(got)) {
		want, err := os.ReadFile(filepath.Join(golden, name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			t.Errorf("a new public package: testdata/api/%s is missing%s", name, how)
		case err != nil:
			t.Fatal(err)
		case string(want) != got[name]:
			t.Errorf("testdata/api/%s: the public API has changed%s\n%s", name, how, changedLines(string(want), got[name]))
		}
	}
	entries, err := os.ReadDir(golden)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if _, ok := got[e.Name()]; !ok {
			t.Errorf("testdata/api/%s: the public package has gone%s", e.Name(), how)
		}
	}
}

// publicPackages are the folders that other modules can import.
func publicPackages(t *testing.T) []string {
	dirs := map[string]bool{}
	for _, file := range goFiles(t) {
		dir := path.Dir(file)
		hidden := slices.ContainsFunc(strings.Split(dir, "/"), func(part string) bool {
			return part == "internal" || part == "cmd" || part == "testdata"
		})
		if !hidden && !strings.HasSuffix(file, "_test.go") {
			dirs[dir] = true
		}
	}
	return slices.Sorted(maps.Keys(dirs))
}

// publicAPI renders the exported declarations of a package on Linux.
func publicAPI(t *testing.T, dir string) string {
	t.Helper()
	on := build.Default
	on.GOOS, on.GOARCH, on.CgoEnabled = "linux", "amd64", false
	found, err := on.ImportDir(filepath.Join(root, filepath.FromSlash(dir)), 0)
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range found.GoFiles {
		files = append(files, parse(t, fset, path.Join(dir, name)))
	}
	pkg, err := doc.NewFromFiles(fset, files, module+"/"+dir)
	if err != nil {
		t.Fatal(err)
	}
	// Whoever uses the library has not got the rows of docs/providers.md at hand: those
	// stand in the code that follows them.
	uncited := func(doc *ast.CommentGroup) {
		if text := doc.Text(); citation.MatchString(text) || alone.MatchString(text) {
			t.Errorf("%s: go doc shows a row of docs/providers.md: cite it in the code", fset.Position(doc.Pos()))
		}
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "package %s // import %q\n", pkg.Name, pkg.ImportPath)
	show := func(decl ast.Decl) {
		silence(decl, uncited)
		var text bytes.Buffer
		if err := format.Node(&text, fset, decl); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "\n%s\n", strings.TrimSpace(compact(t, text.String())))
	}
	values := func(list []*doc.Value) {
		for _, v := range list {
			show(v.Decl)
		}
	}
	funcs := func(list []*doc.Func) {
		for _, f := range list {
			show(f.Decl)
		}
	}
	values(pkg.Consts)
	values(pkg.Vars)
	funcs(pkg.Funcs)
	for _, typ := range pkg.Types {
		show(typ.Decl)
		values(typ.Consts)
		values(typ.Vars)
		funcs(typ.Funcs)
		funcs(typ.Methods)
	}
	return out.String()
}

// silence removes comments, which seen is shown, and the bodies of functions: a golden file with
// prose would change with every sentence.
func silence(decl ast.Decl, seen func(*ast.CommentGroup)) {
	drop := func(docs ...**ast.CommentGroup) {
		for _, doc := range docs {
			if *doc != nil {
				seen(*doc)
				*doc = nil
			}
		}
	}
	ast.Inspect(decl, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			drop(&n.Doc)
			n.Body = nil
		case *ast.GenDecl:
			drop(&n.Doc)
		case *ast.Field:
			drop(&n.Doc, &n.Comment)
		case *ast.TypeSpec:
			drop(&n.Doc, &n.Comment)
		case *ast.ValueSpec:
			drop(&n.Doc, &n.Comment)
		}
		return true
	})
}

// compact drops empty lines, which are where comments were, and aligns again.
func compact(t *testing.T, decl string) string {
	t.Helper()
	lines := slices.DeleteFunc(strings.Split(decl, "\n"), func(l string) bool { return strings.TrimSpace(l) == "" })
	text, err := format.Source([]byte(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// changedLines are the lines that only one of two texts has.
func changedLines(before, after string) string {
	old, now := strings.Split(before, "\n"), strings.Split(after, "\n")
	var out strings.Builder
	for _, line := range old {
		if !slices.Contains(now, line) {
			fmt.Fprintf(&out, "- %s\n", line)
		}
	}
	for _, line := range now {
		if !slices.Contains(old, line) {
			fmt.Fprintf(&out, "+ %s\n", line)
		}
	}
	return out.String()
}
