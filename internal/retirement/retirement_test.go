package retirement

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/gateway"
)

func now() time.Time { return time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC) }

// Every announcement is whole and dated, has a sentence in each language, and
// the row that it names exists.
func TestAnnouncements(t *testing.T) {
	t.Parallel()
	a, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	rows, err := os.ReadFile("../../docs/providers.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, x := range a.List {
		if x.ID == "" || seen[x.ID] || len(x.Hosts) == 0 || len(x.Credential) == 0 || x.Announced.IsZero() || x.Source == "" ||
			a.AsOf.IsZero() {
			t.Errorf("%+v is not whole", x)
		}
		seen[x.ID] = true
		if x.State != "ends" && x.State != "stays" || (x.State == "ends") == x.Date.IsZero() ||
			!slices.Contains([]string{"", "graph", "gmail"}, x.To) {
			t.Errorf("%s: state %q, date %v, to %q", x.ID, x.State, x.Date, x.To)
		}
		if r := reason(&x); r.Code == "retirement.other" || r.In("it") == r.In("en") {
			t.Errorf("%s has no sentence of its own: %q", x.ID, r.In("it"))
		}
		if x.Row != "" && !strings.Contains(string(rows), "| "+x.Row+" |") && !strings.Contains(string(rows), "## "+x.Row+".") {
			t.Errorf("%s: docs/providers.md has no row %s", x.ID, x.Row)
		}
	}
}

func TestAssess(t *testing.T) {
	t.Parallel()
	smtp := func(host, credential string) Settings {
		return Settings{Name: "x", Line: 2, Host: host, Credential: credential}
	}
	for _, c := range []struct {
		name string
		in   Settings
		at   time.Time
		want Verdict
		date string
		id   string
	}{
		{"Microsoft 365", smtp("smtp.office365.com", CredentialPassword), now(), Ends, "2026-12-31", "microsoft_smtp_password"},
		{"after its date", smtp("smtp.office365.com", CredentialPassword), now().AddDate(0, 2, 0), Ended, "2026-12-31",
			"microsoft_smtp_password"},
		{"legacy", smtp("smtp-legacy.office365.com", CredentialPassword), now(), Ends, "2026-12-31", "microsoft_smtp_password"},
		{"another name of it", smtp("outlook.office365.com", CredentialPassword), now(), Ends, "2026-12-31", "microsoft_smtp_password"},
		{"by token", smtp("smtp.office365.com", CredentialOAuth), now(), Stays, "", ""},
		{"HVE", smtp("smtp.hve.mx.microsoft", CredentialPassword), now(), Ends, "2028-09-30", "microsoft_hve_password"},
		{"HVE before", smtp("smtp-hve.office365.com", CredentialPassword), now(), Ends, "2028-09-30", "microsoft_hve_password"},
		{"EWS", Settings{Host: "outlook.office365.com", Path: "/EWS/Exchange.asmx", Credential: CredentialPassword}, now(), Ends, "2027-04-01",
			"microsoft_ews"},
		{"connector", smtp("contoso-it.mail.protection.outlook.com", CredentialNone), now(), Stays, "", "microsoft_direct_send"},
		{"Outlook.com", smtp("smtp-mail.outlook.com", CredentialPassword), now(), Ended, "2024-09-16", "outlook_consumer_password"},
		{"Gmail", smtp("smtp.gmail.com", CredentialPassword), now(), Ended, "2025-03-14", "google_account_password"},
		{"Gmail, app password", smtp("smtp.gmail.com", CredentialAppPassword), now(), Stays, "", "google_app_password"},
		{"Google relay", smtp("smtp-relay.gmail.com", CredentialNone), now(), Stays, "", "google_relay"},
		{"PEC", smtp("smtps.pec.aruba.it", CredentialPassword), now(), Stays, "", "pec_rem"},
		{"another", smtp("smtps.aruba.it", CredentialPassword), now(), Silent, "", ""},
		{"not the provider", smtp("smtp.office365.com.evil.example", CredentialPassword), now(), Silent, "", ""},
		{"nor this", smtp("notoffice365.com", CredentialPassword), now(), Silent, "", ""},
		{"no server", smtp("", CredentialPassword), now(), Check, "", ""},
	} {
		list, err := Assess(c.at, []Settings{c.in})
		if err != nil {
			t.Fatal(err)
		}
		f := list[0]
		date := ""
		if !f.Date.IsZero() {
			date = f.Date.Format(time.DateOnly)
		}
		if f.Verdict != c.want || date != c.date || f.Announcement != c.id || f.Reason.In("it") == f.Reason.In("en") {
			t.Errorf("%s: %s %s %s %q", c.name, f.Verdict, date, f.Announcement, f.Reason.In("it"))
		}
		if f.Verdict.Stops() != (len(f.Steps) > 0) {
			t.Errorf("%s: steps %v", c.name, f.Steps)
		}
	}
}

