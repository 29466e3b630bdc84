// Package api is the HTTP API: programs submit messages with it (JSON,
// multipart/form-data or message/rfc822) and see what became of them, and
// administrators manage clients, keys, connections and webhooks. It is
// described by OpenAPI 3.1 at /openapi.json.
//
// Bodies of multipart/form-data and message/rfc822 stream to the spool: memory
// does not grow with the message. JSON is bounded, and so is how much of it is
// in work at once. Errors are RFC 9457 problems with a type that is a page of this
// server, in English or Italian as Accept-Language asks.
package api
