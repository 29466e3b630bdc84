package app

import (
	"bytes"
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
	"github.com/postino-mail/postino/internal/texterr"
)

// SandboxOptions of `postino sandbox`.
type SandboxOptions struct {
	Dir          string // empty: a temporary folder
	Control      string // empty: FirstPort, or a free port
	Proxy        string // empty: none
	FirstPort    int    // 0: free ports
	Directory    string // file; empty: From is the one mailbox
	AnyMailbox   bool   // every other address is a mailbox too
	Certificates []string
	From         string // empty: the directory's first mailbox, or erp@contoso.it
	JSON         bool
	Language     string
	Stdout       io.Writer
}

// RunSandbox runs the sandbox until ctx is done. The connections are written
// as files beside the CA, with their secrets: they open only the sandbox.
func RunSandbox(ctx context.Context, o SandboxOptions) (end error) {
	if o.FirstPort < 0 || o.FirstPort > 65535-9 {
		return exit(ExitUsage, texterr.New(text("sandbox.bad_port", "the first port is a number from 1 to 65526")))
	}
	directory, err := readDirectory(o.Directory)
	if err != nil {
		return err
	}
	if directory != nil && o.AnyMailbox {
		directory.Unlisted = true
	}
	if o.From == "" && directory != nil && len(directory.Mailboxes) > 0 {
		o.From = directory.Mailboxes[0].Address
	}
	if o.From == "" {
		o.From = "erp@contoso.it"
	}
	if o.Dir == "" {
		dir, err := scratch.New()
		if err != nil {
			return err
		}
		defer func() { end = errors.Join(end, dir.Close()) }()
		o.Dir = dir.Path()
	}
	s, err := sandbox.Start(sandbox.Options{
		Dir: o.Dir, ControlAddr: o.Control, ProxyAddr: o.Proxy, FirstPort: o.FirstPort, Directory: directory, AnyMailbox: o.AnyMailbox,
	})
	if err != nil {
		return err
	}
	defer func() { end = errors.Join(end, s.Close()) }()
	for _, file := range o.Certificates {
		data, err := os.ReadFile(file)
		if err == nil {
			err = s.RegisterCertificate(data)
		}
		if err != nil {
			return exit(ExitNoInput, texterr.Wrap(text("sandbox.bad_certificate", "no certificate (PEM or DER) can be read from {file}",
				"file", file), err))
		}
	}
	if err := describeSandbox(s, o); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// readDirectory reads the file of mailboxes, rights and people; nil without one.
func readDirectory(file string) (*sandbox.Directory, error) {
	if file == "" {
		return nil, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, exit(ExitNoInput, err)
	}
	content = adapters.PlainText(content)
	d := new(sandbox.Directory)
	dec := json.NewDecoder(bytes.NewReader(content))
	dec.DisallowUnknownFields()
	if err = dec.Decode(d); err == nil {
		err = fieldTwice(content)
	}
	if err != nil {
		return nil, exit(ExitData, texterr.Wrap(text("sandbox.bad_directory", "{file} is no directory of mailboxes", "file", file), err))
	}
	return d, nil
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
	starttls, implicit, plain := s.SMTPPorts()
	if o.JSON {
		return json.NewEncoder(o.Stdout).Encode(struct {
			Control     string            `json:"control"`
			Proxy       string            `json:"proxy,omitempty"`
			CAFile      string            `json:"ca_file"`
			Entra       string            `json:"entra"`
			Graph       string            `json:"graph"`
			GoogleToken string            `json:"google_token"`
			Gmail       string            `json:"gmail"`
			SMTP        int               `json:"smtp"`
			SMTPS       int               `json:"smtps"`
			SMTPPlain   int               `json:"smtp_plain"`
			Connections map[string]string `json:"connections"`
		}{s.ControlURL(), s.ProxyURL(), s.CAFile(), s.EntraURL(), s.GraphURL(), s.GoogleTokenURL(), s.GmailURL(),
			starttls, implicit, plain, files})
	}
	var err error
	print := func(format string, args ...any) {
		if err == nil {
			_, err = fmt.Fprintf(o.Stdout, format, args...)
		}
	}
	in := func(t interface{ In(string) string }) string { return t.In(o.Language) }
	print("%s\n%s\n", in(text("sandbox.runs", "The sandbox runs. Control: {url}", "url", s.ControlURL())),
		in(text("sandbox.trust", "Trust its CA: export SSL_CERT_FILE={file}", "file", s.CAFile())))
	if s.ProxyURL() != "" {
		print("%s\n  export HTTPS_PROXY=%s SSL_CERT_FILE=%s NODE_EXTRA_CA_CERTS=%[3]s REQUESTS_CA_BUNDLE=%[3]s\n",
			in(text("sandbox.proxy", "The vendors' real addresses, for any program:")), s.ProxyURL(), s.CAFile())
	}
	print("%s\n", in(text("sandbox.servers", "Servers:")))
	for _, server := range [][2]string{
		{"Entra", s.EntraURL()}, {"Graph", s.GraphURL()}, {"Google", s.GoogleTokenURL()}, {"Gmail", s.GmailURL()},
		{"SMTP", fmt.Sprintf("127.0.0.1:%d (STARTTLS), :%d (TLS), :%d", starttls, implicit, plain)},
	} {
		print("  %-12s %s\n", server[0], server[1])
	}
	print("%s\n", in(text("sandbox.connections", "Connections, ready to use:")))
	for _, c := range sandboxConnections(s, o.From) {
		print("  %-12s %s\n", c.Name, files[c.Name])
	}
	if o.Directory == "" && !o.AnyMailbox {
		print("%s\n", in(text("sandbox.mailbox", "The one mailbox is {from}; --directory names others, --any-mailbox takes all.",
			"from", o.From)))
	}
	print("\n%s\n  SSL_CERT_FILE=%s postino send --connection-file %s \\\n      --from %s --to anna@example.com --subject Ciao --text "+
		"Prova\n  curl %s/deliveries\n\n%s\n", in(text("sandbox.try", "Try:")),
		s.CAFile(), files["graph"], o.From, s.ControlURL(), in(text("sandbox.end", "Ctrl-C ends it.")))
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
