package app

import (
	"context"
	"errors"
	"os"

	"github.com/postino-mail/postino/internal/connections"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/table"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/internal/transfer"
	"github.com/postino-mail/postino/mime"
)

// An ExportOptions says how Export writes connections.
type ExportOptions struct {
	Names      []string // of the connections; none: all
	Format     string   // transfer.JSON or CSV
	Separator  string   // of CSV; empty: that of spreadsheets in the language
	Output     string   // file, made for its owner alone; empty: standard output
	Recipients []string // public keys of age for which secrets are sealed; none: they are left out
	Clear      bool     // secrets are written in the clear
}

// Export writes connections in the form that Import and Apply read.
func (k ConnectionCommands) Export(ctx context.Context, o ExportOptions) error {
	to, err := transfer.Recipients(o.Recipients)
	if err != nil {
		return exit(ExitUsage, err)
	}
	if o.Clear && len(to) > 0 {
		return wrong(ExitUsage, mime.NewText("cli.export_clear_or_sealed", "secrets are either sealed or in the clear: leave one of "+
			"--recipient and --secrets-in-clear out"))
	}
	switch {
	case o.Separator == "" && k.Language == "it": // as spreadsheets write and read it there
		o.Separator = ";"
	case o.Separator != "" && !table.IsSeparator(o.Separator):
		return wrong(ExitUsage, mime.NewText("cli.export_separator", "the separator is one of , ; | and a tab"))
	}
	return withStore(ctx, k.Storage, func(st store.Store) (err error) {
		all, err := st.Connections(ctx)
		if err != nil {
			return err
		}
		if len(o.Names) > 0 {
			all = nil
			for _, name := range o.Names {
				c, err := stored(ctx, st, name)
				if err != nil {
					return err
				}
				all = append(all, c)
			}
		}
		people, err := st.People(ctx)
		if err != nil {
			return err
		}
		out := k.Stdout
		if o.Output != "" {
			f, err := os.OpenFile(o.Output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return exit(ExitCantCreate, texterr.Wrap(text("cli.export_file", "the file of the export cannot be made"), err))
			}
			defer func() { err = errors.Join(err, f.Close()) }()
			out = f
		}
		e := transfer.Export{Format: o.Format, Separator: o.Separator, Plain: o.Output == "", To: to, Clear: o.Clear,
			People: connections.AddressesOf(people)}
		if err := e.Write(out, all); err != nil {
			return exit(ExitConfig, err)
		}
		return st.AppendAudit(ctx, e.Entry(len(all)))
	})
}

// An ApplyOptions says how Apply and Import go about it.
type ApplyOptions struct {
	File           string // or a folder, - for standard input
	Format         string // of the file; empty: by its name or content
	Identity       string // file of private keys of age that open sealed secrets
	WithoutSecrets bool   // sealed secrets are skipped
	Prune          bool   // remove what the file does not name
	Plan           bool   // only show the plan
	Yes            bool   // do not ask
}

// documents reads what the options name.
func (k ConnectionCommands) documents(o ApplyOptions) ([]connections.Document, error) {
	read := transfer.Options{WithoutSecrets: o.WithoutSecrets}
	if o.Identity != "" {
		content, err := k.read(text("cli.identity_unreadable", "the file of the private key cannot be read"), o.Identity)
		if err != nil {
			return nil, err
		}
		if read.Identities, err = transfer.Identities(content); err != nil {
			return nil, exit(ExitConfig, err)
		}
	}
	var docs []connections.Document
	var err error
	if o.File == "-" {
		if o.Identity == "-" {
			return nil, wrong(ExitUsage, mime.NewText("cli.stdin_file_and_key", "standard input cannot be both the connections and the private key"))
		}
		docs, err = read.Read(k.Stdin, o.Format)
	} else {
		docs, err = read.ReadPath(o.File, o.Format)
	}
	if pathError := new(os.PathError); errors.As(err, &pathError) {
		return nil, exit(ExitNoInput, texterr.Wrap(text("cli.connection_file_unreadable", "the connection file cannot be read"), err))
	}
	return docs, exit(ExitConfig, err)
}
