// Package graph is a fake Microsoft Graph as far as mail needs it: sendMail, drafts,
// attachments, upload sessions and search.
package graph

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/postino-mail/postino/adapters/sandbox/control"
	"github.com/postino-mail/postino/adapters/sandbox/entra"
	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// Server is the fake Microsoft Graph: Graph itself and, on
// a port of its own, the upload host, which wants no token.
type Server struct {
	core      *core.Core
	entra     *entra.Server
	url       string // https://127.0.0.1:port, without /v1.0
	uploadURL string
	boxes     mailboxes
	limits    rateLimits
	uploads   uploads

	base64Readers sync.Pool // of *base64Reader
}

// New makes the server; tokens are those of e. Start begins to serve.
func New(c *core.Core, e *entra.Server) *Server { return &Server{core: c, entra: e} }

// Start listens on two free ports.
func (g *Server) Start() error {
	mux := http.NewServeMux()
	for _, op := range g.operations() {
		method, path, _ := strings.Cut(op.pattern, " ")
		mux.HandleFunc(method+" /v1.0/users/{user}"+path, g.handle(op))
	}
	for _, me := range []string{"/v1.0/me", "/v1.0/me/"} {
		mux.HandleFunc(me, func(w http.ResponseWriter, r *http.Request) {
			stampIDs(w, r)
			g.writeError(w, r, http.StatusBadRequest, "BadRequest", "/me request is only valid with delegated authentication flow.")
		})
	}
	mux.HandleFunc("POST /v1.0/$batch", g.batch(mux))
	mux.HandleFunc("/v1.0/{entity}", g.application)
	mux.HandleFunc("/", g.unknownSegment)
	var err error
	if g.url, err = g.core.ServeTLS("graph", mux, graphHosts()...); err != nil {
		return err
	}
	g.uploadURL, err = g.core.ServeTLS("upload", g.uploadHandler(), uploadHost, "outlook.office365.com")
	// Another host name than Graph's, as the real one (B3 step 2): a client that sends its
	// token there, or expects one host, is found out.
	g.uploadURL = strings.Replace(g.uploadURL, "127.0.0.1", "localhost", 1)
	return err
}

// uploadHost is where the real Graph sends clients to upload (B3 step 2).
const uploadHost = "outlook.office.com"

// graphHosts are the clouds' Graphs (contracts A4).
func graphHosts() []string {
	return []string{"graph.microsoft.com", "graph.microsoft.us", "dod-graph.microsoft.us", "microsoftgraph.chinacloudapi.cn"}
}

// uploadBase is the root of upload URLs, by the host that the client knows Graph by.
func (c *call) uploadBase() string {
	if c.base() == c.g.url {
		return c.g.uploadURL
	}
	return "https://" + uploadHost
}

// base is the root of Graph's addresses, as the client knows it.
func (c *call) base() string { return c.g.core.Base(c.r, c.g.url) }

func (g *Server) unknownSegment(w http.ResponseWriter, r *http.Request) {
	stampIDs(w, r)
	segment := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	g.writeError(w, r, http.StatusBadRequest, "BadRequest", "Resource not found for the segment '"+segment+"'.")
}

// URL is the address of Graph without /v1.0.
func (g *Server) URL() string { return g.url }

// UploadURL is the address of the upload host.
func (g *Server) UploadURL() string { return g.uploadURL }

// now is Graph's own clock, which its answers tell in Date.
func (g *Server) now() time.Time { return g.core.Now().Add(g.core.Switches().GraphAhead) }

// Reset forgets mailboxes, uploads and what limits have counted.
func (g *Server) Reset() {
	g.limits.reset()
	g.uploads.reset(g.core.Log)
	g.boxes.reset(g.core.Log)
}

// Permissions.
const (
	mailSend      = "Mail.Send"
	mailReadWrite = "Mail.ReadWrite"
	userRead      = "User.Read.All" // which no application here has
)

// An operation is one request that Graph understands, below /v1.0/users/{user}.
type operation struct {
	name    string // for counters and faults: "graph." + name
	pattern string
	needs   string // permission
	body    bodyKind
	do      func(c *call)
}

