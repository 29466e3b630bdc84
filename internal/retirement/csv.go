package retirement

import (
	"errors"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/internal/table"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// maxBefore is how many rows stand above the names of the columns, such as a title.
const maxBefore = 20

// ReadCSV reads the SMTP settings of other programs from a table as spreadsheets
// and ERPs export it: separated by ; , tab or |; in UTF-8, UTF-16 or
// Windows-1252; with the names of its columns in Italian or English. Passwords
// are looked at for their form alone and kept nowhere. The error names what is
// missing.
func ReadCSV(r io.Reader) ([]Settings, error) {
	text, err := table.Read(r)
	if err != nil {
		return nil, err
	}
	return readTable(text)
}

func readTable(text string) ([]Settings, error) {
	r := table.NewReader(text)
	var columns map[field]int
	var out []Settings
	for rows := 0; ; rows++ {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, texterr.Wrap(mime.NewText("retirement.csv_unreadable", "the table cannot be read"), err)
		}
		if rows >= table.MostRows {
			return nil, texterr.New(mime.NewText("retirement.csv_too_long", "the table has more than {rows} rows", "rows", table.MostRows))
		}
		if columns == nil {
			if c := columnsOf(record); c != nil {
				columns = c
			} else if rows >= maxBefore {
				break
			}
			continue
		}
		if s, ok := row(columns, record); ok {
			s.Line = r.Line()
			out = append(out, s)
		}
	}
	if columns == nil {
		return nil, texterr.New(mime.NewText("retirement.csv_no_host",
			"no column of the table is the server: name it host, server or server SMTP, and the others port, encryption, login, password, from "+
				"(porta, crittografia, utente, password, mittente)"))
	}
	return out, nil
}

// A field is what a column holds.
type field int

const (
	fieldName field = iota
	fieldHost
	fieldPort
	fieldEncryption
	fieldLogin
	fieldPassword
	fieldFrom
	fieldAuth
)

// words are those by which the names of columns are known, in the order in which
// they are tried: "porta del server" is a port and "utente SMTP" a login.
func words() []struct {
	is    field
	words []string
} {
	return []struct {
		is    field
		words []string
	}{
		{fieldPassword, []string{"password", "pwd", "pass", "passwd", "parola", "secret", "segreto"}},
		{fieldPort, []string{"port", "porta", "porte"}},
		{fieldAuth, []string{"auth", "authentication", "autenticazione", "autenticaz", "authmethod", "authtype"}},
		{fieldEncryption, []string{"encryption", "crittografia", "cifratura", "crittografata", "security", "sicurezza", "ssl", "tls", "starttls",
			"secure", "sicura", "protocol", "protocollo", "enablessl", "usessl"}},
		{fieldLogin, []string{"login", "user", "username", "utente", "userid", "account", "credenziale", "smtpuser"}},
		{fieldFrom, []string{"from", "mittente", "sender", "email", "mail", "posta", "casella", "mailbox", "indirizzo", "address", "pec"}},
		{fieldHost, []string{"host", "server", "hostname", "smtp", "smtpserver", "smtphost", "mailserver", "relay", "smarthost"}},
		{fieldName, []string{"name", "nome", "azienda", "company", "ditta", "societa", "descrizione", "description", "profilo", "profile",
			"program", "programma", "application", "applicazione", "modulo", "module", "device", "dispositivo", "stampante", "id", "codice"}},
	}
}

// columnsOf reads the names of the columns; nil: the row has none.
func columnsOf(record []string) map[field]int {
	out := map[field]int{}
	for i, cell := range record {
		tokens := wordsOf(cell)
		if len(tokens) == 0 || len(tokens) > 8 {
			continue
		}
		is, ok := fieldOf(tokens)
		if _, taken := out[is]; ok && !taken {
			out[is] = i
		}
	}
	if _, ok := out[fieldHost]; !ok || len(out) < 2 && len(record) > 1 {
		return nil
	}
	return out
}

