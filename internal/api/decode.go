package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postino-mail/postino/adapters"
)

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

// decode reads JSON and holds it against the schema of T, so that a problem
// names each field that is wrong.
func decode[T any](ctx context.Context, b *bodyReader, body []byte) (*T, error) {
	if !utf8.Valid(body) {
		return nil, fail(http.StatusBadRequest, "bad_json", "",
			text("api.not_utf8", "the body is not UTF-8"),
			text("api.not_utf8_hint", "write JSON in UTF-8, or escape what is not ASCII"))
	}
	if err := check[T](ctx, b, body); err != nil {
		return nil, err
	}
	out := new(T)
	if err := json.Unmarshal(body, out); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return nil, fail(http.StatusUnprocessableEntity, "invalid_request", wrong.Field,
				text("api.wrong_kind", "{field}: a value of another kind is expected", "field", wrong.Field), adapters.Text{})
		}
		return nil, badJSON(err)
	}
	return out, nil
}

// check holds JSON against the schema of T, by its outline.
func check[T any](ctx context.Context, b *bodyReader, body []byte) error {
	short, values, err := outline(body, maxValues)
	if err != nil {
		return err
	}
	done, err := b.checking(ctx, values)
	if err != nil {
		return err
	}
	defer done()
	var tree any
	if err := json.Unmarshal(short, &tree); err != nil {
		if whole := json.Unmarshal(body, new(json.RawMessage)); whole != nil { // which knows the place
			err = whole
		}
		return badJSON(err)
	}
	registry := b.schemas
	var found huma.ValidateResult
	huma.Validate(registry, registry.Schema(typeOf[T](), true, ""), huma.NewPathBuffer(make([]byte, 0, 128), 0), huma.ModeWriteToServer,
		tree, &found)
	if len(found.Errors) == 0 {
		return nil
	}
	model := &huma.ErrorModel{Status: http.StatusUnprocessableEntity}
	for _, e := range found.Errors[:min(len(found.Errors), maxFaults)] {
		model.Add(e)
	}
	return fromHuma(model, &bodySchema{registry, registry.Schema(typeOf[T](), true, "")})
}

func badJSON(err error) *failure {
	if refused := refusedJSON(err); refused != nil {
		return refused
	}
	why := text("api.json_cut_short", "it is empty or cut short")
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		why = text("api.json_breaks", "it breaks at byte {offset}", "offset", syntax.Offset)
	case errors.As(err, &kind):
		why = text("api.json_object", "an object is expected")
	}
	return fail(http.StatusBadRequest, "bad_json", "",
		text("api.bad_json", "the body is not JSON as it should be: {why}", "why", why), adapters.Text{})
}

// checking waits until values may be checked; done ends it. It is not held while
// bytes come in.
func (b *bodyReader) checking(ctx context.Context, values int) (done func(), err error) {
	weight := min(int64(values)*valueCost, checkBudget)
	if err := b.checks.Acquire(ctx, weight); err != nil {
		return nil, err
	}
	return func() { b.checks.Release(weight) }, nil
}
