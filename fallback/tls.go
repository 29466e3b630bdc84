package fallback

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// tlsConfig verifies the server's certificate against roots, the system's
// where nil, with the certificates of caFile added.
func tlsConfig(host, caFile string, roots *x509.CertPool, now func() time.Time) (*tls.Config, error) {
	cfg := &tls.Config{
		ServerName: host, RootCAs: roots, Time: now, MinVersion: tls.VersionTLS12,
		ClientSessionCache: tls.NewLRUClientSessionCache(4),
	}
	if caFile == "" {
		return cfg, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	if roots != nil {
		cfg.RootCAs = roots.Clone()
	} else if cfg.RootCAs, err = x509.SystemCertPool(); err != nil {
		return nil, fmt.Errorf("the system's trust store: %w", err)
	}
	if !cfg.RootCAs.AppendCertsFromPEM(adapters.PlainText(pem)) {
		return nil, errors.New("the file holds no certificate in PEM form")
	}
	return cfg, nil
}

// A trust is the TLS settings of a connection, made again when its CA file
// changes: a renewed or corrected authority counts from the next handshake on.
// Safe for concurrent use.
type trust struct {
	host, caFile string
	roots        *x509.CertPool
	now          func() time.Time
	log          *slog.Logger

	mu    sync.Mutex
	cfg   *tls.Config
	stamp fileStamp
}

type fileStamp struct {
	changed time.Time
	size    int64
}

func stampOf(file string) fileStamp {
	if info, err := os.Stat(file); err == nil {
		return fileStamp{info.ModTime(), info.Size()}
	}
	return fileStamp{}
}

func newTrust(host, caFile string, opt Options) (*trust, error) {
	t := &trust{host: host, caFile: caFile, roots: opt.RootCAs, now: opt.Now, log: opt.Log}
	if caFile != "" {
		t.stamp = stampOf(caFile)
	}
	var err error
	t.cfg, err = tlsConfig(host, caFile, opt.RootCAs, opt.Now)
	return t, err
}

// config is what the next handshake takes. A file that cannot be read now
// leaves what was read before in force.
func (t *trust) config() *tls.Config {
	if t.caFile == "" {
		return t.cfg
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	stamp := stampOf(t.caFile)
	if stamp == t.stamp {
		return t.cfg
	}
	cfg, err := tlsConfig(t.host, t.caFile, t.roots, t.now)
	if err != nil {
		t.log.Warn("smtp: the CA file has changed and cannot be read; the authorities read before count", "file", t.caFile, "err", err)
		return t.cfg
	}
	t.cfg, t.stamp = cfg, stamp
	return t.cfg
}

// tlsError says why a handshake failed. Only what mail knows better than
// adapters.NetworkError is said here.
func tlsError(host string, port int, err error, now time.Time) *adapters.Error {
	e := adapters.NetworkError(adapters.SMTP, host, err, now)
	var header tls.RecordHeaderError
	switch {
	case e.Code == adapters.CodeTLSUntrusted:
		e.Hint = mime.NewText("smtp.give_ca_file",
			"for a company's own authority give its certificate in ca_file; otherwise the server's administrator must "+
				"install a certificate of a public authority, with its chain")
	case errors.As(err, &header) && string(header.RecordHeader[:3]) == "220":
		e.Code = "tls_plaintext_port"
		e.Message = mime.NewText("smtp.tls_plaintext_port",
			"port {port} of {host} does not begin with TLS: the server greets in plain text",
			"port", port, "host", host)
		e.Hint = mime.NewText("smtp.tls_plaintext_port_hint",
			"choose the encryption starttls for this port (usually 587), or port 465 with tls")
	case strings.Contains(err.Error(), "protocol version not supported"), // the server's alert 70 and ours: crypto/tls does not type them
		strings.Contains(err.Error(), "unsupported protocol version"):
		e.Code = "tls_old_version"
		e.Message = mime.NewText("smtp.tls_old_version",
			"{host} offers no TLS version that is still safe (1.2 or later)", "host", host)
		e.Hint = mime.NewText("smtp.tls_old_version_hint", "the server's administrator must enable TLS 1.2")
	}
	return e
}
