package fallback

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/stages"
	"github.com/postino-mail/postino/mime"
)

var _ stages.Tester = (*Adapter)(nil)

// Test implements stages.Tester. It opens a session as sending does, logs in,
// and names the sender and one recipient, the sender itself, without a message.
func (a *Adapter) Test(ctx context.Context, req stages.Request, report func(stages.Stage)) {
	from := req.From
	if from.IsZero() {
		from = a.conn.FromMailbox()
	}
	(&tester{Adapter: a, rec: stages.NewRecorder(a.opt.Now, report), from: from, network: req.Network}).run(ctx)
}

// A tester is one run of the stages.
type tester struct {
	*Adapter
	rec     *stages.Recorder
	from    mime.Mailbox // the sender to name
	network bool         // end before the login
	next    stages.Name
}

func (t *tester) run(ctx context.Context) {
	user := t.conn.Mailbox(t.from)
	if user == "" && t.tokens != nil && !t.network {
		t.rec.Fail(stages.Authentication, settingError("login",
			mime.NewText("smtp.no_test_mailbox", "no mailbox is named to test with")))
		return
	}
	l, err := t.pool.enter(ctx, user)
	if err != nil {
		t.rec.Fail(stages.DNS, t.cancelled(ctx))
		return
	}
	defer t.pool.leave(user, l, nil)
	if old := t.pool.take(l); old != nil {
		old.quit() // its place is needed: the provider counts connections (contracts D4)
	}
	s := t.session(ctx, user)
	if s == nil {
		return
	}
	defer s.quit()
	if !t.from.IsZero() {
		t.sender(ctx, s)
	}
}

// session opens a session and logs in; nil after a failure.
func (t *tester) session(ctx context.Context, user string) *session {
	var conn net.Conn
	reached := t.rec.Reach(ctx, stages.Host{Name: t.host, Plain: true, Hide: t.set.PublicOnly,
		Reach: func(ctx context.Context) (http.Header, error) {
			c, err := t.dial(ctx)
			if err != nil {
				return nil, t.dialError(ctx, err)
			}
			conn = c
			return nil, nil
		}})
	if !reached {
		return nil
	}
	t.next = stages.Greeting
	if t.set.EffectiveEncryption() == EncryptionTLS {
		t.next = stages.TLS
	}
	s, err := t.begin(ctx, conn, t.passed)
	if err != nil {
		if adapters.AsError(err).Code == "tls_port" {
			t.next = stages.TLS
		}
		t.rec.Fail(t.next, err)
		return nil
	}
	t.rec.Add(stages.Stage{Name: stages.Offers, Status: stages.OK, Message: t.offers(s), Seen: t.seen(s)})
	if t.network {
		s.quit()
		return nil
	}
	return t.login(ctx, s, user)
}

// passed passes on what the beginning of a session found.
func (t *tester) passed(at stage, s *session, r reply) {
	startTLS := t.set.EffectiveEncryption() == EncryptionSTARTTLS
	switch at {
	case atTLS:
		t.next = stages.Greeting
		if startTLS {
			t.next = stages.Offers
		}
		var state tls.ConnectionState
		if c, ok := s.conn.(*tls.Conn); ok {
			state = c.ConnectionState()
		}
		message, hint := stages.Certificate(t.host, state, t.opt.Now(), t.set.PublicOnly)
		t.rec.Pass(stages.TLS, message, hint)
	case atGreeting:
		t.next = stages.Offers
		message := mime.NewText("test.smtp_greets", "{host} greets", "host", t.host)
		if words := s.censor.show(r.text()); words != "" && !t.set.PublicOnly {
			message = mime.NewText("test.smtp_greets_words", `{host} greets: "{words}"`, "host", t.host, "words", words)
		}
		t.rec.Pass(stages.Greeting, message, adapters.Text{})
	case atHello:
		if startTLS && !s.tls {
			t.next = stages.TLS
		}
		if t.set.EffectiveEncryption() == EncryptionNone {
			t.rec.Add(t.unencrypted(s))
		}
	}
}

// seen is the address that the server knows this machine by: many name it in
// brackets in their reply to EHLO, such as "at your service, [203.0.113.9]".
func (t *tester) seen(s *session) string {
	if t.set.PublicOnly {
		return ""
	}
	_, rest, _ := strings.Cut(s.caps.greets, "[")
	name, _, ok := strings.Cut(rest, "]")
	if len(name) > 5 && strings.EqualFold(name[:5], "IPv6:") {
		name = name[5:]
	}
	a, err := netip.ParseAddr(name)
	if !ok || err != nil {
		return ""
	}
	return a.Unmap().WithZone("").String()
}

func (t *tester) unencrypted(s *session) stages.Stage {
	st := stages.Stage{Name: stages.TLS, Status: stages.Skipped,
		Message: mime.NewText("test.smtp_no_tls", "the connection to {host} is not encrypted, as its settings say", "host", t.host)}
	if s.caps.has("STARTTLS") {
		st.Hint = mime.NewText("test.smtp_starttls_offered", "choose the encryption starttls, which {host} offers", "host", t.host)
	}
	return st
}

