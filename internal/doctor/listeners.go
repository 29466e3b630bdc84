package doctor

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// A Listener is where this gateway takes messages in.
type Listener struct {
	Kind       string // SMTP, HTTP or Socket
	Address    string // where it listens, or the path of a socket
	Configured string // address as the configuration names it, such as one with port 0
	TLS        string // implicit (from the first byte), starttls, optional (STARTTLS is offered) or none
	Auth       bool   // SMTP: programs can log in, once TLS is on where there is TLS
	Running    bool   // the server that runs listens there

	CertFile, KeyFile string // empty: it has none, or the server made it itself
}

// The kinds of listeners.
const (
	SMTP   = "smtp"
	HTTP   = "http"
	Socket = "socket"
)

// endsSoon is the number of days from which the end of a certificate is a warning.
const endsSoon = 14

// listeners calls each listener as a program would, as far as a login.
func (c *checkup) listeners(ctx context.Context) {
	if c.Unasked != nil {
		c.add(Finding{Check: "listener", Status: NotDone, Message: text("doctor.listeners_unasked",
			"the server that runs does not tell where it listens ({reason}): the listeners of the configuration were called", "reason",
			texterr.Reason{Err: c.Unasked}), Hint: unaskedHint(c.Unasked)})
	}
	running := slices.ContainsFunc(c.Listeners, func(l Listener) bool { return l.Running })
	answers := make([]struct {
		offered
		err error
	}, len(c.Listeners))
	var calls sync.WaitGroup
	for i := range c.Listeners { // side by side: those that are silent take their time, all of them no longer than one
		if l := &c.Listeners[i]; l.Running || !running {
			calls.Go(func() { answers[i].offered, answers[i].err = call(ctx, l) })
		}
	}
	calls.Wait()
	for i := range c.Listeners {
		c.listener(&c.Listeners[i], running, answers[i].offered, answers[i].err)
	}
}

// unaskedHint is what to do about a server that does not tell its listeners.
func unaskedHint(err error) mime.Text {
	if errors.Is(err, context.DeadlineExceeded) {
		return text("doctor.listeners_slow_hint", "look into the server's log for what keeps it busy, and run this again")
	}
	return text("doctor.listeners_unasked_hint", "run this as root or as the server's user")
}

// listener looks at what a listener has shown.
func (c *checkup) listener(l *Listener, running bool, shown offered, err error) {
	if running && !l.Running {
		c.warn("listener", text("doctor.listener_not_running",
			"the configuration names the listener {kind} {address}, and the server that runs does not listen there",
			"kind", l.Kind, "address", l.Address), text("doctor.listener_not_running_hint",
			"restart the server, if it runs with this configuration"))
		return
	}
	switch {
	case errors.Is(err, errNoSTARTTLS):
		c.bad("listener", text("doctor.listener_no_starttls", "the listener {kind} {address} answers and does not offer STARTTLS", "kind",
			l.Kind, "address", l.Address), text("doctor.listener_altered_hint",
			"see whether another program listens there, or a firewall or virus scanner changes what passes through it"))
	case err != nil:
		c.bad("listener", text("doctor.listener_silent", "the listener {kind} {address} does not answer: {reason}", "kind",
			l.Kind, "address",
			l.Address, "reason", texterr.Reason{Err: err}),
			text("doctor.listener_hint", "start the server ('postino serve'), and look into its log why it does not listen there"))
	case shown.closed != "":
		c.good("listener", text("doctor.listener_closed",
			"the listener {kind} {address} answers, and takes nothing from this machine: {reply}", "kind", l.Kind, "address", l.Address,
			"reply", shown.closed))
	case l.Kind == SMTP && l.Auth && len(shown.auth) == 0:
		c.bad("listener", text("doctor.listener_no_auth", "the listener {kind} {address} answers and offers no login (AUTH)", "kind",
			l.Kind, "address", l.Address), text("doctor.listener_altered_hint",
			"see whether another program listens there, or a firewall or virus scanner changes what passes through it"))
	default:
		c.listenerAnswers(l, shown)
	}
}

// listenerAnswers passes on what a listener offers, and looks at its certificate.
func (c *checkup) listenerAnswers(l *Listener, shown offered) {
	message := text("doctor.listener_ok", "the listener {kind} {address} answers", "kind", l.Kind, "address", l.Address)
	with := func(part mime.Text) {
		message = text("cli.listed", "{all}, {one}", "all", message, "one", part)
	}
	if chain := shown.chain; len(chain) > 0 {
		day := chain[0].NotAfter.UTC().Format(time.DateOnly)
		if l.TLS == "implicit" {
			with(text("doctor.listener_tls", "with TLS and a certificate until {day}", "day", day))
		} else {
			with(text("doctor.listener_starttls", "with STARTTLS and a certificate until {day}", "day", day))
		}
	}
	if len(shown.auth) > 0 {
		with(text("doctor.listener_auth", "login by {mechanisms}", "mechanisms", strings.Join(shown.auth, " ")))
	}
	c.good("listener", message)
	if len(shown.chain) > 0 {
		c.shown(l, shown.chain)
	}
}

