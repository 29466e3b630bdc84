package api

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// fromHuma returns what huma found wrong with a request; known is the schema of its body,
// nil where there is none.
func fromHuma(e *huma.ErrorModel, known *bodySchema) *failure {
	f := &failure{status: e.Status, code: "invalid_request"}
	switch e.Status {
	case http.StatusRequestEntityTooLarge:
		return bodyTooLarge(maxSmallBody)
	case http.StatusRequestTimeout:
		return fail(e.Status, "too_slow", "",
			text("api.request_too_slow", "the request came too slowly"),
			text("api.send_again", "send it again"))
	case http.StatusUnsupportedMediaType:
		return unsupportedMedia("application/json")
	case http.StatusNotFound:
		f.code = "not_found"
	case http.StatusBadRequest:
		f.code = "bad_json"
	case http.StatusInternalServerError:
		return fail(e.Status, "internal", "",
			text("api.internal", "an error in the gateway"),
			text("api.internal_hint", "the log has more"))
	}
	for _, d := range e.Errors[:min(len(e.Errors), maxFaults)] {
		field := strings.TrimPrefix(strings.TrimPrefix(d.Location, "body"), ".")
		message := translate(d.Message)
		if d.Message == unexpectedProperty {
			if name := known.near(field); name != "" {
				message = text("api.unexpected_property_near", "unexpected property; did you mean {name}?", "name", name)
			}
		}
		f.faults = append(f.faults, fault{field, message})
	}
	switch n := len(f.faults); n {
	case 0:
		f.message = translate(e.Detail)
	case 1:
		f.field = f.faults[0].field
		f.message = inField(f.field, f.faults[0].text)
	default:
		f.field = f.faults[0].field
		f.message = mime.NewCount("api.wrong_fields", n, "one field of the request is wrong", "{count} fields of the request are wrong")
	}
	if f.code == "bad_json" {
		f.message = text("api.not_json", "the body is not JSON: {why}", "why", f.message)
	}
	f.hint = text("api.see_openapi", "correct the request; /openapi.json describes it")
	return f
}

// inField names the field in front of what is wrong with it.
func inField(field string, message adapters.Text) adapters.Text {
	if field == "" {
		return message
	}
	return text("api.in_field", "{field}: {message}", "field", field, "message", message)
}

// fixedFaults are huma's sentences without a value in them.
func fixedFaults() []adapters.Text {
	return []adapters.Text{
		text("api.unexpected_property", "unexpected property"),
		text("api.unknown_query_parameter", "unknown query parameter"),
		text("api.expected_boolean", "expected boolean"),
		text("api.expected_number", "expected number"),
		text("api.expected_integer", "expected integer"),
		text("api.expected_time", "expected string to be RFC 3339 date-time"),
		text("api.expected_string", "expected string"),
		text("api.expected_array", "expected array"),
		text("api.expected_object", "expected object"),
		text("api.body_required", "request body is required"),
		text("api.validation_failed", "validation failed"),
		text("api.invalid_integer", "invalid integer"),
		text("api.invalid_boolean", "invalid boolean"),
	}
}

// countingFaults are huma's sentences with a number, by their format.
func countingFaults() map[string]adapters.Text {
	return map[string]adapters.Text{
		"the JSON has more than %d values":           text("api.json_values", "the JSON has more than {most} values"),
		"the JSON has more than %d fields":           text("api.json_fields", "the JSON has more than {most} fields in one object"),
		"the JSON is nested more than %d deep":       text("api.json_depth", "the JSON is nested more than {most} deep"),
		"expected array length <= %d":                text("api.array_at_most", "expected array length <= {most}"),
		"expected array length >= %d":                text("api.array_at_least", "expected array length >= {most}"),
		"expected length <= %d":                      text("api.string_at_most", "expected length <= {most}"),
		"expected length >= %d":                      text("api.string_at_least", "expected length >= {most}"),
		"expected object with at most %d properties": text("api.object_at_most", "expected object with at most {most} properties"),
		"expected number >= %d":                      text("api.number_at_least", "expected number >= {most}"),
		"expected number <= %d":                      text("api.number_at_most", "expected number <= {most}"),
	}
}

// translate returns huma's sentence as a text; one that is not known stays in
// English.
func translate(en string) adapters.Text {
	for _, t := range fixedFaults() {
		if en == t.String() {
			return t
		}
	}
	for format, t := range countingFaults() {
		var n int
		if scan(en, format, &n) {
			return t.With("most", n)
		}
	}
	var name string
	if scan(en, "expected required property %s to be present", &name) {
		return text("api.property_required", "expected required property {name} to be present", "name", name)
	}
	if list, ok := strings.CutPrefix(en, "expected value to be one of "); ok {
		return text("api.one_of", "expected value to be one of {list}", "list", list)
	}
	return adapters.Text{English: en}
}

func scan(s, format string, v any) bool {
	n, err := fmt.Sscanf(s, format, v)
	return n == 1 && err == nil
}

func bodyTooLarge(limit int64) *failure {
	return fail(http.StatusRequestEntityTooLarge, "json_too_large", "",
		text("api.json_too_large", "the JSON is larger than {limit} bytes", "limit", limit),
		text("api.json_too_large_hint",
			"send large attachments as multipart/form-data or the whole message as message/rfc822: these "+
				"may be as large as the routes allow"))
}

func unsupportedMedia(want string) *failure {
	return fail(http.StatusUnsupportedMediaType, "unsupported_media_type", "Content-Type",
		text("api.unsupported_media_type", "this media type is not understood here"),
		text("api.unsupported_media_type_hint", "use {types}", "types", want))
}
