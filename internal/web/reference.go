package web

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/postino-mail/postino/mime"
)

// A document is what the reference shows of the OpenAPI document of the API.
type document struct {
	Paths      map[string]map[string]*operation `json:"paths"`
	Tags       []struct{ Name, Description string }
	Components struct {
		Schemas map[string]*schema `json:"schemas"`
	} `json:"components"`
}

type operation struct {
	ID          string `json:"operationId"`
	Summary     string
	Description string
	Tags        []string
	Scope       string `json:"x-scope"`
	Parameters  []*parameter
	RequestBody struct {
		Required bool
		Content  map[string]*content
	} `json:"requestBody"`
	Responses map[string]struct {
		Description string
		Content     map[string]*content
	}
	Method, Path string `json:"-"`
}

type parameter struct {
	Name, In, Description string
	Required              bool
	Schema                *schema
}

type content struct{ Schema *schema }

// A schema is a JSON Schema as the API uses them.
type schema struct {
	Ref         string          `json:"$ref"`
	Type        json.RawMessage // a name, or several
	Format      string
	Description string
	Enum        []any
	Examples    []any
	Default     any
	Items       *schema
	Properties  map[string]*schema
	Required    []string
}

// A row is one field of a body, or one parameter.
type row struct {
	Name, Type, About string
	Required          bool
}

// maxDepth bounds how far fields inside fields are shown, and examples filled in.
const maxDepth = 4

// reference reads the API's description of itself.
func (v *visit) reference() (*document, error) {
	d := new(document)
	if err := v.get("/openapi.json", d); err != nil {
		return nil, err
	}
	for path, methods := range d.Paths {
		for method, o := range methods {
			o.Method, o.Path = strings.ToUpper(method), path
			o.Description, _, _ = strings.Cut(o.Description, "\n\nScope: ")
		}
	}
	return d, nil
}

// A referenceScreen is the list of all operations.
type referenceScreen struct{ Groups []operationGroup }

type operationGroup struct {
	Name, About string
	Operations  []*operation
}

func (s *Server) apiReference(v *visit) error {
	d, err := v.reference()
	if err != nil {
		return err
	}
	var out referenceScreen
	for _, tag := range d.Tags {
		g := operationGroup{Name: tag.Name, About: tag.Description}
		for _, methods := range d.Paths {
			for _, o := range methods {
				if len(o.Tags) > 0 && o.Tags[0] == tag.Name {
					g.Operations = append(g.Operations, o)
				}
			}
		}
		slices.SortFunc(g.Operations, func(a, b *operation) int {
			return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Method, b.Method))
		})
		out.Groups = append(out.Groups, g)
	}
	return v.show("reference", out)
}

// An operationScreen is one operation.
type operationScreen struct {
	*operation
	Fields  map[string][]row // of the body, by its media type
	Answers []answerView
	Curl    string
}

// Rows are the parameters.
func (o operationScreen) Rows() (out []row) {
	for _, p := range o.Parameters {
		out = append(out, row{p.Name + " (" + p.In + ")", p.Schema.kind(), p.Description, p.Required})
	}
	return out
}

// Lines is how many lines the example has.
func (o operationScreen) Lines() int { return strings.Count(o.Curl, "\n") + 1 }

type answerView struct {
	Status, About string
	Fields        []row
}

// OK reports the answer to a request that is taken; the others are folded.
func (a answerView) OK() bool { return strings.HasPrefix(a.Status, "2") }

func (s *Server) apiOperation(v *visit) error {
	d, err := v.reference()
	if err != nil {
		return err
	}
	for _, methods := range d.Paths {
		for _, o := range methods {
			if o.ID == v.r.PathValue("operation") {
				return v.show("operation", d.screen(v, o))
			}
		}
	}
	return &problem{Status: http.StatusNotFound, Detail: text("web.no_page", "there is no page at this address"),
		Hint: text("web.no_page_hint", "check the address, or start from the overview")}
}

func (d *document) screen(v *visit, o *operation) operationScreen {
	out := operationScreen{operation: o, Fields: map[string][]row{}, Curl: d.curl(v.absolute("/"), o)}
	for media, c := range o.RequestBody.Content {
		out.Fields[media] = d.rows(c.Schema, "", 0)
	}
	for _, status := range slices.Sorted(maps.Keys(o.Responses)) {
		r := o.Responses[status]
		if _, said := o.Responses["4XX"]; said && status == "default" { // the same problem once more
			continue
		}
		a := answerView{Status: status, About: r.Description}
		for _, media := range slices.Sorted(maps.Keys(r.Content)) {
			a.Fields = append(a.Fields, d.rows(r.Content[media].Schema, "", 0)...)
		}
		out.Answers = append(out.Answers, a)
	}
	return out
}

