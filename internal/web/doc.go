// Package web is the page: what administrators and operators see in a browser.
// It holds views only: every screen asks the HTTP API, inside the process and
// with the cookie of the person, so that rights, limits, checks and the audit
// trail are those of the API.
//
// # How to add a screen
//
//  1. Its data: a struct beside its handler, in a file named for the screen.
//  2. Its handler: func (s *Server) name(v *visit) error, entered in routes
//     (server.go). It reads with v.get("/v1/…", &out) and changes with
//     v.call(method, "/v1/…", in, &out); both return the API's problem as a
//     *problem, which the caller returns as it is: a missing record becomes the
//     page that says so, an ended session the sign-in. It ends with v.show
//     (a screen), v.done (a notice after a change, and the screen that shows
//     it) or v.pass (a file of the API). What the API streams is read with
//     v.follow.
//  3. Its template: templates/NAME.html defines "title", "action" (the primary
//     action, may be empty) and "content"; "." is *frame: .Data is the struct,
//     .Form the form, and $.When, $.Day, $.Number, $.Bytes write times and
//     numbers for the reader. Parts that all screens share are in
//     templates/parts.html: notice, problem, empty, field, select, check, badge,
//     pager.
//  4. Its texts: {{t "web.code" "English with {name}" "name" .Name}} and
//     {{count "web.code" .N "one thing" "{count} things"}} in templates, text(…)
//     in Go, in the shape of mime.NewText; Italian in internal/locale/it.toml.
//     No word stands in a template outside of t and count (a test reads them).
//  5. A form: newForm(r) keeps what was typed; form.refuse(err) puts the API's
//     objections beside its fields, which have the names of the API's, and in
//     the summary; the screen is then shown again with status 422. Forms are
//     posted, answered with 303, and work without script. Nothing is a link
//     that changes something.
//  6. Its test: world_test.go has a server on a real store; w.signIn, w.get and
//     w.post act as a browser without script. The screen is entered in
//     screenList (look_test.go), to be looked at in Chromium with axe-core, in
//     both languages and themes. What people do from screen to screen is a flow
//     of TestInBrowser (browser_test.go), with the helpers of tabbrowser_test.go.
//     They need POSTINO_PEERS=1; POSTINO_SCREENSHOTS=FOLDER keeps the pictures.
//
// Scripts add to this and are never needed: assets/page.js has copy buttons
// (data-copy) and keys; htmx (hx-get, hx-trigger="every 10s", hx-select) renews
// parts of a screen from the same address, and hx-sse:connect shows what is
// sent while it happens. No inline script, style or event attribute: the
// Content-Security-Policy forbids them.
package web
