package presets

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postino-mail/postino/fallback"
)

func address(s Server) string {
	p := Proposal{Server: s}
	return p.Address()
}

func TestParseAutoconfig(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile(filepath.Join("testdata", "autoconfig.xml"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseAutoconfig(body, "anna@example.it")
	if err != nil {
		t.Fatal(err)
	}
	want := []autoconfigServer{
		{Server{"mail.example.it", 465, fallback.EncryptionTLS}, "anna@example.it", false},
		{Server{"smtp.example.it", 587, fallback.EncryptionSTARTTLS}, "anna", false},
		{Server{"relay.example.net", 2525, fallback.EncryptionSTARTTLS}, "", true},
	}
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("server %d: %+v, want %+v", i, got[i], want[i])
		}
	}
}

func TestParseAutoconfigRefuses(t *testing.T) {
	t.Parallel()
	const server = `<outgoingServer type="smtp"><hostname>%</hostname><port>465</port><socketType>SSL</socketType></outgoingServer>`
	for name, body := range map[string]string{
		"a page": `<!DOCTYPE html><html><body>not found</body></html>`,
		"an entity": `<!DOCTYPE c [<!ENTITY h SYSTEM "file:///etc/passwd">]><clientConfig><emailProvider>` +
			strings.Replace(server, "%", "&h;", 1),
		"cut":     `<clientConfig><emailProvider><outgoingServer type="smtp">`,
		"nothing": ``,
	} {
		if got, err := parseAutoconfig([]byte(body), "a@example.it"); err == nil && len(got) > 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "a b.it", "x.it/y", "-x.it", "", "x..it", "2130706433"} {
		body := "<clientConfig><emailProvider>" + strings.Replace(server, "%", host, 1) + "</emailProvider></clientConfig>"
		if got, err := parseAutoconfig([]byte(body), "a@example.it"); err != nil || len(got) > 0 {
			t.Errorf("host %q: %+v, %v", host, got, err)
		}
	}
}

func FuzzParseAutoconfig(f *testing.F) {
	body, err := os.ReadFile(filepath.Join("testdata", "autoconfig.xml"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add([]byte(`<clientConfig/>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		servers, err := parseAutoconfig(body, "anna@example.it")
		if err != nil && servers != nil {
			t.Error("servers beside an error")
		}
		if len(servers) > maxServers {
			t.Errorf("%d servers", len(servers))
		}
		for _, s := range servers {
			if !hostName(s.Host) || s.Port < 1 || s.Port > 65535 || s.Encryption == "" || strings.ContainsAny(s.login, "\r\n\x00") {
				t.Errorf("%+v", s)
			}
		}
	})
}

func FuzzParseTenant(f *testing.F) {
	f.Add([]byte(tenantDocument))
	f.Fuzz(func(t *testing.T, body []byte) {
		if id, _ := parseTenant(body); id != "" && (len(id) != 36 || strings.ToLower(id) != id) {
			t.Errorf("%q", id)
		}
	})
}
