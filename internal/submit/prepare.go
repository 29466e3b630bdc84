package submit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/programs"
	"github.com/postino-mail/postino/internal/spool"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// prepared is a request that was checked and completed.
type prepared struct {
	message store.NewMessage
	result  Result
	event   store.NewEvent
	spools  []*spool.Buffer // made on the way

	sighting programs.Sighting
}

func (s *Submitter) prepare(ctx context.Context, r *Request, now time.Time, keyed bool) (*prepared, error) {
	src, err := r.Message.Source()
	if err != nil {
		return nil, err
	}
	p := new(prepared)
	accept := mime.AcceptOptions{Hostname: s.opt.Hostname, Lenient: r.Lenient, Remove: []string{connectionHeader},
		Limits: mime.Limits{Recipients: s.opt.MaxRecipients},
		Spool: func() (mime.Spool, error) {
			b := spool.New(s.opt.Store.SpoolDir(), 0, 0)
			p.spools = append(p.spools, b)
			return b, nil
		}}
	read, err := mime.Read(src, accept.Limits)
	if err != nil {
		return p, badMessage(err)
	}
	if err := s.looped(read); err != nil {
		return p, err
	}
	accept.Received = s.trace(r, now)
	if r.OwnFrom && !r.Envelope.From.IsZero() {
		accept.DefaultFrom = func() (mime.Address, error) { return mime.Address{Address: r.Envelope.From}, nil }
	}
	chosen, err := s.route(ctx, r, read)
	if err != nil {
		return p, err
	}
	conn := chosen.conn
	replaces := conn.Default == gateway.DefaultAlways && !r.Through
	if replaces {
		if accept.From, accept.ReplyTo, err = replacement(conn); err != nil {
			return p, badMessage(err)
		}
	}
	// What a null sender says on SMTP, the header says where it is lost: no
	// automatic answer to this one (RFC 3834 section 2).
	accept.AutoSubmitted = r.Envelope.From.IsZero() && s.byAPI(ctx, conn)
	// A fallback that is Gmail does not change the Message-ID: answers refer to
	// the one that was given, and an unknown outcome is then not looked up but
	// left to on_unknown (adapters/gmail).
	accept.GmailMessageID = conn.Provider == adapters.Gmail
	m, err := read.Accept(accept)
	if err != nil {
		return p, badMessage(err)
	}
	env, err := s.envelope(r, m, replaces)
	if err != nil {
		return p, err
	}
	out := adapters.Outgoing{Message: m, Envelope: env}
	route, err := s.carrier(ctx, conn, out)
	if err != nil {
		return p, err
	}
	from := m.From()[0].Address
	msg := store.NewMessage{Head: m.Head(), Body: m.Body(), Message: store.Message{
		MessageID: m.MessageID(), Subject: m.Subject(), From: from, Envelope: env, EntryPoint: r.EntryPoint, Class: s.class(r, m), Tag: r.Tag,
		Metadata: r.Metadata, ReceivedAt: now, NotBefore: r.NotBefore, Routed: store.Routed{Rule: chosen.rule.Name(), Connection: conn.ID}}}
	if chosen.from != from {
		msg.OriginalFrom = chosen.from
	}
	msg.Names, msg.Conversation = names(m), conversation(r)
	if r.Client != nil {
		msg.Client = r.Client.ID
	}
	msg.Identity = identity(r, read, &msg.Message, keyed)
	s.lendSpool(r, p, &msg)
	msg.Deliveries = s.deliveries(r.NotBefore, route, env, from, now)
	s.further(r.Client, len(msg.Deliveries)-1)
	if msg.Join, err = s.join(r, m, route, env, now); err != nil {
		return p, err
	}
	if msg.Join != nil && len(msg.Deliveries) != 1 {
		msg.Join = nil // too many recipients to wait for more
	}
	p.message = msg
	p.result = Result{MessageID: m.MessageID(), Connection: route.conn, Recipients: env.Recipients, Size: m.Size()}
	p.event = accepted(&p.message, route.conn)
	if s.opt.Programs != nil {
		p.sighting = sighting(r, read, &p.message, route.conn)
	}
	return p, nil
}

// maxNames bounds the people with names that are noted: searches find the message by
// the names in its first lines, not by those of a mailing list.
const maxNames = 20

// names are those of the people in the header.
func names(m *mime.Message) (out []string) {
	for _, list := range [...][]mime.Address{m.From(), m.To(), m.Cc()} {
		for _, a := range list[:min(len(list), maxNames)] {
			if n := a.Name; n != "" && !slices.Contains(out, n) && len(out) < maxNames {
				out = append(out, n[:min(len(n), 200)])
			}
		}
	}
	return out
}

// sighting is what is noted of the program that made a message.
func sighting(r *Request, read *mime.Message, m *store.NewMessage, conn *gateway.Connection) programs.Sighting {
	agent := read.Get("X-Mailer")
	if agent == "" {
		agent = read.Get("User-Agent")
	}
	return programs.Sighting{Client: m.Client, EntryPoint: r.EntryPoint, Peer: r.Peer, Agent: agent, MessageID: read.MessageID(),
		From: m.From.String(), Connection: conn.ID, At: m.ReceivedAt}
}

