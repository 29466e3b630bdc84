package adapters

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"unicode"
)

// Bounds of a conversation: so many bytes of its beginning and of its end, and of a line.
const (
	conversationPart = 4<<10 - 64
	conversationLine = 512
)

// A Conversation notes what was said with a provider in one call: commands and replies of
// SMTP, method, address and status of HTTP. It never holds a credential, a token, an
// address with its query, or anything of the message's content, and at most 8 KB: of a
// longer one the middle is left out. It may be used by several goroutines; nil notes
// nothing.
type Conversation struct {
	mu         sync.Mutex
	head, tail []string
	headSize   int
	tailSize   int
	lost       int // lines between head and tail
}

type conversationKey struct{}

// WithConversation returns a context of calls that note in c what is said: adapters look
// for it in the context of Send and Verify.
func WithConversation(ctx context.Context, c *Conversation) context.Context {
	return context.WithValue(ctx, conversationKey{}, c)
}

// ConversationIn returns that of a context; nil where there is none.
func ConversationIn(ctx context.Context) *Conversation {
	c, _ := ctx.Value(conversationKey{}).(*Conversation)
	return c
}

// Note adds a line. Control characters, those of direction too, become spaces.
func (c *Conversation) Note(line string) {
	if c == nil {
		return
	}
	line = strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(line, "?"))
	if len(line) > conversationLine {
		line = strings.ToValidUTF8(line[:conversationLine], "") + "…"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if size := len(line) + 1; len(c.tail) == 0 && c.lost == 0 && c.headSize+size <= conversationPart {
		c.head, c.headSize = append(c.head, line), c.headSize+size
		return
	}
	c.tail, c.tailSize = append(c.tail, line), c.tailSize+len(line)+1
	for c.tailSize > conversationPart {
		c.tailSize -= len(c.tail[0]) + 1
		c.tail, c.lost = c.tail[1:], c.lost+1
	}
}

// String returns the lines, each with a line feed, at most 8 KB.
func (c *Conversation) String() string {
	if c == nil {
		return ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for _, line := range c.head {
		b.WriteString(line + "\n")
	}
	if c.lost > 0 {
		fmt.Fprintf(&b, "… (%d)\n", c.lost)
	}
	for _, line := range c.tail {
		b.WriteString(line + "\n")
	}
	return b.String()
}

// NotedTransport returns a transport with its requests noted in the conversation of
// their contexts, by method, address, status and the provider's id of the request, and
// with the reason of one that was refused. Of an address that carries its own permission in place of a token, the host alone is noted.
func NotedTransport(t http.RoundTripper) http.RoundTripper {
	if t == nil {
		t = http.DefaultTransport
	}
	return &notedTransport{t}
}

type notedTransport struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t *notedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	c := ConversationIn(r.Context())
	res, err := t.RoundTripper.RoundTrip(r)
	if c == nil {
		return res, err
	}
	line := r.Method + " " + notedAddress(r)
	if r.ContentLength > 0 {
		line += fmt.Sprintf(" (%d bytes)", r.ContentLength)
	}
	if err != nil { // its words may hold the address: the attempt's own error says why
		c.Note(line + " -> no answer")
		return res, err
	}
	line += fmt.Sprintf(" -> %d", res.StatusCode)
	for _, name := range [...]string{"Request-Id", "X-Request-Id"} {
		if id := res.Header.Get(name); id != "" && len(id) <= 128 {
			line += " " + strings.ToLower(name) + " " + id
			break
		}
	}
	c.Note(line)
	if res.StatusCode >= http.StatusBadRequest {
		noteReason(c, res)
	}
	return res, err
}

// errorPart is how much of an answer is looked at for its reason.
const errorPart = 16 << 10

// noteReason notes why a request was refused: the code and the words of an error as
// Microsoft and Google write it, and of nothing else. Who else answers (a proxy) may
// repeat what it was sent.
func noteReason(c *Conversation, res *http.Response) {
	if media, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";"); media != "application/json" {
		return
	}
	body := res.Body
	part, err := io.ReadAll(io.LimitReader(body, errorPart))
	res.Body = &rest{Reader: io.MultiReader(bytes.NewReader(part), failing{err}, body), Closer: body}
	var doc struct {
		Error struct {
			Code    any    `json:"code"` // a name of Microsoft's, a number of Google's
			Status  string `json:"status"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if err != nil || json.Unmarshal(part, &doc) != nil {
		return
	}
	e := doc.Error
	line := ""
	if code, ok := e.Code.(string); ok {
		line = code
	}
	if line = strings.TrimSpace(strings.TrimSpace(line+" "+e.Status) + " " + e.Message); line != "" {
		c.Note("  " + longWord.ReplaceAllString(line, "***"))
	}
}

// longWord is what may be a token: longer than any id that helps.
var longWord = regexp.MustCompile(`[A-Za-z0-9+/=_.~-]{41,}`)

// rest is a body of which a part was read already.
type rest struct {
	io.Reader
	io.Closer
}

// failing is a reader that ends with err; with nil it is empty.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}

// notedAddress is the address of a request without user, query and fragment.
func notedAddress(r *http.Request) string {
	if r.Header.Get("Authorization") == "" {
		return r.URL.Scheme + "://" + r.URL.Host + "/…"
	}
	return (&url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host, Path: r.URL.Path}).String()
}

// CloseIdleConnections is that of the transport inside.
func (t *notedTransport) CloseIdleConnections() {
	if c, ok := t.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
