package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/spool"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

// SendOptions say what `postino send` sends and how.
type SendOptions struct {
	ConnectionFile string
	EML            string // file, or "-" for standard input; empty: Compose
	Compose        ComposeOptions
	Recipients     []string // the envelope; empty: the headers
	EnvelopeFrom   string   // empty: the header's
	CAFile         string
	JSON           bool
	Language       string
	Wait           time.Duration // how long to ask the provider about an unknown outcome
	Stdin          io.Reader
	Stdout         io.Writer
}

// Send sends one message now, through the connection of a file, without a
// store. The error carries the exit code.
func Send(ctx context.Context, o SendOptions) (err error) {
	conn, err := readConnection(o.ConnectionFile)
	if err != nil {
		return err
	}
	roots, err := loadRoots(o.CAFile)
	if err != nil {
		return exit(ExitConfig, err)
	}
	in, err := o.message(conn)
	if err != nil {
		return o.refused(conn, err)
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := o.outgoing(in.message)
	if err != nil {
		return o.refused(conn, err)
	}
	sender := newSender(roots, nil, nil, nil, nil)
	defer func() { err = errors.Join(err, sender.Close()) }()
	adapter, err := sender.Adapter(&conn.Connection)
	if err != nil {
		return exit(ExitConfig, err)
	}
	if err := adapter.Check(out); err != nil {
		return o.report(conn, adapters.Receipt{}, err)
	}
	terminal.Show(ctx, text("cli.progress_sending", "sending the message"))
	receipt, err := sendAll(ctx, adapter, out)
	if adapters.ClassOf(err) == adapters.Unknown && conn.OnUnknown != adapters.UnknownHold {
		if found, ok := verify(ctx, adapter, out, adapters.AsError(err).ProviderID, o.Wait); ok {
			receipt, err = found, nil
		}
	}
	return o.report(conn, receipt, err)
}

// readConnection reads the JSON of one connection.
func readConnection(file string) (*gateway.Connection, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, exit(ExitNoInput, texterr.Wrap(mime.NewText("cli.connection_file_unreadable", "the connection file cannot be read"), err))
	}
	conn, err := gateway.Parse(data)
	if err != nil {
		return nil, exit(ExitConfig, fmt.Errorf("%s: %w", file, err))
	}
	return conn, nil
}

// An intake is a message with the spools that hold it.
type intake struct {
	message *mime.Message
	spools  []*spool.Buffer
}

func (in *intake) Close() error {
	var errs []error
	for _, b := range in.spools {
		errs = append(errs, b.Close())
	}
	return errors.Join(errs...)
}

func (in *intake) newSpool() *spool.Buffer {
	b := spool.New("", 1<<20, 0)
	in.spools = append(in.spools, b)
	return b
}

func (o *SendOptions) message(conn *gateway.Connection) (in *intake, err error) {
	in = new(intake)
	defer func() {
		if err != nil {
			err = errors.Join(err, in.Close())
		}
	}()
	b := in.newSpool()
	if o.EML == "" {
		draft, err := o.Compose.draft(o.Stdin)
		if err != nil {
			return in, err
		}
		if err := mime.Compose(b, draft); err != nil {
			return in, err
		}
	} else if err := readEML(b, o.EML, o.Stdin); err != nil {
		return in, exit(ExitNoInput, err)
	}
	src, err := b.Source()
	if err != nil {
		return in, err
	}
	host, err := os.Hostname()
	if err != nil || !strings.Contains(host, ".") {
		host = "postino.localdomain"
	}
	// Lenient: files on disk have the line ends of their system.
	in.message, err = mime.Accept(src, mime.AcceptOptions{Hostname: host, Lenient: true, GmailMessageID: conn.Provider == adapters.Gmail,
		Spool: func() (mime.Spool, error) { return in.newSpool(), nil }})
	return in, err
}

