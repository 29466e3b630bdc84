package sandbox

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// graphServer is the fake Microsoft Graph (contracts B): Graph itself and, on
// a port of its own, the upload host, which wants no token.
type graphServer struct {
	s         *Sandbox
	url       string // https://127.0.0.1:port, without /v1.0
	uploadURL string
	boxes     mailboxes
	limits    graphLimits
	uploads   uploads
}

func (g *graphServer) start(s *Sandbox) error {
	g.s = s
	mux := http.NewServeMux()
	for _, op := range g.operations() {
		method, path, _ := strings.Cut(op.pattern, " ")
		mux.HandleFunc(method+" /v1.0/users/{user}"+path, g.handle(op))
	}
	mux.HandleFunc("/v1.0/me/", func(w http.ResponseWriter, r *http.Request) {
		stampIDs(w, r)
		g.writeError(w, r, http.StatusBadRequest, "BadRequest", "/me request is only valid with delegated authentication flow.")
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		stampIDs(w, r)
		segment := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		g.writeError(w, r, http.StatusBadRequest, "BadRequest", "Resource not found for the segment '"+segment+"'.")
	})
	var err error
	if g.url, err = s.listeners.serveTLS(s, mux); err != nil {
		return err
	}
	g.uploadURL, err = s.listeners.serveTLS(s, g.uploadHandler())
	return err
}

func (g *graphServer) close() error { return nil }

// now is Graph's own clock, which its answers tell in Date.
func (g *graphServer) now() time.Time { return g.s.now().Add(g.s.switches().GraphAhead) }

func (g *graphServer) reset() {
	g.limits.reset()
	g.uploads.reset(g.s.log)
	g.boxes.reset(g.s.log)
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
	do      func(c *graphCall)
}

func (g *graphServer) operations() []operation {
	return []operation{
		{"sendMail", "POST /sendMail", mailSend, bodyMessage, g.sendMail},
		{"create", "POST /messages", mailReadWrite, bodyMessage, g.createMessage},
		{"list", "GET /messages", mailReadWrite, bodyNone, g.listMessages},
		{"list", "GET /mailFolders/{folder}/messages", mailReadWrite, bodyNone, g.listMessages},
		{"folder", "GET /mailFolders/{folder}", mailReadWrite, bodyNone, g.getFolder},
		{"get", "GET /messages/{id}", mailReadWrite, bodyNone, g.getMessage},
		{"getMime", "GET /messages/{id}/$value", mailReadWrite, bodyNone, g.getMIME},
		{"putMime", "PUT /messages/{id}/$value", mailReadWrite, bodyMIME, g.putMIME},
		{"delete", "DELETE /messages/{id}", mailReadWrite, bodyNone, g.deleteMessage},
		{"attach", "POST /messages/{id}/attachments", mailReadWrite, bodyJSON, g.attach},
		{"attachments", "GET /messages/{id}/attachments", mailReadWrite, bodyNone, g.listAttachments},
		{"createUploadSession", "POST /messages/{id}/attachments/createUploadSession", mailReadWrite, bodyJSON, g.createUploadSession},
		{"send", "POST /messages/{id}/send", mailSend, bodyNone, g.sendDraft},
		{"user", "GET ", userRead, bodyNone, func(c *graphCall) {}},
	}
}

// A graphCall is one request on its way through.
type graphCall struct {
	g       *graphServer
	w       http.ResponseWriter
	r       *http.Request
	op      operation
	mailbox string // lower case
	token   accessToken
	sw      Switches
	body    graphBody
	after   func() bool // the fault that acts after acceptance
}

func (c *graphCall) fail(status int, code, message string) {
	c.g.writeError(c.w, c.r, status, code, message)
}

func (c *graphCall) failErr(e *graphError) { c.fail(e.status, e.code, e.text) }

// handle does what all operations share, in this order: token, concurrency,
// body, latency, fault, mailbox, permission, body errors, the operation.
func (g *graphServer) handle(op operation) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		g.s.count("graph." + op.name)
		stampIDs(w, r)
		w.Header().Set("Date", g.now().UTC().Format(http.TimeFormat))
		c := &graphCall{g: g, w: w, r: r, op: op, mailbox: normalize(r.PathValue("user")), sw: g.s.switches()}
		if e := c.authenticate(); e != nil {
			c.drain()
			c.failErr(e)
			return
		}
		open, leave := g.s.enter("graph", c.token.appID+" "+c.mailbox)
		defer leave()
		if c.sw.GraphConcurrency > 0 && open > c.sw.GraphConcurrency { // B7.2, B7.5, B7.6
			c.drain()
			w.Header().Set("Retry-After", "1")
			c.fail(http.StatusTooManyRequests, "ApplicationThrottled", "Application is over its MailboxConcurrency limit.")
			return
		}
		bad := c.readBody()
		defer c.discardBody()
		if !g.s.sleep(r.Context(), c.sw.GraphLatency) {
			resetConnection(w) // no answer at all: a silent return would be 200
			return
		}
		var answered bool
		if c.after, answered = g.s.httpFault(w, r, "graph", op.name, c.mailbox, g.writeError); answered {
			return
		}
		for _, check := range []func() *graphError{c.overLimits, c.checkMailbox, c.checkPermission, func() *graphError { return bad }} {
			if e := check(); e != nil {
				c.failErr(e)
				return
			}
		}
		op.do(c)
	}
}