// A choice is a connection, with the rule and the address that it was chosen by.
type choice struct {
	conn *gateway.Connection
	rule Rule
	from mime.Mailbox
}

// route chooses the connection.
func (s *Submitter) route(ctx context.Context, r *Request, m *mime.Message) (choice, error) {
	author := m.From()
	if r.OwnFrom && !r.Envelope.From.IsZero() && len(m.Values("From")) == 0 {
		author = []mime.Address{{Address: r.Envelope.From}}
	} else if err := m.CheckFrom(); err != nil {
		return choice{}, badMessage(err)
	}
	from := author[0].Address
	sender := m.Sender()
	if len(author) > 1 && len(sender) > 0 { // contracts F7
		from = sender[0].Address
	}
	routes, err := s.table(ctx)
	if err != nil {
		return choice{}, err
	}
	named := r.Connection
	if named == "" {
		if named, err = namedInside(m); err != nil {
			return choice{}, err
		}
	}
	conn, rule, err := routes.choose(routing{client: r.Client, owner: r.Owner, from: from, named: named, through: r.Through,
		class: s.class(r, m)})
	if err != nil {
		return choice{}, err
	}
	if (conn.Default != gateway.DefaultAlways || r.Through) && r.Client != nil {
		for _, a := range slices.Concat(author, sender, m.ResentBy()) { // each is shown as who sent it
			if err := CheckSender(r.Client, "from", a.Address); err != nil {
				return choice{}, err
			}
		}
	}
	return choice{conn, rule, from}, nil
}

// namedInside is the connection that the message names itself; two different names are refused, not
// one of them dropped.
func namedInside(m *mime.Message) (string, error) {
	named := m.Get(connectionHeader)
	values := m.Values(connectionHeader)
	for _, v := range values {
		if v != values[0] {
			return "", refuse(http.StatusUnprocessableEntity, 550, "5.7.1", "unknown_connection", "connection",
				mime.NewText("submit.connection_twice", "the message names more than one connection: {connection} and {other}", "connection",
					strconv.Quote(values[0]), "other", strconv.Quote(v)),
				mime.NewText("submit.connection_twice_hint", "leave one header field {field} in it", "field", connectionHeader))
		}
	}
	return named, nil
}

func (s *Submitter) class(r *Request, m *mime.Message) string {
	switch {
	case r.Class != "":
		return r.Class
	case r.Client != nil && r.Client.Class != "":
		return r.Client.Class
	case m.IsBulk():
		return ClassBulk
	}
	return ClassTransactional
}

// replacement is the From and Reply-To that a default connection in mode
// "always" writes over those of the message.
func replacement(c *gateway.Connection) (from, replyTo *mime.Address, err error) {
	from = &mime.Address{Name: c.DisplayName, Address: c.OwnAddress()}
	if from.Address.IsZero() {
		_, err = mime.ParseMailbox(c.Mailbox(mime.Mailbox{})) // why it has none
		return nil, nil, err
	}
	replyTo = &mime.Address{Address: from.Address}
	if c.ReplyTo != "" {
		replyTo.Address, err = mime.ParseMailbox(c.ReplyTo)
	}
	return from, replyTo, err
}

// envelope decides who is mailed. The header's recipients count only when the
// entry point named none.
func (s *Submitter) envelope(r *Request, m *mime.Message, replaces bool) (mime.Envelope, error) {
	env := r.Envelope
	env.Recipients = nil
	rcpts := r.Envelope.Recipients
	if len(rcpts) == 0 {
		all, err := m.HeaderRecipients()
		if err != nil {
			return env, badMessage(err)
		}
		for _, a := range all {
			rcpts = append(rcpts, mime.Recipient{Address: a})
		}
	}
	if len(rcpts) == 0 {
		return env, refuse(http.StatusUnprocessableEntity, 554, "5.5.1", "no_recipients", "to",
			mime.NewText("submit.no_recipients", "the message has no recipient"),
			mime.NewText("submit.no_recipients_hint", "name at least one"))
	}
	if len(rcpts) > s.opt.MaxRecipients {
		return env, refuse(http.StatusUnprocessableEntity, 452, "4.5.3", "too_many_recipients", "to",
			mime.NewText("submit.too_many_recipients", "the message has {number} recipients, at most {limit} are taken at once", "number",
				len(rcpts), "limit", s.opt.MaxRecipients),
			mime.NewText("submit.too_many_recipients_hint", "split it"))
	}
	seen := make(map[mime.Mailbox]bool, len(rcpts))
	for _, x := range rcpts {
		if x.Address.IsZero() {
			_, err := mime.ParseMailbox("")
			return env, badMessage(err)
		}
		if !seen[x.Address] {
			seen[x.Address] = true
			env.Recipients = append(env.Recipients, x)
		}
	}
	if env.From.IsZero() { // the null sender stays so: no one is told of a failure (RFC 5321 section 4.5.5)
		return env, nil
	}
	if replaces {
		env.From = m.From()[0].Address
		return env, nil
	}
	return env, CheckSender(r.Client, "envelope_from", env.From)
}

