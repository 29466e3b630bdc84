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

// Server is the Gmail API at the root of its own server:
// send in all four forms, search by Message-ID, get and profile. Ops are
// "send", "start" and "chunk" (resumable uploads; the last chunk is a "send"),
// "search", "get", "profile" and "sendAs"; Match is the mailbox.
type Server struct {
	core   *core.Core
	google *google.Server
	url    string // ends without slash

	mu        sync.Mutex
	messages  map[string]*storedMessage // by id
	labels    map[string][]label        // that users made, by mailbox
	byMsgID   map[messageKey][]*storedMessage
	byMailbox map[string][]*storedMessage
	order     int // of the last message that was kept
	uploads   map[string]*uploadSession
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
	mux.HandleFunc("GET "+users+"messages/{id}/attachments/{attachment}", g.handle("attachment", searchScopes(), g.attachment))
	mux.HandleFunc("GET "+users+"profile", g.handle("profile", append(readScopes(), google.ScopePrefix+"gmail.compose"), g.profile))
	mux.HandleFunc("GET "+users+"settings/sendAs", g.handle("sendAs", searchScopes(), g.sendAs))
	g.handleMailbox(mux, users)
	g.handleDrafts(mux, users)
	for _, prefix := range []string{"/upload", "/resumable/upload"} { // contracts C1.1, C2.3
		mux.HandleFunc(prefix+users+"messages/send", g.upload("send", sendScopes(), g.acceptSent))
		mux.HandleFunc(prefix+users+"drafts", g.upload("createDraft", composeScopes(), g.saveDraft))
		mux.HandleFunc(prefix+users+"drafts/{draft}", g.upload("updateDraft", composeScopes(), g.saveDraft))
		mux.HandleFunc(prefix+users+"drafts/send", g.upload("sendDraft", composeScopes(), g.acceptSent))
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

// handleMailbox serves labels, threads and what changes messages.
func (g *Server) handleMailbox(mux *http.ServeMux, users string) {
	trash, untrash := &modification{Add: []string{"TRASH"}, Remove: []string{"INBOX"}}, &modification{Remove: []string{"TRASH"}}
	for _, op := range []struct {
		pattern, name string
		scopes        []string
		do            func(call)
	}{
		{"POST messages/{id}/modify", "modify", modifyScopes(), g.modify(g.onePicked, nil)},
		{"POST messages/{id}/trash", "trash", modifyScopes(), g.modify(g.onePicked, trash)},
		{"POST messages/{id}/untrash", "untrash", modifyScopes(), g.modify(g.onePicked, untrash)},
		{"DELETE messages/{id}", "delete", fullScopes(), g.deleteMessages(g.onePicked, false)},
		{"POST messages/batchModify", "batchModify", modifyScopes(), g.modify(g.ofIDs, nil)},
		{"POST messages/batchDelete", "batchDelete", fullScopes(), g.deleteMessages(g.ofIDs, true)},
		{"GET threads", "threads", searchScopes(), g.listThreads},
		{"GET threads/{thread}", "thread", readScopes(), g.getThread},
		{"POST threads/{thread}/modify", "modify", modifyScopes(), g.modify(g.ofThread, nil)},
		{"POST threads/{thread}/trash", "trash", modifyScopes(), g.modify(g.ofThread, trash)},
		{"POST threads/{thread}/untrash", "untrash", modifyScopes(), g.modify(g.ofThread, untrash)},
		{"DELETE threads/{thread}", "delete", fullScopes(), g.deleteMessages(g.ofThread, false)},
		{"GET labels", "labels", labelScopes(true), g.listLabels},
		{"GET labels/{label}", "label", labelScopes(true), g.getLabel},
		{"POST labels", "createLabel", labelScopes(false), g.createLabel},
		{"PUT labels/{label}", "updateLabel", labelScopes(false), g.updateLabel},
		{"PATCH labels/{label}", "updateLabel", labelScopes(false), g.updateLabel},
		{"DELETE labels/{label}", "deleteLabel", labelScopes(false), g.deleteLabel},
	} {
		method, path, _ := strings.Cut(op.pattern, " ")
		mux.HandleFunc(method+" "+users+path, g.handle(op.name, op.scopes, op.do))
	}
}

// handleDrafts serves drafts in their JSON form.
func (g *Server) handleDrafts(mux *http.ServeMux, users string) {
	draft := func(op string) http.HandlerFunc {
		return g.handle(op, composeScopes(), func(c call) { c.finish = g.saveDraft; g.sendRaw(c) })
	}
	mux.HandleFunc("POST "+users+"drafts", draft("createDraft"))
	mux.HandleFunc("PUT "+users+"drafts/{draft}", draft("updateDraft"))
	mux.HandleFunc("GET "+users+"drafts", g.handle("drafts", append(composeScopes(), google.ScopeRead), g.listDrafts))
	mux.HandleFunc("GET "+users+"drafts/{draft}", g.handle("draft", append(composeScopes(), google.ScopeRead), g.getDraft))
	mux.HandleFunc("DELETE "+users+"drafts/{draft}", g.handle("deleteDraft", composeScopes(), g.deleteDraft))
	mux.HandleFunc("POST "+users+"drafts/send", g.handle("sendDraft", composeScopes(), g.sendDraft))
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
	g.labels = make(map[string][]label)
	g.byMsgID = make(map[messageKey][]*storedMessage)
	g.byMailbox = make(map[string][]*storedMessage)
	g.uploads = make(map[string]*uploadSession)
}

// Scopes that a method accepts (contracts C1.3 and the discovery file).
func sendScopes() []string {
	return []string{google.ScopeMail, google.ScopePrefix + "gmail.modify", google.ScopePrefix + "gmail.compose", google.ScopeSend}
}

func fullScopes() []string { return []string{google.ScopeMail} }

func modifyScopes() []string { return append(fullScopes(), google.ScopePrefix+"gmail.modify") }

func composeScopes() []string { return append(modifyScopes(), google.ScopePrefix+"gmail.compose") }

func labelScopes(read bool) []string {
	scopes := append(modifyScopes(), google.ScopePrefix+"gmail.labels")
	if read {
		scopes = append(scopes, google.ScopeRead, google.ScopePrefix+"gmail.metadata")
	}
	return scopes
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
	token   google.Token
	// what becomes of the message that the request carries: it is sent, or kept as a draft
	finish func(c call, route, thread string, m *core.Message) (any, *apiError)
}

// handle counts, delays and authorizes a request.
func (g *Server) handle(op string, scopes []string, next func(call)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		g.core.Count("gmail." + op)
		if !g.core.Sleep(r.Context(), g.core.Switches().GmailLatency) {
			core.ResetHTTP(w)
			return
		}
		token, refusal := g.authorize(r, scopes)
		c := call{w: w, r: r, op: op, mailbox: token.Subject, token: token, finish: g.acceptSent}
		if refusal != nil {
			g.refuse(c, refusal)
			return
		}
		_, leave := g.core.Enter("gmail", c.mailbox)
		defer leave()
		next(c)
	}
}

// authorize checks the token, the mailbox in the URL and the scope (contracts C4).
func (g *Server) authorize(r *http.Request, scopes []string) (tok google.Token, refusal *apiError) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	tok, ok := g.google.Verify(token)
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return google.Token{}, &apiError{http.StatusUnauthorized, "authError", ""}
	}
	user := r.PathValue("user")
	switch {
	case tok.Subject == "": // a service account has no mailbox of its own
		return tok, &apiError{http.StatusBadRequest, "failedPrecondition", ""}
	case !tok.Allows(scopes...):
		return tok, &apiError{http.StatusForbidden, "insufficientPermissions", ""}
	case user != "me" && core.Normalize(user) != tok.Subject:
		return tok, &apiError{http.StatusForbidden, "delegationDenied", "Delegation denied for " + tok.Subject}
	case !g.hasMailbox(tok.Subject):
		return tok, &apiError{http.StatusBadRequest, "failedPrecondition", "Mail service not enabled"}
	}
	return tok, nil
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

// broken answers a request after its body or its spooling failed.
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

// A storedMessage is a message in a mailbox.
type storedMessage struct {
	id, thread, mailbox string
	messageID           string
	labels              []string // ids; replaced, never changed in place
	labelNames          []string // of those that users made
	seq                 int      // of the delivery; 0 of a draft
	size                int64
	at                  time.Time
	order               int
	received            bool // not the sender's own copy
	draftID             string
	draft               *core.Message
}
