//go:build unix

package crashtest

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/postino-mail/postino/internal/app"
)

// serveVariable makes the test's own binary a server: a short test need not
// build the command.
const serveVariable = "POSTINO_CRASHTEST_SERVE"

func TestMain(m *testing.M) {
	if os.Getenv(serveVariable) == "" {
		os.Exit(m.Run())
	}
	if err := serve(os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve takes the flags that newNode gives.
func serve(args []string) error {
	o := app.ServeOptions{Stderr: os.Stderr, Getenv: os.Getenv, Ready: func(a app.Addresses) { fmt.Println("smtp", a.SMTP) }}
	var smtp string
	f := flag.NewFlagSet("serve", flag.ContinueOnError)
	f.StringVar(&o.ConfigFile, "config", "", "")
	f.StringVar(&smtp, "smtp", "", "")
	f.StringVar(&o.HTTP, "http", "", "")
	f.StringVar(&o.Data, "data", "", "")
	f.StringVar(&o.CAFile, "ca-file", "", "")
	if err := f.Parse(args); err != nil {
		return err
	}
	o.SMTP = []string{smtp}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return app.Serve(ctx, o)
}
