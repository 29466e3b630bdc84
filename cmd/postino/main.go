// Command postino is an outbound mail gateway: it takes messages from programs
// by SMTP, HTTP, sendmail or folders and sends them through Microsoft Graph,
// the Gmail API or plain SMTP.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/postino-mail/postino/internal/app"
	"github.com/postino-mail/postino/internal/commandline"
	"github.com/postino-mail/postino/internal/locale"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/winservice"
)

func main() {
	ctx, stop := untilSignal(context.Background())
	defer stop()
	args := os.Args[1:]
	if name := filepath.Base(os.Args[0]); name == "sendmail" || name == "mailq" || name == "newaliases" {
		if len(args) == 0 || args[0] != "sendmail" { // some callers name both
			args = append([]string{"sendmail"}, args...)
		}
		if name == "mailq" {
			args = append(args, "-bp")
		}
		if name == "newaliases" {
			args = append(args, "-bi")
		}
	}
	if winservice.Inside() {
		os.Exit(winservice.Main(func(ctx context.Context, log io.Writer) int {
			return run(ctx, args, stdio{os.Stdin, io.Discard, log})
		}))
	}
	os.Exit(run(ctx, args, stdio{os.Stdin, os.Stdout, os.Stderr}))
}

// untilSignal returns a context that Ctrl-C or SIGTERM ends. A second one ends
// the process at once, as if the first had not been caught.
func untilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// stdio is where a command reads and writes.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

type commands struct {
	Lang string `help:"Language of sentences: en or it (default: from the environment)." env:"POSTINO_LANG" placeholder:"LANG"`

	Setup      setupCommand      `cmd:"" help:"Set up the first connection and client, by questions."`
	Demo       demoCommand       `cmd:"" help:"Send one real message through all three routes, in a sandbox on this machine."`
	Serve      serveCommand      `cmd:"" help:"Run the gateway: take mail in, keep it, send it."`
	Service    serviceCommand    `cmd:"" help:"Run the gateway as a service of Windows."`
	Send       sendCommand       `cmd:"" help:"Send one message now, through the connection of a file."`
	Sendmail   sendmailCommand   `cmd:"" help:"Behave as /usr/sbin/sendmail."`
	Connection connectionCommand `cmd:"" help:"Manage the connections."`
	Client     clientCommand     `cmd:"" help:"Manage the programs and devices that may submit."`
	Key        keyCommand        `cmd:"" help:"Manage the keys of the HTTP API."`
	Webhook    webhookCommand    `cmd:"" help:"Manage the programs that are told of events."`
	People     peopleCommand     `cmd:"" help:"Manage the people who sign in, and show the audit trail."`
	Queue      queueCommand      `cmd:"" help:"Show and manage the queue."`
	Audit      auditCommand      `cmd:"" help:"Say which ways of sending stop when passwords end, and how to move them."`
	Alerts     alertsCommand     `cmd:"" help:"List what ends, runs out or does not work."`
	Doctor     doctorCommand     `cmd:"" help:"Look at the installation: clock, disk, listeners, certificates, store, servers, queue."`
	Vault      vaultCommand      `cmd:"" help:"Change the key that the secrets are sealed with."`
	Sandbox    sandboxCommand    `cmd:"" help:"Run fake Entra, Graph, Gmail and SMTP servers to develop against."`
	Completion completionCommand `cmd:"" help:"Print what makes a shell complete commands and flags."`
	Manual     manualCommand     `cmd:"" help:"Print the manual page, postino(1)."`
	Health     healthCommand     `cmd:"" help:"Ask whether the server would store a message now."`
	Version    versionCommand    `cmd:"" help:"Print version, Go version and platform."`
}

// language is the reader's language from --lang or the locale (POSIX 8.2), as the
// catalogue calls it.
func (c *commands) language() string {
	tag := c.Lang
	for _, name := range []string{"POSTINO_LANG", "LC_ALL", "LC_MESSAGES", "LANG"} {
		if tag == "" {
			tag = os.Getenv(name)
		}
	}
	return locale.Match(tag)
}