func readEML(w io.Writer, name string, stdin io.Reader) error {
	r := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return texterr.Wrap(mime.NewText("cli.message_unreadable", "the message cannot be read"), err)
		}
		defer f.Close()
		r = f
	}
	if _, err := io.Copy(struct{ io.Writer }{w}, r); err != nil {
		return texterr.Wrap(mime.NewText("cli.message_unreadable", "the message cannot be read"), err)
	}
	return nil
}

func (o *SendOptions) outgoing(m *mime.Message) (adapters.Outgoing, error) {
	out := adapters.Outgoing{Message: m, ID: uuid.NewString()}
	var err error
	if out.Envelope.From, err = o.reversePath(m); err != nil {
		return out, err
	}
	rcpts := make([]mime.Mailbox, len(o.Recipients))
	for i, r := range o.Recipients {
		if rcpts[i], err = mime.ParseMailbox(r); err != nil {
			return out, exit(ExitUsage, texterr.Wrap(mime.NewText("cli.of_recipient", "recipient {recipient}", "recipient",
				strconv.Quote(r)), err))
		}
	}
	if len(rcpts) == 0 {
		if rcpts, err = m.HeaderRecipients(); err != nil {
			return out, err
		}
	}
	if len(rcpts) == 0 {
		return out, exit(ExitData, texterr.New(mime.NewText("cli.no_recipient",
			"no recipient: the message has no To, Cc or Bcc, and no --rcpt was given")))
	}
	seen := map[mime.Mailbox]bool{}
	for _, a := range rcpts {
		if !seen[a] {
			seen[a] = true
			out.Envelope.Recipients = append(out.Envelope.Recipients, mime.Recipient{Address: a})
		}
	}
	return out, nil
}

// reversePath is the envelope's sender: the given one ("<>" is the null sender
// of notices, RFC 5321 section 4.5.5), else the header's.
func (o *SendOptions) reversePath(m *mime.Message) (mime.Mailbox, error) {
	switch o.EnvelopeFrom {
	case "<>":
		return mime.Mailbox{}, nil
	case "":
		return m.HeaderSender(), nil
	}
	a, err := mime.ParseMailbox(o.EnvelopeFrom)
	if err != nil {
		return a, exit(ExitUsage, texterr.Wrap(mime.NewText("cli.of_sender", "sender {sender}", "sender",
			strconv.Quote(o.EnvelopeFrom)), err))
	}
	return a, nil
}

