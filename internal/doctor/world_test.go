package doctor_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/all"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/adapters/stages"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/doctor"
	"github.com/postino-mail/postino/internal/gateway"
)

const from = "erp@contoso.example"

// start starts a sandbox that ends with the test.
func start(t *testing.T) *sandbox.Sandbox {
	t.Helper()
	sb, err := sandbox.Start(sandbox.Options{AnyMailbox: true, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	return sb
}

// newDoctor makes a doctor that trusts the sandbox and does not wait.
func newDoctor(sb *sandbox.Sandbox) *doctor.Doctor { return doctorWith(sb, nil) }

// doctorWith makes one with an HTTP client, which spares the handshakes; nil: one for each test.
func doctorWith(sb *sandbox.Sandbox, client *http.Client) *doctor.Doctor {
	const wait = 3 * time.Second
	return doctor.New(doctor.Options{Follow: 200 * time.Millisecond,
		Pause: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		Sender: func() doctor.Sender {
			return all.New(all.Options{HTTPClient: client, RootCAs: sb.CertPool(), SMTP: fallback.Options{
				Timeouts: fallback.Timeouts{Dial: wait, TLS: wait, Greeting: wait, Command: wait, Quit: wait}}})
		}})
}

// run tests a connection, and checks that what was reported is what was returned.
func run(t *testing.T, d *doctor.Doctor, test doctor.Test) doctor.Result {
	t.Helper()
	var seen []stages.Stage
	res := d.Connection(t.Context(), test, func(s stages.Stage) { seen = append(seen, s) })
	if len(seen) != len(res.Stages) {
		t.Errorf("reported %d stages and returned %d", len(seen), len(res.Stages))
	}
	return res
}

// find returns a stage; one without a name when there is none.
func find(res doctor.Result, n stages.Name) stages.Stage {
	for _, s := range res.Stages {
		if s.Name == n {
			return s
		}
	}
	return stages.Stage{}
}

// shown is a result in one line: name=status.
func shown(res doctor.Result) string {
	var b strings.Builder
	for _, s := range res.Stages {
		b.WriteString(string(s.Name) + "=" + string(s.Status) + " ")
	}
	return strings.TrimSpace(b.String())
}

func stored(c *adapters.Connection) *gateway.Connection { return &gateway.Connection{Connection: *c} }

// wantWords checks that all alternatives, separated by "|", stand in the text.
func wantWords(t *testing.T, text, words string) {
	t.Helper()
	for w := range strings.SplitSeq(words, "|") {
		if !strings.Contains(text, w) {
			t.Errorf("%q lacks %q", text, w)
		}
	}
}
