package app

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ask makes a request of the API and wants the status.
func ask(t *testing.T, client *http.Client, want int, method, url, body string) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != want {
		t.Fatalf("%s %s: %d %s, want %d", method, url, res.StatusCode, answer, want)
	}
	return answer
}

// socketClient is this user, by the unix socket: the administrator.
func socketClient(t *testing.T, path string) *http.Client {
	t.Helper()
	c := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// Standing on the machine is no right: by TCP nothing works without a key, by
// the socket this user is the administrator. The socket goes with the server.
func TestSocketAndTCP(t *testing.T) {
	t.Parallel()
	const message = `{"from": "erp@contoso.it", "to": ["a@example.com"], "text": "x"}`
	const connection = `{"name": "x", "provider": "smtp", "from": "erp@contoso.it",
		"smtp": {"host": "127.0.0.1", "port": 1, "encryption": "none"}}`
	tcp := new(http.Client)
	t.Cleanup(tcp.CloseIdleConnections)
	var path string
	t.Run("by default", func(t *testing.T) {
		at, _ := startServer(t, "smtp = []\n[http]\naddress = '127.0.0.1:0'\n")
		path = at.Socket
		ask(t, tcp, http.StatusUnauthorized, "POST", "http://"+at.HTTP+"/v1/keys", `{"name": "backdoor", "scopes": ["admin"]}`)
		ask(t, tcp, http.StatusUnauthorized, "POST", "http://"+at.HTTP+"/v1/messages", message)
		ask(t, tcp, http.StatusUnauthorized, "GET", "http://"+at.HTTP+"/v1/messages", "")
		ask(t, tcp, http.StatusOK, "GET", "http://"+at.HTTP+"/metrics", "")
		ask(t, tcp, http.StatusOK, "GET", "http://"+at.HTTP+"/healthz", "")
		admin := socketClient(t, at.Socket)
		ask(t, admin, http.StatusCreated, "POST", "http://localhost/v1/connections", connection)
		ask(t, admin, http.StatusAccepted, "POST", "http://localhost/v1/messages", message)
		ask(t, admin, http.StatusOK, "GET", "http://localhost/v1/messages", "")
	})
	if _, err := os.Lstat(path); path == "" || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket %q stayed: %v", path, err)
	}
	t.Run("keyless", func(t *testing.T) {
		at, log := startServer(t, "smtp = []\n[http]\naddress = '127.0.0.1:0'\nkeyless = 'send'\n")
		ask(t, socketClient(t, at.Socket), http.StatusCreated, "POST", "http://localhost/v1/connections", connection)
		ask(t, tcp, http.StatusAccepted, "POST", "http://"+at.HTTP+"/v1/messages", message)
		ask(t, tcp, http.StatusUnauthorized, "GET", "http://"+at.HTTP+"/v1/messages", "")
		if !log.wait("without a key", 1, 0) {
			t.Errorf("no warning: %s", log)
		}
	})
	t.Run("the socket alone", func(t *testing.T) {
		socket := filepath.Join(t.TempDir(), "s")
		at, _ := startServer(t, "smtp = []\n[http]\naddress = ''\nsocket = '"+socket+"'\n")
		if at.HTTP != "" || at.Socket != socket {
			t.Errorf("%+v", at)
		}
		ask(t, socketClient(t, at.Socket), http.StatusOK, "GET", "http://localhost/v1/keys", "")
	})
	t.Run("no socket", func(t *testing.T) {
		if at, _ := startServer(t, "smtp = []\n[http]\naddress = '127.0.0.1:0'\nsocket = 'off'\n"); at.Socket != "" {
			t.Errorf("%+v", at)
		}
	})
}

// A socket that was named must be there; the one of the data folder may be
// missing where the folder cannot hold it.
func TestSocketCannotBeMade(t *testing.T) {
	t.Parallel()
	long := filepath.Join(t.TempDir(), strings.Repeat("x", 100))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "postino.toml")
	serve := func(conf, data string, ready func(Addresses)) (string, error) {
		if err := os.WriteFile(file, []byte("smtp = []\n[http]\naddress = '127.0.0.1:0'\n"+conf), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		log := &serverLog{fresh: make(chan struct{})}
		err := Serve(ctx, ServeOptions{ConfigFile: file, Data: data, Stderr: log, Getenv: func(string) string { return "" },
			Ready: func(a Addresses) { ready(a); stop() }})
		return log.String(), err
	}
	_, err := serve("socket = '"+filepath.Join(long, "s")+"'\n", filepath.Join(t.TempDir(), "d"), func(Addresses) { t.Error("it started") })
	if ExitCode(err) != ExitConfig || !strings.Contains(err.Error(), "name a shorter one") {
		t.Errorf("%v", err)
	}
	started := false
	log, err := serve("", long, func(a Addresses) { started = a.Socket == "" && a.HTTP != "" })
	if err != nil || !started || !strings.Contains(log, "there is no unix socket") {
		t.Errorf("%v: %s", err, log)
	}
}

