package doctor_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/doctor"
)

// A front is an SMTP listener with a certificate that offers what it is told to.
type front struct {
	cert     tls.Certificate
	implicit bool
	greeting string
	plain    string // offers before TLS, by line
	secure   string // and after it
}

func (f front) serve(conn net.Conn) {
	defer conn.Close()
	offers := f.plain
	begin := func() bool {
		s := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{f.cert}, MinVersion: tls.VersionTLS12})
		conn, offers = s, f.secure
		return s.Handshake() == nil
	}
	if f.implicit && !begin() {
		return
	}
	say := func(s string) { _, _ = conn.Write([]byte(s + "\r\n")) }
	say(f.greeting)
	in := bufio.NewReader(conn)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch verb, _, _ := strings.Cut(strings.TrimSpace(line), " "); verb {
		case "EHLO":
			for _, o := range strings.Fields("mail.contoso.it " + offers) {
				say("250-" + strings.ReplaceAll(o, "_", " "))
			}
			say("250 8BITMIME")
		case "STARTTLS":
			say("220 go on")
			if !begin() {
				return
			}
			in = bufio.NewReader(conn)
		case "QUIT":
			say("221 bye")
			return
		}
	}
}

// storeCertificate writes a certificate and its key to files.
func storeCertificate(t *testing.T, c tls.Certificate) (cert, key string) {
	t.Helper()
	dir := t.TempDir()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: c.Certificate[0]},
		key: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestListeners: a listener is looked at as a program meets it.