// shown looks at the certificate that a listener shows as its clients do. One
// that the server made itself is for programs that do not check it.
func (c *checkup) shown(l *Listener, chain []*x509.Certificate) {
	leaf := chain[0]
	filed := false
	if pair, err := tls.LoadX509KeyPair(l.CertFile, l.KeyFile); err == nil { // certificates tells why it does not load
		if filed = pair.Leaf.Equal(leaf); !filed {
			c.warn("certificate", text("doctor.certificate_other",
				"the listener {address} shows another certificate than that of {file}", "address", l.Address, "file", l.CertFile),
				text("doctor.certificate_other_hint",
					"the server reads a changed file within seconds: look into its log why it does not, or restart it"))
		}
	}
	if !filed {
		c.dates(text("doctor.certificate_of", "of the listener {address}", "address", l.Address), leaf)
	}
	if l.CertFile == "" && len(chain) == 1 && bytes.Equal(leaf.RawIssuer, leaf.RawSubject) {
		return
	}
	between := x509.NewCertPool()
	for _, one := range chain[1:] {
		between.AddCert(one)
	}
	at := c.now() // where dates has told of the leaf's own time, of the rest
	if at.After(leaf.NotAfter) {
		at = leaf.NotAfter
	} else if at.Before(leaf.NotBefore) {
		at = leaf.NotBefore
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: c.Roots, Intermediates: between, CurrentTime: at}); err != nil {
		c.warn("certificate", text("doctor.certificate_untrusted",
			"programs that check certificates refuse that of the listener {address}: {reason}", "address", l.Address, "reason",
			texterr.Reason{Err: err}), text("doctor.certificate_untrusted_hint",
			"put the certificates of the authorities in between into cert_file, after the server's own; where the authority is your own, "+
				"the programs have to trust it"))
	}
	if c.Hostname != "" && !strings.HasSuffix(c.Hostname, ".localdomain") && leaf.VerifyHostname(c.Hostname) != nil {
		c.warn("certificate", text("doctor.certificate_name",
			"the certificate of the listener {address} is not for the gateway's name {name}, but for {names}", "address", l.Address,
			"name", c.Hostname, "names", strings.Join(leaf.DNSNames, ", ")), text("doctor.certificate_name_hint",
			"have programs call the gateway by a name of the certificate, or get one for the name that they call"))
	}
}

// certificates looks at the files of the listeners' certificates.
func (c *checkup) certificates() {
	var seen []string
	for _, l := range c.Listeners {
		if l.CertFile == "" || slices.Contains(seen, l.CertFile) {
			continue
		}
		seen = append(seen, l.CertFile)
		pair, err := tls.LoadX509KeyPair(l.CertFile, l.KeyFile)
		if err != nil {
			c.bad("certificate", text("doctor.certificate_unreadable", "the certificate {file} cannot be used: {reason}", "file",
				l.CertFile,
				"reason", texterr.Reason{Err: err}), text("doctor.certificate_unreadable_hint",
				"correct cert_file and key_file: two PEM files that belong together"))
			continue
		}
		c.dates(l.CertFile, pair.Leaf)
	}
}

// dates looks at the time in which a certificate is valid; what is its file, or
// the words for where it is shown.
func (c *checkup) dates(what any, leaf *x509.Certificate) {
	now, day := c.now(), leaf.NotAfter.UTC().Format(time.DateOnly)
	switch {
	case now.Before(leaf.NotBefore):
		c.bad("certificate", text("doctor.certificate_not_yet", "the certificate {file} is not valid before {day}", "file", what, "day",
			leaf.NotBefore.UTC().Format(time.DateOnly)), text("doctor.certificate_clock", "set this machine's clock (NTP)"))
	case now.After(leaf.NotAfter):
		c.bad("certificate", text("doctor.certificate_expired", "the certificate {file} ended on {day}: programs refuse it",
			"file", what, "day", day), text("doctor.certificate_renew", "renew it; the server reads it again by itself"))
	case leaf.NotAfter.Sub(now) < endsSoon*24*time.Hour:
		c.warn("certificate", text("doctor.certificate_ends", "the certificate {file} ends on {day}", "file", what, "day", day),
			text("doctor.certificate_renew", "renew it; the server reads it again by itself"))
	default:
		c.good("certificate", text("doctor.certificate_ok", "the certificate {file} is valid until {day}", "file", what, "day", day))
	}
}
