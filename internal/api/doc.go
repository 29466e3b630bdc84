// Package api is the door for programs: HTTP with JSON under /v1, described by
// OpenAPI 3.1 at /openapi.json. It takes messages in (JSON, multipart/form-data
// or message/rfc822), shows what became of them, and lets an administrator
// manage clients, keys, connections and webhooks.
//
// Bodies of multipart/form-data and message/rfc822 stream to the spool: memory
// does not grow with the message. JSON is bounded, and so is how much of it is
// in work at once. Errors are RFC 9457 problems whose type is a page of this
// server, in English or Italian as Accept-Language asks.
package api
