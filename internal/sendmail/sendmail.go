package sendmail

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/maildrop"
	"github.com/postino-mail/postino/internal/spool"
	"github.com/postino-mail/postino/mime"
)

// Options say where a message goes.
type Options struct {
	Server  adapters.Adapter // the local server, over SMTP
	Address string           // of the same, for -bs
	Drop    string           // maildrop folder; empty: none
	Host    string           // domain of addresses without one
	Stdin   io.Reader
	Stdout  io.Writer
}

// ErrUsage: the arguments, or a message without recipients.
var ErrUsage = errors.New("usage")

// Run does what the arguments say. Errors are *mime.Error for a bad message,
// *adapters.Error for what the server answered, or wrap ErrUsage.
func Run(ctx context.Context, a Args, o Options) error {
	switch a.Mode {
	case Nothing:
		return nil
	case Session:
		return session(ctx, o)
	}
	raw, err := readMessage(a, o)
	if err != nil {
		return err
	}
	defer raw.Close()
	return deliver(ctx, a, o, raw)
}

func deliver(ctx context.Context, a Args, o Options, raw *spool.Buffer) error {
	src, err := raw.Source()
	if err != nil {
		return err
	}
	var spools []*spool.Buffer
	defer func() {
		for _, b := range spools {
			b.Close()
		}
	}()
	m, err := mime.Accept(src, mime.AcceptOptions{Hostname: o.Host, Lenient: true, Spool: func() (mime.Spool, error) {
		b := spool.New("", 1<<20, 0)
		spools = append(spools, b)
		return b, nil
	}})
	if err != nil {
		return err
	}
	env, err := envelope(a, o, m)
	if err != nil {
		return err
	}
	_, err = o.Server.Send(ctx, adapters.Outgoing{Message: m, Envelope: env})
	if e := adapters.AsError(err); e != nil && e.Class != adapters.Permanent && o.Drop != "" && e.Class != adapters.Unknown {
		// Down or full: the message is safe here, and the server takes it when it
		// is back. An unknown outcome is not left twice.
		return maildrop.Write(o.Drop, env, m.ForSMTP())
	}
	return err
}

func envelope(a Args, o Options, m *mime.Message) (mime.Envelope, error) {
	env := mime.Envelope{From: a.From, Ret: a.Ret, EnvID: a.EnvID}
	if env.From == "" {
		env.From = m.From()[0].Address
	} else if !strings.Contains(env.From, "@") {
		env.From += "@" + o.Host
	}
	list := a.Recipients
	if a.FromHeader {
		if bad := m.BadAddresses(); len(bad) > 0 {
			return env, bad[0]
		}
		list = append(m.Recipients(), list...)
	}
	for _, r := range list {
		r = strings.Trim(strings.TrimSpace(r), "<>")
		if !strings.Contains(r, "@") {
			r += "@" + o.Host
		}
		addr, err := mime.NormalizeAddress(r)
		if err != nil {
			return env, err
		}
		env.Recipients = append(env.Recipients, mime.Recipient{Address: addr, Notify: a.Notify})
	}
	if len(env.Recipients) == 0 {
		return env, fmt.Errorf("%w: nobody to send to: name recipients, or give -t and a To field", ErrUsage)
	}
	return env, nil
}

// readMessage reads standard input to its end, or to a line with a dot alone,
// and adds the From that cron and PHP leave out.
func readMessage(a Args, o Options) (*spool.Buffer, error) {
	b := spool.New("", 1<<20, 0)
	in := bufio.NewReaderSize(o.Stdin, 64<<10)
	head, err := readHead(in)
	if err == nil {
		_, err = b.Write(completeHead(head, a, o.Host))
	}
	if err == nil {
		err = copyBody(b, in, a.IgnoreDots)
	}
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// maxHead bounds the header block that is looked at.
const maxHead = 1 << 20

// readHead reads up to the empty line, which it keeps. A message that begins
// without a header field is all body.
func readHead(in *bufio.Reader) ([]byte, error) {
	var head []byte
	for len(head) < maxHead {
		line, err := in.ReadBytes('\n')
		head = append(head, line...)
		if errors.Is(err, io.EOF) {
			return head, nil
		}
		if err != nil {
			return nil, fmt.Errorf("the message cannot be read: %w", err)
		}
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			return head, nil
		}
	}
	return head, nil
}