func (g *Server) operations() []operation {
	return []operation{
		{"sendMail", "POST /sendMail", mailSend, bodyMessage, g.sendMail},
		{"create", "POST /messages", mailReadWrite, bodyMessage, g.createMessage},
		{"create", "POST /mailFolders/{folder}/messages", mailReadWrite, bodyMessage, g.createMessage},
		{"list", "GET /messages", mailReadWrite, bodyNone, g.listMessages},
		{"list", "GET /mailFolders/{folder}/messages", mailReadWrite, bodyNone, g.listMessages},
		{"count", "GET /messages/$count", mailReadWrite, bodyNone, g.countMessages},
		{"count", "GET /mailFolders/{folder}/messages/$count", mailReadWrite, bodyNone, g.countMessages},
		{"folders", "GET /mailFolders", mailReadWrite, bodyNone, g.listFolders},
		{"createFolder", "POST /mailFolders", mailReadWrite, bodyJSON, g.createFolder},
		{"folder", "GET /mailFolders/{folder}", mailReadWrite, bodyNone, g.getFolder},
		{"patchFolder", "PATCH /mailFolders/{folder}", mailReadWrite, bodyJSON, g.renameFolder},
		{"deleteFolder", "DELETE /mailFolders/{folder}", mailReadWrite, bodyNone, g.deleteFolder},
		{"folders", "GET /mailFolders/{folder}/childFolders", mailReadWrite, bodyNone, g.childFolders},
		{"get", "GET /messages/{id}", mailReadWrite, bodyNone, g.getMessage},
		{"get", "GET /mailFolders/{folder}/messages/{id}", mailReadWrite, bodyNone, g.getMessage},
		{"patch", "PATCH /messages/{id}", mailReadWrite, bodyJSON, g.patchMessage},
		{"move", "POST /messages/{id}/move", mailReadWrite, bodyJSON, func(c *call) { g.moveMessage(c, false) }},
		{"copy", "POST /messages/{id}/copy", mailReadWrite, bodyJSON, func(c *call) { g.moveMessage(c, true) }},
		{"reply", "POST /messages/{id}/reply", mailSend, bodyJSON, g.respond(reply, false)},
		{"replyAll", "POST /messages/{id}/replyAll", mailSend, bodyJSON, g.respond(replyAll, false)},
		{"forward", "POST /messages/{id}/forward", mailSend, bodyJSON, g.respond(forward, false)},
		{"createReply", "POST /messages/{id}/createReply", mailReadWrite, bodyOptional, g.respond(reply, true)},
		{"createReplyAll", "POST /messages/{id}/createReplyAll", mailReadWrite, bodyOptional, g.respond(replyAll, true)},
		{"createForward", "POST /messages/{id}/createForward", mailReadWrite, bodyOptional, g.respond(forward, true)},
		{"getMime", "GET /messages/{id}/$value", mailReadWrite, bodyNone, g.getMIME},
		{"putMime", "PUT /messages/{id}/$value", mailReadWrite, bodyMIME, g.putMIME},
		{"delete", "DELETE /messages/{id}", mailReadWrite, bodyNone, g.deleteMessage},
		{"attach", "POST /messages/{id}/attachments", mailReadWrite, bodyJSON, g.attach},
		{"attachments", "GET /messages/{id}/attachments", mailReadWrite, bodyNone, g.listAttachments},
		{"attachment", "GET /messages/{id}/attachments/{attachment}", mailReadWrite, bodyNone, g.getAttachment},
		{"attachment", "GET /messages/{id}/attachments/{attachment}/$value", mailReadWrite, bodyNone, g.getAttachmentContent},
		{"detach", "DELETE /messages/{id}/attachments/{attachment}", mailReadWrite, bodyNone, g.deleteAttachment},
		{"createUploadSession", "POST /messages/{id}/attachments/createUploadSession", mailReadWrite, bodyJSON, g.createUploadSession},
		{"send", "POST /messages/{id}/send", mailSend, bodyNone, g.sendDraft},
		{"user", "GET ", userRead, bodyNone, func(c *call) {}},
	}
}

