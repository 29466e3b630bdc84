package api

import (
	"encoding/json"
	"io"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postino-mail/postino/internal/terminal"
)

// jsonFormat is huma's, read within bounds and written by encodeJSON.
func jsonFormat() huma.Format {
	f := huma.DefaultJSONFormat
	f.Marshal = func(w io.Writer, v any) error { return encodeJSON(w, v) }
	f.Unmarshal = unmarshal
	return f
}

// encodeJSON writes JSON that can be looked at in a terminal: control,
// bidirectional and zero-width characters are escapes, which are the same JSON.
func encodeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(terminal.NewWriter(w))
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
