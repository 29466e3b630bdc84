package web

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// A trap is another site: what a message, or a page of an attacker, loads from there or
// sends the reader to is counted.
type trap struct {
	*httptest.Server
	hits atomic.Int64
}

// newTrap serves pages by path; other paths are hits.
func newTrap(t *testing.T, pages map[string]string) *trap {
	t.Helper()
	out := &trap{}
	out.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := pages[r.URL.Path]
		switch {
		case ok:
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, body)
		case r.URL.Path == "/favicon.ico":
			w.WriteHeader(http.StatusNotFound)
		default:
			out.hits.Add(1)
		}
	}))
	t.Cleanup(out.Close)
	return out
}

// hostile is text as an attacker writes it; it works where text becomes HTML, an
// attribute, a script or an address.
const hostile = `"'><script>window.pwned=1</script><img src=x onerror="window.pwned=1"><svg onload=window.pwned=1>{{.}}` +
	"`${window.pwned=1}`"

// foreign is what no screen has, as a CSS selector.
const foreign = `script:not([src^="/assets/"]), img, [onerror], [onload], iframe:not([sandbox=""])`

// hostileHTML is the HTML of a message that wants to run, load, and lead away.
func hostileHTML(trap string) string {
	return strings.ReplaceAll(`<!DOCTYPE html><html><head><base href="TRAP/"><meta http-equiv="refresh" content="0;url=TRAP/refresh">
<link rel="stylesheet" href="TRAP/a.css"><link rel="prefetch" href="TRAP/prefetch"><link rel="dns-prefetch" href="TRAP">
<style>@import url(TRAP/import.css); @font-face{font-family:x;src:url(TRAP/font)}
body{background:url(TRAP/background);font-family:x}</style>
<script>parent.pwned=1;top.location='TRAP/top'</script><script src="TRAP/script.js"></script></head>
<body onload="parent.pwned=1"><h1>Visibile</h1>
<img src="TRAP/pixel.gif" srcset="TRAP/set.gif 2x" onerror="top.pwned=1"><iframe src="TRAP/frame"></iframe>
<object data="TRAP/object"></object><embed src="TRAP/embed"><video src="TRAP/video" poster="TRAP/poster" autoplay></video>
<audio src="TRAP/audio" autoplay></audio><svg><image href="TRAP/svg"></image><use href="TRAP/use#x"></use></svg>
<form action="TRAP/form" method="post" id="f"><input name="password"><button autofocus>Accedi</button></form>
<a href="javascript:top.pwned=1">script</a><a href="TRAP/link" target="_top">via</a></body></html>`, "TRAP", trap)
}

// fillHostile has hostile text wherever text comes from outside.
func fillHostile(w *world, trap string) {
	ctx := context.Background()
	c := w.connection(hostile, "*@contoso.it", "")
	w.signIn(w.admin)
	message := w.send(func(m map[string]any) {
		m["subject"], m["text"], m["html"], m["tag"] = hostile, hostile, hostileHTML(trap), hostile
		m["to"] = []string{strconv.Quote(hostile) + " <anna@example.com>"}
		m["attachments"] = []map[string]any{{"filename": hostile + ".html", "content": "PHNjcmlwdD53aW5kb3cucHduZWQ9MTwvc2NyaXB0Pg==",
			"content_type": "text/html"}}
	})
	list, err := w.store.List(ctx, store.ListRequest{Limit: 10})
	w.must(err)
	_, err = w.store.Act(ctx, store.Action{Verb: store.DoHold, Deliveries: []store.ID{list.Entries[0].Delivery.ID}, Now: time.Now()})
	w.must(err)
	w.must(w.store.ChangeConnection(ctx, time.Now(), c.ID, store.ConnectionChange{PauseUntil: new(store.Never()),
		Error: &adapters.Error{Class: adapters.Auth, Code: hostile, Message: mime.Text{English: hostile}, Hint: mime.Text{English: hostile}}}))
	p, err := w.people.Add(ctx, store.Person{Email: "eva@contoso.it", Name: hostile, Role: store.RoleOperator}, "")
	w.must(err)
	w.made = map[string]string{"message": message, "connection": c.ID, "person": p.ID}
}