// of follows a reference.
func (d *document) of(s *schema) *schema {
	if s == nil {
		return new(schema)
	}
	if to := d.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")]; s.Ref != "" && to != nil {
		return to
	}
	return s
}

// rows are the fields of a schema, those inside it behind it.
func (d *document) rows(s *schema, before string, depth int) (out []row) {
	s = d.of(s)
	if s.Items != nil && len(s.Properties) == 0 {
		return d.rows(s.Items, before+"[].", depth+1)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p, inside := s.Properties[name], d.of(s.Properties[name])
		about := cmp.Or(p.Description, inside.Description)
		if len(inside.Enum) > 0 {
			about = strings.TrimPrefix(about+": "+joinAny(inside.Enum), ": ")
		}
		out = append(out, row{strings.ReplaceAll(before+name, ".[]", "[]"), inside.kind(), about, slices.Contains(s.Required, name)})
		if depth < maxDepth {
			out = append(out, d.rows(inside, before+name+".", depth+1)...)
		}
	}
	return out
}

// kind is the type in a word.
func (s *schema) kind() string {
	if s == nil {
		return ""
	}
	name := s.name()
	if s.Items != nil && s.Items.name() != "" {
		name += " of " + s.Items.name()
	}
	if s.Format != "" {
		name += ", " + s.Format
	}
	return name
}

// name is the type without null.
func (s *schema) name() string {
	var one string
	var several []string
	if json.Unmarshal(s.Type, &one) == nil {
		return one
	}
	if json.Unmarshal(s.Type, &several) != nil {
		return ""
	}
	return strings.Join(slices.DeleteFunc(several, func(t string) bool { return t == "null" }), " or ")
}

func joinAny(list []any) string {
	var out []string
	for _, x := range list {
		if b, err := json.Marshal(x); err == nil {
			out = append(out, strings.Trim(string(b), `"`))
		}
	}
	return strings.Join(out, ", ")
}

// example is a value that a schema takes: of an object the fields that must be there,
// or all with an example where none must.
func (d *document) example(s *schema, depth int) any {
	s = d.of(s)
	switch {
	case len(s.Examples) > 0:
		return s.Examples[0]
	case len(s.Enum) > 0:
		return s.Enum[0]
	case depth > maxDepth:
		return nil
	}
	switch s.name() {
	case "object":
		out := map[string]any{}
		for name, p := range s.Properties {
			if slices.Contains(s.Required, name) || len(d.of(p).Examples) > 0 {
				out[name] = d.example(p, depth+1)
			}
		}
		return out
	case "array":
		return []any{d.example(s.Items, depth+1)}
	case "integer", "number":
		return 1
	case "boolean":
		return true
	}
	return "…"
}

// filledPath is the path of an operation with words for what goes into it:
// /v1/messages/MESSAGE_ID/parts/PART.
func filledPath(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		name, ok := strings.CutPrefix(part, "{")
		if !ok || i == 0 {
			continue
		}
		if name = strings.TrimSuffix(name, "}"); name == "id" {
			of := strings.ReplaceAll(parts[i-1], "people", "persons")
			name = strings.TrimSuffix(strings.ReplaceAll(of, "ies", "ys"), "s") + "_id"
		}
		parts[i] = strings.ToUpper(name)
	}
	return strings.Join(parts, "/")
}

// curl is a call of the operation on a command line.
func (d *document) curl(base string, o *operation) string {
	var b strings.Builder
	b.WriteString("curl")
	if o.Method != http.MethodGet {
		b.WriteString(" -X " + o.Method)
	}
	if o.Scope != "" {
		b.WriteString(` -H "Authorization: Bearer $POSTINO_KEY"`)
	}
	b.WriteString(" \\\n  '" + strings.TrimSuffix(base, "/") + filledPath(o.Path))
	join := "?"
	for _, p := range o.Parameters {
		if p.In == "query" && p.Required {
			b.WriteString(join + p.Name + "=" + p.Name)
			join = "&"
		}
	}
	b.WriteString("'")
	if c := o.RequestBody.Content["application/json"]; c != nil {
		var body strings.Builder
		to := json.NewEncoder(&body)
		to.SetEscapeHTML(false)
		to.SetIndent("  ", "  ")
		if to.Encode(d.example(c.Schema, 0)) == nil {
			b.WriteString(" \\\n  -H 'Content-Type: application/json' \\\n  -d '" +
				strings.ReplaceAll(strings.TrimSpace(body.String()), "'", `'\''`) + "'")
		}
	}
	return b.String()
}

// ScopeText is what a caller needs for the operation.
func (o operationScreen) ScopeText() mime.Text {
	if o.Scope == "" {
		return text("web.api_open", "no key is needed")
	}
	return text("web.api_scope", "a key with the scope {scope}", "scope", o.Scope)
}
