package repotest

import (
	"go/ast"
	"go/token"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// exported is a name that a package of internal/ shows to others.
type exported struct {
	name     string // Name or Type.Method
	position string
	typ      bool
	mentions []string // exported names that its declaration needs
}

// Within internal/ nothing is exported for no one: each function, type, method
// and variable is used by another package (the external tests of its own are
// one), or stands in the declaration of one that is. Not looked at: values that
// a group of constants lists, errors that errors.Is finds, and the types of
// internal/api, which are the schemas of /openapi.json.
func TestExportedNamesAreUsed(t *testing.T) {
	t.Parallel()
	fset := token.NewFileSet()
	shown := map[string][]exported{} // by folder
	used := map[string]bool{}        // folder.Name that another package uses
	methods := map[string]string{}   // selected names and methods of interfaces: the one package, or "" for several
	selected := func(name, dir string) {
		if by, seen := methods[name]; seen && by != dir {
			dir = ""
		}
		methods[name] = dir
	}
	for _, file := range goFiles(t) {
		dir, f := path.Dir(file), parse(t, fset, file)
		imports := map[string]string{} // local name: folder
		for _, i := range f.Imports {
			p, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			folder, ours := strings.CutPrefix(p, module+"/")
			if !ours {
				continue
			}
			name := path.Base(folder)
			if i.Name != nil {
				name = i.Name.Name
			}
			imports[name] = folder
		}
		from := dir
		if strings.HasSuffix(f.Name.Name, "_test") {
			from += "_test"
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && imports[x.Name] != "" {
					used[imports[x.Name]+"."+n.Sel.Name] = true
				}
				selected(n.Sel.Name, from)
			case *ast.InterfaceType:
				for _, m := range n.Methods.List {
					for _, name := range m.Names {
						selected(name.Name, "")
					}
				}
			}
			return true
		})
		if strings.HasPrefix(dir, "internal/") && !strings.HasSuffix(file, "_test.go") {
			shown[dir] = append(shown[dir], exports(fset, f)...)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(shown)) {
		names := map[string]exported{}
		for _, e := range shown[dir] {
			names[e.name] = e
		}
		reached := map[string]bool{}
		var reach func(string)
		reach = func(name string) {
			e, ok := names[name]
			if !ok || reached[name] {
				return
			}
			reached[name] = true
			for _, m := range e.mentions {
				reach(m)
			}
		}
		for name, e := range names {
			if used[dir+"."+name] || dir == "internal/api" && e.typ {
				reach(name)
			}
		}
		for changed := true; changed; {
			before := len(reached)
			for name := range names {
				typ, method, ok := strings.Cut(name, ".")
				if by, seen := methods[method]; ok && reached[typ] && (seen && by != dir || standardMethods[method]) {
					reach(name)
				}
			}
			changed = len(reached) > before
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			if !reached[name] {
				t.Errorf("%s: %s is exported, and no other package uses it", names[name].position, name)
			}
		}
	}
}

// standardMethods are called by the standard library through interfaces of its own.
var standardMethods = map[string]bool{
	"Error": true, "Is": true, "MarshalJSON": true, "MarshalText": true, "String": true, "Unwrap": true,
	"UnmarshalJSON": true, "UnmarshalText": true,
}

func exports(fset *token.FileSet, f *ast.File) (out []exported) {
	add := func(name *ast.Ident, prefix string, nodes ...ast.Node) {
		e := exported{name: prefix + name.Name, position: fset.Position(name.Pos()).String()}
		for _, n := range nodes {
			e.mentions = append(e.mentions, mentioned(n)...)
		}
		out = append(out, e)
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			prefix := ""
			if d.Recv != nil {
				if prefix = receiverName(d.Recv.List[0].Type); !ast.IsExported(prefix) {
					continue
				}
				prefix += "."
			}
			if d.Name.IsExported() {
				add(d.Name, prefix, d.Type)
			}
		case *ast.GenDecl:
			if d.Tok == token.CONST && len(d.Specs) > 1 {
				continue
			}
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					if s.Name.IsExported() {
						add(s.Name, "", s.Type)
						out[len(out)-1].typ = true
					}
				case *ast.ValueSpec:
					for _, name := range s.Names {
						if name.IsExported() && !strings.HasPrefix(name.Name, "Err") {
							add(name, "")
						}
					}
				}
			}
		}
	}
	return out
}

func mentioned(n ast.Node) (out []string) {
	ast.Inspect(n, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && id.IsExported() {
			out = append(out, id.Name)
		}
		return true
	})
	return out
}

func receiverName(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.StarExpr:
		return receiverName(x.X)
	case *ast.IndexExpr:
		return receiverName(x.X)
	case *ast.Ident:
		return x.Name
	}
	return ""
}
