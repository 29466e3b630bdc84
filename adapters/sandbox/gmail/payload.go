package gmail

import (
	"encoding/base64"
	"html"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
	"github.com/postino-mail/postino/mime"
)

// A view is what a message shows.
type view struct {
	raw    []byte
	header []core.Field
	text   string
	files  []string
	m      *mime.Message // nil: it cannot be read as MIME
	root   *mime.Part
}

type header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// A part is a node of a message's payload.
type part struct {
	ID       string   `json:"partId"`
	Type     string   `json:"mimeType"`
	Filename string   `json:"filename"`
	Headers  []header `json:"headers"`
	Body     partBody `json:"body"`
	Parts    []part   `json:"parts,omitempty"`
}

type partBody struct {
	Attachment string `json:"attachmentId,omitempty"`
	Size       int    `json:"size"`
	Data       string `json:"data,omitempty"` // base64url
}

// open reads the mailbox's own copy: with Bcc (contracts C5.3) and with what Gmail changed.
func (g *Server) open(m *storedMessage) (io.ReadCloser, error) {
	switch {
	case m.draft != nil:
		return m.draft.Open()
	case m.received:
		return g.core.OpenShown(m.seq)
	}
	return g.core.OpenSent(m.seq)
}

// look reads a message.
func (g *Server) look(m *storedMessage) (*view, error) {
	rc, err := g.open(m)
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	v := new(view)
	if v.raw, err = io.ReadAll(rc); err != nil {
		return nil, err
	}
	v.header, _ = core.ParseFields(v.raw)
	msg, err := mime.Read(mime.Bytes(v.raw), mime.Limits{})
	if err != nil {
		return v, nil // what cannot be read as MIME is shown by its header alone, as Gmail does
	}
	// What of a body cannot be decoded is not shown; the rest is.
	text, page, _ := msg.TextBodies(1 << 20)
	if v.text = text; text == "" {
		v.text = mime.TextFromHTML(page)
	}
	root, err := msg.Structure()
	if err != nil {
		return v, nil // as above
	}
	v.m, v.root = msg, root
	root.Walk(false, func(p *mime.Part) bool {
		if p.Filename != "" {
			v.files = append(v.files, p.Filename)
		}
		return true
	})
	return v, nil
}

// snippetLength is how much of the text a snippet has.
const snippetLength = 200

func (v *view) snippet() string {
	text := []rune(strings.Join(strings.Fields(v.text), " "))
	return html.EscapeString(string(text[:min(len(text), snippetLength)]))
}

func headersOf(fields []core.Field, only []string) []header {
	out := []header{}
	for _, f := range fields {
		if len(only) == 0 || slices.ContainsFunc(only, func(n string) bool { return strings.EqualFold(n, f.Name) }) {
			out = append(out, header{f.Name, core.DecodeWords(f.Value)})
		}
	}
	return out
}

// payload is the tree of parts. Files are told by id, as Gmail does.
func (v *view) payload() (part, error) {
	if v.root == nil {
		return part{Type: "text/plain", Headers: headersOf(v.header, nil)}, nil
	}
	return v.part(v.root, "")
}

func (v *view) part(p *mime.Part, id string) (part, error) {
	fields, _ := core.ParseFields(v.raw[p.HeaderStart:p.BodyStart])
	out := part{ID: id, Type: p.MediaType, Filename: p.Filename, Headers: headersOf(fields, nil)}
	if p.Multipart() {
		for i, child := range p.Parts {
			name := strconv.Itoa(i)
			if id != "" {
				name = id + "." + name
			}
			next, err := v.part(child, name)
			if err != nil {
				return part{}, err
			}
			out.Parts = append(out.Parts, next)
		}
		return out, nil
	}
	data, err := io.ReadAll(v.m.Open(p))
	if err != nil {
		data = v.raw[p.BodyStart:p.End] // as it is, where it is not what its label says
	}
	out.Body.Size = len(data)
	if p.Filename != "" {
		out.Body.Attachment = "ANGjdJ-" + base64.RawURLEncoding.EncodeToString([]byte("part:"+id))
		return out, nil
	}
	out.Body.Data = base64.URLEncoding.EncodeToString(data)
	return out, nil
}