// [webhooks] networks: a receiver on this machine is refused unless named.
func TestWebhookNetworks(t *testing.T) {
	t.Parallel()
	got := make(chan string, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got <- string(b)
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(receiver.Close)
	const listeners = "smtp = []\n[http]\naddress = '127.0.0.1:0'\n"
	hook := fmt.Sprintf(`{"url": %q, "types": ["message.accepted"]}`, receiver.URL+"/hook")

	at, _ := startServer(t, listeners)
	const api = "http://localhost"
	ask(t, socketClient(t, at.Socket), http.StatusUnprocessableEntity, "POST", api+"/v1/webhooks", hook)

	at, _ = startServer(t, listeners+"[webhooks]\nnetworks = ['127.0.0.1']\n")
	client := socketClient(t, at.Socket)
	ask(t, client, http.StatusCreated, "POST", api+"/v1/webhooks", hook)
	ask(t, client, http.StatusCreated, "POST", api+"/v1/connections",
		`{"name": "x", "provider": "smtp", "from": "erp@contoso.it", "smtp": {"host": "127.0.0.1", "port": 1, "encryption": "none"}}`)
	var sent struct{ ID string }
	if err := json.Unmarshal(ask(t, client, http.StatusAccepted, "POST", api+"/v1/messages",
		fmt.Sprintf(`{"from": "erp@contoso.it", "to": ["a@example.com"], "text": "x", "send_at": %q}`,
			time.Now().Add(time.Hour).Format(time.RFC3339))), &sent); err != nil {
		t.Fatal(err)
	}
	select {
	case body := <-got:
		var p struct{ Type, Message string }
		if err := json.Unmarshal([]byte(body), &p); err != nil || p.Type != "message.accepted" || p.Message != sent.ID {
			t.Errorf("%v: %s", err, body)
		}
	case <-time.After(20 * time.Second):
		t.Error("the receiver heard nothing")
	}
}

// writeCertificate writes a self-made certificate for 127.0.0.1 and returns it.
func writeCertificate(t *testing.T, certFile, keyFile string) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "postino"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter:    time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600),
		os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)); err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// secureClient trusts one certificate alone.
func secureClient(t *testing.T, c *x509.Certificate) *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(c)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true}}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// HTTPS: SIGHUP brings the renewed certificate to new connections; those that
// are open go on; a certificate that cannot be used changes nothing. Not
// parallel: the signal is the process's.
func TestRenewedCertificate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no SIGHUP on Windows")
	}
	spare := make(chan os.Signal, 100) // from here on the signal cannot end the process
	signal.Notify(spare, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(spare) })
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "tls.pem"), filepath.Join(dir, "tls.key")
	old := secureClient(t, writeCertificate(t, cert, key))
	at, log := startServer(t, fmt.Sprintf("smtp = []\n[http]\naddress = '127.0.0.1:0'\ncert_file = '%s'\nkey_file = '%s'\n", cert, key))
	health := "https://" + at.HTTP + "/healthz"
	ask(t, old, http.StatusOK, "GET", health, "")
	sighup := func(words string) {
		t.Helper()
		self, err := os.FindProcess(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		for range 100 { // the first ones may come before the server listens to signals
			if err := self.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			if log.wait(words, 1, 200*time.Millisecond) {
				return
			}
		}
		t.Fatalf("SIGHUP did nothing: %s", log)
	}

	// A connection that is open before the renewal and used after it.
	dial := &tls.Dialer{Config: &tls.Config{RootCAs: old.Transport.(*http.Transport).TLSClientConfig.RootCAs, MinVersion: tls.VersionTLS12}}
	live, err := dial.DialContext(t.Context(), "tcp", at.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()

	renewed := secureClient(t, writeCertificate(t, cert, key))
	sighup("were read again")
	ask(t, renewed, http.StatusOK, "GET", health, "")
	ask(t, old, http.StatusOK, "GET", health, "") // on its open connection
	if res, err := secureClient(t, writeCertificate(t, filepath.Join(dir, "x.pem"), filepath.Join(dir, "x.key"))).Get(health); err == nil {
		res.Body.Close()
		t.Error("a client that trusts another certificate was served: nothing is checked here")
	}
	old.CloseIdleConnections()
	if res, err := old.Get(health); err == nil {
		res.Body.Close()
		t.Error("a new connection still gets the old certificate")
	}
	if _, err := fmt.Fprintf(live, "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(live); err != nil || !bytes.HasPrefix(b, []byte("HTTP/1.1 200 ")) {
		t.Errorf("the open connection: %v %s", err, b)
	}

	if err := os.WriteFile(cert, []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	sighup("a listener keeps its old certificate")
	renewed.CloseIdleConnections()
	ask(t, renewed, http.StatusOK, "GET", health, "")
}

// A server that cannot read its certificate does not start.
func TestCertificateMissing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "postino.toml")
	if err := os.WriteFile(file, []byte("smtp = []\n[http]\naddress = '127.0.0.1:0'\ncert_file = 'no.pem'\nkey_file = 'no.key'\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	err := Serve(t.Context(), ServeOptions{ConfigFile: file, Data: filepath.Join(dir, "data"), Stderr: io.Discard,
		Getenv: func(string) string { return "" }})
	var e *ExitError
	if !errors.As(err, &e) || e.Code != ExitConfig {
		t.Errorf("%v", err)
	}
}
