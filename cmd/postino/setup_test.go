//go:build linux

package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/graph"
)

// A dialogue is a command on a pseudo-terminal.
type dialogue struct {
	t      *testing.T
	master *os.File
	cancel context.CancelFunc
	code   chan int

	mu   sync.Mutex
	seen strings.Builder
	read int // how much of seen was expected already
}

func talk(t *testing.T, args ...string) *dialogue {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Skipf("there is no pseudo-terminal: %v", err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	d := listen(t, master, cancel)
	go func() {
		code := run(ctx, args, stdio{slave, slave, slave})
		d.code <- code
	}()
	t.Cleanup(func() {
		cancel()
		_ = slave.Close()
		_ = master.Close()
	})
	return d
}

// listen reads what a terminal shows.
func listen(t *testing.T, master *os.File, cancel context.CancelFunc) *dialogue {
	d := &dialogue{t: t, master: master, cancel: cancel, code: make(chan int, 1)}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			d.mu.Lock()
			d.seen.Write(buf[:n])
			d.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return d
}

func (d *dialogue) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.seen.String()
}

// answer waits for a question and types the answer.
func (d *dialogue) answer(question, answer string) {
	d.t.Helper()
	d.read = d.question(question)
	if _, err := d.master.WriteString(answer + "\n"); err != nil {
		d.t.Fatal(err)
	}
}

// question waits for one, and returns where what follows it begins.
func (d *dialogue) question(question string) int {
	d.t.Helper()
	for end := time.Now().Add(30 * time.Second); ; <-time.After(5 * time.Millisecond) {
		text := d.text()
		if i := strings.Index(text[d.read:], question); i >= 0 && strings.HasSuffix(strings.TrimRight(text, " "), ":") {
			return d.read + i + len(question)
		}
		if time.Now().After(end) {
			d.t.Fatalf("no question %q:\n%s", question, text)
		}
	}
}

// says reports whether a text comes: what was written last may still be on its way.
func (d *dialogue) says(text string) bool {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); <-time.After(5 * time.Millisecond) {
		if strings.Contains(d.text(), text) {
			return true
		}
	}
	return false
}

func (d *dialogue) end() int {
	d.t.Helper()
	select {
	case code := <-d.code:
		return code
	case <-time.After(60 * time.Second):
		d.t.Fatalf("it does not end:\n%s", d.text())
		return -1
	}
}

// From nothing to a verified connection and a delivered message: six questions and
// three pasted values, in Italian; the secret is not shown. Whoever breaks off
// leaves nothing behind.
func TestSetup(t *testing.T) {
	t.Parallel()
	s, _ := sandboxFiles(t, nil)
	const from = "erp@contoso.example"
	conn := graph.SettingsOf(s.GraphConnection(from))
	data := filepath.Join(t.TempDir(), "data")
	answers := filepath.Join(t.TempDir(), "answers.json")
	args := []string{"setup", "--answers", answers, "--ca-file", s.CAFile(), "--set", "graph.authority_url=" + conn.AuthorityURL, "--set",
		"graph.graph_url=" + conn.GraphURL}
	begin := func(more ...string) *dialogue {
		d := talk(t, append(args, more...)...)
		d.answer("Lingua / Language", "it")
		d.answer("Cartella dei dati", data)
		d.answer("Indirizzo che invia", from)
		d.answer("Provider", "graph")
		return d
	}
	d := begin()
	d.answer("Tenant", conn.Tenant)
	d.answer("Id dell'applicazione", conn.ClientID)
	d.cancel() // as Ctrl-C does
	if code := d.end(); code == 0 {
		t.Error("broken off, and exit 0")
	}
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Errorf("broken off, and %s is there: %v", data, err)
	}
	d = begin("--again")
	d.answer("Tenant", conn.Tenant)
	if _, err := d.master.WriteString("\x04"); err != nil { // end of input
		t.Fatal(err)
	}
	if code := d.end(); code == 0 || !d.says("nessuna connessione è stata salvata") {
		t.Errorf("ended, exit %d:\n%s", code, d.text())
	}

	d = begin("--again")
	d.answer("Tenant", conn.Tenant)
	d.answer("Id dell'applicazione", conn.ClientID)
	d.answer("Segreto", conn.ClientSecret.Reveal())
	d.answer("Indirizzo che riceve", "anna@example.com")
	d.answer("Nome del primo programma", "gestionale")
	if code := d.end(); code != 0 {
		t.Fatalf("exit %d:\n%s", code, d.text())
	}
	if strings.Contains(d.text(), conn.ClientSecret.Reveal()) {
		t.Error("the secret is on the screen")
	}
	if _, err := os.Stat(answers); !os.IsNotExist(err) {
		t.Errorf("it has ended, and its answers are there: %v", err)
	}
	if !d.says("pc_") || !d.says("postino serve") {
		t.Errorf("no client, or no word of what comes next:\n%s", d.text())
	}
	if strings.Contains(d.text(), "systemctl") {
		t.Error("the service, which has another folder")
	}
	if got := s.Deliveries(); len(got) != 1 || got[0].Recipients[0] != "anna@example.com" {
		t.Errorf("delivered: %+v", got)
	}
	code, out, errOut := command(t, "", "connection", "show", from, "--data", data)
	var shown struct {
		Provider adapters.Provider `json:"provider"`
		Default  string            `json:"default"`
	}
	if err := json.Unmarshal([]byte(out), &shown); err != nil || code != 0 || shown.Provider != adapters.Graph || shown.Default != "unrouted" {
		t.Errorf("%v, %s%s", err, out, errOut)
	}
	if strings.Contains(out, conn.ClientSecret.Reveal()) {
		t.Error("the secret is shown")
	}

	again := func(second string) *dialogue { // a second connection for the same address
		d := begin()
		d.answer("Tenant", conn.Tenant)
		d.answer("Id dell'applicazione", conn.ClientID)
		d.answer("Segreto", conn.ClientSecret.Reveal())
		d.answer("Indirizzo che riceve", "anna@example.com")
		d.answer("Nome del primo programma", "gestionale")
		d.answer("Salvarla lo stesso?", second)
		return d
	}
	if d := again("no"); d.end() == 0 || !d.says("invia già per "+from) {
		t.Errorf("a second connection:\n%s", d.text())
	}
	args = append(args, "--again")
	if d := again("sì"); d.end() != 0 || !d.says(`Il client "gestionale" c'era già`) {
		t.Errorf("a second connection:\n%s", d.text())
	}
}
