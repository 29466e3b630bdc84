package store_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/scanner"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// alike is up to which part two functions of one name may be the same in both
// drivers: what is more belongs into the engine.
const alike = 0.6

// small is how many tokens a function may have that only passes something on.
const small = 40

// TestDriversShareNoFunctions compares the functions that have one name in both
// drivers.
func TestDriversShareNoFunctions(t *testing.T) {
	t.Parallel()
	one, other := functions(t, "sqlite"), functions(t, "postgres")
	for _, name := range slices.Sorted(maps.Keys(one)) {
		a, b := one[name], other[name]
		if b == nil || min(len(a), len(b)) < small {
			continue
		}
		if s := similarity(a, b); s > alike {
			t.Errorf("%s stands in both drivers (%d and %d tokens) and is %.0f %% the same, more than %.0f: move it into internal/store/engine",
				name, len(a), len(b), 100*s, 100*alike)
		}
	}
}

// functions are the token lists of the functions of a package, by receiver and
// name.
func functions(t *testing.T, dir string) map[string][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", dir, err)
	}
	out := map[string][]string{}
	fset := token.NewFileSet()
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			key := fn.Name.Name
			if fn.Recv != nil {
				key = fmt.Sprintf("%s.%s", receiver(fn.Recv.List[0].Type), key)
			}
			fn.Doc = nil
			var b bytes.Buffer
			if err := format.Node(&b, fset, fn); err != nil {
				t.Fatal(err)
			}
			out[key] = tokens(b.Bytes())
		}
	}
	return out
}

func receiver(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.StarExpr:
		return receiver(x.X)
	case *ast.IndexExpr:
		return receiver(x.X)
	case *ast.Ident:
		return x.Name
	}
	return "?"
}

// tokens are what a compiler sees; the words of a string, which may be SQL,
// count one by one, and the numbers of placeholders do not.
func tokens(src []byte) (out []string) {
	fset := token.NewFileSet()
	var s scanner.Scanner
	s.Init(fset.AddFile("", fset.Base(), len(src)), src, nil, 0)
	for {
		_, tok, lit := s.Scan()
		switch {
		case tok == token.EOF:
			return out
		case tok == token.STRING:
			for w := range strings.FieldsSeq(lit) {
				out = append(out, strings.TrimRight(strings.ReplaceAll(w, "$", "?"), "0123456789"))
			}
		case lit != "" && tok != token.SEMICOLON:
			out = append(out, lit)
		default:
			out = append(out, tok.String())
		}
	}
}

// similarity is twice the longest common subsequence over both lengths.
func similarity(a, b []string) float64 {
	prev, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for _, x := range a {
		for j, y := range b {
			if x == y {
				row[j+1] = prev[j] + 1
			} else {
				row[j+1] = max(prev[j+1], row[j])
			}
		}
		prev, row = row, prev
	}
	return 2 * float64(prev[len(b)]) / float64(len(a)+len(b))
}