// verify asks the provider about an unknown outcome until it knows or the time is over.
func verify(ctx context.Context, a adapters.Adapter, out adapters.Outgoing, id string, wait time.Duration) (adapters.Receipt, bool) {
	v, ok := a.(adapters.Verifier)
	if !ok || wait <= 0 {
		return adapters.Receipt{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for next := time.Second; ; next *= 2 {
		verdict, receipt, err := v.Verify(ctx, adapters.VerifyRequest{Outgoing: out, ProviderID: id})
		if err == nil && verdict == adapters.Sent {
			return receipt, true
		}
		if err == nil && verdict == adapters.CannotTell {
			return receipt, false
		}
		if pause.For(ctx, next) != nil {
			return adapters.Receipt{}, false
		}
	}
}

// A SendResult is the JSON of `postino send`.
type SendResult struct {
	Outcome    adapters.Class   `json:"outcome"`
	Connection string           `json:"connection"`
	Receipt    *view.Receipt    `json:"receipt,omitempty"`
	Recipients []view.Recipient `json:"recipients,omitempty"`
	Error      *view.Error      `json:"error,omitempty"`
}

// recipientsOf is what became of each recipient of a message that was accepted.
func recipientsOf(r *adapters.Receipt, lang string) (out []view.Recipient) {
	for _, rr := range r.Recipients {
		v := view.Recipient{Address: rr.Address.String(), State: string(store.RecipientSent), At: r.At}
		if rr.Err != nil {
			v.State, v.Error = string(store.RecipientFailed), view.OfError(rr.Err, lang)
			if rr.Err.Class != adapters.Permanent { // it may be sent to later
				v.State = string(store.Pending)
			}
		}
		out = append(out, v)
	}
	return out
}

func (o *SendOptions) report(conn *gateway.Connection, r adapters.Receipt, err error) error {
	class := adapters.ClassOf(err)
	code := exitOfClass(class)
	if err == nil {
		for _, rr := range r.Recipients {
			if rr.Err != nil {
				code = max(code, exitOfClass(rr.Err.Class))
			}
		}
	}
	if o.JSON {
		res := SendResult{Outcome: class, Connection: conn.Name}
		if err == nil {
			res.Receipt, res.Recipients = view.OfReceipt(&r), recipientsOf(&r, o.Language)
		} else {
			res.Error = view.OfError(adapters.AsError(err), o.Language)
		}
		if err := writeJSON(o.Stdout, res); err != nil {
			return exit(ExitSoftware, err)
		}
	} else if _, err := io.WriteString(o.Stdout, sendText(conn, &r, err, o.Language)); err != nil {
		return exit(ExitSoftware, err)
	}
	if code != ExitOK {
		return exit(code, errReported)
	}
	return nil
}

// refused reports a message that is wrong in itself.
func (o *SendOptions) refused(conn *gateway.Connection, err error) error {
	var m *mime.Error
	if !o.JSON || !errors.As(err, &m) {
		return err
	}
	e := &adapters.Error{Class: adapters.Permanent, Scope: adapters.ScopeMessage, Code: adapters.Code(m.Code), Enhanced: "5.6.0",
		Message: m.Message}
	if err := writeJSON(o.Stdout, SendResult{Outcome: adapters.Permanent, Connection: conn.Name,
		Error: view.OfError(e, o.Language)}); err != nil {
		return exit(ExitSoftware, err)
	}
	return exit(ExitData, errReported)
}

// errReported means that the failure has been printed already.
var errReported = errors.New("not sent")

// Reported tells whether the error's text has been printed.
func Reported(err error) bool { return errors.Is(err, errReported) }

// sendText is the result as people read it.
func sendText(conn *gateway.Connection, r *adapters.Receipt, err error, lang string) string {
	var b strings.Builder
	if e := adapters.AsError(err); e != nil {
		fmt.Fprintf(&b, "%s: %s: %s", conn.Name, view.ClassLabel(e.Class).In(lang), e.Message.In(lang))
		if c := e.ShownCode(); c != "" {
			fmt.Fprintf(&b, " (%s)", c)
		}
		b.WriteByte('\n')
		if t := e.Hint.In(lang); t != "" {
			fmt.Fprintf(&b, "  %s\n", t)
		}
		if e.RetryAfter > 0 {
			fmt.Fprintf(&b, "  Retry-After: %v\n", e.RetryAfter)
		}
		return b.String()
	}
	b.WriteString(conn.Name + ": " + text("cli.accepted", "accepted by {provider} ({route}, status {status}), {bytes} bytes, Message-ID "+
		"{message_id}", "provider", r.Provider, "route", r.Route, "status", r.Status, "bytes", r.Bytes, "message_id", r.MessageID).In(lang))
	if r.ProviderID != "" {
		fmt.Fprintf(&b, ", id %s", r.ProviderID)
	}
	if r.RequestID != "" {
		fmt.Fprintf(&b, ", request-id %s", r.RequestID)
	}
	b.WriteByte('\n')
	for _, rr := range r.Recipients {
		if rr.Err != nil {
			fmt.Fprintf(&b, "  %s: %s: %s %s\n", rr.Address, view.ClassLabel(rr.Err.Class).In(lang), rr.Err.Message.In(lang),
				rr.Err.Hint.In(lang))
		}
	}
	for _, l := range r.Lost {
		fmt.Fprintf(&b, "  %s\n", l)
	}
	return b.String()
}
