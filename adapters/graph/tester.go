package graph

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/stages"
	"github.com/postino-mail/postino/mime"
)

var _ stages.Tester = (*Adapter)(nil)

// Probe tests token, reachability and access with the least permission: it
// posts to sendMail what is no base64, which Graph refuses with
// ErrorMimeContentInvalidBase64String and can never send.
// Only an answer that names a reason before the content is a failure. It is
// no proof that a message will pass.
//
// A connection for any sender of a domain without a mailbox of its own has no
// mailbox to ask: there only token and reachability are tested.
func (a *Adapter) Probe(ctx context.Context) error {
	t := a.tester(mime.Mailbox{}, func(stages.Stage) {})
	t.access(ctx)
	return t.rec.Err()
}

// Test implements stages.Tester. It asks for the mailbox as Probe does.
func (a *Adapter) Test(ctx context.Context, req stages.Request, report func(stages.Stage)) {
	t := a.tester(req.From, report)
	if t.reach(ctx) && !req.Network && t.access(ctx) {
		t.lookup(ctx)
		t.sender()
	}
}

// A tester is one run of the stages.
type tester struct {
	*Adapter
	rec     *stages.Recorder
	from    mime.Mailbox // the sender to test; none: the connection has none of its own
	mailbox string       // may be empty too
}

func (a *Adapter) tester(from mime.Mailbox, report func(stages.Stage)) *tester {
	if from.IsZero() {
		from = a.conn.FromMailbox()
	}
	return &tester{Adapter: a, rec: stages.NewRecorder(a.now, report), from: from, mailbox: a.conn.Mailbox(from)}
}

// reach connects to Graph and to the issuer of its tokens.
func (t *tester) reach(ctx context.Context) bool {
	root := strings.TrimSuffix(t.base, "/v1.0") + "/"
	u, err := url.Parse(root)
	if err != nil {
		t.rec.Fail(stages.DNS, adapters.ConfigError(adapters.Graph, mime.NewText("graph.bad_url", "graph_url is no URL")))
		return false
	}
	hosts := []stages.Host{{Name: u.Host, Plain: u.Scheme == "http", Reach: func(ctx context.Context) (http.Header, error) {
		// Without a token, and any answer will do.
		rq := &request{op: "reach", method: http.MethodGet, url: root, anonymous: true}
		res := t.roundTrip(ctx, rq, "")
		if res.err != nil {
			return nil, t.networkError(ctx, rq, res.err)
		}
		return res.header, nil
	}}}
	if i, ok := t.tokens.(stages.Issuer); ok && i.Host() != "" {
		hosts = append(hosts, stages.Host{Name: i.Host(), Reach: i.Reach})
	}
	return t.rec.Reach(ctx, hosts...)
}

// access gets a token and asks whether it opens the mailbox for sending.
func (t *tester) access(ctx context.Context) bool {
	// contracts A3.5, B1.4, B1.9
	token, err := t.tokens.Token(ctx)
	if err != nil {
		t.rec.Fail(stages.Token, t.tokenError(ctx, err))
		return false
	}
	t.rec.Pass(stages.Token, mime.NewText("test.token_issued", "an access token was issued"), adapters.Text{})
	if t.mailbox == "" {
		_, err := t.do(ctx, &request{op: "probe", method: http.MethodGet, url: t.base + "/", want: []int{http.StatusOK}})
		if err != nil {
			t.rec.Fail(stages.Roles, err)
			return false
		}
		t.rec.Add(t.roles(token, nil))
		t.rec.Add(stages.Stage{Name: stages.Mailbox, Status: stages.Unproven,
			Message: mime.NewText("test.no_mailbox_named", "the connection is for every sender of a domain, so no mailbox was asked"),
			Hint:    mime.NewText("test.name_sender", "name a sender to test: --from ADDRESS")})
		return true
	}
	const body = "!"
	_, err = t.do(ctx, &request{op: "probe", method: http.MethodPost, url: t.userURL(t.mailbox, "sendMail"),
		contentType: "text/plain", size: int64(len(body)), open: func() (io.Reader, error) { return strings.NewReader(body), nil },
		job: &job{mailbox: t.mailbox, from: t.from}})
	e := adapters.AsError(err)
	if e != nil && (e.Status == http.StatusBadRequest && e.Class == adapters.Permanent && e.RequestID != "" ||
		e.ProviderCode == "ErrorMimeContentInvalidBase64String" || e.ProviderCode == "ErrorMimeContentInvalid") {
		e = nil
	}
	st := t.roles(token, e)
	t.rec.Add(st)
	switch {
	case st.Status == stages.Failed:
		return false
	case e != nil:
		t.rec.Fail(stages.Mailbox, e)
		return false
	}
	t.rec.Pass(stages.Mailbox, mime.NewText("test.mailbox_usable", "the application may send through the mailbox {mailbox}",
		"mailbox", t.mailbox), adapters.Text{})
	return true
}

