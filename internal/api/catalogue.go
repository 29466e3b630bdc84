package api

import (
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// A kind of problem explains itself at /problems/{code}.
type kind struct {
	title, about adapters.Text
}

func text(code, english string, args ...any) adapters.Text {
	return mime.NewText(code, english, args...)
}

// kinds are all problem types. A code that is none of them is a finer name for
// "bad_message" or "not_carried".
func kinds() map[string]kind {
	return map[string]kind{
		"invalid_request": {text("problem.invalid_request.title", "The request is not valid"),
			text("problem.invalid_request.about",
				"A field is missing, has the wrong type, or is unknown. The member errors names every one. "+
					"The description of all requests is at /openapi.json.")},
		"bad_search": {text("problem.bad_search.title", "The search cannot be understood"),
			text("problem.bad_search.about",
				"The parameter q holds words and conditions such as to:@example.com, state:failed or after:7d, with blanks between "+
					"them; all must hold. The detail says at which character something is wrong, the hint what to write instead.")},
		"bad_json": {text("problem.bad_json.title", "The body is not JSON"),
			text("problem.bad_json.about",
				"The body could not be read as JSON in UTF-8. Programs that write JSON by joining strings "+
					"often forget to escape quotes, or use another character set.")},
		"bad_base64": {text("problem.bad_base64.title", "The content is not base64"),
			text("problem.bad_base64.about",
				"Content of attachments, and raw, are base64 of RFC 4648 section 4 (the alphabet with + and "+
					"/), padded. Send large files as multipart/form-data, without encoding.")},
		"json_too_large": {text("problem.json_too_large.title", "The JSON is too large"),
			text("problem.json_too_large.about",
				"JSON is held in memory and therefore bounded. Send large attachments as multipart/form-data "+
					"(field message with the JSON, then the files), or the whole message as message/rfc822: both "+
					"are streamed.")},
		"unsupported_media_type": {text("problem.unsupported_media_type.title", "The media type is not supported"),
			text("problem.unsupported_media_type.about",
				"Messages are taken as application/json, multipart/form-data or message/rfc822; everything "+
					"else as application/json.")},
		"too_slow": {text("problem.too_slow.title", "The request came too slowly"),
			text("problem.too_slow.about",
				"A request must keep arriving: connections that trickle are closed so that they do not keep "+
					"others out.")},
		"interrupted": {text("problem.interrupted.title", "The request was interrupted"),
			text("problem.interrupted.about",
				"The connection ended before the answer was ready. With an Idempotency-Key the request can be "+
					"repeated without sending twice.")},
		"unauthorized": {text("problem.unauthorized.title", "Authentication required"),
			text("problem.unauthorized.about",
				"The request has no credentials, or wrong ones. Send Authorization: Bearer with an API key, "+
					"or Basic with a client's name and secret. Keys are made with 'postino key add' or POST "+
					"/v1/keys and shown once. Programs of the machine itself need none by the unix socket: curl "+
					"--unix-socket DATA/http.sock http://localhost/v1/…, as root, as the server's user, or to "+
					"send as a member of the group named in the settings.")},
		"forbidden": {text("problem.forbidden.title", "Not permitted"),
			text("problem.forbidden.about",
				"The key is good but lacks the scope that the operation needs, or the setting is the "+
					"administrator's alone.")},
		"cross_site": {text("problem.cross_site.title", "Cross-site request refused"),
			text("problem.cross_site.about",
				"A browser sent this on behalf of another site, or under a host name that is not this "+
					"server's. Without an API key such requests are refused, so that no web page can use what a "+
					"browser or a machine is allowed.")},
		"auth_blocked": {text("problem.auth_blocked.title", "Too many wrong credentials"),
			text("problem.auth_blocked.about",
				"Too many wrong credentials came from this address. It may try again after the time in "+
					"Retry-After.")},
		"sign_in": {text("problem.sign_in.title", "The sign-in is not possible"),
			text("problem.sign_in.about",
				"A person cannot sign in so, or would not be able to sign in any more. The detail says why, and what to do.")},
		"not_found": {text("problem.not_found.title", "Not found"),
			text("problem.not_found.about", "The path or the record does not exist, or belongs to another client.")},
		"method_not_allowed": {text("problem.method_not_allowed.title", "The method is not allowed here"),
			text("problem.method_not_allowed.about",
				"The path exists, but not with this method; Allow names those that work.")},
		"name_taken": {text("problem.name_taken.title", "The name is taken"),
			text("problem.name_taken.about", "Names are unique, whatever their letter case.")},
		"changed_meanwhile": {text("problem.changed_meanwhile.title", "The record has changed meanwhile"),
			text("problem.changed_meanwhile.about",
				"Every record has a revision that grows with each edit. The one that came is not the stored "+
					"one: read the record again.")},
		"last_admin": {text("problem.last_admin.title", "The last administrator stays one"),
			text("problem.last_admin.about",
				"Somebody must be able to administer the gateway. Make another person an administrator, and have them sign in, first.")},
		"link_ended": {text("problem.link_ended.title", "The link is good no more"),
			text("problem.link_ended.about",
				"An invitation is good once and for a day, and void when a newer one is made. Ask an administrator for a new one.")},
		"quota": {text("problem.quota.title", "Quota exceeded"),
			text("problem.quota.about",
				"Webhooks, event streams and API keys of one client are bounded. The hint names the "+
					"setting.")},
		"json_too_complex": {text("problem.json_too_complex.title", "The JSON has too many parts"),
			text("problem.json_too_complex.about",
				"Depth, values and fields of an object are bounded, so that one request does not take the "+
					"memory of all.")},
		"no_room": {text("problem.no_room.title", "No room on the disk for this upload"),
			text("problem.no_room.about",
				"Uploads under way have a share of the disk, each client and all together, and leave a "+
					"reserve free.")},
		"under_way": {text("problem.under_way.title", "The first request is not answered yet"),
			text("problem.under_way.about",
				"A request with this Idempotency-Key has begun. While it has no answer, a repeat could do the "+
					"same twice.")},
		"in_use": {text("problem.in_use.title", "The connection is in use"),
			text("problem.in_use.about", "Messages that are not finished name this connection.")},
		"wrong_state": {text("problem.wrong_state.title", "The state does not allow it"),
			text("problem.wrong_state.about",
				"What is being sent cannot be held or cancelled, what was sent cannot be retried (use "+
					"resend), and so on. GET the message to see its state.")},
		"bytes_gone": {text("problem.bytes_gone.title", "The content is no longer kept"),
			text("problem.bytes_gone.about", "Retention removed the bytes; the record stays longer.")},
		"bytes_corrupt": {text("problem.bytes_corrupt.title", "The stored content is corrupt"),
			text("problem.bytes_corrupt.about", "The stored bytes do not match their digest.")},
		"idempotency_key": {text("problem.idempotency_key.title", "The Idempotency-Key was used with another request"),
			text("problem.idempotency_key.about",
				"For 24 hours a key belongs to the request that it came with first: the same request gets the "+
					"same answer, another one is refused. Make a new key for each new message.")},
		"bad_message": {text("problem.bad_message.title", "The message cannot be sent as it is"),
			text("problem.bad_message.about",
				"Something in the message is wrong: an address, a header, an attachment. The detail says what "+
					"and what to do; nothing was stored.")},
		"not_carried": {text("problem.not_carried.title", "The connection cannot carry this message"),
			text("problem.not_carried.about",
				"The provider of the chosen connection would refuse the message. The detail says why.")},
		"too_large": {text("problem.too_large.title", "The message is too large"),
			text("problem.too_large.about",
				"No usable connection carries a message of this size. Attachments grow by a third on their "+
					"way into a message.")},
		"too_many_recipients": {text("problem.too_many_recipients.title", "Too many recipients"),
			text("problem.too_many_recipients.about", "Split the message into several, or raise limits.max_recipients.")},
		"no_from": {text("problem.no_from.title", "The message has no sender"),
			text("problem.no_from.about", "Set from: it decides the connection, too.")},
		"no_recipients": {text("problem.no_recipients.title", "The message has no recipient"),
			text("problem.no_recipients.about", "Set to, cc, bcc or recipients.")},
		"no_route": {text("problem.no_route.title", "No connection sends for this sender"),
			text("problem.no_route.about",
				"A connection is chosen by the sender's address or domain, by the client, or because it is "+
					"the default one. None fits: create a connection for the sender, or make one the default.")},
		"rate": {text("problem.rate.title", "Too many messages a minute"),
			text("problem.rate.about",
				"The client has a limit of submissions a minute. Wait, or ask the administrator to raise it.")},
		"sender_not_allowed": {text("problem.sender_not_allowed.title", "The client may not use this sender"),
			text("problem.sender_not_allowed.about",
				"The client's list of senders does not hold the From of the message.")},
		"unknown_connection": {text("problem.unknown_connection.title", "Unknown connection"),
			text("problem.unknown_connection.about", "The message names a connection that does not exist.")},
		"connection_not_allowed": {text("problem.connection_not_allowed.title", "The client may not use this connection"),
			text("problem.connection_not_allowed.about", "The client's list of connections does not hold it.")},
		"connection_inactive": {text("problem.connection_inactive.title", "The connection is switched off"),
			text("problem.connection_inactive.about", "Switch it on, or name another.")},
		"invalid_connection": {text("problem.invalid_connection.title", "The connection is not valid"),
			text("problem.invalid_connection.about",
				"A setting of the connection is missing or wrong; errors names each.")},
		"store_unavailable": {text("problem.store_unavailable.title", "The store cannot work at the moment"),
			text("problem.store_unavailable.about",
				"Disk full, database unreachable, or the like. Nothing was taken; it works again by itself "+
					"when the cause is gone.")},
		"too_many_streams": {text("problem.too_many_streams.title", "Too many event streams"),
			text("problem.too_many_streams.about",
				"Close streams that are not read any more, or read GET /v1/events page by page.")},
		"internal": {text("problem.internal.title", "An error in the gateway"),
			text("problem.internal.about", "It is not your request's fault; the log of the server has more.")},
	}
}

// ofSignIn are the codes of what people sign in with.
func ofSignIn() []string {
	return []string{"sign_in_again", "last_credential", "no_passkeys", "no_identity_provider", "identity_provider", "identity_refused",
		"email_unverified", "no_person", "other_account", "account_taken"}
}

// kindOf is the problem type that documents a code.
func kindOf(code string, status int) (string, kind) {
	all := kinds()
	if k, ok := all[code]; ok {
		return code, k
	}
	name := "bad_message"
	switch {
	case code == "invalid_connections": // of a plan
		name = "invalid_connection"
	case slices.Contains(ofSignIn(), code):
		name = "sign_in"
	case status == http.StatusRequestEntityTooLarge:
		name = "too_large"
	case status >= http.StatusInternalServerError:
		name = "internal"
	case strings.ToLower(code) != code: // codes of providers are written as they write them
		name = "not_carried"
	}
	return name, all[name]
}

// problemRoutes shows the pages that explain each kind of problem.
func problemRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /problems/{code}", problemPage)
	mux.HandleFunc("GET /problems", problemIndex)
}

