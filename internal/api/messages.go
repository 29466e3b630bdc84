package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

const messagesTag = "messages"

type (
	// MessagePath is the message that a path names, and the language of the answer.
	MessagePath struct {
		ID       string `path:"id" maxLength:"26" doc:"Id of the message"`
		Language string `header:"Accept-Language"`
	}
	bodyOf[T any] struct{ Body T }
)

// A messageService shows messages, and cancels, holds, retries and resends them.
type messageService struct {
	store interface {
		store.Messages
		store.Admin
		store.Clients
		store.Audit
	}
	submit      *submit.Submitter
	connections connectionFinder
	giveUp      time.Duration // Options.GiveUp
	now         func() time.Time
	log         *slog.Logger
}

func (s *messageService) routes(rt *router) {
	register(rt, op("list-messages", http.MethodGet, "/v1/messages", messagesTag, ScopeMessagesRead, "List messages",
		"One entry a delivery, newest first. A client sees its own."), s.listMessages)
	register(rt, op("get-message", http.MethodGet, "/v1/messages/{id}", messagesTag, ScopeMessagesRead, "Get a message with its deliveries",
		""), s.getMessage)
	register(rt, op("list-attempts", http.MethodGet, "/v1/messages/{id}/attempts", messagesTag, ScopeMessagesRead,
		"List the attempts of a message", "Every try, written down before its call."), s.listAttempts)
	content := op("get-content", http.MethodGet, "/v1/messages/{id}/raw", messagesTag, ScopeMessagesRead,
		"Get the message as it goes out by SMTP", "Without Bcc.")
	content.Parameters = []*huma.Param{{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: "string"}}}
	content.Responses = map[string]*huma.Response{"200": {Description: "OK",
		Content: map[string]*huma.MediaType{"message/rfc822": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}}
	rt.raw(content, s.getContent)
	s.exportRoute(rt)
	s.contentRoutes(rt)
	s.actionRoutes(rt)
}

// A MessageFilter is what a list of messages is chosen by.
type MessageFilter struct {
	Q          string    `query:"q" maxLength:"2000" doc:"Words, and to: from: subject: state: connection: client: tag: id: before: after:"`
	Zone       string    `query:"tz" maxLength:"64" doc:"Time zone of the dates in q, as Europe/Rome; absent: UTC"`
	State      []string  `query:"state" maxItems:"8" enum:"queued,unverified,sending,held,sent,failed,expired,cancelled"`
	Connection string    `query:"connection" maxLength:"200" doc:"Name or id"`
	Client     string    `query:"client" maxLength:"200" doc:"Id of the client"`
	From       string    `query:"from" maxLength:"320" doc:"Sender, of the header or the envelope"`
	Recipient  string    `query:"recipient" maxLength:"320" doc:"The beginning of a recipient's address or of a word of it"`
	MessageID  string    `query:"message_id" maxLength:"998" doc:"RFC 5322 Message-ID"`
	Tag        string    `query:"tag" maxLength:"200"`
	Since      time.Time `query:"since" doc:"Received at or after"`
	Before     time.Time `query:"before" doc:"Received before"`
}

type listMessagesInput struct {
	MessageFilter
	Order    string `query:"order" enum:"newest,oldest" default:"newest"`
	After    string `query:"after" maxLength:"200" doc:"next of the page before"`
	Back     string `query:"back" maxLength:"200" doc:"prev of the page behind; in place of after"`
	Limit    int    `query:"limit" minimum:"1" maximum:"1000" default:"50"`
	Language string `header:"Accept-Language"`
}

// A MessagePage is one page of a list.
type MessagePage struct {
	Items []view.MessageEntry `json:"items"`
	Next  string              `json:"next,omitempty" doc:"Give it as after; absent on the last page"`
	Prev  string              `json:"prev,omitempty" doc:"Give it as back; absent on the first page"`

	Partial bool `json:"partial,omitempty" doc:"The page is not full, as 10,000 messages were looked at: next (with back: prev) goes on"`
}

// lookedAt is how many messages one page of a list looks at one by one: words that are
// left out alone have no index.
const lookedAt = 10_000

