package web

import (
	"testing"

	"github.com/postino-mail/postino/mime"
)

// The page names a button in place of the command that does the same.
func TestInButtons(t *testing.T) {
	t.Parallel()
	buttons := inButtons(func(t mime.Text) string { return t.In("it") })
	for sentence, want := range map[string]string{
		"attivarla con 'postino connection enable'":                                   "attivarla con “Attiva”",
		"con 'postino queue list --state held', poi 'queue release' o 'queue cancel'": "con “In sospeso”, poi “Rilascia” o “Annulla”",
		"con 'postino connection edit L'Aquila' insieme a secret_expires":             "con “Connessioni” insieme a secret_expires",
		"avviare il server ('postino serve')":                                         "avviare il server ('postino serve')",
		"'postino connection migrate a --to b' la crea":                               "'postino connection migrate a --to b' la crea",
		"L'errore: 'a' e 'b'":                                                         "L'errore: 'a' e 'b'",
	} {
		if got := buttons(sentence); got != want {
			t.Errorf("%q becomes %q, want %q", sentence, got, want)
		}
	}
}