// problemPage explains one kind, as a page or as JSON.
func problemPage(w http.ResponseWriter, r *http.Request) {
	code, lang := r.PathValue("code"), language(r.Header.Get("Accept-Language"))
	k, ok := kinds()[code]
	w.Header().Set("Vary", "Accept, Accept-Language")
	if !ok {
		writeFailure(w, r, pathNotFound())
		return
	}
	w.Header().Set("Content-Language", lang)
	page := struct {
		Type  string `json:"type"`
		Title string `json:"title"`
		About string `json:"about"`
		Lang  string `json:"-"`
	}{"/problems/" + code, k.title.In(lang), k.about.In(lang), lang}
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		writeJSON(w, http.StatusOK, "application/json", page)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	_ = problemTemplate().Execute(w, page) // a reader that left needs no report
}

func problemTemplate() *template.Template {
	return template.Must(template.New("problem").Parse(`<!doctype html>
<html lang="{{.Lang}}"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Title}}</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}code{color:#666}</style>
<h1>{{.Title}}</h1><p>{{.About}}</p><p><code>{{.Type}}</code></p></html>
`))
}

// problemIndex lists all kinds.
func problemIndex(w http.ResponseWriter, r *http.Request) {
	lang := language(r.Header.Get("Accept-Language"))
	type line struct {
		Type  string `json:"type"`
		Title string `json:"title"`
	}
	out := []line{}
	for code, k := range kinds() {
		out = append(out, line{"/problems/" + code, k.title.In(lang)})
	}
	slices.SortFunc(out, func(a, b line) int { return strings.Compare(a.Type, b.Type) })
	writeJSON(w, http.StatusOK, "application/json", map[string]any{"problems": out})
}

func pathNotFound() *failure {
	return fail(http.StatusNotFound, "not_found", "",
		text("api.nothing_here", "there is nothing at this path"),
		text("api.nothing_here_hint", "see /openapi.json"))
}