// byAPI reports that the connection, or one that it falls back to, sends
// through an API: those have no empty envelope sender, and send from the
// connection's own mailbox.
func (s *Submitter) byAPI(ctx context.Context, c *gateway.Connection) bool {
	if c.Provider != adapters.SMTP {
		return true
	}
	for _, name := range c.Fallback {
		if next, err := s.conns.Named(ctx, name); err == nil && next.Provider != adapters.SMTP {
			return true
		}
	}
	return false
}

// lendSpool lets the store take the file that holds the body without copying:
// the one it was rewritten into, or else the one it came in.
func (s *Submitter) lendSpool(r *Request, p *prepared, msg *store.NewMessage) {
	b := r.Message
	if len(p.spools) > 0 {
		b = p.spools[len(p.spools)-1]
	}
	offset := b.Size() - msg.Body.Size()
	if b.File() == nil || offset < 0 || len(p.spools) > 0 && offset != 0 || !endsWith(b, msg.Body, offset) {
		return
	}
	msg.Buffer, msg.BodyOffset = b, offset
}

// endsWith reports whether the body is the end of the buffer. A body that was
// not rewritten is, but for a line end that Accept may have added: first
// and last bytes tell.
func endsWith(b *spool.Buffer, body mime.Source, offset int64) bool {
	src, err := b.Source()
	if err != nil {
		return false
	}
	n := min(body.Size(), 4096)
	x, y := make([]byte, n), make([]byte, n)
	same := func(at int64) bool {
		_, e1 := io.ReadFull(io.NewSectionReader(src, offset+at, n), x)
		_, e2 := io.ReadFull(io.NewSectionReader(body, at, n), y)
		return e1 == nil && e2 == nil && slices.Equal(x, y)
	}
	return n > 0 && same(0) && same(body.Size()-n)
}

// deliveries splits the recipients where one message cannot have them all
// (contracts C3.2, F5).
func (s *Submitter) deliveries(notBefore time.Time, route capacity, env mime.Envelope, from mime.Mailbox,
	now time.Time) []store.NewDelivery {
	base := store.NewDelivery{NextAt: now, ExpiresAt: now.Add(s.opt.GiveUp(route.conn)),
		Route: store.RouteTo(route.conn, from, 0)}
	if notBefore.After(now) {
		base.NextAt = notBefore
		base.ExpiresAt = notBefore.Add(s.opt.GiveUp(route.conn))
	}
	if s.opt.WarnAfter > 0 {
		base.WarnAt = base.NextAt.Add(s.opt.WarnAfter)
	}
	size := len(env.Recipients)
	if route.split > 0 {
		size = route.split
	}
	var out []store.NewDelivery
	for part := range slices.Chunk(env.Recipients, size) {
		d := base
		d.Recipients = part
		out = append(out, d)
	}
	return out
}

// join makes a message wait for its siblings where an API would otherwise show
// each recipient another message: its headers name people outside its envelope
// (contracts F2).
func (s *Submitter) join(r *Request, m *mime.Message, route capacity, env mime.Envelope, now time.Time) (*store.Join, error) {
	if s.opt.JoinWindow < 0 || route.conn.Provider == adapters.SMTP || r.NotBefore.After(now) || len(r.Envelope.Recipients) == 0 {
		return nil, nil
	}
	inside := make(map[mime.Mailbox]bool, len(env.Recipients))
	for _, x := range env.Recipients {
		inside[x.Address] = true
	}
	outside := false
	for _, a := range append(m.To(), m.Cc()...) {
		outside = outside || !inside[a.Address]
	}
	if !outside {
		return nil, nil
	}
	h := sha256.New()
	client := ""
	if r.Client != nil {
		client = r.Client.ID
	}
	fmt.Fprintf(h, "%q %q %q %q\n", client, m.MessageID(), env.From, route.conn.ID)
	// Date may have been added here, so the stored header is not compared: what
	// the client wrote of To, Cc and Subject is.
	for _, name := range []string{"To", "Cc", "Subject"} {
		fmt.Fprintf(h, "%s %q\n", name, m.Values(name))
	}
	if r.Tag != "" || len(r.Metadata) > 0 { // one message has one of each
		fmt.Fprintf(h, "%q %q\n", r.Tag, r.Metadata)
	}
	if _, err := io.Copy(h, mime.NewReader(m.Body())); err != nil {
		return nil, fmt.Errorf("the message cannot be read: %w", err)
	}
	return &store.Join{Key: hex.EncodeToString(h.Sum(nil)), Until: now.Add(s.opt.JoinWindow), MaxRecipients: route.split}, nil
}
