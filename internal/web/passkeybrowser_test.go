package web

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/webauthn"
)

// newAuthenticator gives the tab a device with passkeys and an owner who always agrees
// (WebAuthn domain of the DevTools protocol).
func (b *tab) newAuthenticator() webauthn.AuthenticatorID {
	b.t.Helper()
	ask(b, webauthn.Enable, webauthn.EnableParams{})
	return ask(b, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal, HasResidentKey: true,
		HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true}}).AuthenticatorID
}

// signIn signs in by password.
func (b *tab) signIn(email string) {
	b.t.Helper()
	b.open("/login")
	b.fill("Indirizzo email", email)
	b.fill("Password", testPassword)
	b.press("Accedi")
	b.sees("Panoramica", email)
}

// A passkey is made, signs in, and is refused when its device lies; who signs out
// everywhere is signed out everywhere.
func passkeyFlow(t *testing.T, c *chrome) {
	w := newWorld(t)
	base := strings.Replace(w.http.URL, "127.0.0.1", "localhost", 1) // passkeys are for names
	w.public.Store(base)
	b := c.tab(t, base)
	b.desk(true)
	device := b.newAuthenticator()
	b.signIn(testAdmin)
	b.open("/settings")
	b.fill("Nome della passkey", "Portatile")
	b.fill("Password attuale", "")
	b.tap("Aggiungi una passkey") // without the present password
	b.until("the refusal is shown", func() bool { return eval[bool](b, `!document.querySelector('[data-passkey-error]').hidden`) })
	eval[bool](b, `document.getElementById('f-passkey_present').value = `+quoted(testPassword)+`, true`)
	b.tap("Aggiungi una passkey")
	b.sees("La passkey è stata aggiunta.", "Portatile", "Una passkey")
	b.check("settings with a passkey")
	b.shot("flow-passkey")
	b.press("Esci")
	b.sees("Sei uscito.")

	ask(b, webauthn.SetResponseOverrideBits, webauthn.SetResponseOverrideBitsParams{AuthenticatorID: device, IsBogusSignature: new(true)})
	b.tap("Accedi con una passkey")
	b.sees("Con questa passkey qui non si accede")
	ask(b, webauthn.SetResponseOverrideBits, webauthn.SetResponseOverrideBitsParams{AuthenticatorID: device})
	b.tap("Accedi con una passkey")
	b.sees("Panoramica", testAdmin)

	other := c.tab(t, base)
	other.desk(true)
	other.signIn(testAdmin)
	b.open("/settings")
	b.press("Disconnetti ovunque")
	b.sees("Tutte le sessioni sono terminate.", "Accedi")
	other.open("/settings")
	other.sees("Accedi")
	other.hides("Portatile")
}

// The first administrator chooses a passkey and no password, and signs in by it.
func firstPasskeyFlow(t *testing.T, c *chrome) {
	w := newEmptyWorld(t)
	base := strings.Replace(w.http.URL, "127.0.0.1", "localhost", 1)
	w.public.Store(base)
	link, err := w.people.Setup(t.Context())
	w.must(err)
	b := c.tab(t, base)
	b.desk(true)
	b.newAuthenticator()
	b.open(link.URL(""))
	b.tap("Crea con una passkey")
	b.until("the refusal is shown", func() bool { return eval[bool](b, `!document.querySelector('[data-passkey-error]').hidden`) })
	b.check("first start, refused")
	b.shot("flow-first-passkey")
	eval[bool](b, `document.getElementById('f-email').value = `+quoted(testAdmin)+`, true`)
	b.tap("Crea con una passkey")
	b.sees("Nuova connessione")
	b.press("Esci")
	b.sees("Sei uscito.")
	b.tap("Accedi con una passkey")
	b.sees("Panoramica", testAdmin)
	p, err := w.store.PersonByEmail(t.Context(), testAdmin)
	w.must(err)
	if p.PasswordHash != "" || len(p.Passkeys) != 1 || !p.IsActiveAdmin() {
		t.Errorf("%+v", p)
	}
}
