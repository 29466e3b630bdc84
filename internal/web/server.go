package web

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Options of a Server; zero fields take the defaults.
type Options struct {
	Provider  Provider         // of identities, that signs people in
	PublicURL string           // under which browsers reach the page; empty: as they ask
	Hostname  string           // of the gateway
	Version   string           // of the program
	Facts     []Fact           // what /settings shows administrators of the server
	Log       *slog.Logger     // nil: silent
	Now       func() time.Time // time.Now
	UndoTime  time.Duration    // before an action on many messages begins; 10 s
	Listeners []Listener       // at which programs hand over mail by SMTP
}

// A Provider is the identity provider as people see it; without an issuer there is none.
type Provider struct{ Name, Issuer string }

// A Server answers with the page. Make one with New; Handler puts the API under it.
type Server struct {
	opt     Options
	api     http.Handler
	assets  *assets
	screens *screens
	guard   *guard
	mux     *http.ServeMux
}

// New makes a Server.
func New(o Options) *Server {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Server{opt: o}
}

// Handler answers for all that is no path of the API, which it asks in the name of
// the person who signed in. It is of type api.Pages.
func (s *Server) Handler(api http.Handler) http.Handler {
	s.api, s.mux = api, http.NewServeMux()
	s.assets = newAssets()
	s.screens = newScreens(s.assets)
	s.guard = newGuard(s.opt.PublicURL, s.opt.Hostname, s.opt.Log)
	s.routes()
	return s
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.guard.headers(w.Header())
	v := s.visit(w, r)
	if err := s.guard.check(r); err != nil {
		v.fail(err)
		return
	}
	if _, pattern := s.mux.Handler(r); pattern == "" {
		v.fail(noScreen(r))
		return
	}
	s.mux.ServeHTTP(w, r)
}

// A screen answers a visit; what it returns as an error is shown instead.
type screen func(v *visit) error

// open enters a screen that needs no one to have signed in.
func (s *Server) open(pattern string, f screen) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		v := s.visit(w, r)
		if err := f(v); err != nil {
			v.fail(err)
		}
	})
}

// page enters a screen for people who have signed in.
func (s *Server) page(pattern string, f screen) {
	s.open(pattern, func(v *visit) error {
		if err := v.identify(); err != nil {
			return err
		}
		return f(v)
	})
}

func (s *Server) routes() {
	s.mux.Handle("GET /assets/{name}", s.assets)
	s.open("GET /favicon.ico", func(v *visit) error { return v.redirect(s.assets.path("icon.svg")) })

	s.open("GET /login", s.login)
	s.open("POST /login", s.signIn)
	s.open("POST /login/passkey", s.signInByPasskey)
	s.open("GET /login/oidc", s.beginExternal)
	s.open("GET /login/oidc/callback", s.finishExternal)
	s.page("POST /logout", s.signOut)
	s.open("GET /setup/{token}", s.setup)
	s.open("POST /setup/{token}", s.acceptInvitation)

	s.page("GET /{$}", s.overview)

	s.page("GET /mailboxes", s.mailboxes)
	s.page("POST /resume", s.resumeConnection)
	s.page("GET /audit", s.audit)
	s.page("GET /audit.csv", s.auditCSV)

	s.page("GET /settings", s.settings)
	s.page("POST /settings", s.changeSettings)
	s.page("POST /settings/password", s.changePassword)
	s.page("POST /settings/passkeys", s.addPasskey)
	s.page("POST /settings/passkeys/{id}/remove", s.removePasskey)
	s.page("POST /settings/account", s.linkAccount)
	s.page("POST /settings/account/unlink", s.unlinkAccount)
	s.page("POST /settings/sessions/{id}/end", s.endSession)
	s.page("POST /settings/sessions/end", s.endSessions)

	s.page("GET /help", s.help)
	s.page("GET /help/{name}", s.guide)
	s.page("GET /help/reference", s.apiReference)
	s.page("GET /help/reference/{operation}", s.apiOperation)
	s.connectionRoutes()
	s.scriptLinkRoutes()

	s.mailRoutes()
	s.messageRoutes()
	s.heldRoutes()
	s.clientRoutes()
	s.webhookRoutes()

	s.page("GET /people", s.people)
	s.page("GET /people/new", s.newPerson)
	s.page("POST /people", s.addPerson)
	s.page("GET /people/{id}", s.person)
	s.page("POST /people/{id}", s.changePerson)
	s.page("POST /people/{id}/invite", s.invitePerson)
	s.page("POST /people/{id}/unlink", s.unlinkPerson)
	s.page("POST /people/{id}/sessions/end", s.endPersonSessions)
	s.page("GET /people/{id}/remove", s.askRemovePerson)
	s.page("POST /people/{id}/remove", s.removePerson)
}

// local returns a path of this server that a browser may be sent to; another one
// becomes "/".
func local(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(path, "/") ||
		strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") {
		return "/"
	}
	return path
}
