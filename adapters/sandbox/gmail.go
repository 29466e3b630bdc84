package sandbox

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/postino-mail/postino/adapters"
)

// Limits of the Gmail API (contracts C1.2, C3.2).
const (
	gmailMaxSize       = 36700160
	gmailMaxRecipients = 100
)

// gmailServer is the Gmail API at the root of its own server (contracts C2.8):
// send in all four forms, search by Message-ID, get and profile. Ops are
// "send", "start" and "chunk" (resumable uploads; the last chunk is a "send"),
// "search", "get" and "profile"; Match is the mailbox.
type gmailServer struct {
	s   *Sandbox
	url string // ends without slash

	mu       sync.Mutex
	messages map[string]*gmailMessage // by id
	byMsgID  map[gmailKey][]*gmailMessage
	uploads  map[string]*gmailUpload
}

type gmailKey struct{ mailbox, messageID string }

func (g *gmailServer) start(s *Sandbox) error {
	g.s = s
	g.clear()
	mux := http.NewServeMux()
	const users = "/gmail/v1/users/{user}/"
	mux.HandleFunc("POST "+users+"messages/send", g.handle("send", sendScopes(), g.sendRaw))
	mux.HandleFunc("GET "+users+"messages", g.handle("search", searchScopes(), g.search))
	mux.HandleFunc("GET "+users+"messages/{id}", g.handle("get", readScopes(), g.get))
	mux.HandleFunc("GET "+users+"profile", g.handle("profile", append(readScopes(), scopeAuth+"gmail.compose"), g.profile))
	for _, prefix := range []string{"/upload", "/resumable/upload"} { // contracts C1.1, C2.3
		mux.HandleFunc(prefix+users+"messages/send", g.upload)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.count("gmail.unknown")
		g.writeError(w, r, http.StatusNotFound, "notFound", "")
	})
	var err error
	g.url, err = s.listeners.serveTLS(s, mux)
	return err
}

func (g *gmailServer) close() error { return nil }

func (g *gmailServer) reset() {
	g.mu.Lock()
	old := g.uploads
	g.mu.Unlock()
	g.clear()
	for _, u := range old {
		if err := u.end(); err != nil {
			g.s.log.Error("an upload stays on disk", "error", err)
		}
	}
}

func (g *gmailServer) clear() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.messages = make(map[string]*gmailMessage)
	g.byMsgID = make(map[gmailKey][]*gmailMessage)
	g.uploads = make(map[string]*gmailUpload)
}

// Scopes that a method accepts (contracts C1.3 and the discovery file).
func sendScopes() []string {
	return []string{scopeMail, scopeAuth + "gmail.modify", scopeAuth + "gmail.compose", scopeSend}
}

func searchScopes() []string { return []string{scopeMail, scopeAuth + "gmail.modify", scopeRead} }

func readScopes() []string { return append(searchScopes(), scopeAuth+"gmail.metadata") }

// A gmailCall is an authorized request.
type gmailCall struct {
	w       http.ResponseWriter
	r       *http.Request
	op      string
	mailbox string
}

// handle counts, delays and authorizes a request.
func (g *gmailServer) handle(op string, scopes []string, next func(gmailCall)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		g.s.count("gmail." + op)
		if !g.s.sleep(r.Context(), g.s.switches().GmailLatency) {
			resetConnection(w)
			return
		}
		mailbox, refusal := g.authorize(r, scopes)
		if refusal != nil {
			g.refuse(gmailCall{w, r, op, mailbox}, refusal)
			return
		}
		_, leave := g.s.enter("gmail", mailbox)
		defer leave()
		next(gmailCall{w, r, op, mailbox})
	}
}

// authorize checks the token, the mailbox in the URL and the scope (contracts C4).
func (g *gmailServer) authorize(r *http.Request, scopes []string) (mailbox string, refusal *gmailRefusal) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	tok, ok := g.s.google.verify(token)
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return "", &gmailRefusal{http.StatusUnauthorized, "authError", ""}
	}
	user := r.PathValue("user")
	switch {
	case tok.sub == "": // a service account has no mailbox of its own
		return "", &gmailRefusal{http.StatusBadRequest, "failedPrecondition", ""}
	case !tok.allows(scopes...):
		return tok.sub, &gmailRefusal{http.StatusForbidden, "insufficientPermissions", ""}
	case user != "me" && normalize(user) != tok.sub:
		return tok.sub, &gmailRefusal{http.StatusForbidden, "delegationDenied", "Delegation denied for " + tok.sub}
	case strings.HasPrefix(tok.sub, "nolicense"):
		return tok.sub, &gmailRefusal{http.StatusBadRequest, "failedPrecondition", "Mail service not enabled"}
	}
	return tok.sub, nil
}

func (g *gmailServer) refuse(c gmailCall, e *gmailRefusal) {
	g.writeError(c.w, c.r, e.status, e.code, e.detail)
}

// fault is Sandbox.httpFault for this call.
func (g *gmailServer) fault(c gmailCall) (after func() bool, answered bool) {
	return g.s.httpFault(c.w, c.r, "gmail", c.op, c.mailbox, g.writeError)
}

// broken answers a request whose body or whose spooling failed.
func (g *gmailServer) broken(c gmailCall, err error) {
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &tooBig):
		g.tooLarge(c)
	case errors.Is(err, errHeaderTooLarge):
		g.refuse(c, invalidArgument("The message header is too large"))
	case c.r.Context().Err() != nil: // nobody listens any more
	default:
		g.s.log.Debug("a request to Gmail could not be read", "error", err)
		g.refuse(c, &gmailRefusal{http.StatusBadRequest, "badRequest", "The request body cannot be read"})
	}
}

// tooLarge is contracts C1.2; the body is [U].
func (g *gmailServer) tooLarge(c gmailCall) {
	g.refuse(c, &gmailRefusal{http.StatusRequestEntityTooLarge, "uploadTooLarge", "Media too large. Limit: 36700160 bytes."})
}

// A gmailMessage is the copy in the sender's mailbox.
type gmailMessage struct {
	id, thread, mailbox string
	labels              []string
	seq                 int // of the delivery
	size                int64
	at                  time.Time
	set                 map[string]string // header lines that Gmail changed
}

// GmailConnection gives a complete, validated connection to the fake Gmail API
// that sends as from, with a service account and domain-wide delegation. The
// mailbox exists, unless its local part begins with "unknown" (the token is
// refused) or "nolicense" (Gmail refuses). nil when the key could not be made.
func (s *Sandbox) GmailConnection(from string) *adapters.Connection {
	settings, ok := s.gmailSettings(from)
	if !ok {
		return nil
	}
	return &adapters.Connection{Name: "Sandbox Gmail", Provider: adapters.Gmail, From: from, Gmail: settings}
}

func (s *Sandbox) gmailSettings(subject string) (*adapters.GmailSettings, bool) {
	account, err := s.google.account()
	if err != nil {
		s.log.Error("no service account", "error", err)
		return nil, false
	}
	return &adapters.GmailSettings{
		ServiceAccountJSON: adapters.Secret(account.json), Subject: subject,
		TokenURL: s.google.url, GmailURL: s.gmail.url,
	}, true
}
