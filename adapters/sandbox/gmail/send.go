package gmail

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// sendRaw is the JSON form: {"raw": base64url, "threadId": ...} (contracts
// C1.5).
func (g *Server) sendRaw(c call) {
	if t, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		g.refuse(c, &apiError{http.StatusBadRequest, "badRequest", "Content-Type must be application/json; a message goes to /upload"})
		return
	}
	var in metadata
	if err := json.NewDecoder(http.MaxBytesReader(c.w, c.r.Body, maxJSON)).Decode(&in); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			g.refuse(c, &apiError{http.StatusBadRequest, "parseError", "Parse Error"})
			return
		}
		g.broken(c, err)
		return
	}
	g.sendMetadata(c, in)
}

// maxJSON bounds a message in JSON: base64 and what is around it.
const maxJSON = maxSize/3*4 + 64<<10

// metadata is the JSON of a message, or of a draft around one.
type metadata struct {
	ID       string `json:"id"`
	Raw      string `json:"raw"`
	ThreadID string `json:"threadId"`
	Message  struct {
		Raw      string `json:"raw"`
		ThreadID string `json:"threadId"`
	} `json:"message"`
}

func (d metadata) raw() string { return cmp.Or(d.Message.Raw, d.Raw) }

func (d metadata) thread() string { return cmp.Or(d.Message.ThreadID, d.ThreadID) }

// sendMetadata sends the message that stands in JSON.
func (g *Server) sendMetadata(c call, in metadata) {
	if in.raw() == "" {
		g.refuse(c, invalidArgument("'raw' RFC822 payload message string or uploading message via /upload/* URL required"))
		return
	}
	// With and without padding: which one Gmail wants is [U].
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(in.raw(), "="))
	if err != nil {
		g.refuse(c, invalidArgument("Invalid value at 'message.raw' (TYPE_BYTES), Base64 decoding failed"))
		return
	}
	g.sendBody(c, "raw", in.thread(), bytes.NewReader(raw))
}

// upload dispatches the upload path by uploadType, and resumable requests that
// name a session; finish is what becomes of the message.
func (g *Server) upload(op string, scopes []string, finish func(call, string, string, *core.Message) (any, *apiError)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if q := r.URL.Query(); q.Get("upload_id") != "" {
			g.session(w, r, q.Get("upload_id"))
			return
		}
		g.startOrSend(w, r, op, scopes, finish)
	}
}

func (g *Server) startOrSend(w http.ResponseWriter, r *http.Request, op string, scopes []string,
	finish func(call, string, string, *core.Message) (any, *apiError)) {
	name, next := op, g.sendMedia
	switch kind := r.URL.Query().Get("uploadType"); {
	case r.Method != http.MethodPost && r.Method != http.MethodPut || r.Method == http.MethodPut && r.PathValue("draft") == "":
		g.core.Count("gmail." + op)
		g.writeError(w, r, http.StatusMethodNotAllowed, "httpMethodNotAllowed", "")
		return
	case kind == "media":
	case kind == "multipart":
		next = g.sendMultipart
	case kind == "resumable":
		name, next = "start", g.startUpload
	default:
		g.core.Count("gmail." + op)
		g.writeError(w, r, http.StatusBadRequest, "badRequest", "uploadType must be media, multipart or resumable")
		return
	}
	g.handle(name, scopes, func(c call) { c.finish = finish; next(c) })(w, r)
}

// isMessageType is the accepted media type (contracts C1.2, C2.7).
func isMessageType(contentType string) bool {
	t, _, err := mime.ParseMediaType(contentType)
	return err == nil && strings.HasPrefix(t, "message/")
}

func badMedia(contentType string) *apiError {
	return &apiError{http.StatusBadRequest, "badContent", "Media type '" + contentType +
		"' is not supported. Valid media types: [message/rfc822]"}
}

// sendMedia is uploadType=media: the body is the message (contracts C1.6).
func (g *Server) sendMedia(c call) {
	if ct := c.r.Header.Get("Content-Type"); !isMessageType(ct) {
		g.refuse(c, badMedia(ct))
		return
	}
	g.sendBody(c, "media", "", c.r.Body)
}

// sendMultipart is uploadType=multipart: JSON, then the message (contracts C1.7).
func (g *Server) sendMultipart(c call) {
	bad := func(text string) { g.refuse(c, &apiError{http.StatusBadRequest, "badRequest", text}) }
	t, params, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || t != "multipart/related" || params["boundary"] == "" {
		bad("Content-Type must be multipart/related with a boundary")
		return
	}
	parts := multipart.NewReader(c.r.Body, params["boundary"])
	meta, err := parts.NextRawPart()
	if err != nil {
		bad("Missing metadata part")
		return
	}
	var in metadata
	if mt, _, err := mime.ParseMediaType(meta.Header.Get("Content-Type")); err != nil || mt != "application/json" ||
		json.NewDecoder(io.LimitReader(meta, 64<<10)).Decode(&in) != nil {
		bad("The first part must be JSON metadata")
		return
	}
	media, err := parts.NextRawPart()
	if err != nil {
		bad("Missing media part")
		return
	}
	if ct := media.Header.Get("Content-Type"); !isMessageType(ct) {
		g.refuse(c, badMedia(ct))
		return
	}
	var body io.Reader = media
	switch strings.ToLower(media.Header.Get("Content-Transfer-Encoding")) {
	case "", "7bit", "8bit", "binary":
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, media)
	default:
		bad("Unknown Content-Transfer-Encoding")
		return
	}
	if in.ID != "" && c.op == "sendDraft" { // the message of the draft is replaced by what is uploaded
		defer func() { g.discardDraft(g.takeDraft(c, in.ID)) }()
	}
	m, ok := g.receive(c, body)
	if !ok {
		return
	}
	if _, err := parts.NextRawPart(); !errors.Is(err, io.EOF) {
		bad("There must be two parts, properly ended")
		g.discard(m)
		return
	}
	g.send(c, "multipart", in.thread(), m)
}

func (g *Server) sendBody(c call, route, thread string, body io.Reader) {
	if m, ok := g.receive(c, body); ok {
		g.send(c, route, thread, m)
	}
}

// receive reads the message. It answers and is false when that is impossible.
func (g *Server) receive(c call, body io.Reader) (*core.Message, bool) {
	limited := &io.LimitedReader{R: body, N: maxSize + 1}
	m, err := g.core.Receive(limited)
	if err != nil {
		g.broken(c, err)
		return nil, false
	}
	if m.Size > maxSize {
		// Read on, so that the answer reaches a client that is still writing.
		if _, err := io.Copy(io.Discard, io.LimitReader(body, 8*maxSize)); err != nil {
			g.core.Log.Debug("the rest of a large message was not read", "err", err)
		}
		g.discard(m)
		g.tooLarge(c)
		return nil, false
	}
	return m, true
}

func (g *Server) discard(m *core.Message) {
	if err := m.Discard(); err != nil {
		g.core.Log.Error("a message stays on disk", "err", err)
	}
}

// send sends a received message, or answers with what acts or is wrong.
func (g *Server) send(c call, route, thread string, m *core.Message) {
	after, answered := g.fault(c)
	if answered {
		g.discard(m)
		return
	}
	sent, refusal := c.finish(c, route, thread, m)
	switch {
	case refusal != nil:
		g.refuse(c, refusal)
	case !after():
		core.WriteJSON(c.w, http.StatusOK, sent)
	}
}