// accepted answers unless a fault wants to act now.
func (c *graphCall) accepted(answer func()) {
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

func (c *graphCall) authenticate() *graphError {
	refuse := func(text string) *graphError {
		c.w.Header().Set("WWW-Authenticate", `Bearer realm="", authorization_uri="`+c.g.s.entra.url+`/common/oauth2/authorize"`)
		return &graphError{http.StatusUnauthorized, "InvalidAuthenticationToken", text}
	}
	scheme, raw, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	if raw == "" || !strings.EqualFold(scheme, "Bearer") {
		return refuse("Access token is empty.")
	}
	t, err := c.g.s.entra.verify(strings.TrimSpace(raw))
	switch {
	case errors.Is(err, errTokenExpired):
		return refuse("Lifetime validation failed, the token is expired.")
	case err != nil:
		return refuse("IDX14100: JWT is not well formed, or its signature is invalid.")
	case t.audience != GraphResource:
		return refuse("Access token validation failure. Invalid audience.")
	}
	c.token = t
	return nil
}

// checkPermission knows both ways: roles in the token (classic consent) and
// none at all (RBAC for Applications, B8.5). Mail.ReadWrite is a switch too,
// so that it can be taken away under a cached token.
func (c *graphCall) checkPermission() *graphError {
	denied := &graphError{http.StatusForbidden, "ErrorAccessDenied", "Access is denied. Check credentials and try again."}
	switch {
	case c.op.needs == userRead:
		return &graphError{http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."}
	case !c.token.consented:
		return denied
	case c.op.needs == mailReadWrite && !c.sw.GraphMailRead:
		return denied
	case len(c.token.roles) > 0 && !c.token.hasRole(c.op.needs):
		return denied
	}
	return nil
}

// Local parts of mailboxes that refuse. Every other address of any domain is a
// mailbox that exists.
var graphRefusals = map[string]graphError{
	"nouser":    {http.StatusNotFound, "ErrorInvalidUser", "The requested user is invalid."},
	"notfound":  {http.StatusNotFound, "ResourceNotFound", "Resource could not be discovered."},
	"nomailbox": {http.StatusNotFound, "MailboxNotEnabledForRESTAPI", "The mailbox is either inactive, soft-deleted, or is hosted on-premise."},
	"onprem":    {http.StatusNotFound, "MailboxNotEnabledForRESTAPI", "The mailbox is either inactive, soft-deleted, or is hosted on-premise."},
	"blocked":   {http.StatusForbidden, "ErrorAccessDenied", "Access to OData is disabled: [RAOP] : Blocked by tenant configured AppOnly AccessPolicy settings."}, // B8.2
	"denied":    {http.StatusForbidden, "ErrorAccessDenied", "Access is denied. Check credentials and try again."},
	"disabled":  {http.StatusForbidden, "ErrorAccountDisabled", "The account is disabled."},
	"moving":    {http.StatusLocked, "ErrorMailboxMoveInProgress", "Mailbox move in progress. Try again later."},
}

// quotaExceeded is the mailbox with the local part "full" (B9).
var quotaExceeded = graphError{http.StatusBadRequest, "ErrorQuotaExceeded", "The process failed to get the correct properties. Mailbox is over its quota."}

func (c *graphCall) checkMailbox() *graphError {
	local, domain, ok := strings.Cut(c.mailbox, "@")
	if !ok || local == "" || domain == "" {
		if guidPattern.MatchString(c.mailbox) {
			return nil
		}
		return &graphError{http.StatusNotFound, "Request_ResourceNotFound", "Resource '" + c.mailbox + "' does not exist or one of its queried reference-property objects are not present."}
	}
	if e, ok := graphRefusals[local]; ok {
		e.text = strings.Replace(e.text, "requested user", "requested user '"+c.mailbox+"'", 1)
		return &e
	}
	if local == "full" && slices.Contains([]string{"sendMail", "create", "send", "attach"}, c.op.name) {
		return &quotaExceeded
	}
	return nil
}
