package graph

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
	"github.com/postino-mail/postino/mime"
)

// A jsonMessage is the message resource, as far as a client may set it.
// Unknown properties are refused, as Graph does.
type jsonMessage struct {
	Type       string          `json:"@odata.type"`
	Subject    string          `json:"subject"`
	Body       jsonBody        `json:"body"`
	From       *jsonRecipient  `json:"from"`
	Sender     *jsonRecipient  `json:"sender"`
	ReplyTo    []jsonRecipient `json:"replyTo"`
	To         []jsonRecipient `json:"toRecipients"`
	Cc         []jsonRecipient `json:"ccRecipients"`
	Bcc        []jsonRecipient `json:"bccRecipients"`
	Importance string          `json:"importance"`
	MessageID  string          `json:"internetMessageId"`
	Headers    []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"internetMessageHeaders"`
	Attachments []json.RawMessage `json:"attachments"`
	Properties  []struct {
		ID    string `json:"id"`
		Value string `json:"value"`
	} `json:"singleValueExtendedProperties"`
	Categories       []string `json:"categories"`
	ReadReceipt      bool     `json:"isReadReceiptRequested"`
	DeliveryReceipt  bool     `json:"isDeliveryReceiptRequested"`
	HasAttachments   bool     `json:"hasAttachments"`
	SentDateTime     string   `json:"sentDateTime"`
	ConversationID   string   `json:"conversationId"`
	Flag             any      `json:"flag"`
	InferenceClassif string   `json:"inferenceClassification"`
}

type jsonBody struct {
	Type    string `json:"contentType"`
	Content string `json:"content"`
}

type jsonRecipient struct {
	Address struct {
		Name    string `json:"name,omitempty"`
		Address string `json:"address"`
	} `json:"emailAddress"`
}

func (r jsonRecipient) String() string {
	return mime.Address{Name: r.Address.Name, Address: r.Address.Address}.String()
}

func (m *jsonMessage) recipients() (out []string) {
	for _, list := range [][]jsonRecipient{m.To, m.Cc, m.Bcc} {
		out = append(out, addressesOf(list)...)
	}
	return out
}

func addressesOf(list []jsonRecipient) (out []string) {
	for _, r := range list {
		out = append(out, r.Address.Address)
	}
	return out
}

// setJSON makes the item a draft of a JSON message.
func (it *item) setJSON(c *call, data []byte) *apiError {
	m := new(jsonMessage)
	if err := core.DecodeStrict(data, m); err != nil {
		return badRequest("The message cannot be read: " + err.Error())
	}
	switch strings.ToLower(m.Body.Type) {
	case "", "text", "html":
	default:
		return badRequest("Cannot convert the literal '" + m.Body.Type + "' to the expected type 'microsoft.graph.bodyType'.")
	}
	for _, h := range m.Headers { // B6.1
		if !strings.HasPrefix(strings.ToLower(h.Name), "x-") {
			return &apiError{http.StatusBadRequest, "InvalidInternetMessageHeader", "The internet message header name '" + h.Name +
				"' should start with 'x-' or 'X-'."}
		}
		if strings.ContainsAny(h.Name+h.Value, "\r\n") {
			return &apiError{http.StatusBadRequest, "InvalidInternetMessageHeader", "The internet message header '" + h.Name + "' is not valid."}
		}
	}
	if len(m.Headers) > 5 { // B6.2
		return &apiError{http.StatusBadRequest, "InvalidInternetMessageHeaderCollection",
			"Maximum number of headers in one message should be less than or equal to 5."}
	}
	it.messageID = m.MessageID
	if it.messageID == "" || !c.sw.GraphKeepMessageID {
		it.messageID = "<" + uuid.NewString() + "@" + exchangeHost + ">"
	}
	from := "<" + c.mailbox + ">"
	if m.From != nil {
		from = m.From.String()
	}
	it.summary = summary{subject: m.Subject, from: from, to: addressesOf(m.To), cc: addressesOf(m.Cc), bcc: addressesOf(m.Bcc)}
	it.sentDate = it.created
	for _, raw := range m.Attachments {
		a, e := c.newAttachment(raw)
		if e != nil {
			return e
		}
		it.attachments = append(it.attachments, a)
		it.summary.attachments = true
	}
	m.Attachments = nil
	it.message = m
	return nil
}

// messageProperties are what $select may name.
var messageProperties = map[string]bool{
	"id": true, "internetMessageId": true, "subject": true, "isDraft": true, "createdDateTime": true, "sentDateTime": true,
	"lastModifiedDateTime": true, "receivedDateTime": true, "from": true, "sender": true, "toRecipients": true, "ccRecipients": true,
	"bccRecipients": true, "hasAttachments": true, "parentFolderId": true, "conversationId": true, "internetMessageHeaders": true,
	"changeKey": true, "importance": true, "isRead": true, "body": true, "bodyPreview": true, "replyTo": true, "webLink": true,
}

// document is the item as JSON; sel are the properties of $select, nil for all.
func (it *item) document(now time.Time, immutable bool, sel []string) map[string]any {
	people := func(list []string) []jsonRecipient {
		out := make([]jsonRecipient, len(list))
		for i, a := range list {
			out[i].Address.Address = a
		}
		return out
	}
	var from jsonRecipient
	if a, err := mime.ParseAddress(it.summary.from); err == nil {
		from.Address.Name, from.Address.Address = a.Name, a.Address
	}
	folder := it.folder(now)
	all := map[string]any{
		"id": it.id(now, immutable), "internetMessageId": it.messageID, "subject": it.summary.subject,
		"isDraft": folder == drafts, "createdDateTime": formatTime(it.created), "lastModifiedDateTime": formatTime(it.modified),
		"sentDateTime": formatTime(it.sentDate), "receivedDateTime": formatTime(it.created),
		"from": from, "sender": from, "toRecipients": people(it.summary.to), "ccRecipients": people(it.summary.cc),
		"bccRecipients":  people(it.summary.bcc),
		"hasAttachments": it.summary.attachments, "parentFolderId": folderID(folder), "conversationId": "AAQkAG" + it.immutable[6:22],
		"isRead": true,
	}
	if sel == nil {
		return all
	}
	out := map[string]any{"id": all["id"]}
	for _, name := range sel {
		if v, ok := all[name]; ok {
			out[name] = v
		}
	}
	return out
}

func folderID(folder string) string { return "AQMkAGF-" + folder }