// message is the message in the format that is asked for: full by default.
func (g *Server) message(m *storedMessage, format string, only []string) (map[string]any, *apiError) {
	out := map[string]any{
		"id": m.id, "threadId": m.thread, "labelIds": m.labels, "sizeEstimate": m.size,
		"internalDate": strconv.FormatInt(m.at.UnixMilli(), 10), "historyId": strconv.Itoa(m.seq),
	}
	broken := &apiError{http.StatusInternalServerError, "backendError", ""}
	v, err := g.look(m)
	if err != nil {
		g.core.Log.Error("a message cannot be read", "err", err)
		return nil, broken
	}
	out["snippet"] = v.snippet()
	switch strings.ToLower(format) {
	case "minimal":
	case "metadata":
		out["payload"] = map[string]any{"mimeType": "", "headers": headersOf(v.header, only)}
		if v.root != nil {
			out["payload"].(map[string]any)["mimeType"] = v.root.MediaType
		}
	case "raw":
		out["raw"] = base64.URLEncoding.EncodeToString(v.raw)
	case "", "full":
		if out["payload"], err = v.payload(); err != nil {
			return nil, broken
		}
	default:
		return nil, invalidArgument("Invalid value at 'format': \"" + format + "\"")
	}
	return out, nil
}

// get answers messages.get.
func (g *Server) get(c call) {
	g.answerMessage(c, func(m *storedMessage) (any, *apiError) {
		q := c.r.URL.Query()
		format := q.Get("format")
		if strings.EqualFold(format, "full") || strings.EqualFold(format, "raw") || format == "" {
			if !c.token.Allows(searchScopes()...) { // gmail.metadata shows no bodies (J2.1)
				return nil, &apiError{http.StatusForbidden, "forbidden", "Metadata scope doesn't allow format " + strings.ToUpper(format)}
			}
		}
		return g.message(m, format, q["metadataHeaders"])
	})
}

// attachment answers messages.attachments.get.
func (g *Server) attachment(c call) {
	g.answerMessage(c, func(m *storedMessage) (any, *apiError) {
		v, err := g.look(m)
		if err != nil || v.root == nil {
			return nil, notFound()
		}
		wanted := c.r.PathValue("attachment")
		var data []byte
		found := false
		var walk func(p *mime.Part, id string)
		walk = func(p *mime.Part, id string) {
			if p.Filename != "" && !p.Multipart() && wanted == "ANGjdJ-"+base64.RawURLEncoding.EncodeToString([]byte("part:"+id)) {
				data, err = io.ReadAll(v.m.Open(p))
				found = true
			}
			for i, child := range p.Parts {
				name := strconv.Itoa(i)
				if id != "" {
					name = id + "." + name
				}
				walk(child, name)
			}
		}
		walk(v.root, "")
		if !found || err != nil {
			return nil, notFound()
		}
		return map[string]any{"attachmentId": wanted, "size": len(data), "data": base64.URLEncoding.EncodeToString(data)}, nil
	})
}

func notFound() *apiError { return &apiError{http.StatusNotFound, "notFound", ""} }

// answerMessage answers with what do makes of the message of the path.
func (g *Server) answerMessage(c call, do func(*storedMessage) (any, *apiError)) {
	after, answered := g.fault(c)
	if answered {
		return
	}
	g.mu.Lock()
	m := g.messages[c.r.PathValue("id")]
	var held storedMessage
	if m != nil {
		held = *m
	}
	g.mu.Unlock()
	if m == nil || held.mailbox != c.mailbox {
		g.refuse(c, notFound())
		return
	}
	out, refusal := do(&held)
	switch {
	case refusal != nil:
		g.refuse(c, refusal)
	case !after():
		core.WriteJSON(c.w, http.StatusOK, out)
	}
}
