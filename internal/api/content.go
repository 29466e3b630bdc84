package api

import (
	"context"
	"errors"
	"io"
	stdmime "mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// maxShownText bounds each text of a message that is shown; the whole is in its raw form.
const maxShownText = 512 << 10

func (s *messageService) contentRoutes(rt *router) {
	register(rt, op("read-message", http.MethodGet, "/v1/messages/{id}/content", messagesTag, ScopeMessagesRead,
		"Read a message: header, texts and attachments", "Each text up to 512 KiB. HTML is as the sender wrote it: show it in a sandbox."),
		s.readContent)
	part := op("get-part", http.MethodGet, "/v1/messages/{id}/parts/{part}", messagesTag, ScopeMessagesRead,
		"Get an attachment", "As it was before it was encoded for mail, to save as a file.")
	part.Parameters = []*huma.Param{{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: "string"}},
		{Name: "part", In: "path", Required: true, Schema: &huma.Schema{Type: "integer"}, Description: "part of the attachment"}}
	part.Responses = map[string]*huma.Response{"200": {Description: "OK",
		Content: map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}}
	rt.raw(part, s.getPart)
}

// A MessageContent is what a reader of mail shows of a message.
type MessageContent struct {
	To          []string        `json:"to"`
	Cc          []string        `json:"cc"`
	Bcc         []string        `json:"bcc" doc:"Recipients that neither To nor Cc names"`
	Header      []HeaderField   `json:"header" doc:"In order, decoded, without Bcc"`
	Text        string          `json:"text,omitempty"`
	HTML        string          `json:"html,omitempty" doc:"As the sender wrote it"`
	Cut         bool            `json:"cut,omitempty" doc:"A text is longer than what is shown"`
	Attachments []AttachedFile  `json:"attachments"`
	Problem     *ContentProblem `json:"problem,omitempty" doc:"A part cannot be decoded"`
}

// A HeaderField is one field of a header.
type HeaderField struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// An AttachedFile is a part that readers list as a file.
type AttachedFile struct {
	Part  int    `json:"part" doc:"Its place in the message"`
	Name  string `json:"name"`
	Type  string `json:"type"`
	Bytes int64  `json:"bytes" doc:"As it is encoded in the message"`
}

// A ContentProblem says what of a message cannot be read.
type ContentProblem struct {
	Message string `json:"message"`
}

// parsed opens and reads a message that the caller may see.
func (s *messageService) parsed(ctx context.Context, id string) (*store.Message, *mime.Message, io.Closer, error) {
	m, err := s.message(ctx, id)
	if err != nil {
		return nil, nil, nil, err
	}
	content, err := s.store.Content(ctx, m.ID)
	if err != nil {
		return nil, nil, nil, err
	}
	p, err := mime.Read(content, mime.Limits{})
	if err != nil {
		return nil, nil, nil, errors.Join(err, content.Close())
	}
	return m, p, content, nil
}