// qualify gives names without a domain, as cron writes them ("root (Cron
// Daemon)"), this machine's: a mailer qualifies what is local.
func qualify(head []byte, host string) []byte {
	lines := bytes.SplitAfter(head, []byte("\n"))
	for i, line := range lines {
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || bytes.IndexByte(value, '@') >= 0 || !isAddressField(string(bytes.TrimSpace(name))) {
			continue
		}
		lines[i] = append(append(bytes.Clone(name), ": "...), qualifyList(string(value), host)...)
	}
	return bytes.Join(lines, nil)
}

func isAddressField(name string) bool {
	for _, f := range []string{"From", "Sender", "Reply-To", "To", "Cc", "Bcc"} {
		if strings.EqualFold(name, f) {
			return true
		}
	}
	return false
}

// qualifyList leaves every entry alone that is not one plain name, with or
// without a comment.
func qualifyList(value, host string) string {
	var out []string
	for entry := range strings.SplitSeq(strings.TrimRight(value, "\r\n"), ",") {
		local, comment, _ := strings.Cut(strings.TrimSpace(entry), " ")
		plain := local != "" && strings.Trim(local, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-") == ""
		comment = strings.TrimSpace(comment)
		if !plain || comment != "" && (comment[0] != '(' || comment[len(comment)-1] != ')') {
			out = append(out, strings.TrimSpace(entry))
			continue
		}
		out = append(out, strings.TrimSpace(local+"@"+host+" "+comment))
	}
	return strings.Join(out, ", ") + "\n"
}

func completeHead(head []byte, a Args, host string) []byte {
	head = qualify(head, host)
	for line := range bytes.SplitSeq(head, []byte("\n")) {
		name, _, ok := bytes.Cut(line, []byte(":"))
		if ok && bytes.EqualFold(bytes.TrimSpace(name), []byte("From")) {
			return head
		}
	}
	from := a.From
	if from == "" {
		from = "postino"
		if u, err := user.Current(); err == nil && u.Username != "" {
			from = u.Username
		}
	}
	if !strings.Contains(from, "@") {
		from += "@" + host
	}
	name := strings.Map(func(r rune) rune {
		if r < ' ' || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, a.Name)
	if name != "" {
		name = `"` + name + `" `
	}
	field := fmt.Sprintf("From: %s<%s>\n", name, from)
	first, _, _ := bytes.Cut(head, []byte("\n"))
	if !bytes.Contains(first, []byte(":")) && len(bytes.TrimSpace(first)) > 0 {
		field += "\n" // no header at all
	}
	return append([]byte(field), head...)
}

func copyBody(w io.Writer, in *bufio.Reader, ignoreDots bool) error {
	if ignoreDots {
		if _, err := io.Copy(struct{ io.Writer }{w}, in); err != nil {
			return fmt.Errorf("the message cannot be read: %w", err)
		}
		return nil
	}
	start := true // of a line
	for {
		line, err := in.ReadSlice('\n')
		if start && err == nil && (string(line) == ".\n" || string(line) == ".\r\n") {
			return nil
		}
		if _, werr := w.Write(line); werr != nil {
			return werr
		}
		start = err == nil
		switch {
		case err == nil, errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			return nil
		default:
			return fmt.Errorf("the message cannot be read: %w", err)
		}
	}
}

// session passes an SMTP session through to the local server.
func session(ctx context.Context, o Options) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", o.Address)
	if err != nil {
		_, werr := io.WriteString(o.Stdout, "421 4.3.2 the postino server is not running\r\n")
		return errors.Join(err, werr)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	go func() {
		// Ends with the client's end or with the connection.
		_, _ = io.Copy(conn, o.Stdin)
		if t, ok := conn.(*net.TCPConn); ok {
			_ = t.CloseWrite()
		}
	}()
	if _, err := io.Copy(o.Stdout, conn); err != nil && !errors.Is(err, os.ErrClosed) && ctx.Err() == nil {
		return fmt.Errorf("the session with the server broke: %w", err)
	}
	return nil
}
