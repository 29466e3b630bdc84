package api

import (
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postino-mail/postino/internal/nearest"
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
	return nearest.Word(steps[len(steps)-1], slices.Sorted(maps.Keys(object.Properties)))
}

func (b *bodySchema) resolve(s *huma.Schema) *huma.Schema {
	if s != nil && s.Ref != "" {
		return b.schemas.SchemaFromRef(s.Ref)
	}
	return s
}