func (s *messageService) readContent(ctx context.Context, in *MessagePath) (*bodyOf[MessageContent], error) {
	m, p, content, err := s.parsed(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	defer s.closed(content, m.ID)
	out := MessageContent{To: shownAddresses(p.To()), Cc: shownAddresses(p.Cc()), Bcc: []string{}, Header: headerOf(p),
		Attachments: []AttachedFile{}}
	shown := map[mime.Mailbox]bool{}
	for _, a := range slices.Concat(p.To(), p.Cc()) {
		shown[a.Address] = true
	}
	for _, r := range m.Envelope.Recipients {
		if !shown[r.Address] {
			out.Bcc = append(out.Bcc, r.Address.String())
		}
	}
	if out.Text, out.HTML, err = p.TextBodies(maxShownText); err != nil {
		out.Problem = &ContentProblem{problemText(err, language(in.Language))}
	}
	out.Cut = len(out.Text) >= maxShownText || len(out.HTML) >= maxShownText
	root, err := p.Structure()
	if err != nil {
		out.Problem = &ContentProblem{problemText(err, language(in.Language))}
		return &bodyOf[MessageContent]{out}, nil
	}
	n := 0
	root.Walk(false, func(part *mime.Part) bool {
		if listed(part) {
			out.Attachments = append(out.Attachments, AttachedFile{Part: n, Name: fileName(part), Type: part.MediaType,
				Bytes: part.End - part.BodyStart})
		}
		n++
		return true
	})
	return &bodyOf[MessageContent]{out}, nil
}

// problemText is what a reader is told of content that cannot be decoded.
func problemText(err error, lang string) string {
	var e *mime.Error
	if errors.As(err, &e) {
		return e.Message.In(lang)
	}
	return text("api.unreadable_content", "the message cannot be read as mail").In(lang)
}

func shownAddresses(list []mime.Address) []string {
	out := []string{}
	for _, a := range list {
		if a.Name == "" {
			out = append(out, a.Address.String())
		} else {
			out = append(out, a.Name+" <"+a.Address.String()+">")
		}
	}
	return out
}

// headerOf are the fields that everyone who gets the message sees.
func headerOf(p *mime.Message) []HeaderField {
	out := []HeaderField{}
	for name, value := range p.Fields() {
		if !strings.EqualFold(name, "Bcc") && !strings.EqualFold(name, "Resent-Bcc") {
			out = append(out, HeaderField{name, value})
		}
	}
	return out
}

// listed reports a part that can be saved as a file: attachments, and images and
// the like that the HTML shows.
func listed(p *mime.Part) bool {
	return p.Attachment() || !p.Multipart() && !strings.HasPrefix(p.MediaType, "text/") && !strings.HasPrefix(p.MediaType, "multipart/")
}

// fileName is the name under which a part is saved.
func fileName(p *mime.Part) string {
	name := safeName(p.Filename)
	if p.Filename == "" && p.MediaType == "message/rfc822" {
		name = "message.eml"
	}
	return name
}

// safeName is a name under which a file can be saved anywhere: no folders, no
// characters that change how the rest is read.
func safeName(name string) string {
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || strings.ContainsRune(`<>:"|?*`, r) {
			return -1
		}
		return r
	}, name)
	name = strings.Trim(name, " .")
	if runes := []rune(name); len(runes) > 150 {
		name = string(runes[:100]) + string(runes[len(runes)-50:])
	}
	if name == "" {
		return "attachment"
	}
	return name
}

func (s *messageService) getPart(w http.ResponseWriter, r *http.Request) error {
	m, p, content, err := s.parsed(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	defer s.closed(content, m.ID)
	part, err := partAt(p, r.PathValue("part"))
	if err != nil {
		return err
	}
	size, err := io.Copy(io.Discard, p.Open(part)) // one that cannot be decoded must not be saved in part
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream") // whatever it says it is: it is saved, not shown
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Disposition", stdmime.FormatMediaType("attachment", map[string]string{"filename": fileName(part)}))
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	w.WriteHeader(http.StatusOK)
	if _, err := io.Copy(w, p.Open(part)); err != nil {
		logFor(r.Context(), s.log).Debug("an attachment was not read to its end", "message", m.ID, "err", err)
	}
	return nil
}

// partAt finds the part with a number among those that can be saved.
func partAt(p *mime.Message, number string) (*mime.Part, error) {
	want, err := strconv.Atoi(number)
	root, broken := p.Structure()
	if broken != nil {
		return nil, broken
	}
	var found *mime.Part
	n := 0
	root.Walk(false, func(part *mime.Part) bool {
		if n == want && listed(part) {
			found = part
		}
		n++
		return found == nil
	})
	if err != nil || found == nil {
		return nil, fail(http.StatusNotFound, "not_found", "", text("api.no_part", "the message has no such attachment"), adapters.Text{})
	}
	return found, nil
}

func (s *messageService) closed(c io.Closer, id store.ID) {
	if err := c.Close(); err != nil {
		s.log.Warn("the content of a message was not closed", "message", id, "err", err)
	}
}
