package app

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/sendmail"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// SendmailOptions of `postino sendmail`.
type SendmailOptions struct {
	Args     []string
	Getenv   func(string) string
	Language string
	Stdin    io.Reader
	Stdout   io.Writer
}

// systemDrop is the maildrop that all users of a machine share, where the
// administrator made it (mode 1733); else it is in the data folder.
const systemDrop = "/var/spool/postino"

// Sendmail behaves as /usr/sbin/sendmail. The error carries the exit code of
// sysexits.h.
func Sendmail(ctx context.Context, o SendmailOptions) (err error) {
	args, err := sendmail.Parse(o.Args)
	if err != nil {
		return exit(ExitUsage, err)
	}
	data := o.Getenv("POSTINO_DATA")
	if data == "" {
		data = "postino-data"
	}
	if args.Mode == sendmail.List {
		return mailq(ctx, o, Storage{Data: data, Database: o.Getenv("POSTINO_DATABASE")})
	}
	if args.Mode == sendmail.Nothing {
		return nil
	}
	address := o.Getenv("POSTINO_SMTP")
	if address == "" {
		address = "127.0.0.1:2525"
	}
	server, err := localServer(address)
	if err != nil {
		return exit(ExitConfig, err)
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	local := sync.OnceValue(func() string { return localDomain(ctx, o.Getenv, address) })
	err = sendmail.Run(ctx, args, sendmail.Options{Server: inTransactions{server}, Address: address, Drop: maildrop(o.Getenv, data),
		Host: ownHostname(o.Getenv), Local: local,
		Stdin: o.Stdin, Stdout: o.Stdout})
	var nothing *sendmail.NothingTakenError
	var m *mime.Error
	var e *adapters.Error
	switch {
	case errors.Is(err, sendmail.ErrUsage):
		return exit(ExitUsage, err)
	case errors.As(err, &nothing) && !nothing.Temporary:
		return exit(ExitUnavailable, err)
	case errors.As(err, &m):
		return exit(ExitData, err)
	case err != nil && !errors.As(err, &e):
		return exit(ExitTempFail, err) // neither the server nor the maildrop took it
	}
	return err
}

// mailq shows the queue in the words that scripts look for.
func mailq(ctx context.Context, o SendmailOptions, where Storage) error {
	waiting := QueueFilter{States: []string{"queued", "unverified", "sending", "held"}}
	return withStore(ctx, where, func(st store.Store) error {
		empty := true
		if err := each(ctx, st, waiting, 1, func(*listed) error { empty = false; return nil }); err != nil {
			return err
		}
		if empty {
			_, err := io.WriteString(o.Stdout, "Mail queue is empty\n")
			return err
		}
		return QueueCommands{Language: o.Language, Stdout: o.Stdout}.list(ctx, st, waiting, 0)
	})
}

// ownHostname is this machine's name, where it has a whole one.
func ownHostname(getenv func(string) string) string {
	if name := getenv("POSTINO_HOSTNAME"); name != "" {
		return name
	}
	host, err := os.Hostname()
	if err != nil || !strings.Contains(host, ".") {
		return "postino.localdomain"
	}
	return host
}

// localDomain is the domain of names that programs write without one (root):
// the host name of the configuration, which the server greets with.
func localDomain(ctx context.Context, getenv func(string) string, address string) string {
	if getenv("POSTINO_HOSTNAME") == "" {
		if name := sendmail.ServerName(ctx, address); name != "" {
			return name
		}
	}
	return ownHostname(getenv)
}

// maildrop is the folder of messages left while the server is down.
func maildrop(getenv func(string) string, data string) string {
	if dir := getenv("POSTINO_MAILDROP"); dir != "" {
		return dir
	}
	if st, err := os.Stat(systemDrop); err == nil && st.IsDir() {
		return systemDrop
	}
	return ownDrop(data)
}

func ownDrop(data string) string { return filepath.Join(data, "maildrop") }

// localServer is an adapter on the server of this machine.
func localServer(address string) (adapters.Adapter, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, texterr.New(mime.NewText("cli.postino_smtp", "POSTINO_SMTP {value} is not host:port", "value", strconv.Quote(address)))
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, texterr.New(mime.NewText("cli.postino_smtp", "POSTINO_SMTP {value} is not host:port", "value", strconv.Quote(address)))
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return fallback.New(&adapters.Connection{Name: "local", Provider: adapters.SMTP,
		Settings: &fallback.Settings{Host: host, Port: n, Encryption: fallback.EncryptionNone, Auth: "none"}}, fallback.Options{IdleTimeout: -1})
}
