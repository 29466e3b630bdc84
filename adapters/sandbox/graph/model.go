package graph

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

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
	Attachments      []json.RawMessage `json:"attachments"`
	Properties       []jsonProperty    `json:"singleValueExtendedProperties"`
	Categories       []string          `json:"categories"`
	ReadReceipt      bool              `json:"isReadReceiptRequested"`
	DeliveryReceipt  bool              `json:"isDeliveryReceiptRequested"`
	HasAttachments   bool              `json:"hasAttachments"`
	SentDateTime     string            `json:"sentDateTime"`
	ConversationID   string            `json:"conversationId"`
	Flag             any               `json:"flag"`
	InferenceClassif string            `json:"inferenceClassification"`
}

// A jsonProperty is an extended property.
type jsonProperty struct {
	ID    string `json:"id"`
	Value string `json:"value"`
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
	box, err := mime.ParseMailbox(r.Address.Address)
	if err != nil { // the sending refuses it; a draft may hold it
		return r.Address.Address
	}
	return mime.Address{Name: r.Address.Name, Address: box}.String()
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
	if !bodyType(m.Body.Type) {
		return badBodyType(m.Body.Type)
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
		it.messageID = newMessageID()
	}
	it.sentDate, it.categories, it.importance, it.flag = it.created, m.Categories, strings.ToLower(m.Importance), m.Flag
	for _, raw := range m.Attachments {
		a, e := c.newAttachment(raw)
		if e != nil {
			return e
		}
		it.attachments = append(it.attachments, a)
	}
	m.Attachments = nil
	it.message = m
	it.summarize(c.mailbox)
	return nil
}

// messageProperties are what $select may name.
var messageProperties = map[string]bool{
	"id": true, "internetMessageId": true, "subject": true, "isDraft": true, "createdDateTime": true, "sentDateTime": true,
	"lastModifiedDateTime": true, "receivedDateTime": true, "from": true, "sender": true, "toRecipients": true, "ccRecipients": true,
	"bccRecipients": true, "hasAttachments": true, "parentFolderId": true, "conversationId": true, "internetMessageHeaders": true,
	"changeKey": true, "importance": true, "isRead": true, "body": true, "bodyPreview": true, "replyTo": true, "webLink": true,
	"categories": true, "flag": true, "inferenceClassification": true,
}

// document is what is known of the item without its content.
func (it *item) document(now time.Time, immutable bool) map[string]any {
	folder := it.folder(now)
	doc := map[string]any{
		"id": it.id(now, immutable), "internetMessageId": it.messageID, "subject": it.summary.subject,
		"isDraft": it.isDraft(now), "createdDateTime": formatTime(it.created), "lastModifiedDateTime": formatTime(it.modified),
		"sentDateTime": formatTime(it.sentDate), "receivedDateTime": formatTime(it.created),
		"from": it.sender(), "sender": it.sender(), "toRecipients": recipientsOf(it.summary.to), "ccRecipients": recipientsOf(it.summary.cc),
		"bccRecipients":  recipientsOf(it.summary.bcc),
		"hasAttachments": it.summary.attachments, "parentFolderId": folderID(folder), "conversationId": it.conversation(),
		"isRead": !it.unread, "importance": it.importanceName(), "categories": it.categories, "flag": it.flag,
		"inferenceClassification": "focused", "changeKey": "CQAAABYAAA" + it.immutable[6:16],
		"webLink": "https://outlook.office365.com/owa/?ItemID=" + it.immutable + "&exvsurl=1&viewmodel=ReadMessageItem",
	}
	if it.categories == nil {
		doc["categories"] = []string{}
	}
	if it.flag == nil {
		doc["flag"] = map[string]string{"flagStatus": "notFlagged"}
	}
	return doc
}

// conversation is the id of the conversation that the item belongs to.
func (it *item) conversation() string {
	if it.thread != "" {
		return it.thread
	}
	return "AAQkAG" + it.immutable[6:22]
}

// sender is From, as far as it can be read.
func (it *item) sender() (r jsonRecipient) {
	if a, err := mime.ParseAddress(it.summary.from); err == nil {
		r = recipientOf(a)
	}
	return r
}

func (it *item) importanceName() string {
	if it.importance == "" {
		return "normal"
	}
	return it.importance
}

// folderID is the id of a folder: its own, or that of a well-known name.
func folderID(name string) string { return folder{name: name}.id() }
