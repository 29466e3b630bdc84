package app

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/clientcert"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/terminal"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/tokens"
	"github.com/postino-mail/postino/tokens/credential"
)

// NewCertificate is what the flags say of a certificate.
type NewCertificate struct {
	Name string // of a stored connection; or
	File string // JSON of one that is stored now, switched off
	Days int
	Out  string // file for the public part; empty: standard output

	Replace bool // discard one that waits
}

// CertificateNew makes key and certificate of a connection. The private key is
// sealed with it; the public part is written out.
func (k ConnectionCommands) CertificateNew(ctx context.Context, n NewCertificate) error {
	if (n.Name == "") == (n.File == "") {
		return wrong(ExitUsage, text("cli.certificate_which", "give either the name of a connection or --file"))
	}
	if n.File != "" {
		content, err := k.read(text("cli.connection_file_unreadable", "the connection file cannot be read"), n.File)
		if err != nil {
			return err
		}
		c, err := gateway.DecodeShown(content)
		if err != nil {
			return exit(ExitConfig, err)
		}
		off := false
		c.ID, c.Revision, c.Active = "", 0, &off
		return withNewStore(ctx, k.Storage, func(st store.Store) error { return k.newCertificate(ctx, st, c, n) })
	}
	return k.storedConnection(ctx, n.Name, func(st store.Store, c *gateway.Connection) error { return k.newCertificate(ctx, st, c, n) })
}

func (k ConnectionCommands) newCertificate(ctx context.Context, st store.Store, c *gateway.Connection, n NewCertificate) error {
	if e := clientcert.EntraOf(&c.Connection); e != nil && e.CertificateNext != "" && !n.Replace {
		return wrong(ExitConfig, text("cli.certificate_waiting", "a certificate of {connection} waits already: 'postino connection certificate "+
			"show' prints it; --replace discards it for a new one", "connection", strconv.Quote(c.Name)))
	}
	next, public, err := clientcert.Begin(c, n.Days, time.Now())
	if err != nil {
		return exit(ExitConfig, err)
	}
	out, err := newOutFile(n.Out)
	if err != nil {
		return exit(ExitFailure, texterr.Wrap(text("cli.certificate_unwritable", "the file cannot be written; no certificate was made"), err))
	}
	stored, err := st.PutConnection(ctx, time.Now(), next)
	if err != nil {
		return errors.Join(err, out.discard())
	}
	if n.Out != "" {
		if err := out.write(public.DER()); err != nil {
			return exit(ExitFailure, texterr.Wrap(text("cli.certificate_unwritten",
				"the certificate is stored, but the file cannot be written ('postino connection certificate show' prints it again)"), err))
		}
	}
	if k.JSON {
		return k.certificates(stored)
	}
	if n.Out == "" {
		if _, err := io.WriteString(k.Stdout, public.PEM()); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(k.Stdout, text("cli.certificate_new", "thumbprint {thumbprint}, valid until {date}; upload it, then: "+
		"postino connection certificate activate {name}", "thumbprint", public.Thumbprint(), "date", public.NotAfter().Format(time.DateOnly),
		"name", terminal.Line(stored.Name)).In(k.Language))
	return err
}

// An outFile is a file for what is public, opened before there is anything to
// write; its content stays until then.
type outFile struct {
	*os.File      // nil: none
	made     bool // it was not there
}

func newOutFile(path string) (o outFile, err error) {
	if path == "" {
		return o, nil
	}
	_, missing := os.Stat(path)
	o.made = errors.Is(missing, os.ErrNotExist)
	o.File, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	return o, err
}

func (o outFile) discard() error {
	if o.File == nil {
		return nil
	}
	err := o.Close()
	if o.made {
		err = errors.Join(err, os.Remove(o.Name()))
	}
	return err
}

func (o outFile) write(content []byte) error {
	if s, err := o.Stat(); err == nil && s.Mode().IsRegular() {
		if err := o.Truncate(0); err != nil {
			return errors.Join(err, o.Close())
		}
	}
	_, err := o.Write(content)
	return errors.Join(err, o.Close())
}

// CertificateActivate switches a connection to its new certificate, once a
// token has proven it.
func (k ConnectionCommands) CertificateActivate(ctx context.Context, name, caFile string) error {
	roots, err := loadRoots(caFile)
	if err != nil {
		return exit(ExitNoInput, err)
	}
	return k.storedConnection(ctx, name, func(st store.Store, c *gateway.Connection) error {
		next, err := clientcert.Promote(c)
		if err != nil {
			return exit(ExitConfig, err)
		}
		if err := proveToken(ctx, &next.Connection, roots); err != nil {
			return err
		}
		stored, err := st.PutConnection(ctx, time.Now(), next)
		if err != nil {
			return err
		}
		return k.one(ctx, st, stored, text("cli.certificate_active", "uses the new certificate"))
	})
}

// proveToken gets a token with the connection's credential, past every cache.
func proveToken(ctx context.Context, c *adapters.Connection, roots *x509.CertPool) (err error) {
	cache := tokens.NewCache(tokens.Options{RootCAs: roots})
	defer func() {
		if e := cache.Close(); err == nil {
			err = e
		}
	}()
	holder, ok := c.Settings.(credential.Holder)
	if !ok {
		return nil
	}
	for _, a := range holder.Audiences() {
		source, err := cache.TokenSource(c, a)
		if err != nil {
			return err
		}
		if _, err := source.Token(ctx); err != nil {
			return err
		}
	}
	return nil
}

// CertificateShow prints the public parts of a connection's certificates.
func (k ConnectionCommands) CertificateShow(ctx context.Context, name string) error {
	return k.storedConnection(ctx, name, func(_ store.Store, c *gateway.Connection) error { return k.certificates(c) })
}

func (k ConnectionCommands) certificates(c *gateway.Connection) error {
	all, err := clientcert.Certificates(&c.Connection)
	if err != nil {
		return exit(ExitConfig, err)
	}
	if k.JSON {
		return writeJSON(k.Stdout, view.OfCertificates(all))
	}
	if len(all) == 0 {
		return wrong(ExitConfig, text("cli.certificate_none", "postino has no certificate for this connection"))
	}
	for _, x := range all {
		state := text("cli.certificate_in_use", "in use")
		if x.Next {
			state = text("cli.certificate_waits", "waits to take over")
		}
		if _, err := fmt.Fprintf(k.Stdout, "%s: %s\n%s", state.In(k.Language), text("cli.certificate_is",
			"thumbprint {thumbprint}, valid until {date}", "thumbprint", x.Thumbprint(), "date", x.NotAfter().Format(time.DateOnly)).
			In(k.Language), x.PEM()); err != nil {
			return err
		}
	}
	return nil
}

// storedConnection runs a job on a connection of the store.
func (k ConnectionCommands) storedConnection(ctx context.Context, name string, job func(store.Store, *gateway.Connection) error) error {
	return withStore(ctx, k.Storage, func(st store.Store) error {
		id, err := named(ctx, st, name)
		if err != nil {
			return err
		}
		c, err := st.Connection(ctx, id)
		if err != nil {
			return err
		}
		return job(st, c)
	})
}
