package gmail

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/stages"
	"github.com/postino-mail/postino/mime"
)

var _ stages.Tester = (*Adapter)(nil)

// Probe implements adapters.Adapter: a token for sending, and whether Gmail's
// API answers for the mailbox. The least scope, gmail.send, may read nothing:
// Gmail's refusal for want of scope then is the good answer. That a message
// would be accepted is not tested.
func (a *Adapter) Probe(ctx context.Context) error {
	t := a.tester(mime.Mailbox{}, func(stages.Stage) {})
	if src := t.source(t.mailbox); src != nil && t.token(ctx, src) {
		t.access(ctx, src, nil)
	}
	return t.rec.Err()
}

// Test implements stages.Tester. Where the delegation includes gmail.readonly it
// asks for the mailbox and its sender addresses too.
func (a *Adapter) Test(ctx context.Context, req stages.Request, report func(stages.Stage)) {
	t := a.tester(req.From, report)
	src := t.source(t.mailbox)
	if src == nil || !t.reach(ctx, src) || req.Network || !t.token(ctx, src) {
		return
	}
	read, err := t.Adapter.source(t.mailbox, adapters.AudienceGmailRead)
	if err == nil {
		_, err = read.Token(ctx)
	}
	switch {
	case err != nil:
		if t.access(ctx, src, nil) {
			t.unproven(adapters.AsError(err))
			t.sender(nil)
		}
	case t.access(ctx, src, read):
		t.read(ctx, read)
	}
}

// A tester is one run of the stages.
type tester struct {
	*Adapter
	rec     *stages.Recorder
	from    mime.Mailbox
	mailbox string
}

func (a *Adapter) tester(from mime.Mailbox, report func(stages.Stage)) *tester {
	if from.IsZero() {
		from = a.conn.FromMailbox()
	}
	return &tester{Adapter: a, rec: stages.NewRecorder(a.now, report), from: from, mailbox: a.conn.Mailbox(from)}
}

// source is the token source for sending; nil after a failure.
func (t *tester) source(mailbox string) adapters.TokenSource {
	src, err := t.Adapter.source(mailbox, adapters.AudienceGmailSend)
	if err != nil {
		t.rec.Fail(stages.Token, err)
		return nil
	}
	return src
}

// reach connects to Gmail and to the issuer of its tokens.
func (t *tester) reach(ctx context.Context, src adapters.TokenSource) bool {
	hosts := []stages.Host{{Name: t.host(), Plain: strings.HasPrefix(t.base, "http:"),
		Reach: func(ctx context.Context) (http.Header, error) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.base+"/", nil)
			if err != nil {
				return nil, t.network(err)
			}
			resp, err := t.client.Do(req)
			if err != nil {
				return nil, t.network(err)
			}
			_, _ = io.CopyN(io.Discard, resp.Body, 1<<20) // whatever it says, it has answered
			_ = resp.Body.Close()
			return resp.Header, nil
		}}}
	if i, ok := src.(stages.Issuer); ok && i.Host() != "" {
		hosts = append(hosts, stages.Host{Name: i.Host(), Plain: strings.HasPrefix(SettingsOf(t.conn).TokenURL, "http:"), Reach: i.Reach})
	}
	return t.rec.Reach(ctx, hosts...)
}

func (t *tester) token(ctx context.Context, src adapters.TokenSource) bool {
	if _, err := src.Token(ctx); err != nil {
		t.rec.Fail(stages.Token, err)
		return false
	}
	t.rec.Pass(stages.Token, mime.NewText("test.token_issued", "an access token was issued"), adapters.Text{})
	return true
}

// access asks for the mailbox's profile with the token for sending, and with
// that for reading where there is one.
func (t *tester) access(ctx context.Context, src, read adapters.TokenSource) bool {
	e := adapters.AsError(t.profile(ctx, src))
	if e != nil && e.Code == adapters.CodePermissionMissing {
		e = nil
	}
	if e == nil && read != nil {
		e = adapters.AsError(t.profile(ctx, read))
	}
	// contracts C4: project, policy and token concern the application, the rest the mailbox
	if e != nil && e.Class == adapters.Auth && e.Scope == adapters.ScopeConnection {
		t.rec.Fail(stages.Roles, e)
		return false
	}
	t.rec.Pass(stages.Roles, mime.NewText("test.roles_delegated",
		"domain-wide delegation lets the service account send as {mailbox} (gmail.send)", "mailbox", t.mailbox), adapters.Text{})
	if e != nil {
		t.rec.Fail(stages.Mailbox, e)
	}
	return e == nil
}