// Hostile text stays text on every screen, and the HTML of a message neither runs nor
// loads nor leads anywhere.
func hostileFlow(t *testing.T, c *chrome) {
	trap := newTrap(t, nil)
	w := mailWorld(t)
	fillHostile(w, trap.URL)
	b := c.tabOf(t, w, w.admin)
	b.desk(true)
	for _, path := range []string{"/", "/mail", "/mail/{message}", "/mail/{message}/resend", "/mail/{message}/confirm/cancel", "/held",
		"/connections", "/connections/{connection}", "/connections/{connection}/delete", "/connections/{connection}/duplicate",
		"/connections/{connection}/send", "/people", "/people/{person}", "/people/{person}/remove", "/audit"} {
		at := strings.NewReplacer("{message}", w.made["message"], "{connection}", w.made["connection"],
			"{person}", w.made["person"]).Replace(path)
		b.open(at)
		if b.at() != at {
			t.Errorf("%s: leads to %s", path, b.at())
		}
		if got := eval[string](b, `[...document.querySelectorAll(`+quoted(foreign)+`)].map(e => e.outerHTML).join(' ')`); got != "" {
			t.Errorf("%s: text became %s", path, got)
		}
		if eval[bool](b, `'pwned' in window`) {
			t.Errorf("%s: a script ran", path)
		}
		for _, o := range b.objections() {
			if !strings.HasPrefix(path, "/mail/{message}") {
				t.Errorf("%s: the browser objects: %s", path, o)
			}
		}
	}
	b.open("/mail/" + w.made["message"])
	b.until("the HTML stands in its frame", func() bool { return slices.Contains(b.frames(), w.http.URL+"/mail/"+w.made["message"]+"/html") })
	b.shot("attack-message")
	b.open("/mail/" + w.made["message"] + "/html") // by itself it is as harmless
	b.sees("Visibile")
	eval[bool](b, `document.querySelector('a').click(), true`)
	if b.at() != "/mail/"+w.made["message"]+"/html" || eval[bool](b, `'pwned' in window`) {
		t.Errorf("the HTML of a message runs, and leads to %s", b.at())
	}
	b.objections() // to all that it wanted
	if n := trap.hits.Load(); n > 0 {
		t.Errorf("%d requests went to the sender of the message", n)
	}
}

// frames are the addresses of what stands in frames, in whichever process.
func (b *tab) frames() []string {
	b.t.Helper()
	var out []string
	for _, child := range ask(b, page.GetFrameTree, cdp.Empty{}).FrameTree.ChildFrames {
		out = append(out, child.Frame.URL)
	}
	targets, err := chromedp.Targets(b.ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, t := range targets {
		if t.Type == "iframe" {
			out = append(out, t.URL)
		}
	}
	return out
}

// Another site cannot have a reader change anything, show a screen in a frame, or read one.
func crossSiteFlow(t *testing.T, c *chrome) {
	w := mailWorld(t)
	id := w.send()
	form := func(path string, fields ...string) string {
		out := `<form method="post" action="` + w.http.URL + path + `">`
		for i := 0; i+1 < len(fields); i += 2 {
			out += `<input name="` + fields[i] + `" value="` + fields[i+1] + `">`
		}
		return out + `<button>` + path + `</button></form>`
	}
	evil := newTrap(t, map[string]string{
		"/forms": form("/people", "email", "eva@contoso.it", "role", "admin") + form("/mail/"+id+"/act", "action", "cancel") +
			form("/mail/bulk", "action", "cancel", "q", "offerta") + form("/settings/password", "new", "x") + form("/logout") +
			form("/connections/new", "provider", "smtp"),
		"/frame": `<iframe src="` + w.http.URL + `/people"></iframe><h1>Premio</h1>`,
	})
	// The other port is another origin of the same site, to which the cookie is sent;
	// the other name is another site.
	for name, base := range map[string]string{"same site": evil.URL, "other site": strings.Replace(evil.URL, "127.0.0.1", "localhost", 1)} {
		b := c.tabOf(t, w, w.admin)
		b.desk(true)
		b.base = base
		for _, path := range []string{"/people", "/mail/" + id + "/act", "/mail/bulk", "/settings/password", "/logout", "/connections/new"} {
			b.open("/forms")
			b.press(path)
			b.sees("L'ha inviato un altro sito web.")
		}
		b.open("/frame")
		b.sees("Premio")
		var all []string
		b.until("the frame is refused", func() bool {
			all = append(all, b.objections()...)
			return slices.ContainsFunc(all, func(o string) bool { return strings.Contains(o, w.http.URL) && strings.Contains(o, "frame") })
		})
		for _, path := range []string{"/people", "/v1/people", "/mail/" + id + "/raw", "/openapi.json"} {
			read := `fetch(` + quoted(w.http.URL+path) + `, {credentials: 'include'}).then(a => a.text(), e => 'refused')`
			if got := eval[string](b, read); got != "refused" {
				t.Errorf("%s reads %s: %s", name, path, got)
			}
		}
		for _, o := range b.objections() {
			if !strings.Contains(o, "frame") && !strings.Contains(o, "CORS") {
				t.Errorf("%s: the browser objects: %s", name, o)
			}
		}
	}
	if _, err := w.store.PersonByEmail(context.Background(), "eva@contoso.it"); err == nil {
		t.Error("another site has made an administrator")
	}
	w.get("/mail/"+id).want(200, "Waiting")
}

// The screens of what is another's are not found, whoever knows its id.
func othersFlow(t *testing.T, c *chrome) {
	w := mailWorld(t)
	id := w.send(func(m map[string]any) { m["subject"] = "segreto" })
	conn, err := w.store.ConnectionNamed(context.Background(), "Ufficio")
	w.must(err)
	b := c.tabOf(t, w, w.operator)
	b.desk(true)
	for _, path := range []string{"/mail/" + id, "/mail/" + id + "/html", "/mail/" + id + "/resend", "/connections/" + conn.ID,
		"/connections/" + conn.ID + "/delete", "/people/" + w.admin.ID} {
		b.open(path)
		if title := eval[string](b, `document.querySelector('h1').textContent`); title != "Non trovato" && title != "Non consentito" {
			t.Errorf("%s: %s", path, title)
		}
		b.hides("segreto", "Ufficio", testAdmin)
	}
}
