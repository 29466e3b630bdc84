package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/locale"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
)

// A visit is one request of a reader.
type visit struct {
	s      *Server
	w      http.ResponseWriter
	r      *http.Request
	person *view.Person // nil: no one has signed in
	lang   string
	theme  string // light, dark; empty: as the system has it
	zone   *time.Location
	now    time.Time
}

// Cookies of the page; none of them is a secret.
const (
	themeCookie  = "postino_theme"
	zoneCookie   = "postino_zone" // written by page.js
	noticeCookie = "postino_notice"
)

func (s *Server) visit(w http.ResponseWriter, r *http.Request) *visit {
	v := &visit{s: s, w: w, r: r, now: s.opt.Now(), zone: time.Local, lang: accepted(r.Header.Get("Accept-Language"))}
	if t := v.cookie(themeCookie); t == "light" || t == "dark" {
		v.theme = t
	}
	// Only names of the zone database, and no path (time.LoadLocation refuses "..").
	if name, err := url.QueryUnescape(v.cookie(zoneCookie)); err == nil && name != "" && len(name) < 64 {
		if zone, err := time.LoadLocation(name); err == nil {
			v.zone = zone
		}
	}
	v.override()
	return v
}

func (v *visit) cookie(name string) string {
	c, err := v.r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// override takes the language that the address names for once.
func (v *visit) override() { v.speak(v.r.URL.Query().Get("lang")) }

// speak takes a language of the catalogue; another one changes nothing.
func (v *visit) speak(lang string) {
	if locale.Match(lang) == lang {
		v.lang = lang
	}
}

// accepted is the language of the catalogue that Accept-Language names first.
func accepted(header string) string {
	for part := range strings.SplitSeq(header, ",") {
		tag, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		main, _, _ := strings.Cut(strings.ToLower(tag), "-")
		if locale.Match(main) == main {
			return main
		}
	}
	return locale.English
}

// identify finds who has signed in; no one becomes the way to sign in.
func (v *visit) identify() error {
	var me view.Person
	if err := v.get("/v1/me?filters=false", &me); err != nil {
		return err
	}
	v.person = &me
	v.speak(v.person.Language)
	v.override()
	return nil
}

func (v *visit) admin() bool { return v.person != nil && v.person.Role == string(store.RoleAdmin) }

// absolute is an address of this server as others may be sent it.
func (v *visit) absolute(to string) string {
	if u, err := url.Parse(to); err != nil || u.Host != "" {
		return to
	}
	scheme := "http"
	if v.s.guard.byTLS(v.r) {
		scheme = "https"
	}
	return scheme + "://" + v.r.Host + to
}

// redirect sends the browser to another address of this server.
func (v *visit) redirect(to string) error {
	http.Redirect(v.w, v.r, local(to), http.StatusSeeOther)
	return nil
}

// done ends a change: the screen at to shows the notice.
func (v *visit) done(notice, to string) error {
	v.setCookie(noticeCookie, notice, 60)
	return v.redirect(to)
}

func (v *visit) setCookie(name, value string, seconds int) {
	http.SetCookie(v.w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: seconds, Secure: v.s.guard.byTLS(v.r),
		SameSite: http.SameSiteLaxMode, HttpOnly: name != zoneCookie})
}

// fail shows what went wrong.
func (v *visit) fail(err error) {
	var p *problem
	if !errors.As(err, &p) {
		v.s.opt.Log.Error("a screen failed", "path", v.r.URL.Path, "err", err)
		p = internal()
	}
	if p.Status == http.StatusUnauthorized {
		v.toLogin()
		return
	}
	if v.person == nil {
		_ = v.identify() // for the navigation around it; without a session it is left out
	}
	if err := v.showStatus(p.Status, "problem", p); err != nil {
		v.s.opt.Log.Error("a problem cannot be shown", "path", v.r.URL.Path, "err", err)
		http.Error(v.w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
	}
}

// toLogin asks to sign in, and comes back to what was to be seen.
func (v *visit) toLogin() {
	to := "/login"
	if v.r.Method == http.MethodGet && v.r.URL.Path != "/" && v.r.URL.Path != "/login" {
		to += "?" + url.Values{"next": {v.r.URL.RequestURI()}}.Encode()
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
}

// Now is the time of the request.
func (v *visit) Now() time.Time { return v.now }