func (s *messageService) listMessages(ctx context.Context, in *listMessagesInput) (*bodyOf[MessagePage], error) {
	f, err := s.filter(ctx, &in.MessageFilter)
	if err != nil {
		return nil, err
	}
	after, ok := openCursor(in.After)
	if !ok {
		return nil, invalid("query.after", text("api.bad_cursor", "after is not the next of a page"))
	}
	back, ok := openCursor(in.Back)
	if !ok || in.Back != "" && in.After != "" {
		return nil, invalid("query.back", text("api.bad_back", "back is not the prev of a page, or after is there too"))
	}
	page, err := s.store.List(ctx, store.ListRequest{Filter: f, After: after, Back: back, Limit: in.Limit, Oldest: in.Order == "oldest",
		Look: lookedAt})
	if err != nil {
		return nil, err
	}
	out := MessagePage{Items: []view.MessageEntry{}, Next: cursor(page.Next), Prev: cursor(page.Prev), Partial: page.Partial}
	lang := language(in.Language)
	for i := range page.Entries {
		out.Items = append(out.Items, s.entry(ctx, &page.Entries[i], lang))
	}
	return &bodyOf[MessagePage]{out}, nil
}

func (s *messageService) entry(ctx context.Context, e *store.Entry, lang string) view.MessageEntry {
	return view.MessageEntry{Message: view.OfMessage(&e.Message, lang), Delivery: view.OfDelivery(&e.Delivery,
		s.connections.reference(ctx, e.Delivery.Route.Connection), lang)}
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

// openCursor returns the mark of a cursor.
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

	Conversation string `json:"conversation,omitempty" doc:"What was said at its submission, without secrets; at most 2 KB; not for operators"`
}

// message finds a message that the caller may see.
func (s *messageService) message(ctx context.Context, id string) (*store.Message, error) {
	key, err := store.ParseID(id)
	if err != nil {
		return nil, err
	}
	m, err := s.store.Message(ctx, key)
	if err != nil {
		return nil, err
	}
	if own := caller(ctx).clientID(); own != "" && m.Client != own {
		return nil, store.ErrNotFound
	}
	return m, nil
}

// deliveries are those of a message that the caller may see.
func (s *messageService) deliveries(ctx context.Context, id string) (*store.Message, []store.Delivery, error) {
	m, err := s.message(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	list, err := s.store.Deliveries(ctx, m.ID)
	return m, list, err
}

func (s *messageService) getMessage(ctx context.Context, in *MessagePath) (*bodyOf[MessageDetail], error) {
	m, list, err := s.deliveries(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := MessageDetail{Message: view.OfMessage(m, language(in.Language)), Deliveries: []view.Delivery{}}
	if caller(ctx).owner() == "" { // as for the client's name
		out.Conversation = m.Conversation
	}
	for i := range list {
		out.Deliveries = append(out.Deliveries, view.OfDelivery(&list[i], s.connections.reference(ctx, list[i].Route.Connection),
			language(in.Language)))
	}
	return &bodyOf[MessageDetail]{out}, nil
}

// An AttemptList is the ledger of a message.
type AttemptList struct {
	Items []view.Attempt `json:"items"`
}

func (s *messageService) listAttempts(ctx context.Context, in *MessagePath) (*bodyOf[AttemptList], error) {
	_, list, err := s.deliveries(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := AttemptList{Items: []view.Attempt{}}
	for i := range list {
		attempts, err := s.store.Attempts(ctx, list[i].ID)
		if err != nil {
			return nil, err
		}
		for j := range attempts {
			out.Items = append(out.Items, view.OfAttempt(&attempts[j], language(in.Language)))
		}
	}
	return &bodyOf[AttemptList]{out}, nil
}

func (s *messageService) getContent(w http.ResponseWriter, r *http.Request) error {
	m, err := s.message(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	content, err := s.store.Content(r.Context(), m.ID)
	if err != nil {
		return err
	}
	defer func() {
		if err := content.Close(); err != nil {
			logFor(r.Context(), s.log).Warn("the content of a message was not closed", "message", m.ID, "err", err)
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
		logFor(r.Context(), s.log).Debug("a message was not read to its end", "message", m.ID, "err", err)
	}
	return nil
}
