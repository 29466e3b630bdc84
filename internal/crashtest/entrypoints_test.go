//go:build unix

package crashtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/smtp"
	"os"
	"os/exec"
	"time"

	"github.com/postino-mail/postino/adapters"
)

// Entry points as the store names them.
const (
	entrySMTP     = "smtp"
	entryAPI      = "api"
	entrySendmail = "sendmail"
)

// entryPointOf takes one in six over HTTP, one in twenty by the sendmail command.
func entryPointOf(rng *rand.Rand) string {
	switch n := rng.IntN(60); {
	case n < 10:
		return entryAPI
	case n < 13:
		return entrySendmail
	}
	return entrySMTP
}

const rcpt = "anna@example.com"

var (
	errNoServer = errors.New("the server is down")
	errRefused  = errors.New("the API refuses")
)

// overSMTP submits in the session that is open, or opens one. After an error
// the session is over.
func (c *client) overSMTP(from string, raw []byte) (err error) {
	if c.conn == nil {
		if c.conn, err = smtp.Dial(c.node().smtp); err != nil {
			c.conn = nil
			return errNoServer
		}
	}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if err := c.conn.Mail(from); err != nil {
		return err
	}
	if err := c.conn.Rcpt(rcpt); err != nil {
		return err
	}
	w, err := c.conn.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(raw); err != nil {
		return err
	}
	return w.Close()
}

func (c *client) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// overHTTP repeats the request, mostly with its Idempotency-Key, until it has an
// answer, as programs do: the message must be there once all the same.
func (c *client) overHTTP(ctx context.Context, from, token string, raw []byte) error {
	key := token
	if c.again && c.rng.IntN(2) == 0 { // as programs do that know of no such key
		key = ""
	}
	for {
		status, answer, err := post(ctx, "http://"+c.node().http+"/v1/messages?rcpt="+rcpt+"&mail_from="+from, c.key, key, raw)
		switch {
		case err == nil && status == http.StatusAccepted:
			return nil
		case err == nil && status < 500 && status != http.StatusTooManyRequests:
			return fmt.Errorf("%w: %d %s", errRefused, status, answer)
		}
		c.repeats.Add(1)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func post(ctx context.Context, url string, secret adapters.Secret, key string, raw []byte) (status int, answer string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(raw))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Content-Type", "message/rfc822")
	r.Header.Set("Authorization", "Bearer "+secret.Reveal())
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	return resp.StatusCode, string(b), err
}

// bySendmail runs the command, which leaves the message in the maildrop while
// the server is down.
func (c *client) bySendmail(ctx context.Context, from string, raw []byte) error {
	n := c.node()
	cmd := exec.CommandContext(ctx, n.binary, "sendmail", "-i", "-f", from, rcpt)
	cmd.Env = append(os.Environ(), "POSTINO_SMTP="+n.smtp, "POSTINO_MAILDROP="+c.drop)
	cmd.Stdin = bytes.NewReader(raw)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("sendmail: %w: %.200s", err, out)
	}
	return nil
}