func fieldOf(tokens []string) (field, bool) {
	has := func(list ...string) bool {
		return slices.ContainsFunc(tokens, func(t string) bool { return slices.Contains(list, t) })
	}
	if has("server", "host", "hostname") && !has("port", "porta", "user", "utente", "password", "login", "username") {
		return fieldHost, true // "indirizzo del server", "mail server", "server posta in uscita"
	}
	for _, w := range words() {
		if has(w.words...) {
			return w.is, true
		}
	}
	return 0, false
}

// wordsOf is table.Words, with "e-mail" as one word.
func wordsOf(cell string) []string {
	out := table.Words(cell)
	if len(out) >= 2 && out[0] == "e" && out[1] == "mail" {
		out = append([]string{"email"}, out[2:]...)
	}
	return out
}

// row reads one row; false: it is empty.
func row(columns map[field]int, record []string) (Settings, bool) {
	get := func(f field) string {
		i, ok := columns[f]
		if !ok || i >= len(record) {
			return ""
		}
		v := strings.TrimSpace(record[i])
		if n := []rune(v); len(n) > 320 { // longer than any address or host
			v = string(n[:320])
		}
		return v
	}
	if strings.TrimSpace(strings.Join(record, "")) == "" {
		return Settings{}, false
	}
	s := Settings{Name: get(fieldName), Login: get(fieldLogin), From: get(fieldFrom), Encryption: encryption(get(fieldEncryption))}
	s.Host, s.Port, s.Path = hostOf(get(fieldHost))
	if p, err := strconv.Atoi(strings.TrimSuffix(get(fieldPort), ".0")); err == nil && p > 0 && p <= 65535 {
		s.Port = p
	}
	if s.Host != "" || s.Login != "" {
		s.Provider = "smtp"
	}
	_, hasPassword := columns[fieldPassword]
	password := get(fieldPassword)
	auth := strings.ToLower(get(fieldAuth))
	switch {
	case strings.Contains(auth, "oauth"), strings.Contains(auth, "modern"):
		s.Credential = CredentialOAuth
	case slices.Contains([]string{"none", "no", "nessuna", "nessuno", "false", "0", "anonymous", "anonima"}, auth),
		s.Login == "" && password == "":
		s.Credential = CredentialNone
	case hasPassword && appPassword(password):
		s.Credential = CredentialAppPassword
	default:
		s.Credential = CredentialPassword
	}
	if s.Name == "" {
		s.Name = s.From
	}
	if s.Name == "" {
		s.Name = s.Login
	}
	return s, s != Settings{Credential: CredentialNone}
}

// encryption reads what tables say of it.
func encryption(v string) string {
	v = strings.ToLower(strings.NewReplacer("-", "", "/", "", " ", "", "_", "").Replace(v))
	switch {
	case v == "":
		return ""
	case strings.Contains(v, "starttls"), v == "tls", v == "tls1.2", v == "explicit":
		return "starttls"
	case slices.Contains([]string{"none", "no", "nessuna", "nessuno", "false", "0", "n", "off", "plain"}, v):
		return "none"
	}
	return "tls" // SSL, SSL/TLS, implicit, yes
}

// hostOf reads a host as people enter it: with a port, as a URL.
func hostOf(v string) (host string, port int, path string) {
	v = strings.TrimSpace(strings.Trim(v, `"'<>`))
	if strings.Contains(v, "://") {
		u, err := url.Parse(v)
		if err != nil {
			return "", 0, ""
		}
		v, path = u.Host, u.Path
	} else if before, after, ok := strings.Cut(v, "/"); ok {
		v, path = before, "/"+after
	}
	if i := strings.LastIndexByte(v, ':'); i > 0 && strings.Count(v, ":") == 1 {
		if p, err := strconv.Atoi(v[i+1:]); err == nil && p > 0 && p <= 65535 {
			v, port = v[:i], p
		}
	}
	if strings.ContainsAny(v, " @\t") {
		return "", 0, ""
	}
	return asciiHost(v), port, path
}
