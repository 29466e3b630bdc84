package web

import (
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/security"
	"github.com/golang-jwt/jwt/v5"

	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/oidc/oidctest"
)

// newProviderSite is a world where there is an identity provider, and its address: by TLS
// under its public URL, which is another site than the provider's.
func newProviderSite(t *testing.T) (issuer *oidctest.Issuer, base string) {
	t.Helper()
	front := httptest.NewUnstartedServer(nil)
	t.Cleanup(front.Close)
	_, port, _ := strings.Cut(front.Listener.Addr().String(), ":")
	base = "https://localhost:" + port
	w, issuer := newProviderWorldAt(t, base, func(_ *api.Options, o *Options) { o.PublicURL = base })
	silent := log.New(io.Discard, "", 0) // at first, Chromium objects to the certificates
	front.Config.ErrorLog, issuer.Config.ErrorLog = silent, silent
	front.Config.Handler = w.http.Config.Handler
	front.StartTLS()
	issuer.People = map[string]jwt.MapClaims{
		"anna":  oidctest.Keycloak("s-1", testAdmin, true),
		"bruno": oidctest.Keycloak("s-2", "bruno@altrove.example", false),
		"zoe":   oidctest.Keycloak("s-9", "zoe@contoso.it", true)}
	return issuer, base
}

// atProvider types an account at the provider's page, and goes on.
func (b *tab) atProvider(account string) {
	b.t.Helper()
	b.sees("Contoso SSO", "Continue")
	b.fill("Account", account)
	b.press("Continue")
}

// People sign in by an identity provider, are refused there and here, link their account
// and unlink it, with and without script.
func providerFlow(t *testing.T, c *chrome) {
	withAndWithoutScript(t, func(t *testing.T, script bool) {
		issuer, base := newProviderSite(t)
		b := c.tab(t, base)
		ask(b, security.SetIgnoreCertificateErrors, security.SetIgnoreCertificateErrorsParams{Ignore: true}) // no one has signed them
		b.desk(script)

		// Who was refused is where they were, in the language that they had chosen.
		b.open("/mail?state=failed")
		b.press("English")
		b.press("Sign in with Contoso SSO")
		b.sees("Contoso SSO", "Continue")
		b.press("Cancel")
		b.sees("The identity provider did not sign you in", "You have forgotten the password")
		b.hides("AADSTS65004")
		b.check("refused by the provider")
		b.shot(fmt.Sprintf("flow-provider-refused-script-%v", script))
		b.press("Italiano")
		b.press("Accedi con Contoso SSO")
		b.atProvider("zoe")
		b.sees("Qui non c'è una persona", "Accedi con Contoso SSO")
		b.press("Accedi con Contoso SSO")
		b.atProvider("anna")
		b.sees("Posta", "Esci")
		if b.at() != "/mail?state=failed" {
			t.Errorf("a sign-in leads to %s", b.at())
		}
		b.open("/settings")
		b.sees("Account Contoso SSO", testAdmin, "Scollega l'account")
		b.press("Esci")
		b.sees("Sei uscito.", "Accedi con Contoso SSO")
		b.open("/settings")
		b.sees("Password") // and no settings
		b.hides(testAdmin)

		// Another account cannot be linked twice; one's own can.
		b.fill("Indirizzo email", testOperator)
		b.fill("Password", testPassword)
		b.press("Accedi")
		b.sees("Account Contoso SSO", testOperator)
		link := func(password string) {
			eval[bool](b, `document.getElementById('f-account_present').value = `+quoted(password)+`, true`)
			b.tap("Collega l'account")
		}
		link("sbagliata, del tutto")
		b.sees("non corrispondono") // what only the answer says
		b.check("settings, account not linked")
		link(testPassword)
		b.atProvider("anna")
		b.sees("Account Contoso SSO", "accede un'altra persona")
		if script && !eval[bool](b, `(r => r.top >= 0 && r.bottom <= innerHeight)(
			document.querySelector('main .note.failed').getBoundingClientRect())`) {
			t.Error("what was refused is out of sight")
		}
		b.check("settings, account of another person")
		issuer.Silent.Store(true) // the browser stays at the screen in between
		link(testPassword)
		b.sees("Si passa a Contoso SSO", "Continua")
		b.check("on the way to the provider")
		b.shot(fmt.Sprintf("flow-provider-leave-script-%v", script))
		issuer.Silent.Store(false)
		b.press("Continua")
		b.sees("Contoso SSO", "Continue")
		b.press("Cancel")
		b.sees("non ha confermato un account", "Collega l'account")
		link(testPassword)
		b.atProvider("bruno")
		b.sees("L'account è stato collegato", "Scollega l'account")
		b.check("settings, account linked")
		b.shot(fmt.Sprintf("flow-provider-linked-script-%v", script))
		b.press("Esci")
		b.press("Accedi con Contoso SSO")
		b.atProvider("bruno")
		b.sees("Panoramica", testOperator)
		b.open("/settings")
		b.press("Scollega l'account")
		b.sees("L'account è stato scollegato", "Collega l'account")
		b.press("Esci")
		b.press("Accedi con Contoso SSO")
		b.atProvider("bruno")
		b.sees("Il fornitore di identità non conferma", "Accedi con Contoso SSO")
	})
}
