package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/internal/scratch"
)

// SandboxOptions of `postino sandbox`.
type SandboxOptions struct {
	Dir      string // empty: a temporary folder
	Control  string
	From     string
	JSON     bool
	Language string
	Stdout   io.Writer
}

// RunSandbox runs the sandbox until ctx is done. The connections are written
// as files beside the CA, with their secrets: they open only the sandbox.
func RunSandbox(ctx context.Context, o SandboxOptions) (end error) {
	if o.Dir == "" {
		dir, err := scratch.New()
		if err != nil {
			return err
		}
		defer func() { end = errors.Join(end, dir.Close()) }()
		o.Dir = dir.Path()
	}
	s, err := sandbox.Start(sandbox.Options{Dir: o.Dir, ControlAddr: o.Control})
	if err != nil {
		return err
	}
	defer func() { end = errors.Join(end, s.Close()) }()
	if err := describeSandbox(s, o); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func describeSandbox(s *sandbox.Sandbox, o SandboxOptions) error {
	files := make(map[string]string)
	for _, c := range sandboxConnections(s, o.From) {
		data, err := sandbox.ConnectionJSON(c)
		if err != nil {
			return err
		}
		file := filepath.Join(o.Dir, c.Name+".json")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			return err
		}
		files[c.Name] = file
	}
	if o.JSON {
		return json.NewEncoder(o.Stdout).Encode(struct {
			Control     string            `json:"control"`
			CAFile      string            `json:"ca_file"`
			Connections map[string]string `json:"connections"`
		}{s.ControlURL(), s.CAFile(), files})
	}
	var err error
	print := func(format string, args ...any) {
		if err == nil {
			_, err = fmt.Fprintf(o.Stdout, format, args...)
		}
	}
	print("The sandbox runs. Control: %s\nTrust its CA: export SSL_CERT_FILE=%s\nConnections, ready to use:\n", s.ControlURL(), s.CAFile())
	for _, c := range sandboxConnections(s, o.From) {
		print("  %-12s %s\n", c.Name, files[c.Name])
	}
	print("\nTry:\n  SSL_CERT_FILE=%s postino send --connection-file %s \\\n      --from %s --to anna@example.com --subject Ciao --text "+
		"Prova\n  curl %s/deliveries\n\nCtrl-C ends it.\n",
		s.CAFile(), files["graph"], o.From, s.ControlURL())
	return err
}

// sandboxConnections are the ready-made connections, named as their files.
func sandboxConnections(s *sandbox.Sandbox, from string) []*adapters.Connection {
	named := func(name string, c *adapters.Connection) *adapters.Connection { c.Name = name; return c }
	return []*adapters.Connection{
		named("graph", s.GraphConnection(from)), named("gmail", s.GmailConnection(from)), named("smtp", s.SMTPConnection(from)),
		named("smtp-entra", s.SMTPOAuthConnection(from, "entra")), named("smtp-google", s.SMTPOAuthConnection(from, "google")),
	}
}
