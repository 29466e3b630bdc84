package smtpd

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/postino-mail/postino/internal/private"
)

// Names of the self-made certificate in the data folder.
const (
	selfCert = "smtp-cert.pem"
	selfKey  = "smtp-key.pem"
)

// recheckEvery is how often the files are checked for a change.
const recheckEvery = 10 * time.Second

// certificates holds the certificate of a listener and reads it again when its
// file changes. Safe for concurrent use.
type certificates struct {
	cert, key string
	log       *slog.Logger

	mu        sync.Mutex
	current   *tls.Certificate
	checkedAt time.Time
	modTime   time.Time // of the file that is in use
}

// newCertificates reads the files, or makes a pair in dir when none are named.
func newCertificates(cert, key, dir, host string, log *slog.Logger) (*certificates, error) {
	c := &certificates{cert: cert, key: key, log: log}
	if cert == "" {
		if dir == "" {
			return nil, errors.New("no certificate is named and there is no folder to keep a self-made one in")
		}
		c.cert, c.key = filepath.Join(dir, selfCert), filepath.Join(dir, selfKey)
		if err := makeMissing(c.cert, c.key, host); err != nil {
			return nil, err
		}
	}
	return c, c.reload()
}

func (c *certificates) reload() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.load()
}

func (c *certificates) load() error {
	info, err := os.Stat(c.cert)
	if err != nil {
		return fmt.Errorf("the certificate cannot be read: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return fmt.Errorf("the certificate %s with the key %s cannot be used: %w", c.cert, c.key, err)
	}
	if until := pair.Leaf.NotAfter; time.Now().After(until) {
		c.log.Warn("the certificate has expired: programs that check it will not connect", "file", c.cert, "expired", until)
	}
	c.current, c.modTime = &pair, info.ModTime()
	return nil
}

// get returns the certificate for a handshake. When a new file cannot be used the
// old certificate stays in use.
func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.checkedAt) > recheckEvery {
		c.checkedAt = now
		if info, err := os.Stat(c.cert); err == nil && !info.ModTime().Equal(c.modTime) {
			if err := c.load(); err != nil {
				c.log.Error("the old certificate stays in use", "err", err)
			}
		}
	}
	return c.current, nil
}

// leaf is the certificate in use, a renewed one once its file was found.
func (c *certificates) leaf() *x509.Certificate {
	pair, err := c.get(nil)
	if err != nil { // it never is: the certificate before stays in use
		return nil
	}
	return pair.Leaf
}

func (c *certificates) fingerprint() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	sum := sha256.Sum256(c.current.Certificate[0])
	return hex.EncodeToString(sum[:])
}

// config is the TLS configuration of a listener. For old devices their cipher
// suites are added, except RC4 and 3DES.
func (c *certificates) config(least uint16) *tls.Config {
	t := &tls.Config{MinVersion: least, GetCertificate: c.get}
	if least < tls.VersionTLS12 {
		for _, s := range tls.CipherSuites() {
			t.CipherSuites = append(t.CipherSuites, s.ID)
		}
		t.CipherSuites = append(t.CipherSuites, tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA,
			tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384)
	}
	return t
}

// makeMissing makes a key and a certificate for ten years where there are none.
func makeMissing(cert, key, host string) error {
	_, cerr := os.Stat(cert)
	_, kerr := os.Stat(key)
	if cerr == nil && kerr == nil {
		return nil
	}
	if cerr == nil || kerr == nil {
		return fmt.Errorf("of %s and %s only one is there: remove it to have both made again", cert, key)
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return err
	}
	t := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: host}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().AddDate(10, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, DNSNames: []string{host, "localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}}
	der, err := x509.CreateCertificate(rand.Reader, t, t, private.Public(), private)
	if err != nil {
		return fmt.Errorf("a certificate for %q cannot be made: %w", host, err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	// The key first: a certificate without its key would stop the next start.
	if err := writeNew(key, 0o600, &pem.Block{Type: "PRIVATE KEY", Bytes: raw}); err != nil {
		return err
	}
	if err := writeNew(cert, 0o644, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
		return errors.Join(err, os.Remove(key))
	}
	return nil
}

func writeNew(name string, mode os.FileMode, b *pem.Block) error {
	if err := private.MkdirAll(filepath.Dir(name)); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("the self-made certificate cannot be kept: %w", err)
	}
	if err := pem.Encode(f, b); err != nil {
		return errors.Join(err, f.Close(), os.Remove(name))
	}
	return f.Close()
}
