package api

import (
	"context"
	"encoding/json"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postino-mail/postino/internal/submit"
)

// metadata is the metadata of a message, as it comes in.
type metadata map[string]string

// Schema implements huma.SchemaProvider.
func (metadata) Schema(huma.Registry) *huma.Schema {
	value := &huma.Schema{Type: huma.TypeString, MaxLength: ptr(submit.MaxMetadataValue)}
	value.PrecomputeMessages()
	s := &huma.Schema{Type: huma.TypeObject, MaxProperties: ptr(submit.MaxMetadata), AdditionalProperties: value,
		Extensions: map[string]any{"propertyNames": map[string]int{"minLength": 1, "maxLength": submit.MaxMetadataKey}},
		Examples:   []any{map[string]any{"order": "2026/0042"}}}
	s.PrecomputeMessages()
	return s
}

// metadataOf reads metadata that comes apart from the JSON of a message: a JSON
// object of its own.
func metadataOf(ctx context.Context, b *bodyReader, object string) (metadata, error) {
	doc, err := json.Marshal(map[string]json.RawMessage{"metadata": json.RawMessage(object)})
	if err != nil {
		return nil, invalid("metadata", text("api.metadata_object", "metadata is not a JSON object of strings, such as {example}", "example",
			`{"order":"42"}`))
	}
	in, err := decode[MessageInput](ctx, b, doc)
	if err != nil {
		return nil, err
	}
	return in.Metadata, nil
}
