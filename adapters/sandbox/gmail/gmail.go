// Package gmail is a fake Gmail API: send in all its forms, resumable uploads, search
// and profile.
package gmail

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/postino-mail/postino/adapters/sandbox/google"
	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// Limits of the Gmail API (contracts C1.2, C3.2).
const (
	maxSize       = 36700160
	maxRecipients = 100
)

// Server is the Gmail API at the root of its own server (contracts C2.8):
// send in all four forms, search by Message-ID, get and profile. Ops are
// "send", "start" and "chunk" (resumable uploads; the last chunk is a "send"),
// "search", "get", "profile" and "sendAs"; Match is the mailbox.
type Server struct {
	core   *core.Core
	google *google.Server
	url    string // ends without slash

	mu       sync.Mutex
	messages map[string]*storedMessage // by id
	byMsgID  map[messageKey][]*storedMessage
	uploads  map[string]*uploadSession
}

type messageKey struct{ mailbox, messageID string }

// New makes the server; tokens are those of tokens. Start begins to serve.
func New(c *core.Core, tokens *google.Server) *Server {
	g := &Server{core: c, google: tokens}
	g.clear()
	return g
}

// Start listens on a free port.
func (g *Server) Start() error {
	mux := http.NewServeMux()
	const users = "/gmail/v1/users/{user}/"
	mux.HandleFunc("POST "+users+"messages/send", g.handle("send", sendScopes(), g.sendRaw))
	mux.HandleFunc("GET "+users+"messages", g.handle("search", searchScopes(), g.search))
	mux.HandleFunc("GET "+users+"messages/{id}", g.handle("get", readScopes(), g.get))
	mux.HandleFunc("GET "+users+"profile", g.handle("profile", append(readScopes(), google.ScopePrefix+"gmail.compose"), g.profile))
	mux.HandleFunc("GET "+users+"settings/sendAs", g.handle("sendAs", searchScopes(), g.sendAs))
	for _, prefix := range []string{"/upload", "/resumable/upload"} { // contracts C1.1, C2.3
		mux.HandleFunc(prefix+users+"messages/send", g.upload)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		g.core.Count("gmail.unknown")
		g.writeError(w, r, http.StatusNotFound, "notFound", "")
	})
	var err error
	mux.HandleFunc("POST /oauth2/v4/token", g.google.ServeToken) // on www.googleapis.com
	g.url, err = g.core.ServeTLS("gmail", mux, "gmail.googleapis.com", "www.googleapis.com")
	return err
}

// URL is the address of the API, without a slash at its end.
func (g *Server) URL() string { return g.url }

// Reset forgets messages and uploads.
func (g *Server) Reset() {
	g.mu.Lock()
	old := g.uploads
	g.mu.Unlock()
	g.clear()
	for _, u := range old {
		if err := u.end(); err != nil {
			g.core.Log.Error("an upload stays on disk", "err", err)
		}
	}
}

func (g *Server) clear() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.messages = make(map[string]*storedMessage)
	g.byMsgID = make(map[messageKey][]*storedMessage)
	g.uploads = make(map[string]*uploadSession)
}

// Scopes that a method accepts (contracts C1.3 and the discovery file).
func sendScopes() []string {
	return []string{google.ScopeMail, google.ScopePrefix + "gmail.modify", google.ScopePrefix + "gmail.compose", google.ScopeSend}
}

func searchScopes() []string {
	return []string{google.ScopeMail, google.ScopePrefix + "gmail.modify", google.ScopeRead}
}

func readScopes() []string { return append(searchScopes(), google.ScopePrefix+"gmail.metadata") }

// A call is an authorized request.
type call struct {
	w       http.ResponseWriter
	r       *http.Request
	op      string
	mailbox string
}

// handle counts, delays and authorizes a request.
func (g *Server) handle(op string, scopes []string, next func(call)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		g.core.Count("gmail." + op)
		if !g.core.Sleep(r.Context(), g.core.Switches().GmailLatency) {
			core.ResetHTTP(w)
			return
		}
		mailbox, refusal := g.authorize(r, scopes)
		if refusal != nil {
			g.refuse(call{w, r, op, mailbox}, refusal)
			return
		}
		_, leave := g.core.Enter("gmail", mailbox)
		defer leave()
		next(call{w, r, op, mailbox})
	}
}

// authorize checks the token, the mailbox in the URL and the scope (contracts C4).
func (g *Server) authorize(r *http.Request, scopes []string) (mailbox string, refusal *apiError) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	tok, ok := g.google.Verify(token)
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return "", &apiError{http.StatusUnauthorized, "authError", ""}
	}
	user := r.PathValue("user")
	switch {
	case tok.Subject == "": // a service account has no mailbox of its own
		return "", &apiError{http.StatusBadRequest, "failedPrecondition", ""}
	case !tok.Allows(scopes...):
		return tok.Subject, &apiError{http.StatusForbidden, "insufficientPermissions", ""}
	case user != "me" && core.Normalize(user) != tok.Subject:
		return tok.Subject, &apiError{http.StatusForbidden, "delegationDenied", "Delegation denied for " + tok.Subject}
	case !g.hasMailbox(tok.Subject):
		return tok.Subject, &apiError{http.StatusBadRequest, "failedPrecondition", "Mail service not enabled"}
	}
	return tok.Subject, nil
}

// hasMailbox: see the sandbox's "Who exists".
func (g *Server) hasMailbox(address string) bool {
	switch m, standing := g.core.Lookup(address); standing {
	case core.Listed:
		return m.State == "" || m.State == "active" || m.State == "full" || m.State == "moving"
	case core.Unlisted:
		return !strings.HasPrefix(address, "nolicense")
	}
	return false
}

func (g *Server) refuse(c call, e *apiError) {
	g.writeError(c.w, c.r, e.status, e.code, e.detail)
}

// fault is Core.HTTPFault for this call.
func (g *Server) fault(c call) (after func() bool, answered bool) {
	return g.core.HTTPFault(c.w, c.r, "gmail", c.op, c.mailbox, g.writeError)
}

// broken answers a request whose body or whose spooling failed.
func (g *Server) broken(c call, err error) {
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &tooBig):
		g.tooLarge(c)
	case errors.Is(err, core.ErrHeaderTooLarge):
		g.refuse(c, invalidArgument("The message header is too large"))
	case c.r.Context().Err() != nil: // the client is gone
	default:
		g.core.Log.Debug("a request to Gmail could not be read", "err", err)
		g.refuse(c, &apiError{http.StatusBadRequest, "badRequest", "The request body cannot be read"})
	}
}

// tooLarge is contracts C1.2; the body is [U].
func (g *Server) tooLarge(c call) {
	g.refuse(c, &apiError{http.StatusRequestEntityTooLarge, "uploadTooLarge", "Media too large. Limit: 36700160 bytes."})
}

// A storedMessage is the copy in the sender's mailbox.
type storedMessage struct {
	id, thread, mailbox string
	labels              []string
	seq                 int // of the delivery
	size                int64
	at                  time.Time
	set                 map[string]string // header lines that Gmail changed
}
