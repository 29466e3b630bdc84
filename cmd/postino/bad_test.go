package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/internal/app"
)

// TestSendBadInput: what is wrong in a flag or a message ends with its exit
// code and a sentence in the asked language; nothing is sent, no spool file is
// left. Not parallel: the temporary folder is the process's.
func TestSendBadInput(t *testing.T) {
	const from = "erp@contoso.it"
	s, file := sandboxFiles(t, map[string]func(*sandbox.Sandbox) *adapters.Connection{
		"graph": func(s *sandbox.Sandbox) *adapters.Connection { return s.GraphConnection(from) },
		"gmail": func(s *sandbox.Sandbox) *adapters.Connection { return s.GmailConnection(from) },
		"smtp":  func(s *sandbox.Sandbox) *adapters.Connection { return s.SMTPConnection(from) },
	})
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	large := strings.Repeat("spooled to a file because it is large\n", 50_000)

	base := []string{"--from", from, "--to", "a@x.it", "--subject", "s", "--text", "x"}
	injections := map[string][]string{}
	for _, flag := range []string{"--from", "--to", "--cc", "--bcc", "--reply-to", "--subject", "--header", "--unsubscribe", "--inline",
		"--rcpt", "--mail-from"} {
		for name, evil := range map[string]string{"CRLF": "\r\nBcc: evil@example.com", "LF": "\nBcc: evil@example.com",
			"CR": "\rBcc: evil@example.com", "NUL": "\x00"} {
			value := map[string]string{"--subject": "s", "--header": "X-A: b", "--unsubscribe": "https://x.it/u", "--inline": "cid" + evil +
				"=main.go"}[flag]
			if value == "" {
				value = "b@x.it"
			}
			if flag != "--inline" {
				value += evil
			}
			args := append(slices.Clone(base), flag, value)
			if i := slices.Index(base, flag); i >= 0 && flag != "--to" {
				args = slices.Clone(base)
				args[i+1] = value
			}
			injections[flag+" "+name] = args
		}
	}
	injections["name of --header"] = append(slices.Clone(base), "--header", "X-A\r\nBcc: evil@example.com")
	injections["display name"] = append(slices.Clone(base), "--cc", "Anna\r\nBcc: evil@example.com <anna@x.it>")
	injections["encoded display name"] = append(slices.Clone(base), "--cc", "=?utf-8?q?Anna=0D=0ABcc:_evil@example.com?= <anna@x.it>")
	injections["structural field"] = append(slices.Clone(base), "--header", "Content-Type: text/html")
	injections["Bcc as custom header"] = append(slices.Clone(base), "--header", "Bcc: evil@example.com")
	injections["file name"] = append(slices.Clone(base), "--attach", evilFile(t))

	nested := "From: erp@contoso.it\nTo: a@x.it\nMIME-Version: 1.0\n"
	for i := range 1000 {
		nested += fmt.Sprintf("Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	many := "From: erp@contoso.it\nTo: a@x.it\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n" +
		strings.Repeat("--b\nContent-Type: text/plain\n\nx\n", 2000) + "--b--\n"
	var rcpts []string
	for i := range 9_998 { // with From and a@x.it the 10,000 addresses that a header may have
		rcpts = append(rcpts, fmt.Sprintf("u%d@x.it", i))
	}
	messages := map[string]string{
		"no From": "To: a@x.it\n\nx\n", "empty": "", "two From": "From: erp@contoso.it, erp2@contoso.it\nTo: a@x.it\n\nx\n",
		"two From fields":      "From: erp@contoso.it\nFrom: erp2@contoso.it\nTo: a@x.it\n\nx\n",
		"NUL in the header":    "From: erp@contoso.it\nTo: a@x.it\nSubject: a\x00b\n\nx\n",
		"NUL in the body":      "From: erp@contoso.it\nTo: a@x.it\n\n" + large + "\x00\n",
		"unreadable recipient": "From: erp@contoso.it\nTo: a@x.it, <b@\n\nx\n",
		"1,000 nested parts":   nested, "2,000 parts": many,
	}
	for _, conn := range []string{"graph", "gmail", "smtp"} {
		check := func(name, stdin string, codes []int, args ...string) {
			t.Run(conn+"/"+name, func(t *testing.T) {
				before := len(s.Deliveries())
				code, out, errOut := command(t, stdin, append([]string{"--lang", "it", "send", "--connection-file", file(conn), "--ca-file",
					s.CAFile()}, args...)...)
				if !slices.Contains(codes, code) || strings.TrimSpace(out+errOut) == "" {
					t.Errorf("exit %d, want one of %v: %.300s%.300s", code, codes, out, errOut)
				}
				for _, d := range s.Deliveries()[before:] {
					if code != 0 && code != app.ExitTempFail || slices.Contains(d.Recipients, "evil@example.com") {
						t.Errorf("exit %d, and %v got it", code, d.Recipients)
					}
				}
				if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
					t.Errorf("left in the temporary folder: %v, %v", left, err)
				}
			})
		}
		for name, args := range injections {
			check(name, "", []int{app.ExitUsage, app.ExitData, app.ExitNoInput}, args...)
		}
		for name, raw := range messages {
			// What is only deep may pass: no server between here and the reader need look inside.
			codes := []int{app.ExitData}
			if strings.Contains(name, "parts") {
				codes = []int{0, app.ExitData}
			}
			check(name, raw, codes, "--eml", "-")
		}
		many, code := rcpts, app.ExitUnavailable
		if conn == "smtp" {
			many, code = rcpts[:999], 0 // the server takes 100 in one transaction, the others follow in ten
		}
		check("too many recipients for one", "From: erp@contoso.it\nTo: a@x.it,\n "+strings.Join(many, ",\n ")+"\n\nx\n", []int{code}, "--eml",
			"-")
		check("10,000 recipients", "From: erp@contoso.it\nTo: a@x.it, b@x.it,\n "+strings.Join(rcpts, ",\n ")+"\n\nx\n", []int{app.ExitData},
			"--eml", "-")
	}
}

// evilFile is a file with a name that would break a header, where the system allows such names.
func evilFile(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "a\r\nBcc: evil@example.com")
	if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
		t.Skipf("no such file name here: %v", err)
	}
	return name
}
