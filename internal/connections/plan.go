package connections

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// Actions of a plan.
const (
	Create = "create"
	Change = "change"
	Remove = "remove"
)

// A Step is what a plan does with one connection.
type Step struct {
	Action string
	Name   string
	Fields []string // that change; never a value
	Next   *gateway.Connection
	Old    *gateway.Connection
}

// A Document is what a file says of one connection.
type Document struct {
	Fields map[string]any // as in the JSON of a connection
	// Partial: what the document does not have stays as it is stored; Cleared are
	// the paths of what it has as empty. Else it is the whole connection, and only
	// secrets stay.
	Partial bool
	Cleared []string
	// Sealed is the connection with the secrets that a file had sealed; nil: none.
	// They are used where the document goes to the same destination.
	Sealed *gateway.Connection
	Source string // where it stands, for errors; empty: its number
}

// A Planner compares documents with what is stored.
type Planner struct {
	Stored []*gateway.Connection
	People map[string]string // addresses by id: a document may name an owner by address
	Admin  bool              // the edits are an administrator's
	Prune  bool              // remove what no document names
}

// A PlanError says what is wrong with each document.
type PlanError struct{ Errs []error }

// Error is the English text, a line each.
func (e *PlanError) Error() string { return e.In("en") }

// In is the text in a language.
func (e *PlanError) In(lang string) string {
	lines := make([]string, len(e.Errs))
	for i, err := range e.Errs {
		lines[i] = texterr.In(err, lang)
	}
	return strings.Join(lines, "\n")
}

func (e *PlanError) Unwrap() []error { return e.Errs }

// Plan returns what has to be done so that what is stored is as the documents say.
// Secrets that a document leaves out, or has as "***", stay. Where a document makes
// another connection the default, the plan has the one that ceases to be. Nothing
// is stored. The error is a *PlanError with all that is wrong.
func (p Planner) Plan(docs []Document) ([]Step, error) {
	byName := map[string]*gateway.Connection{}
	for _, c := range p.Stored {
		byName[strings.ToLower(c.Name)] = c
	}
	var steps []Step
	var wrong []error
	named := map[string]bool{}
	byDefault := ""
	for i, doc := range docs {
		name, _ := doc.Fields["name"].(string)
		key, source := strings.ToLower(name), doc.Source
		if source == "" {
			source = "#" + strconv.Itoa(i+1)
		}
		if name == "" || named[key] {
			wrong = append(wrong, texterr.New(mime.NewText("connections.plan_name", "connection {number} has no name, or that of another one",
				"number", source)))
			continue
		}
		named[key] = true
		next, err := p.next(byName[key], doc)
		if err == nil {
			err = checkPassword(next, byName[key])
		}
		if err != nil {
			wrong = append(wrong, texterr.Wrap(mime.NewText("connections.plan_wrong", "connection {name}", "name", strconv.Quote(name)), err))
			continue
		}
		if next.IsDefault() {
			if byDefault != "" {
				wrong = append(wrong, texterr.New(mime.NewText("connections.plan_defaults", "{one} and {other} are both the default connection: only "+
					"one can be", "one", strconv.Quote(byDefault), "other", strconv.Quote(name))))
			}
			byDefault = name
		}
		fields, err := changed(byName[key], next)
		if err != nil {
			return nil, err
		}
		if byName[key] == nil {
			steps = append(steps, Step{Action: Create, Name: next.Name, Next: next})
		} else if len(fields) > 0 {
			steps = append(steps, Step{Action: Change, Name: next.Name, Fields: fields, Next: next, Old: byName[key]})
		}
	}
	if len(wrong) > 0 {
		return nil, &PlanError{wrong}
	}
	for _, c := range p.Stored {
		if named[strings.ToLower(c.Name)] {
			continue
		}
		switch {
		case p.Prune:
			steps = append(steps, Step{Action: Remove, Name: c.Name, Old: c})
		case byDefault != "" && c.IsDefault():
			next := c.Clone()
			next.Default = gateway.DefaultNo
			steps = append(steps, Step{Action: Change, Name: c.Name, Fields: []string{"default"}, Next: next, Old: c})
		}
	}
	return steps, nil
}

// shownOnly are members that a view adds, or that are the store's.
func shownOnly() []string { return []string{"id", "revision", "state", "lane"} }

