package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

const messagesTag = "messages"

// Named types for parameters that many operations share.
type (
	MessagePath struct {
		ID       string `path:"id" maxLength:"26" doc:"Id of the message"`
		Language string `header:"Accept-Language"`
	}
	bodyOf[T any] struct{ Body T }
)

func (s *Server) messageRoutes() {
	schemas := s.router.api.OpenAPI().Components.Schemas
	input := schemas.Schema(typeOf[MessageInput](), true, "MessageInput")
	key := keyParam()
	query := func(name, about string) *huma.Param {
		return &huma.Param{Name: name, In: "query", Description: "With message/rfc822: " + about + ". Also as header " + headerName(name), Schema: &huma.Schema{Type: "string"}}
	}
	send := op("send-message", http.MethodPost, "/v1/messages", messagesTag, ScopeMessagesSend, "Send a message",
		"Takes a message as JSON (bounded to 20 MiB), as multipart/form-data (field `message` with the JSON, or its fields one by one; every part with a file name is an attachment, streamed), or as a whole in message/rfc822. "+
			"The answer 202 means that it is durable: it will be sent, or its sender told.")
	send.Parameters = []*huma.Param{key,
		{Name: "rcpt", In: "query", Description: "With message/rfc822: envelope recipient, any number of times; absent: To, Cc and Bcc. Also as header X-Postino-Rcpt, separated by commas", Explode: ptr(true), Schema: &huma.Schema{Type: "array", Items: &huma.Schema{Type: "string"}}},
		query("mail_from", "envelope sender"), query("connection", "name or id of the connection"), query("class", "transactional or bulk"), query("tag", "a word to find it by"), query("send_at", "RFC 3339")}
	send.Metadata["envelope"] = true
	send.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/json": {Schema: input},
		"multipart/form-data": {Schema: &huma.Schema{Type: "object", Properties: map[string]*huma.Schema{
			"message":     {Type: "string", Description: "MessageInput; or give its fields one by one"},
			"attachments": {Type: "array", Items: &huma.Schema{Type: "string", Format: "binary"}, Description: "Files; those in parts named inline, or with a Content-ID, are inline images"}}}},
		"message/rfc822": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}
	send.Responses = s.answers(http.StatusAccepted, schemas.Schema(typeOf[Accepted](), true, "Accepted"))
	s.router.raw(submission(send), s.sendMessage)

	batch := op("send-batch", http.MethodPost, "/v1/messages/batch", messagesTag, ScopeMessagesSend, "Send up to 1,000 messages",
		"All are taken in one transaction or none is: a problem names the first that is wrong as messages[i].field.")
	batch.Parameters = []*huma.Param{key}
	batch.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: schemas.Schema(typeOf[BatchInput](), true, "BatchInput")}}}
	batch.Responses = s.answers(http.StatusAccepted, schemas.Schema(typeOf[BatchAccepted](), true, "BatchAccepted"))
	s.router.raw(submission(batch), s.sendBatch)

	register(s.router, op("list-messages", http.MethodGet, "/v1/messages", messagesTag, ScopeMessagesRead, "List messages", "One entry a delivery, newest first. A client sees its own."), s.listMessages)
	register(s.router, op("get-message", http.MethodGet, "/v1/messages/{id}", messagesTag, ScopeMessagesRead, "Get a message with its deliveries", ""), s.getMessage)
	register(s.router, op("list-attempts", http.MethodGet, "/v1/messages/{id}/attempts", messagesTag, ScopeMessagesRead, "List the attempts of a message", "Every try, written down before its call."), s.listAttempts)
	content := op("get-content", http.MethodGet, "/v1/messages/{id}/raw", messagesTag, ScopeMessagesRead, "Get the message as it goes out by SMTP", "Without Bcc.")
	content.Parameters = []*huma.Param{{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: "string"}}}
	content.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{"message/rfc822": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}}
	s.router.raw(content, s.getContent)
	s.actionRoutes()
}

// headerName is the header field for a query parameter. It has no underscores:
// nginx drops fields that have.
func headerName(name string) string {
	return http.CanonicalHeaderKey(postinoHeader + strings.ReplaceAll(name, "_", "-"))
}

func ptr[T any](v T) *T { return &v }

func (s *Server) answers(status int, schema *huma.Schema) map[string]*huma.Response {
	return map[string]*huma.Response{strconv.Itoa(status): {Description: http.StatusText(status), Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}}
}

type listMessagesInput struct {
	State      []string  `query:"state" maxItems:"8" enum:"queued,unverified,sending,held,sent,failed,expired,cancelled"`
	Connection string    `query:"connection" maxLength:"200" doc:"Name or id"`
	Client     string    `query:"client" maxLength:"200" doc:"Id of the client"`
	From       string    `query:"from" maxLength:"320" doc:"Sender, of the header or the envelope"`
	Recipient  string    `query:"recipient" maxLength:"320" doc:"A part of a recipient's address"`
	MessageID  string    `query:"message_id" maxLength:"998" doc:"RFC 5322 Message-ID"`
	Tag        string    `query:"tag" maxLength:"200"`
	Since      time.Time `query:"since" doc:"Received at or after"`
	Before     time.Time `query:"before" doc:"Received before"`
	Order      string    `query:"order" enum:"newest,oldest" default:"newest"`
	After      string    `query:"after" maxLength:"200" doc:"next of the page before"`
	Limit      int       `query:"limit" minimum:"1" maximum:"1000" default:"50"`
	Language   string    `header:"Accept-Language"`
}

// A MessagePage is one page of a list.
type MessagePage struct {
	Items []view.MessageEntry `json:"items"`
	Next  string              `json:"next,omitempty" doc:"Give it as after; absent on the last page"`
}

