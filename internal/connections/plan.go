package connections

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
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

// Plan compares documents, each the JSON form of one connection, with what is
// stored, and returns what has to be done so that both agree. Secrets that a
// document leaves out, or has as "***", stay. With prune, connections that no
// document names are removed. Nothing is stored.
func Plan(stored []*gateway.Connection, docs []map[string]any, prune bool) ([]Step, error) {
	byName := map[string]*gateway.Connection{}
	for _, c := range stored {
		byName[strings.ToLower(c.Name)] = c
	}
	var steps []Step
	named := map[string]bool{}
	for i, doc := range docs {
		name, _ := doc["name"].(string)
		key := strings.ToLower(name)
		if name == "" || named[key] {
			return nil, texterr.New(mime.NewText("connections.plan_name", "connection {number} of the file has no name, or that of another one",
				"number", i+1))
		}
		named[key] = true
		step, err := planOne(byName[key], doc)
		if err != nil {
			return nil, texterr.Wrap(mime.NewText("connections.plan_wrong", "connection {name}", "name", fmt.Sprintf("%q", name)), err)
		}
		if step != nil {
			steps = append(steps, *step)
		}
	}
	for _, c := range stored {
		if prune && !named[strings.ToLower(c.Name)] {
			steps = append(steps, Step{Action: Remove, Name: c.Name, Old: c})
		}
	}
	return steps, nil
}

// planOne is the step for one document; nil: there is nothing to do.
func planOne(old *gateway.Connection, doc map[string]any) (*Step, error) {
	doc = maps.Clone(doc)
	for _, shown := range []string{"id", "revision", "state", "lane"} {
		delete(doc, shown)
	}
	if old == nil {
		content, err := json.Marshal(doc)
		if err != nil {
			return nil, err
		}
		next, err := gateway.Parse(content)
		if err != nil {
			return nil, err
		}
		if path := next.RedactedSecret(); path != "" {
			return nil, texterr.New(mime.NewText("cli.secret_redacted", "{field} is {value}: give the secret itself", "field", path,
				"value", fmt.Sprintf("%q", adapters.Redacted)))
		}
		return &Step{Action: Create, Name: next.Name, Next: next}, nil
	}
	doc["revision"] = old.Revision
	for _, s := range old.Secrets() {
		if *s.Value != "" {
			keepSecret(doc, strings.Split(s.Path, "."))
		}
	}
	content, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	next, err := registry.Replace(old, content, true)
	if err != nil {
		return nil, err
	}
	fields, err := changed(old, next)
	if err != nil || len(fields) == 0 {
		return nil, err
	}
	return &Step{Action: Change, Name: next.Name, Fields: fields, Next: next, Old: old}, nil
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
