//go:build linux

package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"

	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/adapters/sandbox"
)

// A setupStep is a question of setup, by a part of its words, with its answer.
type setupStep struct {
	question, answer string
	secret           bool
}

// A setupRun runs setup again and again on one file of answers.
type setupRun struct {
	t       *testing.T
	sandbox *sandbox.Sandbox
	args    []string
	steps   []setupStep
}

func newSetupRun(t *testing.T) *setupRun {
	t.Helper()
	s, _ := sandboxFiles(t, nil)
	const from = "erp@contoso.example"
	conn := graph.SettingsOf(s.GraphConnection(from))
	dir := t.TempDir()
	return &setupRun{t: t, sandbox: s, args: []string{"setup", "--answers", filepath.Join(dir, "answers.json"), "--ca-file", s.CAFile(),
		"--set", "graph.authority_url=" + conn.AuthorityURL, "--set", "graph.graph_url=" + conn.GraphURL},
		steps: []setupStep{{question: "Lingua / Language", answer: "it"}, {question: "Cartella dei dati", answer: filepath.Join(dir, "data")},
			{question: "Indirizzo che invia", answer: from}, {question: "Provider", answer: "graph"}, {question: "Tenant", answer: conn.Tenant},
			{question: "Id dell'applicazione", answer: conn.ClientID},
			{question: "Segreto", answer: conn.ClientSecret.Reveal(), secret: true},
			{question: "Indirizzo che riceve", answer: "anna@example.com"}, {question: "Nome del primo programma", answer: "gestionale"}}}
}

// go on answers what is asked from step n on, up to the question of step end, which
// it waits for. What was answered before is not asked again, a secret is.
func (r *setupRun) goOn(d *dialogue, n, end int) {
	r.t.Helper()
	if n > 0 {
		d.answer("Continuare", "1")
	}
	if n > 0 && n < len(r.steps)-1 { // before the client is asked for, the credential is tested again
		for i, s := range r.steps[:n] {
			if s.secret {
				n = min(n, i)
				r.answer(d, i)
				n = max(n, i+1)
			}
		}
	}
	for ; n < end; n++ {
		r.answer(d, n)
	}
	if end < len(r.steps) {
		d.question(r.steps[end].question)
	}
}

func (r *setupRun) answer(d *dialogue, n int) {
	r.t.Helper()
	d.answer(r.steps[n].question, r.steps[n].answer)
}

// done checks what a run that was broken off everywhere has made: one connection,
// one client, one message, and no answers that are left.
func (r *setupRun) done(d *dialogue) {
	r.t.Helper()
	if code := d.end(); code != 0 || !d.says("pc_") {
		r.t.Fatalf("exit %d:\n%s", code, d.text())
	}
	if got := r.sandbox.Deliveries(); len(got) != 1 || got[0].Recipients[0] != "anna@example.com" {
		r.t.Errorf("%d test messages", len(got))
	}
	for _, kind := range []string{"connection", "client"} {
		_, out, errOut := command(r.t, "", kind, "list", "--json", "--data", r.steps[1].answer)
		var all []json.RawMessage
		if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 1 {
			r.t.Errorf("%d of %s: %v %s", len(all), kind, err, errOut)
		}
	}
	if _, err := os.Stat(r.args[2]); !os.IsNotExist(err) {
		r.t.Errorf("the answers are still there: %v", err)
	}
}

// noSecret looks for the secret on the screen and among the answers.
func (r *setupRun) noSecret(d *dialogue) {
	r.t.Helper()
	kept, err := os.ReadFile(r.args[2])
	if err != nil && !os.IsNotExist(err) {
		r.t.Fatal(err)
	}
	for _, s := range r.steps {
		if s.secret && (strings.Contains(string(kept), s.answer) || strings.Contains(d.text(), s.answer)) {
			r.t.Errorf("the secret is shown or kept:\n%s\n%s", kept, d.text())
		}
	}
}