func TestConnections(t *testing.T) {
	t.Parallel()
	conn := func(name string, s *fallback.Settings) *gateway.Connection {
		return &gateway.Connection{Connection: adapters.Connection{ID: name, Name: name, Provider: adapters.SMTP, From: "a@x.it", Settings: s}}
	}
	list, err := Assess(now(), []Settings{
		OfConnection(&gateway.Connection{Connection: adapters.Connection{ID: "g", Name: "Graph", Provider: adapters.Graph, From: "a@x.it",
			Settings: &graph.Settings{}}}),
		OfConnection(conn("Ufficio", &fallback.Settings{Host: "SMTP.Office365.com.", Login: "a@x.it", Password: "segreto-1"})),
		OfConnection(conn("Google", &fallback.Settings{Host: "smtp.gmail.com", Login: "a@x.it", Password: "abcd efgh ijkl mnop"})),
		OfConnection(conn("Token", &fallback.Settings{Host: "smtp.office365.com", Login: "a@x.it", OAuth: &fallback.OAuth{}})),
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range list {
		got = append(got, f.Name+" "+string(f.Verdict))
		for _, s := range f.Steps {
			if s.In("it") == s.In("en") {
				t.Errorf("%q", s)
			}
		}
	}
	if want := []string{"Ufficio ends", "Graph stays", "Google stays", "Token stays"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if s := list[0].Steps; !strings.Contains(s[len(s)-1].String(), `postino connection migrate "Ufficio" --to graph`) {
		t.Errorf("%q", s)
	}
}

// Tables as programs export them.
func TestReadCSV(t *testing.T) {
	t.Parallel()
	const want = "Fatture|smtp.office365.com|587|starttls|erp@contoso.it|erp@contoso.it|password|2"
	utf16le := func(s string) string {
		out := []byte{0xff, 0xfe}
		for _, u := range utf16.Encode([]rune(s)) {
			out = append(out, byte(u), byte(u>>8))
		}
		return string(out)
	}
	windows := func(s string) string {
		out, err := charmap.Windows1252.NewEncoder().String(s)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	italian := "Società;Server SMTP;Porta;Crittografia;Nome utente;Password;Mittente\r\n" +
		"Fatture;smtp.office365.com;587;STARTTLS;erp@contoso.it;Segretissima1;erp@contoso.it\r\n"
	for _, c := range []struct{ name, in, want string }{
		{"Italian", italian, want},
		{"with a BOM", "\xef\xbb\xbf" + italian, want},
		{"UTF-16", utf16le(italian), want},
		{"UTF-16 without BOM", utf16le(italian)[2:], want},
		{"Windows", windows(italian), want},
		{"English", "name,host,port,encryption,login,password,from\nFatture,smtp.office365.com,587,TLS,erp@contoso.it,x,erp@contoso.it\n", want},
		{"in quotes", "\"name\",\"smtpHost\",\"smtpPort\",\"useSSL\",\"userName\",\"smtpPassword\",\"from_address\"\n" +
			"\"Fatture\",\"smtp.office365.com\",\"587\",\"starttls\",\"erp@contoso.it\",\"x\",\"erp@contoso.it\"\n", want},
		{"tabs", "Nome\tIndirizzo del server\tPorta del server\tTipo connessione sicura\tUtente SMTP\tE-mail\nFatture\tsmtp.office365.com\t587" +
			"\tstarttls\terp@contoso.it\terp@contoso.it\n", want},
		{"a host with its port", "descrizione|host|utente|mittente|sicurezza\n" +
			"Fatture|smtp.office365.com:587|erp@contoso.it|erp@contoso.it|tls\n", want},
		{"Excel", "sep=;\r\nNome;Server;Porta;SSL;Login;From\r\nFatture;smtp.office365.com;587;STARTTLS;erp@contoso.it;erp@contoso.it",
			strings.TrimSuffix(want, "2") + "3"},
		{"a title above", "Parametri SMTP;;;;\n\nNome;Server;Porta;TLS;Utente;Mittente\nFatture;smtp.office365.com;587;starttls;erp@contoso.it;" +
			"erp@contoso.it\n", strings.TrimSuffix(want, "2") + "4"},
		{"server posta in uscita", "Ditta;Server posta in uscita;Porta SMTP;Autenticazione;Utente;Casella\n" +
			"ACME;ssl://smtp.gmail.com:465;;No;;a@acme.it\n",
			"ACME|smtp.gmail.com|465|||a@acme.it|none|2"},
		{"EWS", "name;url server;user\nX;https://outlook.office365.com/EWS/Exchange.asmx;a@x.it\n",
			"X|outlook.office365.com|0||a@x.it||password|2"},
		{"app password", "server;utente;pwd\nsmtp.gmail.com;a@x.it;abcd efgh ijkl mnop\n",
			"a@x.it|smtp.gmail.com|0||a@x.it||app_password|2"},
		{"OAuth", "server;utente;auth\nsmtp.gmail.com;a@x.it;XOAUTH2\n", "a@x.it|smtp.gmail.com|0||a@x.it||oauth|2"},
		{"no header", "smtp.office365.com;587;a@x.it\n", "error"},
		{"empty", "", "error"},
	} {
		list, err := ReadCSV(strings.NewReader(c.in))
		got := "error"
		if err == nil && len(list) == 1 {
			s := list[0]
			port, line := "0", ""
			if s.Port > 0 {
				port = strings.TrimPrefix(s.Address(), s.Host+":")
			}
			line = string(rune('0' + s.Line))
			got = strings.Join([]string{s.Name, s.Host, port, s.Encryption, s.Login, s.From, s.Credential, line}, "|")
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q (%v, %+v)", c.name, got, c.want, err, list)
		}
	}
}

func FuzzReadCSV(f *testing.F) {
	f.Add([]byte("name;host;port\nx;smtp.office365.com;587\n"))
	f.Add([]byte("\xff\xfeh\x00o\x00s\x00t\x00;\x00"))
	f.Add([]byte("sep=,\nhost,login\n\"a\nb\",c"))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := ReadCSV(strings.NewReader(string(b)))
		if err != nil {
			return
		}
		for _, s := range list {
			if strings.ContainsAny(s.Host, " @\t") || s.Port < 0 || s.Port > 65535 || s.Line < 1 {
				t.Errorf("%+v", s)
			}
		}
		if _, err := Assess(now(), list); err != nil {
			t.Error(err)
		}
	})
}