func TestListeners(t *testing.T) {
	t.Parallel()
	now := time.Now()
	const day = 24 * time.Hour
	authority := certificate(t, "authority", now.Add(-day), now.Add(1000*day), nil)
	roots := x509.NewCertPool()
	roots.AddCert(authority.Leaf)
	brief := certificate(t, "authority that ends before its certificates", now.Add(-day), now.Add(10*day), nil)
	roots.AddCert(brief.Leaf)
	stranger := certificate(t, "stranger", now.Add(-day), now.Add(1000*day), nil)
	good := certificate(t, "mail.contoso.it", now.Add(-day), now.Add(100*day), &authority)
	goodCert, goodKey := storeCertificate(t, good)
	offers := front{cert: good, greeting: "220 mail.contoso.it ESMTP", plain: "STARTTLS", secure: "AUTH_PLAIN_LOGIN"}
	with := func(change func(*front)) front {
		f := offers
		change(&f)
		return f
	}
	shows := func(c tls.Certificate) front { return with(func(f *front) { f.cert = c }) }
	for _, c := range []struct {
		name   string
		front  front
		tls    string // empty: starttls
		filed  bool   // the configuration names the good certificate
		check  string
		status doctor.FindingStatus
		en, it string
	}{
		{"in order", offers, "", true, "listener", doctor.Good, "with STARTTLS and a certificate until " +
			good.Leaf.NotAfter.UTC().Format(time.DateOnly) + ", login by PLAIN LOGIN", "con STARTTLS e un certificato valido fino al"},
		{"TLS at once", with(func(f *front) { f.implicit = true }), "implicit", true, "listener", doctor.Good, "with TLS and a certificate until",
			"con TLS e un certificato valido fino al"},
		{"authority ends first", shows(certificate(t, "mail.contoso.it", now.Add(-day), now.Add(100*day), &brief)), "", false, "listener",
			doctor.Good, "with STARTTLS and a certificate until", "con STARTTLS e un certificato valido fino al"},
		{"without TLS", with(func(f *front) { f.plain = "AUTH_PLAIN" }), "none", false, "listener", doctor.Good, "answers, login by PLAIN",
			"risponde, accesso con PLAIN"},
		{"ended", shows(certificate(t, "mail.contoso.it", now.Add(-90*day), now.Add(-day), &authority)), "", false, "certificate", doctor.Bad,
			"ended on", "del listener"},
		{"ends soon", shows(certificate(t, "mail.contoso.it", now.Add(-90*day), now.Add(5*day), &authority)), "", false, "certificate",
			doctor.Warning, "ends on", "scade il"},
		{"ends soon, made by the server", shows(certificate(t, "mail.contoso.it", now.Add(-90*day), now.Add(5*day), nil)), "", false,
			"certificate", doctor.Warning, "ends on", "scade il"},
		{"another name", shows(certificate(t, "other.contoso.it", now.Add(-day), now.Add(100*day), &authority)), "", true, "certificate",
			doctor.Warning, "is not for the gateway's name mail.contoso.it, but for other.contoso.it", "non vale per il nome del gateway"},
		{"unknown authority", shows(certificate(t, "mail.contoso.it", now.Add(-day), now.Add(100*day), &stranger)), "", false, "certificate",
			doctor.Warning, "programs that check certificates refuse that of the listener", "i programmi che verificano i certificati rifiutano"},
		{"ended, unknown authority", shows(certificate(t, "mail.contoso.it", now.Add(-90*day), now.Add(-day), &stranger)), "", false,
			"certificate", doctor.Warning, "programs that check certificates refuse that of the listener", "i programmi che verificano"},
		{"not that of the file", shows(certificate(t, "mail.contoso.it", now.Add(-90*day), now.Add(50*day), &authority)), "", true,
			"certificate", doctor.Warning, "shows another certificate than that of", "mostra un certificato diverso"},
		{"no STARTTLS", with(func(f *front) { f.plain = "" }), "", true, "listener", doctor.Bad, "does not offer STARTTLS", "non offre STARTTLS"},
		{"no AUTH", with(func(f *front) { f.secure = "" }), "", true, "listener", doctor.Bad, "offers no login (AUTH)",
			"non offre alcun accesso (AUTH)"},
		{"not for this machine", with(func(f *front) { f.greeting = "554 5.7.1 access denied" }), "", true, "listener", doctor.Good,
			"takes nothing from this machine: 554 5.7.1 access denied", "non accetta nulla da questa macchina"},
		{"no SMTP", with(func(f *front) { f.greeting = "SSH-2.0-OpenSSH_10.0" }), "", true, "listener", doctor.Bad, "this is no SMTP server",
			"non risponde"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			port := listen(t, "127.0.0.1:0", c.front.serve)
			l := doctor.Listener{Kind: doctor.SMTP, Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), TLS: "starttls",
				Auth: true, Running: true}
			if c.tls != "" {
				l.TLS = c.tls
			}
			if c.filed {
				l.CertFile, l.KeyFile = goodCert, goodKey
			}
			in := &doctor.Installation{Hostname: "mail.contoso.it", Roots: roots, Listeners: []doctor.Listener{l}}
			found := in.CheckListeners(t.Context())
			sees(t, found, c.check, c.status, c.en, c.it)
			if c.status == doctor.Good {
				for _, f := range found.Findings {
					if f.Status != doctor.Good {
						t.Errorf("%s %s: %s", f.Check, f.Status, f.Message)
					}
				}
			}
		})
	}
}

// TestListenersNotRunning: what the configuration names is compared with what runs.
func TestListenersNotRunning(t *testing.T) {
	t.Parallel()
	port := listen(t, "127.0.0.1:0", front{greeting: "220 mail ESMTP"}.serve)
	in := &doctor.Installation{Listeners: []doctor.Listener{
		{Kind: doctor.SMTP, Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), TLS: "none", Running: true},
		{Kind: doctor.SMTP, Address: "127.0.0.1:1", TLS: "none"}}}
	c := in.CheckListeners(t.Context())
	sees(t, c, "listener", doctor.Warning, "the configuration names the listener smtp 127.0.0.1:1", "il server in funzione non vi ascolta")
	if !c.OK || len(c.Findings) != 2 || len(c.Listeners) != 2 {
		t.Errorf("%+v", c)
	}
	in.Unasked = errors.New("403 Forbidden")
	c = in.CheckListeners(t.Context())
	sees(t, c, "listener", doctor.NotDone, "does not tell where it listens (403 Forbidden)", "non dice dove ascolta")
}
