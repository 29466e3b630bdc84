// Package sendmail is the command that programs call as /usr/sbin/sendmail: it
// reads the arguments and the message as they write them and hands the message
// to the local server. While the server is down it leaves the message in the
// maildrop.
package sendmail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/maildrop"
	"github.com/postino-mail/postino/internal/spool"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// Options say where a message goes.
type Options struct {
	Server  adapters.Adapter // the local server, over SMTP
	Address string           // of the same, for -bs
	Drop    string           // maildrop folder; empty: none
	Host    string           // domain of Message-IDs that must be made
	Local   func() string    // domain of names without one; called when it is needed
	Wait    time.Duration    // for the server, once the message was read; 10 min
	Stdin   io.Reader
	Stdout  io.Writer
}

// ErrUsage says that the arguments cannot be used, or that there are no recipients.
var ErrUsage = texterr.New(mime.NewText("sendmail.usage", "usage"))

// Run does what the arguments say. Errors are *mime.Error for a bad message,
// *adapters.Error for what the server answered, *NothingTakenError of a session,
// or wrap ErrUsage.
func Run(ctx context.Context, a Args, o Options) error {
	switch a.Mode {
	case Nothing:
		return nil
	case Session:
		return runSession(ctx, o)
	}
	if o.Wait <= 0 {
		o.Wait = 10 * time.Minute
	}
	raw, err := readMessage(ctx, o.Stdin, a.IgnoreDots)
	if err != nil {
		return err
	}
	defer raw.Close()
	// The time of the program that writes the message is its own.
	ctx, cancel := context.WithTimeout(ctx, o.Wait)
	defer cancel()
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
	m, err := mime.Accept(src, mime.AcceptOptions{Hostname: o.Host, Lenient: true, LocalDomain: o.Local,
		DefaultFrom: func() (mime.Address, error) { return author(a, o) },
		Spool: func() (mime.Spool, error) {
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
	receipt, err := o.Server.Send(ctx, adapters.Outgoing{Message: m, Envelope: env})
	if err == nil {
		return o.others(env, receipt, m)
	}
	if o.keeps(adapters.AsError(err)) {
		return maildrop.Write(o.Drop, env, m.ForSMTP())
	}
	return err
}

// keeps reports what the maildrop is for: the server is down or full, the message
// is safe there, and the server takes it when it is back. An unknown outcome is
// not left twice.
func (o *Options) keeps(e *adapters.Error) bool {
	return o.Drop != "" && e.Class != adapters.Permanent && e.Class != adapters.Unknown
}

// others sees to the recipients for whom the server did not take the message,
// though it did for the rest: they are left in the maildrop or told of, each with
// the reason.
func (o *Options) others(env mime.Envelope, receipt adapters.Receipt, m *mime.Message) error {
	failed := make(map[mime.Mailbox]*adapters.Error)
	for _, r := range receipt.Recipients {
		if r.Err != nil {
			failed[r.Address] = r.Err
		}
	}
	var kept, told []mime.Recipient
	for _, r := range env.Recipients {
		switch e := failed[r.Address]; {
		case e == nil:
		case o.keeps(e):
			kept = append(kept, r)
		default:
			told = append(told, r)
		}
	}
	var unkept error
	if len(kept) > 0 {
		env.Recipients = kept
		if unkept = maildrop.Write(o.Drop, env, m.ForSMTP()); unkept != nil {
			told = append(told, kept...)
		}
	}
	reasons, alike := []string{}, map[string][]mime.Recipient{}
	for _, r := range told {
		reason := failed[r.Address].Message.String()
		if alike[reason] == nil {
			reasons = append(reasons, reason)
		}
		alike[reason] = append(alike[reason], r)
	}
	var errs []error
	for _, reason := range reasons {
		e := *failed[alike[reason][0].Address]
		if who := addresses(alike[reason]); e.Class == adapters.Unknown {
			e.Message = mime.NewText("sendmail.not_known_for", "it is not known whether it was taken for {addresses}: {reason}", "addresses", who,
				"reason", e.Message)
		} else {
			e.Message = mime.NewText("sendmail.not_for_all", "sent, but not to {addresses}: {reason}", "addresses", who, "reason", e.Message)
		}
		errs = append(errs, &e)
	}
	return errors.Join(append(errs, unkept)...)
}

// addresses names the first few.
func addresses(list []mime.Recipient) string {
	const most = 10
	var names []string
	for _, r := range list[:min(most, len(list))] {
		names = append(names, r.Address.String())
	}
	if len(list) > most {
		names = append(names, "...")
	}
	return strings.Join(names, ", ")
}

// author is the From that cron and PHP leave out: the envelope's sender, or who
// runs the program.
func author(a Args, o Options) (mime.Address, error) {
	from := a.From
	if from == "" {
		from = "postino"
		if u, err := user.Current(); err == nil && u.Username != "" {
			from = u.Username
		}
	}
	addr, err := one(from, o)
	if err == nil && a.Name != "" {
		addr.Name = a.Name
	}
	return addr, err
}

// one reads the address of an argument.
func one(s string, o Options) (mime.Address, error) {
	list, err := mime.ReadAddresses(s, o.Local)
	if err != nil {
		return mime.Address{}, err
	}
	if len(list) != 1 {
		return mime.Address{}, fmt.Errorf("%w: %w", ErrUsage, texterr.New(mime.NewText("sendmail.not_one_address",
			"{value} is not one address", "value", strconv.Quote(s))))
	}
	return list[0], nil
}

func envelope(a Args, o Options, m *mime.Message) (mime.Envelope, error) {
	env := mime.Envelope{Ret: a.Ret, EnvID: a.EnvID}
	switch {
	case a.NullSender:
	case a.From == "":
		env.From = m.HeaderSender()
	default:
		from, err := one(a.From, o)
		if err != nil {
			return env, err
		}
		env.From = from.Address
	}
	var all []mime.Mailbox
	if a.FromHeader {
		list, err := m.HeaderRecipients()
		if err != nil {
			return env, err
		}
		all = list
	}
	for _, arg := range a.Recipients {
		list, err := mime.ReadAddresses(arg, o.Local)
		if err != nil {
			return env, err
		}
		for _, addr := range list {
			all = append(all, addr.Address)
		}
	}
	seen := make(map[mime.Mailbox]bool, len(all))
	for _, addr := range all {
		if !seen[addr] {
			seen[addr] = true
			env.Recipients = append(env.Recipients, mime.Recipient{Address: addr, Notify: a.Notify})
		}
	}
	if len(env.Recipients) == 0 {
		return env, fmt.Errorf("%w: %w", ErrUsage, texterr.New(mime.NewText("sendmail.no_recipient",
			"no recipient: name recipients, or use -t with a To field")))
	}
	return env, nil
}
