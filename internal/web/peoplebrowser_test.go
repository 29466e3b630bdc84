package web

import (
	"testing"
)

// People are added with and without script, and sign in and out.
func peopleFlow(t *testing.T, c *chrome) {
	withAndWithoutScript(t, func(t *testing.T, script bool) {
		w := newWorld(t)
		b := c.tabOf(t, w, nil)
		b.desk(script)
		b.open("/people")
		b.fill("Indirizzo email", testAdmin)
		b.fill("Password", testPassword)
		b.press("Accedi")
		b.sees("Persone", testOperator)
		b.press("Nuova persona")
		b.fill("Indirizzo email", "carla@contoso.it")
		b.fill("Ruolo", "Amministratore")
		b.press("Crea")
		b.sees("Questo link si vede solo ora")
		b.press("Esci")
		b.sees("Sei uscito.")
	})
}
