package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

// decode reads JSON and holds it against the schema of T, so that a problem
// names each field that is wrong.
func decode[T any](ctx context.Context, b *bodyReader, body []byte) (*T, error) {
	if !utf8.Valid(body) {
		return nil, fail(http.StatusBadRequest, "bad_json", "", "the body is not UTF-8", "il corpo non è UTF-8", "write JSON in UTF-8, or escape what is not ASCII", "scrivere il JSON in UTF-8, o proteggere ciò che non è ASCII")
	}
	if err := check[T](ctx, b, body); err != nil {
		return nil, err
	}
	out := new(T)
	if err := json.Unmarshal(body, out); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return nil, fail(http.StatusUnprocessableEntity, "invalid_request", wrong.Field, wrong.Field+": a value of another kind is expected", wrong.Field+": serve un valore di altro tipo", "", "")
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
	huma.Validate(registry, registry.Schema(typeOf[T](), true, ""), huma.NewPathBuffer(make([]byte, 0, 128), 0), huma.ModeWriteToServer, tree, &found)
	if len(found.Errors) == 0 {
		return nil
	}
	model := &huma.ErrorModel{Status: http.StatusUnprocessableEntity}
	for _, e := range found.Errors[:min(len(found.Errors), maxFaults)] {
		model.Add(e)
	}
	return fromHuma(model)
}

func badJSON(err error) *failure {
	var complex *tooComplex
	if errors.As(err, &complex) {
		return refusedJSON(complex)
	}
	en, it := "it is empty or cut short", "è vuoto o incompleto"
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		en, it = fmt.Sprintf("it breaks at byte %d", syntax.Offset), fmt.Sprintf("si interrompe al byte %d", syntax.Offset)
	case errors.As(err, &kind):
		en, it = "an object is expected", "serve un oggetto"
	}
	return fail(http.StatusBadRequest, "bad_json", "", "the body is not JSON as it should be: "+en, "il corpo non è JSON come dovrebbe: "+it, "", "")
}

// checking waits until values may be checked; done ends it. Nobody holds it while
// bytes come in.
func (b *bodyReader) checking(ctx context.Context, values int) (done func(), err error) {
	weight := min(int64(values)*valueCost, checkBudget)
	if err := b.checks.Acquire(ctx, weight); err != nil {
		return nil, err
	}
	return func() { b.checks.Release(weight) }, nil
}