// offers names what the server offers, as far as it decides what can be sent.
func (t *tester) offers(s *session) adapters.Text {
	if t.set.PublicOnly { // the server's words are not for whoever names servers
		return mime.NewText("test.smtp_offers_hidden", "{host} takes SMTP commands", "host", t.host)
	}
	var names []string
	for _, ext := range []string{"PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "CHUNKING", "STARTTLS"} {
		if s.caps.has(ext) {
			names = append(names, ext)
		}
	}
	login := s.censor.show(strings.Join(s.caps.auth, " "))
	if login == "" {
		login = "-"
	}
	extensions := strings.Join(names, " ")
	if extensions == "" {
		extensions = "-"
	}
	if size := s.caps.size(); size > 0 {
		return mime.NewText("test.smtp_offers_size", "AUTH: {login}; extensions: {extensions}; messages up to {size} MB", "login", login,
			"extensions", extensions, "size", size>>20)
	}
	return mime.NewText("test.smtp_offers", "AUTH: {login}; extensions: {extensions}", "login", login, "extensions", extensions)
}

// login gets a token where the connection has one, and authenticates; nil after a failure.
func (t *tester) login(ctx context.Context, s *session, user string) *session {
	token, err := t.token(ctx)
	if err != nil {
		s.quit()
		t.rec.Fail(stages.Token, err)
		return nil
	}
	if t.tokens != nil {
		t.rec.Pass(stages.Token, mime.NewText("test.token_issued", "an access token was issued"), adapters.Text{})
	}
	if !t.wantsAuth() {
		if err := t.ready(ctx, s); err != nil {
			t.rec.Fail(stages.Authentication, err)
			return nil
		}
		st := stages.Stage{Name: stages.Authentication, Status: stages.Skipped,
			Message: mime.NewText("test.smtp_no_login", "the connection has no login")}
		if t.set.Login != "" && t.set.Auth != "none" {
			st.Message = mime.NewText("test.smtp_no_password", "the connection has a login and no password: nothing was logged in")
			st.Hint = mime.NewText("test.smtp_no_password_hint", "give smtp.password, or set smtp.auth to none")
		}
		t.rec.Add(st)
		return s
	}
	if err = t.identify(ctx, s, user, token); err == nil {
		err = t.ready(ctx, s)
	} else if s, err = t.renewed(ctx, user, token, nil, err); err == nil {
		err = t.ready(ctx, s)
	}
	if err != nil {
		t.rec.Fail(stages.Authentication, err)
		return nil
	}
	t.rec.Pass(stages.Authentication, mime.NewText("test.smtp_login_accepted", "{host} accepts the login {login}", "host", t.host,
		"login", user), adapters.Text{})
	return s
}

// ready asks for a sign of life: servers that give up on a login close only then.
func (t *tester) ready(ctx context.Context, s *session) error {
	release := s.bind(ctx)
	r, err := s.cmd("NOOP", t.opt.Timeouts.Command)
	switch {
	case !release():
		return t.cancelled(ctx)
	case err != nil:
		s.kill()
		return t.ioError(ctx, s, atHello, err)
	case !r.ok():
		s.quit()
		return t.refused(s, atHello, r)
	}
	return nil
}

// sender names the sender and itself as the one recipient, and takes both back:
// many servers look at the sender only then.
func (t *tester) sender(ctx context.Context, s *session) {
	if !t.from.IsASCII() && !s.caps.has("SMTPUTF8") {
		t.rec.Fail(stages.Sender, t.errNeedsUTF8(nil))
		return
	}
	s.sender = []string{t.from.Folded()}
	release := s.bind(ctx)
	err := t.name(ctx, s)
	if !release() {
		err = t.cancelled(ctx)
	}
	if err != nil {
		t.rec.Fail(stages.Sender, err)
	}
}

func (t *tester) name(ctx context.Context, s *session) error {
	for _, c := range []command{
		{line: mailLine(mime.Envelope{From: t.from}, t.trusted(s.caps), 0, false, !t.from.IsASCII()), at: atMail},
		{line: rcptLine(mime.Recipient{Address: t.from}, false), at: atRcpt},
	} {
		r, err := s.cmd(c.line, t.opt.Timeouts.Command)
		if err != nil {
			return t.ioError(ctx, s, c.at, err)
		}
		if r.ok() {
			continue
		}
		e := t.refused(s, c.at, r)
		if c.at == atRcpt && e.Class != adapters.Auth && e.Class != adapters.Throttled && !e.NoRetry { // of the recipient, who is a stand-in
			break
		}
		return e
	}
	r, err := s.cmd("RSET", t.opt.Timeouts.Command)
	if err != nil {
		return t.ioError(ctx, s, atReset, err)
	}
	if !r.ok() {
		return t.refused(s, atReset, r)
	}
	t.rec.Add(t.accepted())
	return nil
}

// accepted is what it means that the server takes the sender's name.
func (t *tester) accepted() stages.Stage {
	st := stages.Stage{Name: stages.Sender, Status: stages.OK,
		Message: mime.NewText("test.smtp_sender_accepted", "{host} takes mail from {from}", "host", t.host, "from", t.from)}
	if strings.EqualFold(t.from.String(), t.conn.Mailbox(mime.Mailbox{})) {
		return st
	}
	if late(t.host) || t.set.OAuth != nil { // contracts D5: 5.2.252 comes at the end of the message; C5.1: Gmail replaces From
		st.Status = stages.Unproven
		st.Message = mime.NewText("test.smtp_sender_late",
			"{host} takes the sender {from}, and decides only on a whole message whether the mailbox may use it", "host", t.host, "from", t.from)
		st.Hint = mime.NewText("test.sender_prove", "send a real message to prove it: postino connection test NAME --to ADDRESS")
	}
	return st
}

// late are the hosts that look at the sender when the message has been read.
func late(host string) bool {
	host = strings.ToLower(host)
	return slices.ContainsFunc([]string{".office365.com", ".outlook.com", "smtp.gmail.com"}, func(end string) bool {
		return strings.HasSuffix("."+host, end) || host == end
	})
}
