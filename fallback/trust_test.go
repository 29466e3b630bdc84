package fallback

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
)

// A CA file that is put right counts from the next handshake on; one that is
// broken meanwhile leaves the authorities read before in force.
func TestCAFileIsReadAgain(t *testing.T) {
	t.Parallel()
	good, bad := newAuthority(t), newAuthority(t)
	file := bad.file(t)
	tr, err := newTrust("127.0.0.1", file, Options{Now: time.Now}.filled())
	if err != nil {
		t.Fatal(err)
	}
	verify := func() error {
		return handshakeWith(t, good.server(t, "good"), tr.config())
	}
	if verify() == nil {
		t.Fatal("the wrong authority was taken")
	}
	put := func(from string, mark string) {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append([]byte(mark), data...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(good.file(t), "\xef\xbb\xbf") // another size, with the byte order mark of an editor
	if err := verify(); err != nil {
		t.Errorf("after the file was put right: %v", err)
	}
	if err := os.WriteFile(file, []byte("half a fi"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := verify(); err != nil {
		t.Errorf("while the file is broken: %v", err)
	}
}

func handshakeWith(t *testing.T, server, client *tls.Config) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		if c, err := ln.Accept(); err == nil {
			_ = tls.Server(c, server).Handshake() // the client's error is looked at
			_ = c.Close()
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := (&tls.Dialer{Config: client}).DialContext(ctx, "tcp", ln.Addr().String())
	if err == nil {
		_ = c.Close()
	}
	return err
}

// A port that speaks TLS from the first byte is named after a few seconds, not
// after the five minutes that a greeting may take; a server that is only slow
// to greet is waited for.
func TestPortSpeaksTLS(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		tls  bool
		code string
	}{{"implicit TLS", true, "tls_port"}, {"slow greeting", false, "421"}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ca := newAuthority(t)
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = ln.Close() })
			asked := make(chan struct{})
			go func() {
				for n := 0; ; n++ {
					conn, err := ln.Accept()
					if err != nil {
						return
					}
					go func() {
						defer conn.Close()
						if c.tls {
							_ = tls.Server(conn, ca.server(t, "good")).Handshake() // ends with the client
							return
						}
						if n == 0 {
							<-asked
							_, _ = io.WriteString(conn, "421 later\r\n") // the client reads it or is gone
							return
						}
						_, _ = bufio.NewReader(conn).ReadByte() // the question for TLS
						_, _ = io.WriteString(conn, "220 plain\r\n")
						close(asked)
					}()
				}
			}()
			a, err := New(&adapters.Connection{Name: "x", Provider: adapters.SMTP, From: "a@example.com",
				Settings: &Settings{Host: "127.0.0.1", Port: ln.Addr().(*net.TCPAddr).Port, Encryption: EncryptionSTARTTLS}},
				Options{RootCAs: ca.pool(), Timeouts: Timeouts{Greeting: time.Second, Quit: time.Millisecond}})
			if err != nil {
				t.Fatal(err)
			}
			e := adapters.AsError(a.Probe(t.Context()))
			if e == nil || !strings.HasPrefix(e.ShownCode(), c.code) {
				t.Errorf("%v, want %s", e, c.code)
			}
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
