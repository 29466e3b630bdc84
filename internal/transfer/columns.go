package transfer

import (
	"reflect"
	"slices"
	"strings"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/all"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/table"
)

// A kind is how the cells of a column are written.
type kind uint8

const (
	kindText kind = iota
	kindNumber
	kindBool
	kindList
	kindOther // JSON
)

// sealedColumn has the secrets of a row, sealed.
const sealedColumn = "sealed"

// A column of a table is a setting of connections, by its path in their JSON.
type column struct {
	path   string
	kind   kind
	secret bool
	names  []string // by which it is known besides its path, Italian first
	always bool     // every export has it
}

// usual are the columns that every export has, in their order, with the names by
// which they are known in Italian and in short.
func usual() []column {
	return []column{
		{path: "name", names: []string{"nome"}}, {path: "provider", names: []string{"fornitore"}},
		{path: "from", names: []string{"mittente"}}, {path: "display_name", names: []string{"nome visualizzato"}},
		{path: "reply_to", names: []string{"rispondi a"}}, {path: "aliases", names: []string{"altri mittenti", "alias"}},
		{path: "active", names: []string{"attiva", "attivo"}}, {path: "default", names: []string{"predefinita"}},
		{path: "class", names: []string{"classe"}}, {path: "fallback", names: []string{"riserva", "riserve", "fallbacks"}},
		{path: "owner", names: []string{"proprietario"}},
		{path: "limits.per_minute", names: []string{"messaggi al minuto", "per minute"}},
		{path: "limits.recipients_per_day", names: []string{"destinatari al giorno", "recipients per day"}},
		{path: "limits.concurrency", names: []string{"invii contemporanei", "concurrency"}},
		{path: "secret_expires", names: []string{"scadenza del segreto", "scadenza segreto"}},
		{path: "smtp.host", names: []string{"server", "host"}}, {path: "smtp.port", names: []string{"porta", "port"}},
		{path: "smtp.encryption", names: []string{"crittografia", "encryption"}},
		{path: "smtp.login", names: []string{"utente", "login"}},
		{path: "smtp.auth", names: []string{"autenticazione", "auth", "authentication"}},
		{path: "graph.tenant", names: []string{"tenant"}}, {path: "graph.client_id", names: []string{"id applicazione", "client id"}},
		{path: "graph.mailbox", names: []string{"casella"}},
		{path: "graph.certificate_file", names: []string{"file del certificato", "certificate file"}},
		{path: "gmail.service_account_file", names: []string{"file della chiave", "key file"}},
		{path: "gmail.subject", names: []string{"casella google", "google mailbox"}},
	}
}

// secretNames are further names of columns of secrets.
func secretNames() map[string][]string {
	return map[string][]string{"smtp.password": {"password"}, "graph.client_secret": {"segreto applicazione", "client secret"},
		"gmail.service_account_json": {"chiave", "key"}, sealedColumn: {"segreti sigillati", "sigillati"}}
}

// columns are all that a table may have: the usual ones first, then every other
// setting by its path.
func columns() []column {
	kinds := map[string]column{}
	settingsOf(kinds, "", reflect.TypeFor[gateway.Connection]())
	for provider, settings := range all.Providers() {
		settingsOf(kinds, string(provider)+".", reflect.TypeOf(settings()).Elem())
	}
	for _, path := range []string{"id", "revision"} { // the store's own
		delete(kinds, path)
	}
	var out []column
	for _, c := range usual() {
		if known, ok := kinds[c.path]; ok {
			c.kind, c.secret, c.always = known.kind, known.secret, true
			out = append(out, c)
			delete(kinds, c.path)
		}
	}
	first := len(out)
	for _, c := range kinds {
		c.names = secretNames()[c.path]
		out = append(out, c)
	}
	slices.SortFunc(out[first:], func(a, b column) int { return strings.Compare(a.path, b.path) })
	return append(out, column{path: sealedColumn, names: secretNames()[sealedColumn]})
}

// settingsOf puts the settings of a struct into out, by their JSON paths.
func settingsOf(out map[string]column, prefix string, t reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		ft := f.Type
		if ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		c := column{path: prefix + name, secret: ft == reflect.TypeFor[adapters.Secret]()}
		switch {
		case f.Anonymous:
			settingsOf(out, prefix, ft)
			continue
		case name == "" || name == "-":
			continue
		case ft.Kind() == reflect.Struct:
			settingsOf(out, prefix+name+".", ft)
			continue
		case ft.Kind() == reflect.String:
			c.kind = kindText
		case ft.Kind() == reflect.Bool:
			c.kind = kindBool
		case ft.Kind() == reflect.Int || ft.Kind() == reflect.Int64:
			c.kind = kindNumber
		case ft == reflect.TypeFor[[]string]():
			c.kind = kindList
		default:
			c.kind = kindOther
		}
		out[c.path] = c
	}
}

// folded is the form in which names of columns are compared: "SMTP Host",
// "smtp.host" and "smtpHost" are one.
func folded(name string) string { return strings.Join(table.Words(name), " ") }

// byName are the columns by every name that they have.
func byName(columns []column) map[string]column {
	out := map[string]column{}
	for _, c := range columns {
		for _, name := range append([]string{c.path}, c.names...) {
			if _, taken := out[folded(name)]; !taken {
				out[folded(name)] = c
			}
		}
	}
	return out
}