// Broken off by Ctrl-C at each question, setup goes on there.
func TestSetupGoesOn(t *testing.T) {
	t.Parallel()
	r := newSetupRun(t)
	for n := range r.steps {
		d := talk(t, r.args...)
		r.goOn(d, max(n-1, 0), n)
		d.cancel()
		if code := d.end(); code == 0 || n > 0 && !d.says("'postino setup' continua da lì") {
			t.Fatalf("broken off at question %d: exit %d\n%s", n, code, d.text())
		}
		r.noSecret(d)
	}
	d := talk(t, r.args...)
	n := len(r.steps) - 1
	r.goOn(d, 0, 0)
	d.answer("Continuare", "1")
	d.answer("Segreto", r.steps[6].answer)
	r.answer(d, n)
	r.done(d)
}

// TestSetupProcess is not a test but the program, for TestSetupKilled.
func TestSetupProcess(t *testing.T) {
	line := os.Getenv("POSTINO_TEST_SETUP")
	if line == "" {
		t.Skip("it is a process of TestSetupKilled")
	}
	var args []string
	if err := json.Unmarshal([]byte(line), &args); err != nil {
		t.Fatal(err)
	}
	os.Exit(run(context.Background(), args, stdio{os.Stdin, os.Stdout, os.Stderr}))
}

// ignoresHangup: the tests, and what they start, were started to outlive their terminal
// (nohup). Asked before a test that runs a server listens for the signal.
var ignoresHangup = signal.Ignored(syscall.SIGHUP)

// Killed, or left by its terminal, setup goes on where it was.
func TestSetupKilled(t *testing.T) {
	t.Parallel()
	r := newSetupRun(t)
	for i, n := range []int{1, 3, 6, 8} { // killed at the question n
		d, cmd := r.process()
		r.goOn(d, max([]int{0, 1, 3, 6}[i], 0), n)
		how := os.Kill
		if i%2 == 1 && !ignoresHangup {
			how = syscall.SIGHUP // the terminal is lost
		}
		if err := cmd.Process.Signal(how); err != nil {
			t.Fatal(err)
		}
		if code := d.end(); code == 0 {
			t.Errorf("killed, and exit 0")
		}
		r.noSecret(d)
	}
	d, _ := r.process()
	d.answer("Continuare", "1")
	d.answer("Segreto", r.steps[6].answer)
	r.answer(d, 8)
	r.done(d)
}

// process runs setup in a process of its own.
func (r *setupRun) process() (*dialogue, *exec.Cmd) {
	r.t.Helper()
	line, err := json.Marshal(r.args)
	if err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestSetupProcess$")
	cmd.Env = append(os.Environ(), "POSTINO_TEST_SETUP="+string(line))
	master, err := pty.Start(cmd)
	if err != nil {
		r.t.Skipf("there is no pseudo-terminal: %v", err)
	}
	d := listen(r.t, master, func() {})
	go func() {
		_ = cmd.Wait() // its exit code says how it ended
		d.code <- cmd.ProcessState.ExitCode()
	}()
	r.t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = master.Close()
	})
	return d, cmd
}

// Whoever does not want the answers of before begins again, and what was answered
// wrong is proposed, not taken, the next time.
func TestSetupBeginsAgain(t *testing.T) {
	t.Parallel()
	r := newSetupRun(t)
	d := talk(t, r.args...)
	r.goOn(d, 0, 4)
	d.cancel()
	d.end()
	d = talk(t, r.args...)
	d.answer("Continuare", "2")
	r.goOn(d, 0, 5)
	d.cancel()
	d.end()
	d = talk(t, append(slices.Clone(r.args), "--again")...)
	r.goOn(d, 0, 6)
	d.answer("Segreto", "wrong")
	d.answer("Indirizzo che riceve", "anna@example.com")
	d.answer("Correggere le risposte e riprovare?", "no")
	if code := d.end(); code == 0 || !d.says("non funziona ancora") {
		t.Errorf("exit %d:\n%s", code, d.text())
	}
	r.noSecret(d)
	d = talk(t, r.args...)
	d.answer("Continuare", "1")
	d.answer("Indirizzo che invia", "") // what stood there is proposed
	d.answer("Provider", "graph")
	for _, n := range []int{4, 5} {
		d.answer(r.steps[n].question, "")
	}
	r.answer(d, 6)
	d.answer("Indirizzo che riceve", "")
	r.answer(d, 8)
	r.done(d)
}
