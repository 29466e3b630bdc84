package api

import (
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// unexpectedProperty is huma's sentence about a field that is unknown.
const unexpectedProperty = "unexpected property"

// A bodySchema is the schema of a request body, for what is said of its mistakes.
type bodySchema struct {
	schemas huma.Registry
	schema  *huma.Schema
}

// bodyOfOperation is the body of an operation; nil when it has none.
func bodyOfOperation(schemas huma.Registry, o *huma.Operation) *bodySchema {
	if o == nil || o.RequestBody == nil || o.RequestBody.Content["application/json"] == nil {
		return nil
	}
	return &bodySchema{schemas, o.RequestBody.Content["application/json"].Schema}
}

// near is the known field that is most like the one of the path, such as
// attachments[0].fielname; "" when none is.
func (b *bodySchema) near(path string) string {
	if b == nil {
		return ""
	}
	object := b.resolve(b.schema)
	steps := strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' })
	if len(steps) == 0 {
		return ""
	}
	for _, step := range steps[:len(steps)-1] {
		if object == nil {
			return ""
		}
		if object.Type == "array" {
			object = b.resolve(object.Items)
			continue
		}
		object = b.resolve(object.Properties[step])
	}
	if object == nil {
		return ""
	}
	wanted, best, least := strings.ToLower(steps[len(steps)-1]), "", 0
	for name := range object.Properties {
		d := distance(wanted, name)
		if near := d <= max(1, len(name)/3); near && (best == "" || d < least || d == least && name < best) {
			best, least = name, d
		}
	}
	return best
}

func (b *bodySchema) resolve(s *huma.Schema) *huma.Schema {
	if s != nil && s.Ref != "" {
		return b.schemas.SchemaFromRef(s.Ref)
	}
	return s
}

// longestWord bounds what is compared: a field's name is never so long.
const longestWord = 64

// distance is how many letters must be put in, left out, changed or swapped with their
// neighbour to make a of b.
func distance(a, b string) int {
	if len(a) > longestWord {
		return longestWord
	}
	var rows [3][longestWord + 1]int
	before, last, now := &rows[0], &rows[1], &rows[2]
	for j := range len(a) + 1 {
		last[j] = j
	}
	for i := 1; i <= len(b); i++ {
		now[0] = i
		for j := 1; j <= len(a); j++ {
			cost := 1
			if a[j-1] == b[i-1] {
				cost = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[j-1] == b[i-2] && a[j-2] == b[i-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
		before, last, now = last, now, before
	}
	return last[len(a)]
}
