package texterr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/postino-mail/postino/mime"
)

// What the system says has a text in every language, also behind a text of ours.
func TestSystemErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	missing := filepath.Join(dir, "none")
	_, noFile := os.ReadFile(missing)
	_, folder := os.ReadFile(dir)
	var doc struct{ A int }
	_, number := strconv.Atoi("x")
	refused := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1},
		Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	for want, err := range map[string]error{
		missing + ": file o cartella inesistente":             noFile,
		dir + ": è una cartella":                              folder,
		"JSON non valido al byte 2":                           json.Unmarshal([]byte("["+"}"), &doc),
		"finisce troppo presto":                               json.Unmarshal([]byte("{"), &doc),
		`A: è atteso un valore di altro tipo, non string`:     json.Unmarshal([]byte(`{"A":"x"}`), &doc),
		`"x" non è un numero`:                                 number,
		"127.0.0.1:1: connessione rifiutata":                  refused,
		"x.invalid: host inesistente":                         &net.DNSError{Name: "x.invalid", IsNotFound: true},
		"nessuna risposta in tempo":                           context.DeadlineExceeded,
		"no: " + missing + ": file o cartella inesistente":    Wrap(mime.Text{English: "no"}, noFile),
		"outer: " + missing + ": file o cartella inesistente": fmt.Errorf("outer: %w", noFile),
		missing + ": file o cartella inesistente\ninterrotto": errors.Join(noFile, context.Canceled),
		"outer: 127.0.0.1:1: connessione rifiutata":           fmt.Errorf("outer: %w", refused),
	} {
		if err == nil {
			t.Fatalf("no error: %s", want)
		}
		if got := In(err, "it_IT.UTF-8"); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
		if got := In(err, "en"); got != err.Error() {
			t.Errorf("in English: %q, want %q", got, err)
		}
	}
}
