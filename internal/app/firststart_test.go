package app

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postino-mail/postino/internal/config"
	"github.com/postino-mail/postino/internal/store/sqlite"
)

// serveOnce starts a server on the data folder, has work done with its addresses, and
// ends it.
func serveOnce(t *testing.T, data string, log *string, work func(Addresses)) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out := &serverLog{fresh: make(chan struct{})}
	err := Serve(ctx, ServeOptions{Data: data, SMTP: []string{"127.0.0.1:0"}, HTTP: "127.0.0.1:0", Stderr: out,
		Getenv: func(string) string { return "" },
		Ready: func(a Addresses) {
			go func() { defer stop(); work(a) }()
		}})
	if err != nil {
		t.Errorf("the server ended badly: %v", err)
	}
	*log += out.String()
}

// accept uses a link of the first start by the API, and returns the status.
func accept(t *testing.T, at Addresses, link, email string) int {
	t.Helper()
	_, token, _ := strings.Cut(link, "/setup/")
	body, err := json.Marshal(map[string]string{"token": token, "email": email, "password": "quattro parole a caso"})
	if err != nil {
		t.Error(err)
		return 0
	}
	res, err := http.Post("http://"+at.HTTP+"/v1/invitations/accept", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0
	}
	_ = res.Body.Close() // its status is all that is asked
	return res.StatusCode
}

// A store without people makes a link at each start, good once; earlier ones are
// void, and no link is in the log. Commands print links to the same server.
func TestFirstStart(t *testing.T) {
	t.Parallel()
	data, log := filepath.Join(t.TempDir(), "data"), ""
	var old string
	serveOnce(t, data, &log, func(a Addresses) {
		if a.FirstStart == nil || !strings.HasPrefix(a.FirstStart.URL, "http://"+a.HTTP+"/setup/pi_") {
			t.Errorf("the first start: %+v", a.FirstStart)
			return
		}
		old = a.FirstStart.URL
	})
	var base string
	serveOnce(t, data, &log, func(a Addresses) {
		base = "http://" + a.HTTP
		if a.FirstStart == nil || a.FirstStart.URL == old {
			t.Errorf("the second start: %+v", a.FirstStart)
			return
		}
		for _, c := range []struct {
			link, email string
			want        int
		}{
			{old, "eve@contoso.it", http.StatusGone},
			{a.FirstStart.URL, "anna@contoso.it", http.StatusOK},
			{a.FirstStart.URL, "eve@contoso.it", http.StatusGone},
		} {
			if got := accept(t, a, c.link, c.email); got != c.want {
				t.Errorf("%s: status %d, want %d", c.email, got, c.want)
			}
		}
	})
	var out bytes.Buffer
	k := PeopleCommands{Storage: Storage{Data: data}, Language: "en", Stdout: &out}
	if err := k.Invite(t.Context(), "anna@contoso.it"); err != nil || !strings.Contains(out.String(), base+"/setup/pi_") {
		t.Errorf("the invitation leads elsewhere than to %s: %v\n%s", base, err, out.String())
	}
	serveOnce(t, data, &log, func(a Addresses) {
		if a.FirstStart != nil {
			t.Error("a link for the first person, and there is one")
		}
	})
	if strings.Contains(log, "pi_") {
		t.Errorf("a link is in the log:\n%s", log)
	}
}

// The link leads to where browsers reach the server.
func TestPageURL(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		http config.HTTP
		at   string
		want string
	}{
		{config.HTTP{}, "127.0.0.1:8025", "http://127.0.0.1:8025"},
		{config.HTTP{CertFile: "c.pem"}, "192.0.2.1:443", "https://192.0.2.1:443"},
		{config.HTTP{}, "[::1]:8025", "http://[::1]:8025"},
		{config.HTTP{CertFile: "c.pem"}, "[::]:8025", "https://mail.contoso.it:8025"},
		{config.HTTP{}, "0.0.0.0:80", "http://mail.contoso.it:80"},
		{config.HTTP{PublicURL: "https://posta.contoso.it"}, "127.0.0.1:8025", "https://posta.contoso.it"},
		{config.HTTP{}, "", ""},
	} {
		s := &server{conf: config.Config{Hostname: "mail.contoso.it", HTTP: c.http}}
		if got := s.pageURL(c.at); got != c.want {
			t.Errorf("%+v at %q: %q, want %q", c.http, c.at, got, c.want)
		}
	}
}

// What was noted is returned, and nothing before the first start.
func TestPageURLIsNoted(t *testing.T) {
	t.Parallel()
	st, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for _, base := range []string{"", "https://a.example", "https://a.example", "https://b.example"} {
		if base != "" {
			if err := notePageURL(t.Context(), st, base); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := notedPageURL(t.Context(), st); err != nil || got != base {
			t.Errorf("%q, %v, want %q", got, err, base)
		}
	}
}