// A call is one request on its way through.
type call struct {
	g       *Server
	w       http.ResponseWriter
	r       *http.Request
	op      operation
	mailbox string // lower case
	token   entra.Token
	sw      control.Switches
	body    requestBody
	after   func() bool // the fault that acts after acceptance
}

func (c *call) fail(status int, code, message string) {
	c.g.writeError(c.w, c.r, status, code, message)
}

func (c *call) failErr(e *apiError) { c.fail(e.status, e.code, e.text) }

// handle does what all operations share, in this order: token, concurrency,
// body, latency, fault, mailbox, permission, body errors, the operation.
func (g *Server) handle(op operation) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		g.core.Count("graph." + op.name)
		stampIDs(w, r)
		w.Header().Set("Date", g.now().UTC().Format(http.TimeFormat))
		c := &call{g: g, w: w, r: r, op: op, mailbox: core.Normalize(r.PathValue("user")), sw: g.core.Switches()}
		if e := c.authenticate(); e != nil {
			c.drain()
			c.failErr(e)
			return
		}
		open, leave := g.core.Enter("graph", c.token.AppID+" "+c.mailbox)
		defer leave()
		if c.sw.GraphConcurrency > 0 && open > c.sw.GraphConcurrency { // B7.2, B7.5, B7.6
			c.drain()
			w.Header().Set("Retry-After", "1")
			c.fail(http.StatusTooManyRequests, "ApplicationThrottled", "Application is over its MailboxConcurrency limit.")
			return
		}
		bad := c.readBody()
		defer c.discardBody()
		if !g.core.Sleep(r.Context(), c.sw.GraphLatency) {
			core.ResetHTTP(w) // no answer at all: a silent return would be 200
			return
		}
		var answered bool
		if c.after, answered = g.core.HTTPFault(w, r, "graph", op.name, c.mailbox, g.writeError); answered {
			return
		}
		for _, check := range []func() *apiError{c.overLimits, c.checkMailbox, c.checkPermission, func() *apiError { return bad }} {
			if e := check(); e != nil {
				c.failErr(e)
				return
			}
		}
		op.do(c)
	}
}

// accepted answers unless a fault wants to act now.
func (c *call) accepted(answer func()) {
	if !c.after() {
		answer()
	}
}

// stampIDs echoes the correlation ids (B9).
func stampIDs(w http.ResponseWriter, r *http.Request) {
	id := uuid.NewString()
	w.Header().Set("request-id", id)
	if client := r.Header.Get("client-request-id"); client != "" && len(client) <= 128 {
		id = client
	}
	w.Header().Set("client-request-id", id)
}

func (c *call) authenticate() *apiError {
	refuse := func(text string) *apiError {
		c.w.Header().Set("WWW-Authenticate", `Bearer realm="", authorization_uri="`+c.g.entra.URL()+`/common/oauth2/authorize"`)
		return &apiError{http.StatusUnauthorized, "InvalidAuthenticationToken", text}
	}
	scheme, raw, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	if raw == "" || !strings.EqualFold(scheme, "Bearer") {
		return refuse("Access token is empty.")
	}
	t, err := c.g.entra.Verify(strings.TrimSpace(raw))
	switch {
	case errors.Is(err, entra.ErrTokenExpired):
		return refuse("Lifetime validation failed, the token is expired.")
	case err != nil:
		return refuse("IDX14100: JWT is not well formed, or its signature is invalid.")
	case t.Audience != entra.GraphResource:
		return refuse("Access token validation failure. Invalid audience.")
	}
	c.token = t
	return nil
}

