package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/sandbox"
)

// interpreters run the blocks of docs/api.md by their language: extension, command.
var interpreters = map[string][2]string{"sh": {"sh", "sh -eu"}, "python": {"py", "python3"}, "php": {"php", "php"}, "js": {"js", "node"}}

// block is one of a page, with its language.
var block = regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$")

// The examples of docs/api.md work as printed: they send through a server to the
// sandbox, and their check of a webhook's signature takes a genuine one alone.
func TestAPIExamples(t *testing.T) {
	t.Parallel()
	if os.Getenv("POSTINO_PEERS") == "" {
		t.Skip("needs curl, python3, php and node: set POSTINO_PEERS=1")
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "api.md"))
	if err != nil {
		t.Fatal(err)
	}
	pdf, err := os.ReadFile(filepath.Join("..", "..", "testdata", "demo", "fattura.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("fattura.pdf", string(pdf))
	write("message.eml", "From: erp@contoso.it\r\nTo: anna@example.com\r\nSubject: eml\r\n\r\nIn allegato.\r\n")
	s, connection := sandboxFiles(t, map[string]func(*sandbox.Sandbox) *adapters.Connection{
		"smtp": func(s *sandbox.Sandbox) *adapters.Connection { return s.SMTPConnection("erp@contoso.it") }})
	shell := newShell(t, dir)
	if out, err := shell("postino connection add --file " + connection("smtp")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	address := serveIn(t, shell("exec postino serve --smtp 127.0.0.1:0 --http 127.0.0.1:0"))
	env := []string{"MAIL_API=http://" + address}
	run := func(line string) string {
		c := shell(line)
		c.Env = append(c.Env, env...)
		out, err := c.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
		return string(out)
	}
	for _, line := range examples(string(page)) {
		if out := run(strings.ReplaceAll(line, "pk_…", "x")); strings.Contains(line, "key add") {
			env = append(env, "MAIL_KEY="+regexp.MustCompile(`\bpk_[0-9a-z]{20,}`).FindString(out))
		}
	}
	ran, checked := map[string]int{}, map[string]bool{}
	for _, m := range block.FindAllStringSubmatch(string(page), -1) {
		with, ok := interpreters[m[1]]
		if !ok {
			continue
		}
		if strings.Contains(m[2], "genuine(") {
			checked[m[1]] = checkGenuine(t, run, write, with, m[2])
			continue
		}
		write("example."+with[0], m[2])
		out := run(with[1] + " example." + with[0])
		if m[1] != "sh" && !strings.Contains(out, "example.com") {
			t.Errorf("%s says: %s", m[1], out)
		}
		ran[m[1]]++
	}
	if ran["sh"] != 5 || ran["python"] != 1 || ran["php"] != 1 || ran["js"] != 1 || len(checked) != 3 {
		t.Errorf("ran %v, checked %v", ran, checked)
	}
	for end := time.Now().Add(20 * time.Second); len(s.Deliveries()) < 6 && time.Now().Before(end); {
		<-time.After(50 * time.Millisecond)
	}
	subjects := ""
	for _, d := range s.Deliveries() {
		subjects += d.Subject + "\n"
	}
	for _, want := range []string{"Fattura 42", "Fattura 43", "eml", "Fattura 44", "Ordine 45", "Fattura 46"} {
		if strings.Count(subjects, want+"\n") != 1 {
			t.Errorf("%s did not arrive once: %q", want, subjects)
		}
	}
}

// checkGenuine runs the function of a block on a genuine call and on forged ones.
func checkGenuine(t *testing.T, run func(string) string, write func(name, text string), with [2]string, code string) bool {
	t.Helper()
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	signer, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	body, now := `{"type":"delivery.failed","perché":1}`, time.Now()
	for _, c := range []struct {
		signedAt time.Time
		signed   string
		want     string
	}{{now, body, "true"}, {now, body + " ", "false"}, {now.Add(-time.Hour), body, "false"}} {
		signature, err := signer.Sign("msg_1", c.signedAt, []byte(c.signed))
		if err != nil {
			t.Fatal(err)
		}
		calls := map[string]string{
			"py": "import json\nd = json.load(open('call.json'))\n" +
				"print(str(genuine(d['secret'], d['headers'], d['body'].encode())).lower())\n",
			"php": "$d = json_decode(file_get_contents('call.json'), true);\n" +
				"echo json_encode(genuine($d['secret'], $d['headers'], $d['body'])), \"\\n\";\n",
			"js": "const d = JSON.parse(require('node:fs').readFileSync('call.json'));\nconsole.log(genuine(d.secret, d.headers, d.body));\n",
		}
		call, err := json.Marshal(map[string]any{"secret": secret, "body": body, "headers": map[string]string{"webhook-id": "msg_1",
			"webhook-timestamp": strconv.FormatInt(c.signedAt.Unix(), 10), "webhook-signature": "v1,eA== " + signature}})
		if err != nil {
			t.Fatal(err)
		}
		write("call.json", string(call))
		write("genuine."+with[0], code+calls[with[0]])
		if out := strings.TrimSpace(run(with[1] + " genuine." + with[0])); out != c.want {
			t.Errorf("%s: signed at %s over %q: %s, want %s", with[1], c.signedAt, c.signed, out, c.want)
			return false
		}
	}
	return true
}