// langFlag is the value of --lang before the command line is parsed, for its help and its errors.
func langFlag(args []string) string {
	for i, a := range args {
		if v, ok := strings.CutPrefix(a, "--lang="); ok {
			return v
		}
		if a == "--lang" && i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}

// withoutLang is the command line without a --lang before the command, which langFlag
// has read.
func withoutLang(args []string) []string {
	for len(args) > 0 {
		switch {
		case strings.HasPrefix(args[0], "--lang="):
			args = args[1:]
		case args[0] == "--lang" && len(args) > 1:
			args = args[2:]
		default:
			return args
		}
	}
	return args
}

// run runs one command line and returns its exit code.
func run(ctx context.Context, args []string, std stdio) int {
	cli := commands{Lang: langFlag(args)}
	lang := cli.language()
	args = withoutLang(args)
	std.err = terminal.NewWriter(std.err)
	if len(args) == 0 || args[0] != "sendmail" { // which may speak SMTP there
		std.out = terminal.NewWriter(std.out)
	}
	progress := terminal.NewProgress(lang, std.err, std.out)
	defer progress.Clear()
	ctx = terminal.WithProgress(ctx, progress)
	if len(args) == 0 {
		args = []string{"--help"}
	}
	switch args[0] {
	case "--version":
		args[0] = "version"
	case "help":
		args = append(args[1:], "--help")
	}
	help := len(args) == 2 && (args[1] == "--help" || args[1] == "-h")
	if args[0] == "sendmail" && !help {
		// Its options are sendmail's: -h and -F mean something else there.
		return report((&sendmailCommand{Args: args[1:]}).Run(ctx, std, &cli), std, lang, app.Text)
	}
	exited := -1 // what kong wants to end the process with, after --help
	parser, err := newParser(&cli, lang, std, kong.Exit(func(code int) { exited = max(exited, code) }),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(std, &cli))
	if err != nil {
		fmt.Fprintln(std.err, "postino:", err)
		return app.ExitSoftware
	}
	format := app.Text // also where the rest of the line is wrong
	switch {
	case slices.Contains(args, "--jsonl"):
		format = app.JSONL
	case slices.Contains(args, "--json"):
		format = app.JSON
	}
	given := cli.Lang
	parsed, err := parser.Parse(args)
	if exited >= 0 {
		return exited
	}
	cli.Lang = cmp.Or(given, cli.Lang) // of the command line before that of the environment
	if err != nil {
		return report(&app.ExitError{Code: app.ExitUsage, Err: commandline.UsageError(err)}, std, lang, format)
	}
	if node := parsed.Selected(); node != nil && node.Name != "serve" { // its changes are those of its callers
		parsed.BindTo(app.ByCommand(ctx, commandWords(node)), (*context.Context)(nil))
	}
	return report(parsed.Run(), std, cli.language(), format)
}

// newParser returns the parser of the command line with its help in lang.
func newParser(cli *commands, lang string, std stdio, more ...kong.Option) (*kong.Kong, error) {
	return kong.New(cli, append([]kong.Option{kong.Name("postino"), kong.Help(commandline.PrintHelp(lang)),
		kong.Writers(std.out, std.err), kong.ConfigureHelp(kong.HelpOptions{Compact: true})}, more...)...)
}

// commandWords are the words of a command, without what it is told.
func commandWords(n *kong.Node) string {
	if n.Parent == nil || n.Parent.Type == kong.ApplicationNode {
		return n.Name
	}
	return commandWords(n.Parent) + " " + n.Name
}

// report prints the error, unless it was printed, and returns its exit code.
func report(err error, std stdio, lang string, format app.Format) int {
	code := app.ExitCode(err)
	if err == nil || app.Reported(err) {
		return code
	}
	failure := app.FailureOf(err, lang)
	fmt.Fprintln(std.err, "postino:", strings.ReplaceAll(failure.String(), "\n", "\n  "))
	if format != app.Text && !app.OutputBegun(err) { // for programs, that read standard output alone
		if err := failure.WriteJSON(std.out, format); err != nil {
			fmt.Fprintln(std.err, "postino:", err)
		}
	}
	return code
}
