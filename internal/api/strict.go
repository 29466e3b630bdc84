package api

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// strict refuses what a request of any operation has and that would have no
// effect: a misspelt parameter must not send mail at once that was meant for
// tomorrow.
func strict(o *huma.Operation) {
	o.Middlewares = append(o.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		if err := withoutEffect(ctx.Operation(), r); err != nil {
			writeFailure(w, r, err)
			return
		}
		next(ctx)
	})
}

func withoutEffect(o *huma.Operation, r *http.Request) error {
	if enc := r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return fail(http.StatusUnsupportedMediaType, "unsupported_media_type", "Content-Encoding",
			text("api.compressed_body", "a compressed body is not accepted here"),
			text("api.compressed_body_hint", "send it without Content-Encoding"))
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return invalid("query",
			text("api.bad_query", "the query of the URL cannot be read: write special characters as %XX"))
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		p := parameter(o, "query", name)
		if p == nil {
			return unknownParameter(name)
		}
		switch list := p.Schema != nil && p.Schema.Type == huma.TypeArray; {
		case len(query[name]) == 1:
		case !list:
			return invalid("query."+name,
				text("api.parameter_twice", "the query parameter {name} is there more than once", "name", name))
		case p.Explode != nil && !*p.Explode: // read as one list with commas, of which the first value alone would count
			query.Set(name, strings.Join(query[name], ","))
			r.URL.RawQuery = query.Encode()
		}
	}
	if _, ok := o.Metadata["envelope"]; !ok {
		if err := noPostinoHeaders(r); err != nil {
			return err
		}
	}
	if keys, given := r.Header["Idempotency-Key"]; given {
		switch {
		case parameter(o, "header", "Idempotency-Key") == nil:
			return invalid("Idempotency-Key",
				text("api.no_idempotency_key_here", "this operation does not take an Idempotency-Key"))
		case len(keys) > 1 || keys[0] == "":
			return invalid("Idempotency-Key",
				text("api.idempotency_key_empty", "the Idempotency-Key is empty or there more than once"))
		}
	}
	return noBodyWhereNoneCounts(o, r)
}

func unknownParameter(name string) error {
	name = clip(name)
	return invalid("query."+name, text("api.unknown_parameter", "the query parameter {name} is unknown here", "name", name))
}

func parameter(o *huma.Operation, in, name string) *huma.Param {
	for _, p := range o.Parameters {
		if p.In == in && p.Name == name {
			return p
		}
	}
	return nil
}

// noPostinoHeaders refuses header fields of ours where none counts.
func noPostinoHeaders(r *http.Request) error {
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if strings.HasPrefix(name, postinoHeader) {
			return invalid(name,
				text("api.header_without_effect", "the header {name} has no effect here", "name", clip(name)))
		}
	}
	return nil
}

// noBodyWhereNoneCounts accepts an empty object: programs send {} with
// every POST.
func noBodyWhereNoneCounts(o *huma.Operation, r *http.Request) error {
	if o.RequestBody != nil || o.Metadata["body"] != nil || r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 64))
	if err != nil {
		return bodyError(err)
	}
	if content := strings.Join(strings.Fields(string(bytes.TrimSpace(body))), ""); content != "" && content != "{}" {
		return invalid("body", text("api.no_body_here", "this operation takes no body"))
	}
	return nil
}

const postinoHeader = "X-Postino-"

// envelopeValues returns what stands beside a message/rfc822 body, by name: from
// the query, or from header fields for those who cannot change the address
// (X-Postino-Mail-From, or with underscores, which some proxies drop).
func envelopeValues(r *http.Request, known []string) (map[string][]string, error) {
	out, from := map[string][]string{}, map[string]string{}
	for name, values := range r.URL.Query() {
		out[name], from[name] = values, "query."+name
	}
	for _, header := range slices.Sorted(maps.Keys(r.Header)) {
		rest, ok := strings.CutPrefix(header, postinoHeader)
		if !ok {
			continue
		}
		name := strings.ReplaceAll(strings.ToLower(rest), "-", "_")
		if !slices.Contains(known, name) {
			return nil, invalid(header, text("api.unknown_header", "the header {header} is unknown", "header", clip(header)))
		}
		values := r.Header[header]
		if name == "rcpt" { // any number of times, and lists
			for _, line := range values {
				for a := range strings.SplitSeq(line, ",") {
					out[name] = append(out[name], strings.TrimSpace(a))
				}
			}
			continue
		}
		if first, twice := from[name]; twice || len(values) > 1 {
			if !twice {
				first = header
			}
			return nil, invalid(header,
				text("api.header_twice", "{name} is given more than once, as {other} too", "name", name, "other", first))
		}
		out[name], from[name] = values, header
	}
	return out, nil
}