// roles is what the token's roles mean together with the answer for the
// mailbox: with RBAC for Applications there are none, and rightly so.
func (t *tester) roles(token string, e *adapters.Error) stages.Stage {
	// contracts A3.5, B8.5
	roles, readable := rolesOf(token)
	st := stages.Stage{Name: stages.Roles, Status: stages.OK}
	denied := e != nil && (e.ProviderCode == "ErrorAccessDenied" || e.ProviderCode == "Authorization_RequestDenied")
	switch consented := slices.Contains(roles, "Mail.Send"); {
	case e != nil && e.Status == http.StatusUnauthorized, denied && !consented:
		st.Status, st.Message, st.Hint, st.Err = stages.Failed, e.Message, e.Hint, e
	case consented:
		st.Message = mime.NewText("test.roles_consented",
			"the token carries {roles}: by consent, the application may send from every mailbox of the tenant", "roles", strings.Join(roles, ", "))
	case e == nil && t.mailbox != "":
		st.Message = mime.NewText("test.roles_rbac",
			"the token carries no Mail.Send and the mailbox can be used: the right comes from RBAC for Applications in Exchange")
	case !readable:
		st.Status = stages.Unproven
		st.Message = mime.NewText("test.roles_unreadable", "the token does not show its roles")
	default:
		st.Status = stages.Unproven
		st.Message = mime.NewText("test.roles_none",
			"the token carries no Mail.Send: right with RBAC for Applications in Exchange, otherwise admin consent for it is missing")
	}
	return st
}

// rolesOf reads the roles of an access token, which nothing but Graph verifies.
func rolesOf(token string) (roles []string, readable bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, false
	}
	var claims struct {
		Roles []string `json:"roles"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return nil, false
	}
	for _, r := range claims.Roles {
		if printable(r) {
			roles = append(roles, r)
		}
	}
	return roles, true
}

// lookup asks whether messages of the mailbox may be read: for outcomes that are
// not known, and, with Mail.ReadWrite, for large messages.
func (t *tester) lookup(ctx context.Context) {
	// contracts B1.8, B3
	if t.mailbox == "" {
		return
	}
	_, err := t.do(ctx, &request{op: "findMessage", method: http.MethodGet,
		url: t.userURL(t.mailbox, "messages") + "?$select=id&$top=1", want: []int{http.StatusOK}, job: &job{mailbox: t.mailbox, from: t.from}})
	switch e := adapters.AsError(err); {
	case e == nil:
		t.rec.Pass(stages.Lookup, mime.NewText("test.lookup_possible",
			"the application may read the mailbox, so that a message with an unknown outcome can be looked up"), adapters.Text{})
	case e.Status == http.StatusForbidden:
		t.rec.Add(stages.Stage{Name: stages.Lookup, Status: stages.Unproven,
			Message: mime.NewText("test.lookup_refused",
				"the application may send and not read: after an answer that got lost it cannot be proven whether the message left, and messages "+
					"over 3 MB need another route"),
			Hint: mime.NewText("test.lookup_refused_hint",
				"to have both, give the application Mail.ReadWrite for this mailbox too; without, name a fallback for large mail")})
	default:
		t.rec.Add(stages.Stage{Name: stages.Lookup, Status: stages.Unproven, Message: e.Message, Hint: e.Hint})
	}
}

// sender says whether the From may be used: only a message proves Send As.
func (t *tester) sender() {
	// contracts B4.6
	switch {
	case t.from.IsZero():
	case strings.EqualFold(t.from.String(), t.mailbox):
		t.rec.Pass(stages.Sender, mime.NewText("test.sender_is_mailbox", "{from} is the mailbox itself", "from", t.from), adapters.Text{})
	case !t.conn.AllowsFrom(t.from):
		t.rec.Fail(stages.Sender, t.notAllowed(t.from, t.from))
	default:
		t.rec.Add(stages.Stage{Name: stages.Sender, Status: stages.Unproven,
			Message: mime.NewText("test.sender_needs_send_as", "{mailbox} needs the permission Send As on {from}, which only a message proves",
				"mailbox", t.mailbox, "from", t.from),
			Hint: mime.NewText("test.sender_prove", "send a real message to prove it: postino connection test NAME --to ADDRESS")})
	}
}
