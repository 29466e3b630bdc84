package locale

import (
	"go/ast"
	"go/token"
	"reflect"
	"strconv"
)

// help collects the texts of the command line's structs: the tag help of a
// command's field goes by the name of its type, that of a flag by the type and
// the field, and what a method Help returns by the type and "more". cmd/postino
// looks them up by the same codes.
func (c *collector) help(files []*ast.File) {
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.TypeSpec:
				if s, ok := n.Type.(*ast.StructType); ok {
					c.helpOfFields(n.Name.Name, s)
				}
			case *ast.FuncDecl:
				if n.Name.Name == "Help" && n.Recv != nil && len(n.Body.List) == 1 {
					c.helpOfMethod(n)
				}
			}
			return true
		})
	}
}

func (c *collector) helpOfFields(owner string, s *ast.StructType) {
	for _, f := range s.Fields.List {
		if f.Tag == nil || len(f.Names) != 1 {
			continue
		}
		raw, err := strconv.Unquote(f.Tag.Value)
		if err != nil {
			continue // the compiler objects
		}
		tag := reflect.StructTag(raw)
		english := tag.Get("help")
		if english == "" {
			continue
		}
		code := HelpCode(owner) + "." + Words(f.Names[0].Name)
		if _, ok := tag.Lookup("cmd"); ok {
			id, ok := f.Type.(*ast.Ident)
			if !ok {
				c.fault(f.Pos(), "a command is a named struct of the package")
				continue
			}
			code = HelpCode(id.Name)
		}
		c.helpText(f.Pos(), code, english)
	}
}

func (c *collector) helpOfMethod(fn *ast.FuncDecl) {
	ret, ok := fn.Body.List[0].(*ast.ReturnStmt)
	id, named := fn.Recv.List[0].Type.(*ast.Ident)
	if !ok || !named || len(ret.Results) != 1 {
		return
	}
	if english, ok := constant(ret.Results[0]); ok {
		c.helpText(fn.Pos(), HelpCode(id.Name)+".more", english)
		return
	}
	c.fault(fn.Pos(), "the examples of %s are no constant", id.Name)
}

func (c *collector) helpText(at token.Pos, code, english string) {
	if old, ok := c.found[code]; ok && old.forms[0] != english {
		c.fault(at, "%s says something else at %s", code, old.at)
		return
	}
	c.found[code] = message{forms: []string{english}, at: c.set.Position(at).String()}
}
