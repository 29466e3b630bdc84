// Package certfile reads a TLS certificate and its key from two files, and
// again when they change, so that a renewed one is used without a restart.
package certfile

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// lookEvery is how often the files are looked at for a change.
const lookEvery = 10 * time.Second

// Options of a File; zero fields take the defaults.
type Options struct {
	Cert, Key string // PEM files: the chain, and the key of its first certificate
	Log       *slog.Logger
	Now       func() time.Time // for tests; time.Now
}

// A File is the certificate in use. Safe for concurrent use.
type File struct {
	opt Options

	mu     sync.Mutex
	pair   *tls.Certificate
	looked time.Time
	used   stamp // of the files that pair was read from
}

// A stamp tells one version of both files from another.
type stamp struct {
	cert, key         time.Time
	certSize, keySize int64
}

// Open reads the certificate.
func Open(o Options) (*File, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	f := &File{opt: o}
	if err := f.Reload(); err != nil {
		return nil, err
	}
	return f, nil
}

// Reload reads the files now. After an error the certificate before stays.
func (f *File) Reload() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, err := f.stamp()
	if err != nil {
		return err
	}
	return f.load(now)
}

func (f *File) stamp() (stamp, error) {
	cert, err := os.Stat(f.opt.Cert)
	if err != nil {
		return stamp{}, texterr.Wrap(mime.NewText("certfile.certificate_unreadable", "the certificate cannot be read"), err)
	}
	key, err := os.Stat(f.opt.Key)
	if err != nil {
		return stamp{}, texterr.Wrap(mime.NewText("certfile.key_unreadable", "the certificate's key cannot be read"), err)
	}
	return stamp{cert.ModTime(), key.ModTime(), cert.Size(), key.Size()}, nil
}

func (f *File) load(now stamp) error {
	f.looked, f.used = f.opt.Now(), now // a pair that does not fit is not tried again before it changes
	pair, err := tls.LoadX509KeyPair(f.opt.Cert, f.opt.Key)
	if err != nil {
		return texterr.Wrap(mime.NewText("certfile.unusable", "the certificate {certificate} with the key {key} cannot be used", "certificate",
			f.opt.Cert, "key", f.opt.Key), err)
	}
	if until := pair.Leaf.NotAfter; f.opt.Now().After(until) {
		f.opt.Log.Warn("the certificate has expired: programs that check it will not connect", "file", f.opt.Cert, "expired", until)
	}
	f.pair = &pair
	return nil
}

// Get returns the certificate for a handshake (tls.Config.GetCertificate). New
// files that cannot be used, such as a certificate with a key that is not written
// yet, leave the one before in use.
func (f *File) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t := f.opt.Now(); t.Sub(f.looked) >= lookEvery {
		f.looked = t
		now, err := f.stamp()
		if err == nil && now != f.used {
			err = f.load(now)
		}
		if err != nil {
			f.opt.Log.Error("the certificate before stays in use", "err", err)
		}
	}
	return f.pair, nil
}
