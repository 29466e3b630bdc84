package certfile

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// made is a self-made certificate and its key.
type made struct{ cert, key []byte }

func selfMade(t *testing.T, name string, until time.Time) made {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().AddDate(-1, 0, 0),
		NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return made{pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})}
}

// place is a File over files that the test writes, with a clock and a log.
type place struct {
	t         *testing.T
	cert, key string
	now       time.Time
	log       bytes.Buffer
}

func (p *place) write(name string, data []byte) {
	p.t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Chtimes(name, p.now, p.now); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) pass(d time.Duration) { p.now = p.now.Add(d) }

func newPlace(t *testing.T) *place {
	dir := t.TempDir()
	return &place{t: t, cert: filepath.Join(dir, "tls.pem"), key: filepath.Join(dir, "tls.key"), now: time.Now()}
}

func (p *place) open() (*File, error) {
	return Open(Options{Cert: p.cert, Key: p.key, Log: slog.New(slog.NewTextHandler(&p.log, nil)), Now: func() time.Time { return p.now }})
}

func (p *place) want(f *File, name string) {
	p.t.Helper()
	c, err := f.Get(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	if c.Leaf.Subject.CommonName != name {
		p.t.Errorf("the certificate in use is %s, want %s", c.Leaf.Subject.CommonName, name)
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	one, two, three := selfMade(t, "one", p.now.AddDate(1, 0, 0)), selfMade(t, "two", p.now.AddDate(1, 0, 0)),
		selfMade(t, "three", p.now.AddDate(0, 0, -1))
	p.write(p.cert, one.cert)
	p.write(p.key, one.key)
	f, err := p.open()
	if err != nil {
		t.Fatal(err)
	}
	p.want(f, "one")

	p.pass(time.Second)
	p.write(p.cert, two.cert) // its key comes later, as renewing programs write them
	p.want(f, "one")
	p.pass(lookEvery)
	p.want(f, "one")
	if !strings.Contains(p.log.String(), "stays in use") {
		t.Errorf("nothing is said of a certificate without its key: %s", p.log.String())
	}
	p.log.Reset()
	p.pass(lookEvery)
	p.want(f, "one")
	if p.log.Len() > 0 {
		t.Errorf("said again though nothing changed: %s", p.log.String())
	}
	p.write(p.key, two.key)
	p.pass(lookEvery)
	p.want(f, "two")

	if err := os.Remove(p.key); err != nil {
		t.Fatal(err)
	}
	if err := f.Reload(); err == nil {
		t.Error("no word about a key that is gone")
	}
	p.want(f, "two")
	p.write(p.cert, three.cert)
	p.write(p.key, three.key)
	if err := f.Reload(); err != nil { // at once, without waiting
		t.Fatal(err)
	}
	p.want(f, "three")
	if !strings.Contains(p.log.String(), "has expired") {
		t.Errorf("nothing is said of an expired certificate: %s", p.log.String())
	}
}

func TestCannotBeOpened(t *testing.T) {
	t.Parallel()
	one, two := selfMade(t, "one", time.Now().AddDate(1, 0, 0)), selfMade(t, "two", time.Now().AddDate(1, 0, 0))
	for name, c := range map[string]made{"no certificate": {nil, one.key}, "no key": {one.cert, nil}, "another's key": {one.cert, two.key},
		"not PEM": {[]byte("x"), one.key}} {
		p := newPlace(t)
		if c.cert != nil {
			p.write(p.cert, c.cert)
		}
		if c.key != nil {
			p.write(p.key, c.key)
		}
		if _, err := p.open(); err == nil || !strings.Contains(err.Error(), filepath.Dir(p.cert)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
