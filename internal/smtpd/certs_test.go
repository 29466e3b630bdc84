package smtpd

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/config"
)

// fingerprintOf is of the certificate that the server shows.
func fingerprintOf(t *testing.T, w *world) string {
	t.Helper()
	d := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // the certificate is compared by its digest
	c, err := d.DialContext(t.Context(), "tcp", w.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sum := sha256.Sum256(c.(*tls.Conn).ConnectionState().PeerCertificates[0].Raw)
	return hex.EncodeToString(sum[:])
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	var b lockedBuffer
	w := newWorld(t, setup{listeners: []config.Listener{{TLS: "implicit"}}, log: &b})
	first := w.server.listeners[0].certs.fingerprint()
	if got := fingerprintOf(t, w); got != first || !strings.Contains(b.String(), first) {
		t.Errorf("shown %s, told %s; log:\n%s", got, first, b.String())
	}
	cert, key := filepath.Join(w.data, selfCert), filepath.Join(w.data, selfKey)
	if info, err := os.Stat(key); err != nil || info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		t.Errorf("key file %v %v", info.Mode(), err)
	}
	if again, err := newCertificates("", "", w.data, "gw", w.server.opt.Log); err != nil || again.fingerprint() != first {
		t.Errorf("the certificate does not survive a restart: %v", err)
	}
	// A broken file leaves the old one in place, another replaces it.
	if err := os.WriteFile(cert, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.server.Reload(); err == nil {
		t.Error("a broken certificate was read")
	}
	if got := fingerprintOf(t, w); got != first {
		t.Error("a broken file replaced the certificate")
	}
	if err := errors.Join(os.Remove(cert), makeMissing(cert, key, "x")); err == nil {
		t.Error("a certificate was made for a key that was there")
	}
	if err := errors.Join(os.Remove(key), makeMissing(cert, key, "other.contoso.it"), w.server.Reload()); err != nil {
		t.Fatal(err)
	}
	if got := fingerprintOf(t, w); got == first || got != w.server.listeners[0].certs.fingerprint() {
		t.Error("the new certificate is not in use")
	}
}

// TestCertificateFileChanges: a renewed file is used without a word.
func TestCertificateFileChanges(t *testing.T) {
	t.Parallel()
	dir, other := t.TempDir(), t.TempDir()
	log := slog.New(slog.DiscardHandler)
	c, err := newCertificates("", "", dir, "gw", log)
	if err != nil {
		t.Fatal(err)
	}
	first := c.fingerprint()
	if _, err := newCertificates("", "", other, "gw", log); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Hour)
	for _, f := range []string{selfKey, selfCert} {
		if err := errors.Join(os.Rename(filepath.Join(other, f), filepath.Join(dir, f)),
			os.Chtimes(filepath.Join(dir, f), later, later)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.get(nil); err != nil || c.fingerprint() == first {
		t.Errorf("the new file is not in use: %v", err)
	}
}
