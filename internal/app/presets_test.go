package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
)

// unreachable is a network that answers nothing.
type unreachable struct{}

var errUnreachable = errors.New("the network is unreachable")

func (unreachable) LookupMX(context.Context, string) ([]*net.MX, error) { return nil, errUnreachable }

func (unreachable) LookupSRV(context.Context, string, string, string) (string, []*net.SRV, error) {
	return "", nil, errUnreachable
}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) { return nil, errUnreachable }

func TestPresetCommands(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		json bool
		lang string
		run  func(k PresetCommands) error
		want []string
		code int
	}{
		{name: "all", run: func(k PresetCommands) error { return k.List("") },
			want: []string{"NAME", "aruba-pec", "smtps.pec.aruba.it:465 tls", "microsoft365 ", "graph API"}},
		{name: "all as JSON", json: true, run: func(k PresetCommands) error { return k.List("") }, want: []string{`"name": "sendgrid"`}},
		{name: "one in Italian", lang: "it", run: func(k PresetCommands) error { return k.List("INFOCERT") },
			want: []string{"Legalmail", "6 al minuto", "Ccn", "letto il 2026-11-30"}},
		{name: "none", run: func(k PresetCommands) error { return k.List("nowhere") }, want: []string{`"nowhere"`}, code: ExitUsage},
		{name: "detect", lang: "it", run: func(k PresetCommands) error { return k.Detect(t.Context(), "studio@pec.it") },
			want: []string{"Nessuna ricerca ha avuto risposta", "1. PEC Aruba (aruba-pec): smtps.pec.aruba.it:465 tls", "login: studio@pec.it"}},
		{name: "detect as JSON", json: true, run: func(k PresetCommands) error { return k.Detect(t.Context(), "anna@gmail.com") },
			want: []string{`"offline": true`, `"rank": 1`, `"host": "smtp.gmail.com"`}},
		{name: "detect nothing", run: func(k PresetCommands) error { return k.Detect(t.Context(), "erp@contoso.it") },
			want: []string{"Nothing is known of contoso.it"}},
		{name: "no address", run: func(k PresetCommands) error { return k.Detect(t.Context(), "contoso.it") },
			want: []string{"contoso.it"}, code: ExitUsage},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			err := c.run(PresetCommands{JSON: c.json, Language: c.lang, Stdout: &out, Resolver: unreachable{},
				Client: &http.Client{Transport: unreachable{}}})
			if ExitCode(err) != c.code {
				t.Errorf("exit %d, want %d: %v", ExitCode(err), c.code, err)
			}
			shown := out.String()
			if err != nil {
				shown += FailureOf(err, c.lang).String()
			}
			for _, w := range c.want {
				if !strings.Contains(shown, w) {
					t.Errorf("no %q in\n%s", w, shown)
				}
			}
			if c.json && !json.Valid(out.Bytes()) {
				t.Error("no JSON")
			}
		})
	}
}
