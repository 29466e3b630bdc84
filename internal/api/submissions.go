package api

import (
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/submit"
)

// A submissionService takes messages in.
type submissionService struct {
	store interface {
		store.Messages
		store.Admin
	}
	submit      *submit.Submitter
	connections connectionFinder
	bodies      *bodyReader
	proxies     trustedProxies
	accepted    prometheus.Counter
	now         func() time.Time
	log         *slog.Logger
}

func (s *submissionService) routes(rt *router) {
	input := schema[MessageInput](rt)
	key := keyParam()
	query := func(name, about string) *huma.Param {
		return &huma.Param{Name: name, In: "query", Description: "With message/rfc822: " + about + ". Also as header " + headerName(name),
			Schema: &huma.Schema{Type: "string"}}
	}
	send := op("send-message", http.MethodPost, "/v1/messages", messagesTag, ScopeMessagesSend, "Send a message",
		"Takes a message as JSON (bounded to 20 MiB), as multipart/form-data (field `message` with the JSON, "+
			"or its fields one by one; every part with a file name is an attachment, streamed), or as a whole in message/rfc822. "+
			"The answer 202 means that it is durable: it will be sent, or its sender told.")
	send.Parameters = []*huma.Param{key,
		{Name: "rcpt", In: "query", Description: "With message/rfc822: envelope recipient, any number of times; absent: To, Cc and Bcc. " +
			"Also as header X-Postino-Rcpt, separated by commas", Explode: ptr(true), Schema: &huma.Schema{Type: "array",
			Items: &huma.Schema{Type: "string"}}},
		query("mail_from", "envelope sender"), query("connection", "name or id of the connection"), query("class",
			"transactional or bulk"), query("tag", "a label to find it by"),
		query("metadata", "a JSON object of strings"), query("send_at", "RFC 3339")}
	send.Metadata["envelope"] = true
	send.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/json": {Schema: input},
		"multipart/form-data": {Schema: &huma.Schema{Type: "object", Properties: map[string]*huma.Schema{
			"message": {Type: "string", Description: "MessageInput; or give its fields one by one"},
			"attachments": {Type: "array", Items: &huma.Schema{Type: "string", Format: "binary"},
				Description: "Files; those in parts named inline, or with a Content-ID, are inline images"}}}},
		"message/rfc822": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}
	send.Responses = jsonResponse(http.StatusAccepted, schema[Accepted](rt))
	rt.raw(submission(send), s.sendMessage)

	batch := op("send-batch", http.MethodPost, "/v1/messages/batch", messagesTag, ScopeMessagesSend, "Send up to 1,000 messages",
		"All are taken in one transaction or none is: a problem names the first that is wrong as messages[i].field.")
	batch.Parameters = []*huma.Param{key}
	batch.RequestBody = &huma.RequestBody{Required: true,
		Content: map[string]*huma.MediaType{"application/json": {Schema: schema[BatchInput](rt)}}}
	batch.Responses = jsonResponse(http.StatusAccepted, schema[BatchAccepted](rt))
	rt.raw(submission(batch), s.sendBatch)
}

// headerName is the header field for a query parameter. It has no underscores:
// nginx drops fields that have.
func headerName(name string) string {
	return http.CanonicalHeaderKey(postinoHeader + strings.ReplaceAll(name, "_", "-"))
}

func ptr[T any](v T) *T { return &v }

func jsonResponse(status int, schema *huma.Schema) map[string]*huma.Response {
	return map[string]*huma.Response{strconv.Itoa(status): {Description: http.StatusText(status),
		Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}}
}
