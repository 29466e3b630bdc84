package differential

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/app"
	"github.com/postino-mail/postino/mime"
)

// A submission is a message on its way in.
type submission struct {
	key      string
	sample   int
	route    string
	entry    string
	raw      []byte   // as it is handed over, fields for the test included
	envelope []string // recipients, where the entry point is told of them
	err      error    // a refusal, when it says what is wrong
}

// sender is of the envelope, another for each: what has no Message-ID and comes
// again at once from the same sender is taken for the same message.
func (s *submission) sender() string { return s.key + "@diff.example" }

// Entry points: SMTP as the standard has it and as old devices speak it, the
// HTTP API, the sendmail command, the pickup folder, and `send --eml`.
const (
	overSMTP, overOldSMTP = "smtp", "old smtp"
	overHTTP              = "http"
	bySendmail            = "sendmail"
	byPickup              = "pickup"
	bySend                = "send"
)

func entries() []string {
	return []string{overSMTP, overOldSMTP, overHTTP, bySendmail, byPickup, bySend}
}

// fromHeader reports whether the entry point takes the recipients from the header.
func fromHeader(entry string) bool { return entry != overSMTP && entry != overOldSMTP }

// submit hands s over.
func (w *world) submit(ctx context.Context, s *submission) {
	switch s.entry {
	case overSMTP:
		s.err = w.smtp(ctx, w.at.SMTP[0], s)
	case overOldSMTP:
		s.err = w.smtp(ctx, w.at.SMTP[1], s)
	case overHTTP:
		s.err = w.http(ctx, s)
	case bySendmail:
		getenv := func(name string) string {
			return map[string]string{"POSTINO_SMTP": w.at.SMTP[1], "POSTINO_MAILDROP": filepath.Join(w.dir, "none"),
				"POSTINO_HOSTNAME": "host.diff.example"}[name]
		}
		s.err = said(app.Sendmail(ctx, app.SendmailOptions{Args: []string{"-t", "-i"}, Getenv: getenv, Stdin: bytes.NewReader(s.raw),
			Stdout: io.Discard}))
	case bySend:
		var out bytes.Buffer
		err := app.Send(ctx, app.SendOptions{ConnectionFile: w.files[s.route], EML: "-", CAFile: w.ca, Stdin: bytes.NewReader(s.raw),
			Stdout: &out})
		if s.err = said(err); app.Reported(err) {
			s.err = refusal{code: fmt.Sprint("exit ", app.ExitCode(err)), text: out.String()}
		}
	case byPickup:
		file := filepath.Join(w.dir, s.key)
		if s.err = os.WriteFile(file, s.raw, 0o600); s.err == nil {
			s.err = os.Rename(file, filepath.Join(w.pickup(), s.key+".eml"))
		}
	}
}

// pickedUp is what became of a file in the pickup folder.
func (w *world) pickedUp(key string) error {
	if _, err := os.Stat(filepath.Join(w.pickup(), "sent", key+".eml")); err == nil {
		return nil
	}
	reasons, err := filepath.Glob(filepath.Join(w.pickup(), "failed", key+"*.txt"))
	if err != nil || len(reasons) != 1 {
		return fmt.Errorf("it is neither in sent/ nor in failed/ with a reason: %q %w", reasons, err)
	}
	text, err := os.ReadFile(reasons[0])
	if err != nil {
		return err
	}
	return refusal{code: "failed", text: string(text)}
}

// said turns what the library refuses with into a refusal.
func said(err error) error {
	var m *mime.Error
	var a *adapters.Error
	switch {
	case errors.As(err, &m):
		return refusal{code: m.Code, text: m.Message.String()}
	case errors.As(err, &a) && a.Class == adapters.Permanent:
		return refusal{code: string(a.Code), text: a.Message.String()}
	case app.ExitCode(err) == app.ExitUsage || app.ExitCode(err) == app.ExitData:
		return refusal{code: fmt.Sprint("exit ", app.ExitCode(err)), text: err.Error()}
	}
	return err
}

func (w *world) http(ctx context.Context, s *submission) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+w.at.HTTP+"/v1/messages", bytes.NewReader(s.raw))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "message/rfc822")
	r.Header.Set("Authorization", "Bearer "+w.key.Reveal())
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode == http.StatusAccepted {
		return err
	}
	var p struct{ Code, Detail string }
	if err := json.Unmarshal(answer, &p); err != nil || resp.StatusCode >= 500 {
		return fmt.Errorf("HTTP %d: %.200s", resp.StatusCode, answer)
	}
	return refusal{code: p.Code, text: p.Detail}
}

// smtp speaks for itself: libraries put line ends right.
func (w *world) smtp(ctx context.Context, address string, s *submission) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	c := textproto.NewConn(conn)
	defer c.Close()
	if _, _, err := c.ReadResponse(220); err != nil {
		return err
	}
	commands := []string{"EHLO client.diff.example", "MAIL FROM:<" + s.sender() + "> BODY=8BITMIME SMTPUTF8"}
	for _, r := range s.envelope {
		commands = append(commands, "RCPT TO:<"+r+">")
	}
	for _, line := range commands {
		if err := c.PrintfLine("%s", line); err != nil {
			return err
		}
		if _, _, err := c.ReadResponse(25); err != nil {
			return replied(err)
		}
	}
	if err := c.PrintfLine("DATA"); err != nil {
		return err
	}
	if _, _, err := c.ReadResponse(354); err != nil {
		return replied(err)
	}
	if _, err := c.W.WriteString(stuffed(string(s.raw))); err != nil {
		return err
	}
	if err := c.W.Flush(); err != nil {
		return err
	}
	if _, _, err := c.ReadResponse(250); err != nil {
		return replied(err)
	}
	if err := c.PrintfLine("QUIT"); err != nil {
		return err
	}
	_, _, err = c.ReadResponse(221)
	return err
}

// stuffed is a message as DATA has it, with the line that ends it (RFC 5321 section 4.5.2).
func stuffed(raw string) string {
	var b strings.Builder
	for line := range strings.SplitAfterSeq(raw, "\n") {
		if strings.HasPrefix(line, ".") {
			b.WriteByte('.')
		}
		b.WriteString(line)
	}
	if !strings.HasSuffix(raw, "\r\n") {
		b.WriteString("\r\n")
	}
	b.WriteString(".\r\n")
	return b.String()
}

func replied(err error) error {
	var e *textproto.Error
	if errors.As(err, &e) && e.Code >= 500 {
		return refusal{code: fmt.Sprint(e.Code), text: e.Msg}
	}
	return err
}
