package graph

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// Limits of attachments (B2.3); "MB" is taken as MiB.
const (
	oneShotLimit  = 3 << 20 // POST below, session from
	sessionLimit  = 150 << 20
	messageLimit  = 150 << 20 // of the message that is sent (B2.4)
	minSessionErr = "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize"
)

// An attachment is a file of a draft.
type attachment struct {
	id          string
	name        string
	contentType string
	contentID   string
	inline      bool
	content     core.Blob
	read        func() ([]byte, error) // of a part of MIME, in place of content
}

// newAttachment reads a fileAttachment with its bytes in the JSON.
func (c *call) newAttachment(data []byte) (*attachment, *apiError) {
	var doc struct {
		Type        string  `json:"@odata.type"`
		Name        string  `json:"name"`
		ContentType string  `json:"contentType"`
		Bytes       *string `json:"contentBytes"`
		ContentID   string  `json:"contentId"`
		Inline      bool    `json:"isInline"`
		Size        int64   `json:"size"`
	}
	if err := core.DecodeStrict(data, &doc); err != nil {
		return nil, badRequest("The attachment cannot be read: " + err.Error())
	}
	switch {
	case doc.Type != "#microsoft.graph.fileAttachment":
		return nil, badRequest("'" + doc.Type + "' is no attachment of this fake: #microsoft.graph.fileAttachment is.")
	case doc.Name == "":
		return nil, badRequest("The property 'name' is required when creating the entity.")
	case doc.Bytes == nil:
		return nil, badRequest("The property 'contentBytes' is required.")
	}
	content, err := base64.StdEncoding.DecodeString(*doc.Bytes)
	if err != nil {
		return nil, badRequest("Cannot convert the literal in 'contentBytes' to the expected type 'Edm.Binary'.")
	}
	if len(content) >= oneShotLimit {
		return nil, &apiError{http.StatusRequestEntityTooLarge, "ErrorAttachmentSizeLimitExceeded",
			"The attachment is too large: use an upload session."}
	}
	a := &attachment{name: doc.Name, contentType: doc.ContentType, contentID: doc.ContentID, inline: doc.Inline}
	if a.id, err = newItemID("AAMkAGA"); err == nil {
		a.content, err = c.g.core.Keep(content)
	}
	if err != nil {
		return nil, &apiError{http.StatusInternalServerError, "", err.Error()}
	}
	return a, nil
}

func (a *attachment) document() map[string]any {
	return map[string]any{
		"@odata.type": "#microsoft.graph.fileAttachment", "id": a.id, "name": a.name, "contentType": a.contentType,
		"contentId": a.contentID, "isInline": a.inline, "size": a.content.Size,
	}
}

// attach adds a small file to a draft (B2.3).
func (g *Server) attach(c *call) {
	a, e := c.newAttachment(c.body.json)
	if e != nil {
		c.failErr(e)
		return
	}
	if c.onDraft(func(it *item) *apiError { return it.attach(g.now(), a) }) {
		c.accepted(func() { core.WriteJSON(c.w, http.StatusCreated, a.document()) })
	}
}

// attach adds to the item; the lock is held.
func (it *item) attach(now time.Time, a *attachment) *apiError {
	total := a.content.Size
	for _, other := range it.attachments {
		total += other.content.Size
	}
	if total > messageLimit {
		return messageTooLarge()
	}
	it.attachments = append(it.attachments, a)
	it.summary.attachments = true
	it.modified = now
	return nil
}

func messageTooLarge() *apiError {
	return &apiError{http.StatusBadRequest, "ErrorMessageSizeExceeded", "The message exceeds the maximum supported size."}
}

// createUploadSession opens a session for a large file (B3 step 2).
func (g *Server) createUploadSession(c *call) {
	var doc struct {
		Type        string `json:"@odata.type"`
		Kind        string `json:"attachmentType"`
		Name        string `json:"name"`
		Size        *int64 `json:"size"`
		ContentType string `json:"contentType"`
		ContentID   string `json:"contentId"`
		Inline      bool   `json:"isInline"`
	}
	if err := core.DecodeStrict(attachmentItem(c.body.json), &doc); err != nil {
		c.failErr(badRequest("AttachmentItem cannot be read: " + err.Error()))
		return
	}
	var e *apiError
	switch {
	case !strings.EqualFold(doc.Kind, "file"):
		e = badRequest("attachmentType must be 'file' here.")
	case doc.Name == "":
		e = badRequest("The property 'name' is required.")
	case doc.Size == nil || *doc.Size <= 0:
		e = badRequest("The property 'size' is required and must be positive.")
	case *doc.Size < oneShotLimit:
		e = &apiError{http.StatusBadRequest, minSessionErr, fmt.Sprintf("Attachment size should be greater than the minimum size %d.",
			oneShotLimit)}
	case *doc.Size > sessionLimit:
		e = &apiError{http.StatusBadRequest, "ErrorAttachmentSizeLimitExceeded", "The attachment size exceeds the limit of 150 MB."}
	}
	if e != nil {
		c.failErr(e)
		return
	}
	s, err := g.newSession(c.mailbox, c.r.PathValue("id"), &attachment{
		name: doc.Name, contentType: doc.ContentType, contentID: doc.ContentID, inline: doc.Inline,
	}, *doc.Size)
	if err != nil {
		c.fail(http.StatusInternalServerError, "", err.Error())
		return
	}
	if !c.onDraft(func(it *item) *apiError {
		s.item = it.immutable
		return nil
	}) {
		s.discard(g.core.Log)
		return
	}
	g.uploads.add(s)
	c.accepted(func() {
		core.WriteJSON(c.w, http.StatusCreated, map[string]any{
			"@odata.context": c.base() + "/v1.0/$metadata#microsoft.graph.uploadSession",
			"uploadUrl":      c.uploadBase() + s.path() + "?authtoken=" + url.QueryEscape(s.token), "expirationDateTime": formatTime(s.expires),
			"nextExpectedRanges": []string{"0-"},
		})
	})
}

// attachmentItem unwraps {"AttachmentItem":{...}}; the name is not case-sensitive.
func attachmentItem(data []byte) []byte {
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(data, &doc); err != nil || len(doc) != 1 {
		return []byte("null is not what is expected") // refused with a syntax error
	}
	for name, v := range doc {
		if strings.EqualFold(name, "AttachmentItem") {
			return v
		}
	}
	return []byte("AttachmentItem is missing")
}