// next is the connection that a document makes of the stored one, or of nothing.
func (p Planner) next(old *gateway.Connection, doc Document) (*gateway.Connection, error) {
	fields := maps.Clone(doc.Fields)
	if doc.Partial && old != nil {
		var err error
		if fields, err = merged(old, doc); err != nil {
			return nil, err
		}
	}
	for _, name := range shownOnly() {
		delete(fields, name)
	}
	if owner, ok := fields["owner"].(string); ok && strings.Contains(owner, "@") {
		for id, address := range p.People {
			if strings.EqualFold(address, owner) {
				fields["owner"] = id
			}
		}
	}
	base := old
	if doc.Sealed != nil {
		base = doc.Sealed
	}
	if base == nil {
		return p.fresh(fields)
	}
	fields["revision"] = base.Revision
	for _, s := range base.Secrets() {
		if *s.Value != "" {
			keepSecret(fields, strings.Split(s.Path, "."))
		}
	}
	content, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	next, err := registry.Replace(base, content, p.Admin)
	if err != nil || doc.Sealed == nil {
		return next, err
	}
	// The store would take a hidden secret for the one that it has, which was not given
	// for this destination.
	if err := notHidden(next); err != nil {
		return nil, err
	}
	if next.ID, next.Revision = "", 0; old != nil {
		next.ID, next.Revision = old.ID, old.Revision
	}
	return next, (registry.Edit{Old: old, Next: next, Given: given(next), Admin: p.Admin}).Check()
}

// given are all secrets of a connection.
func given(c *gateway.Connection) map[string]bool {
	out := map[string]bool{}
	for _, s := range c.Secrets() {
		out[s.Path] = true
	}
	return out
}

// fresh is the connection of a document that there is none of.
func (p Planner) fresh(fields map[string]any) (*gateway.Connection, error) {
	content, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	next, err := gateway.Parse(content)
	if err != nil {
		return nil, err
	}
	if err := notHidden(next); err != nil {
		return nil, err
	}
	return next, (registry.Edit{Next: next, Admin: p.Admin}).Check()
}

// notHidden refuses a secret that is not there itself.
func notHidden(c *gateway.Connection) error {
	if path := c.RedactedSecret(); path != "" {
		return texterr.New(mime.NewText("cli.secret_redacted", "{field} is {value}: give the secret itself", "field", path,
			"value", strconv.Quote(adapters.Redacted)))
	}
	return nil
}

// merged is the whole document of a partial one.
func merged(old *gateway.Connection, doc Document) (map[string]any, error) {
	content, err := json.Marshal(old)
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := json.Unmarshal(content, &tree); err != nil {
		return nil, err
	}
	if provider, ok := doc.Fields["provider"].(string); ok && provider != string(old.Provider) {
		delete(tree, string(old.Provider))
	}
	for _, path := range doc.Cleared {
		removePath(tree, path)
	}
	overlay(tree, doc.Fields)
	return tree, nil
}

// overlay puts values over those of a tree.
func overlay(tree, values map[string]any) {
	for name, v := range values {
		sub, isObject := v.(map[string]any)
		had, wasObject := tree[name].(map[string]any)
		if isObject && wasObject {
			overlay(had, sub)
		} else {
			tree[name] = v
		}
	}
}

// keepSecret says in a document that a secret stays, unless the document has one
// or lacks the object that it stands in.
func keepSecret(doc map[string]any, path []string) {
	for len(path) > 1 {
		next, ok := doc[path[0]].(map[string]any)
		if !ok {
			return
		}
		next = maps.Clone(next)
		doc[path[0]] = next
		doc, path = next, path[1:]
	}
	if _, ok := doc[path[0]]; !ok {
		doc[path[0]] = adapters.Redacted
	}
}

// changed are the paths of the settings in which two connections differ.
func changed(old, next *gateway.Connection) ([]string, error) {
	if old == nil {
		return nil, nil
	}
	had, err := flat(old)
	if err != nil {
		return nil, err
	}
	has, err := flat(next)
	if err != nil {
		return nil, err
	}
	all := maps.Clone(had)
	maps.Copy(all, has)
	var out []string
	for _, path := range slices.Sorted(maps.Keys(all)) {
		if had[path] != has[path] {
			out = append(out, path)
		}
	}
	secrets := map[string]adapters.Secret{}
	for _, s := range old.Secrets() {
		secrets[s.Path] = *s.Value
	}
	for _, s := range next.Secrets() {
		if secrets[s.Path] != *s.Value && !slices.Contains(out, s.Path) {
			out = append(out, s.Path)
		}
	}
	return out, nil
}

// flat is a connection's JSON by paths; defaults that are written out count as
// left out.
func flat(c *gateway.Connection) (map[string]string, error) {
	c = c.Clone()
	c.Revision = 0
	if c.IsActive() {
		c.Active = nil
	}
	if !c.IsDefault() {
		c.Default = ""
	}
	doc, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := json.Unmarshal(doc, &tree); err != nil {
		return nil, err
	}
	out := map[string]string{}
	flatten(out, "", tree)
	return out, nil
}

func flatten(out map[string]string, prefix string, tree map[string]any) {
	for name, v := range tree {
		if sub, ok := v.(map[string]any); ok {
			flatten(out, prefix+name+".", sub)
			continue
		}
		out[prefix+name] = fmt.Sprint(v)
	}
}