// checkPermission knows both ways: roles in the token (classic consent) and
// none at all (RBAC for Applications, B8.5). Mail.ReadWrite is a switch too,
// so that it can be taken away under a cached token.
func (c *call) checkPermission() *apiError {
	denied := &apiError{http.StatusForbidden, "ErrorAccessDenied", "Access is denied. Check credentials and try again."}
	switch {
	case c.op.needs == userRead:
		return &apiError{http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."}
	case !c.token.Consented:
		return denied
	case c.op.needs == mailReadWrite && !c.sw.GraphMailRead:
		return denied
	case len(c.token.Roles) > 0 && !c.token.HasRole(c.op.needs):
		return denied
	}
	return nil
}

// Local parts of mailboxes that refuse. Every other address of any domain is a
// mailbox that exists.
var refusedMailboxes = map[string]apiError{
	"nouser":   {http.StatusNotFound, "ErrorInvalidUser", "The requested user is invalid."},
	"notfound": {http.StatusNotFound, "ResourceNotFound", "Resource could not be discovered."},
	"nomailbox": {http.StatusNotFound, "MailboxNotEnabledForRESTAPI",
		"The mailbox is either inactive, soft-deleted, or is hosted on-premise."},
	"onprem": {http.StatusNotFound, "MailboxNotEnabledForRESTAPI", "The mailbox is either inactive, soft-deleted, or is hosted on-premise."},
	// B8.2
	"blocked": {http.StatusForbidden, "ErrorAccessDenied",
		"Access to OData is disabled: [RAOP] : Blocked by tenant configured AppOnly AccessPolicy settings."},
	"denied":   {http.StatusForbidden, "ErrorAccessDenied", "Access is denied. Check credentials and try again."},
	"disabled": {http.StatusForbidden, "ErrorAccountDisabled", "The account is disabled."},
	"moving":   {http.StatusLocked, "ErrorMailboxMoveInProgress", "Mailbox move in progress. Try again later."},
}

// quotaExceeded is the mailbox with the local part "full" (B9).
var quotaExceeded = apiError{http.StatusBadRequest, "ErrorQuotaExceeded",
	"The process failed to get the correct properties. Mailbox is over its quota."}

// checkDirectory is checkMailbox where a directory is in force and does not leave the
// address to its local part.
func (c *call) checkDirectory() (e *apiError, decided bool) {
	m, standing := c.g.core.Lookup(c.mailbox)
	refusal := func(name string) (*apiError, bool) {
		e := refusedMailboxes[name]
		e.text = strings.Replace(e.text, "requested user", "requested user '"+c.mailbox+"'", 1)
		return &e, true
	}
	switch {
	case standing == core.Unlisted:
		return nil, false
	case standing == core.NoMailbox, m.State == "nolicense":
		return refusal("nomailbox")
	case standing != core.Listed: // a user is addressed by its principal name, which an alias is not
		return refusal("nouser")
	case m.State == "" || m.State == "active" || m.State == "full":
		if len(m.Applications) > 0 && !slices.ContainsFunc(m.Applications, func(id string) bool { return strings.EqualFold(id, c.token.AppID) }) {
			return refusal("blocked")
		}
		return c.checkQuota(m.State == "full"), true
	}
	return refusal(m.State)
}

func (c *call) checkMailbox() *apiError {
	local, domain, ok := strings.Cut(c.mailbox, "@")
	if e, decided := c.checkDirectory(); decided {
		return e
	}
	if !ok || local == "" || domain == "" {
		if len(c.mailbox) == 36 && uuid.Validate(c.mailbox) == nil { // a user by id
			return nil
		}
		return &apiError{http.StatusNotFound, "Request_ResourceNotFound", "Resource '" + c.mailbox +
			"' does not exist or one of its queried reference-property objects are not present."}
	}
	if e, ok := refusedMailboxes[local]; ok {
		e.text = strings.Replace(e.text, "requested user", "requested user '"+c.mailbox+"'", 1)
		return &e
	}
	return c.checkQuota(local == "full")
}

// checkQuota refuses to store in a mailbox that is full.
func (c *call) checkQuota(full bool) *apiError {
	if full && slices.Contains([]string{"sendMail", "create", "send", "attach", "reply", "replyAll", "forward"}, c.op.name) {
		return &quotaExceeded
	}
	return nil
}
