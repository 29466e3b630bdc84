package api

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/internal/webhook"
)

// eventKinds are the types of events that webhooks get, with their data.
func eventKinds() []eventKind {
	delivery := typeOf[view.DeliveryData]()
	return []eventKind{
		{"message.accepted", "A message was taken", typeOf[view.AcceptedData]()},
		{"message.resubmitted", "A message came again and was known: the event is of the first one", typeOf[view.AcceptedData]()},
		{"delivery.sent", "The provider accepted a delivery", delivery},
		{"delivery.deferred", "An attempt did not send a delivery, or not to all: it is tried again", delivery},
		{"delivery.held", "A delivery waits for a person", delivery},
		{"delivery.failed", "A delivery was refused for good", delivery},
		{"delivery.expired", "A delivery waited for too long", delivery},
		{"delivery.cancelled", "A delivery was cancelled", delivery},
		{"delivery.moved", "A delivery was given another connection", typeOf[view.MovedData]()},
		{"notification.failed", "A sender could not be told of a failure", typeOf[view.NotificationData]()},
		{"alert.raised", "Something needs a person", typeOf[view.AlertData]()},
		{"alert.resolved", "An alert needs no one any more", typeOf[view.AlertData]()},
	}
}

type eventKind struct {
	name, summary string
	data          reflect.Type
}

// webhooks describe what is sent to the receivers of webhooks (Standard Webhooks).
func webhooks(schemas huma.Registry, payload *huma.Schema) map[string]*huma.PathItem {
	header := func(name, description string) *huma.Param {
		return &huma.Param{Name: name, In: "header", Required: true, Description: description, Schema: &huma.Schema{Type: "string"}}
	}
	out := make(map[string]*huma.PathItem)
	for _, kind := range eventKinds() {
		envelope := *payload
		envelope.Properties = maps.Clone(envelope.Properties)
		envelope.AdditionalProperties = nil // a receiver takes what later versions add
		envelope.Properties["type"] = &huma.Schema{Type: "string", Enum: []any{kind.name}}
		envelope.Properties["data"] = schemas.Schema(kind.data, true, "")
		name := strings.ReplaceAll(kind.name, ".", "-")
		out[kind.name] = &huma.PathItem{Post: &huma.Operation{
			OperationID: "webhook-" + name, Summary: kind.summary, Tags: []string{eventsTag}, Security: []map[string][]string{},
			Description: "Sent until it is answered with 2xx; 410 ends the webhook. The signature is that of Standard Webhooks.",
			Parameters: []*huma.Param{header("webhook-id", "The same at every try of one event"),
				header("webhook-timestamp", "Seconds since 1970"),
				header("webhook-signature", "v1, and the base64 of HMAC-SHA256 over id.timestamp.body")},
			RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: &envelope}}},
			Responses: map[string]*huma.Response{"2XX": {Description: "The receiver has the event"},
				"410": {Description: "The receiver wants no more events"}},
		}}
	}
	return out
}

// describe finishes what belongs to the whole document: where it is served, who may
// call what, and how a request is refused.
func describe(d *huma.OpenAPI, problem *huma.Schema) {
	if len(d.Servers) == 0 {
		d.Servers = []*huma.Server{{URL: "/", Description: "This server"}}
	}
	schemas := d.Components.Schemas
	payload := schemas.SchemaFromRef(schemas.Schema(typeOf[webhook.Payload](), true, "").Ref)
	d.Webhooks = webhooks(schemas, payload)
	delete(schemas.Map(), "Payload") // each webhook has its own
	inputs := make(map[*huma.Schema]bool)
	for _, item := range d.Paths {
		for _, o := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if o == nil {
				continue
			}
			if o.Security == nil {
				o.Security = []map[string][]string{} // needs no credentials
			}
			if o.Description == "" {
				o.Description = o.Summary + "."
			}
			o.Responses["4XX"] = &huma.Response{Description: "The request is refused, with a problem (RFC 9457)",
				Content: map[string]*huma.MediaType{problemType: {Schema: problem}}}
			if o.RequestBody != nil {
				for _, content := range o.RequestBody.Content {
					collect(schemas, content.Schema, inputs)
				}
			}
		}
	}
	for _, s := range schemas.Map() {
		if !inputs[s] {
			present(s)
		}
	}
	for _, item := range d.Webhooks {
		for _, content := range item.Post.RequestBody.Content {
			present(content.Schema)
		}
	}
}

// collect adds the objects that a request body has inside: they may be null there.
func collect(schemas huma.Registry, s *huma.Schema, into map[*huma.Schema]bool) {
	if s != nil && s.Ref != "" {
		s = schemas.SchemaFromRef(s.Ref)
	}
	if s == nil || into[s] {
		return
	}
	into[s] = true
	collect(schemas, s.Items, into)
	for _, p := range s.Properties {
		collect(schemas, p, into)
	}
}

// present says of arrays in answers that they are never null: nonNull sees to it.
func present(s *huma.Schema) {
	for name, p := range s.Properties {
		if p.Type == huma.TypeArray && slices.Contains(s.Required, name) {
			p.Nullable = false
		}
		if p.Ref == "" {
			present(p)
		}
	}
}

// nonNull puts an empty list in place of every nil one that an answer always has.
func nonNull(_ huma.Context, _ string, v any) (any, error) {
	in := reflect.ValueOf(v)
	if in.Kind() != reflect.Struct {
		fillLists(in)
		return v, nil
	}
	out := reflect.New(in.Type()).Elem()
	out.Set(in)
	fillLists(out)
	return out.Interface(), nil
}

func fillLists(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			fillLists(v.Elem())
		}
	case reflect.Slice: // its elements can be set, as a pointer's
		if k := v.Type().Elem().Kind(); k == reflect.Struct || k == reflect.Pointer {
			for i := range v.Len() {
				fillLists(v.Index(i))
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f, t := v.Field(i), v.Type().Field(i)
			if !t.IsExported() {
				continue
			}
			tag := t.Tag.Get("json")
			if f.Kind() == reflect.Slice && f.IsNil() && f.CanSet() && f.Type().Elem().Kind() != reflect.Uint8 && tag != "-" &&
				!strings.Contains(tag, ",omit") {
				f.Set(reflect.MakeSlice(f.Type(), 0, 0))
			}
			fillLists(f)
		}
	}
}