func (s *Server) listMessages(ctx context.Context, in *listMessagesInput) (*bodyOf[MessagePage], error) {
	f := store.Filter{Client: in.Client, From: in.From, Recipient: in.Recipient, Tag: in.Tag, Since: in.Since, Before: in.Before}
	if in.MessageID != "" {
		f.MessageID = "<" + trimBrackets(in.MessageID) + ">"
	}
	if own := caller(ctx).clientID(); own != "" {
		if in.Client != "" && in.Client != own {
			return nil, fail(http.StatusForbidden, "forbidden", "query.client", "this key sees its own client alone", "questa chiave vede solo il proprio client", "", "")
		}
		f.Client = own
	}
	for _, name := range in.State {
		state, err := store.ParseState(name)
		if err != nil {
			return nil, err
		}
		f.States = append(f.States, state)
	}
	if in.Connection != "" {
		c, err := s.connections.find(ctx, in.Connection)
		if err != nil {
			return nil, err
		}
		f.Connection = c.ID
	}
	after, ok := openCursor(in.After)
	if !ok {
		return nil, invalid("query.after", "after is not the next of a page", "after non è il next di una pagina")
	}
	page, err := s.opt.Store.List(ctx, store.ListRequest{Filter: f, After: after, Limit: in.Limit, Oldest: in.Order == "oldest"})
	if err != nil {
		return nil, err
	}
	out := MessagePage{Items: []view.MessageEntry{}, Next: cursor(page.Next)}
	lang := language(in.Language)
	for i := range page.Entries {
		e := &page.Entries[i]
		out.Items = append(out.Items, view.MessageEntry{Message: view.OfMessage(&e.Message), Delivery: view.OfDelivery(&e.Delivery, s.connections.reference(ctx, e.Delivery.Route.Connection), lang)})
	}
	return &bodyOf[MessagePage]{out}, nil
}

// cursor is a store's mark of a page with a check, so that what is no mark is
// refused and not taken for some other page.
func cursor(mark string) string {
	if mark == "" {
		return ""
	}
	return mark + "-" + checkOf(mark)
}

func checkOf(mark string) string {
	sum := sha256.Sum256([]byte("page after " + mark))
	return hex.EncodeToString(sum[:3])
}

// openCursor gives the mark of a cursor.
func openCursor(c string) (mark string, ok bool) {
	if c == "" {
		return "", true
	}
	mark, check, _ := strings.Cut(c, "-")
	return mark, mark != "" && check == checkOf(mark)
}

func trimBrackets(id string) string {
	if len(id) > 1 && id[0] == '<' && id[len(id)-1] == '>' {
		return id[1 : len(id)-1]
	}
	return id
}

// A MessageDetail is a message with its deliveries.
type MessageDetail struct {
	view.Message
	Deliveries []view.Delivery `json:"deliveries"`
}

// message finds a message that the caller may see.
func (s *Server) message(ctx context.Context, id string) (*store.Message, error) {
	key, err := store.ParseID(id)
	if err != nil {
		return nil, err
	}
	m, err := s.opt.Store.Message(ctx, key)
	if err != nil {
		return nil, err
	}
	if own := caller(ctx).clientID(); own != "" && m.Client != own {
		return nil, store.ErrNotFound
	}
	return m, nil
}

func (s *Server) getMessage(ctx context.Context, in *MessagePath) (*bodyOf[MessageDetail], error) {
	m, err := s.message(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	list, err := s.opt.Store.Deliveries(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	out := MessageDetail{Message: view.OfMessage(m), Deliveries: []view.Delivery{}}
	for i := range list {
		out.Deliveries = append(out.Deliveries, view.OfDelivery(&list[i], s.connections.reference(ctx, list[i].Route.Connection), language(in.Language)))
	}
	return &bodyOf[MessageDetail]{out}, nil
}

// An AttemptList is the ledger of a message.
type AttemptList struct {
	Items []view.Attempt `json:"items"`
}

func (s *Server) listAttempts(ctx context.Context, in *MessagePath) (*bodyOf[AttemptList], error) {
	m, err := s.message(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	list, err := s.opt.Store.Deliveries(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	out := AttemptList{Items: []view.Attempt{}}
	for i := range list {
		attempts, err := s.opt.Store.Attempts(ctx, list[i].ID)
		if err != nil {
			return nil, err
		}
		for j := range attempts {
			out.Items = append(out.Items, view.OfAttempt(&attempts[j], language(in.Language)))
		}
	}
	return &bodyOf[AttemptList]{out}, nil
}

func (s *Server) getContent(w http.ResponseWriter, r *http.Request) error {
	m, err := s.message(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	content, err := s.opt.Store.Content(r.Context(), m.ID)
	if err != nil {
		return err
	}
	defer func() {
		if err := content.Close(); err != nil {
			s.opt.Log.Warn("the content of a message was not closed", "message", m.ID, "err", err)
		}
	}()
	parsed, err := mime.Read(content, mime.Limits{})
	if err != nil {
		return err
	}
	view := parsed.ForSMTP()
	w.Header().Set("Content-Type", "message/rfc822")
	w.Header().Set("Content-Length", strconv.FormatInt(view.Size(), 10))
	w.Header().Set("Content-Disposition", `attachment; filename="`+m.ID.String()+`.eml"`)
	w.WriteHeader(http.StatusOK)
	if _, err := io.Copy(w, mime.NewReader(view)); err != nil {
		s.opt.Log.Debug("a message was not read to its end", "message", m.ID, "err", err)
	}
	return nil
}
