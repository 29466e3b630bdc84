package graph

import (
	"encoding/json"
	"slices"
	"strings"

	kiotajson "github.com/microsoft/kiota-serialization-json-go"
	"github.com/microsoftgraph/msgraph-sdk-go/models/odataerrors"
)

// maxDepth bounds how deep inner errors are followed.
const maxDepth = 8

// An odataError is what an error body says. Codes go from the outermost to the
// innermost, which is the most specific (contracts B9).
type odataError struct {
	codes     []string
	message   string // for logs alone: it may name tenants and addresses (F32)
	requestID string
}

// parseError reads an error body. A body that is no OData error (HTML of a
// proxy, nothing, half a JSON) returns the zero value: the status has to do.
func parseError(body []byte) odataError {
	e, ok := parseModel(body)
	if !ok {
		e = parseLoose(body)
	}
	e.codes = slices.DeleteFunc(e.codes, func(c string) bool { return !isCode(c) })
	return e
}

// parseModel reads the body with the vendor's model. It is strict: an inner
// error's date in another form fails the whole.
func parseModel(body []byte) (odataError, bool) {
	var e odataError
	node, err := kiotajson.NewJsonParseNode(body)
	if err != nil || node == nil {
		return e, false
	}
	v, err := node.GetObjectValue(odataerrors.CreateODataErrorFromDiscriminatorValue)
	if err != nil {
		return e, false
	}
	od, ok := v.(odataerrors.ODataErrorable)
	if !ok || od.GetErrorEscaped() == nil {
		return e, false
	}
	main := od.GetErrorEscaped()
	e.add(main.GetCode())
	e.message = deref(main.GetMessage())
	for _, d := range main.GetDetails() {
		if d != nil {
			e.add(d.GetCode())
		}
	}
	if inner := main.GetInnerError(); inner != nil {
		e.requestID = deref(inner.GetRequestId())
		e.descend(inner.GetAdditionalData(), 0)
	}
	e.descendInner(main.GetAdditionalData(), 0) // "innererror" in lower case is no field of the model
	return e, len(e.codes) > 0
}

// parseLoose reads what the model does not take, with keys of any case.
func parseLoose(body []byte) odataError {
	var e odataError
	var top map[string]any
	if json.Unmarshal(body, &top) != nil {
		return e
	}
	for k, v := range top {
		if m, ok := v.(map[string]any); ok && strings.EqualFold(k, "error") {
			e.descend(m, 0)
		}
	}
	return e
}

// descend takes the code of one error object and follows its inner ones.
func (e *odataError) descend(m map[string]any, depth int) {
	for k, v := range m {
		switch {
		case strings.EqualFold(k, "code"):
			e.add(asString(v))
		case strings.EqualFold(k, "message") && e.message == "":
			e.message = deref(asString(v))
		case strings.EqualFold(k, "request-id") && e.requestID == "":
			e.requestID = deref(asString(v))
		}
	}
	e.descendInner(m, depth)
}

func (e *odataError) descendInner(m map[string]any, depth int) {
	if depth >= maxDepth {
		return
	}
	for k, v := range m {
		if inner, ok := v.(map[string]any); ok && strings.EqualFold(k, "innerError") {
			e.descend(inner, depth+1)
		}
	}
}

func (e *odataError) add(code *string) {
	if code != nil && *code != "" {
		e.codes = append(e.codes, *code)
	}
}

// isCode keeps anything but a code from being shown as one.
func isCode(s string) bool {
	return s != "" && len(s) <= 80 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == ""
}

func asString(v any) *string {
	switch v := v.(type) {
	case string:
		return &v
	case *string:
		return v
	}
	return nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