func (t *tester) profile(ctx context.Context, src adapters.TokenSource) error {
	return t.get(ctx, src, "/profile", nil, new(struct{}))
}

// read asks what only the scope gmail.readonly shows.
func (t *tester) read(ctx context.Context, src adapters.TokenSource) {
	t.rec.Pass(stages.Mailbox, mime.NewText("test.gmail_mailbox", "the mailbox {mailbox} answers", "mailbox", t.mailbox), adapters.Text{})
	t.rec.Pass(stages.Lookup, mime.NewText("test.gmail_lookup",
		"the delegation includes gmail.readonly, so that a message with an unknown outcome can be looked up"), adapters.Text{})
	list := new(sendAsList)
	if err := t.get(ctx, src, "/settings/sendAs", nil, list); err != nil { // the sender stays unproven
		list = nil
	}
	t.sender(list)
}

// unproven is said where there is no token with gmail.readonly. A delegation
// without it is refused; anything else may pass.
func (t *tester) unproven(e *adapters.Error) {
	t.rec.Add(stages.Stage{Name: stages.Mailbox, Status: stages.Unproven,
		Message: mime.NewText("test.gmail_mailbox_unproven",
			"the scope gmail.send may not read anything: only a message proves the mailbox {mailbox}", "mailbox", t.mailbox),
		Hint: mime.NewText("test.sender_prove", "send a real message to prove it: postino connection test NAME --to ADDRESS")})
	st := stages.Stage{Name: stages.Lookup, Status: stages.Unproven, Message: e.Message, Hint: e.Hint}
	if e.Class == adapters.Auth {
		st.Message = mime.NewText("test.gmail_lookup_refused",
			"the delegation has gmail.send alone: after an answer that got lost it cannot be proven whether the message left")
		st.Hint = mime.NewText("test.gmail_lookup_hint",
			"to have it, add the scope https://www.googleapis.com/auth/gmail.readonly to the domain-wide delegation")
	}
	t.rec.Add(st)
}

// sender says whether the From may be used: Gmail replaces one that is neither
// the account nor a verified address of it. list is nil where it is not known.
func (t *tester) sender(list *sendAsList) {
	// contracts C5.1
	prove := mime.NewText("test.sender_prove", "send a real message to prove it: postino connection test NAME --to ADDRESS")
	switch {
	case t.from.IsZero():
		return
	case strings.EqualFold(t.from.String(), t.mailbox):
		t.rec.Pass(stages.Sender, mime.NewText("test.sender_is_mailbox", "{from} is the mailbox itself", "from", t.from), adapters.Text{})
		return
	case list == nil:
		t.rec.Add(stages.Stage{Name: stages.Sender, Status: stages.Unproven, Hint: prove,
			Message: mime.NewText("test.gmail_sender_unproven",
				"{from} must be a verified sender address of {mailbox}, which the scope gmail.send may not look at",
				"from", t.from, "mailbox", t.mailbox)})
		return
	}
	for _, s := range list.SendAs {
		if strings.EqualFold(s.SendAsEmail, t.from.String()) && (s.IsPrimary || s.VerificationStatus == "accepted") {
			t.rec.Pass(stages.Sender, mime.NewText("test.gmail_sender_verified", "{from} is a verified sender address of {mailbox}",
				"from", t.from, "mailbox", t.mailbox), adapters.Text{})
			return
		}
	}
	t.rec.Add(stages.Stage{Name: stages.Sender, Status: stages.Unproven,
		Message: mime.NewText("test.gmail_sender_replaced",
			"{from} is no verified sender address of {mailbox}: Gmail may put the account's address in its place",
			"from", t.from, "mailbox", t.mailbox),
		Hint: mime.NewText("test.gmail_sender_add", "in Gmail add {from} under Settings > Accounts > Send mail as, and confirm it",
			"from", t.from)})
}
