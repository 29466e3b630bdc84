package tokens

import (
	"crypto/sha1" //nolint:gosec // a thumbprint for people to compare, no security rests on it
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/adapters"
)

// entraRow finds the row of an Entra refusal: by the first known number, then
// by the OAuth error, then by the status (contracts A3.2, A3.3).
func entraRow(a answer, status int) (string, row) {
	for _, n := range a.codes {
		if r := entraNumber(n); r.found() {
			return "AADSTS" + strconv.Itoa(n), r
		}
	}
	code := a.code
	lookUp := text("look the error up in the sign-in log of the app (Entra admin center > Enterprise applications > Sign-in logs > Service principal sign-ins)",
		"cercare l'errore nel registro degli accessi dell'app (Entra admin center > Applicazioni aziendali > Log di accesso > Accessi entità servizio)")
	if len(a.codes) > 0 {
		code = "AADSTS" + strconv.Itoa(a.codes[0])
		lookUp = text(fmt.Sprintf("its meaning is at https://login.microsoftonline.com/error?code=%d", a.codes[0]),
			fmt.Sprintf("il significato è su https://login.microsoftonline.com/error?code=%d", a.codes[0]))
	}
	switch {
	case status == http.StatusTooManyRequests:
		return code, entraNumber(90055)
	case a.code == "temporarily_unavailable", a.code == "server_error", status >= 500:
		return code, entraNumber(90033)
	case a.code == "invalid_client":
		r := entraNumber(70002)
		if len(a.codes) > 0 {
			r.remedy = lookUp
		}
		return code, r
	}
	return code, row{class: adapters.Auth, sentence: text("Entra refused to issue a token", "Entra ha rifiutato di emettere un token"), remedy: lookUp}
}

// entraNumber is table A5 of the contracts.
func entraNumber(n int) row {
	auth := func(en, it, remedyEN, remedyIT string) row {
		return row{class: adapters.Auth, sentence: text(en, it), remedy: text(remedyEN, remedyIT)}
	}
	clock := func(r row) row { r.clock = true; return r }
	switch n {
	case 7000215:
		return auth("the client secret is wrong", "il client secret è errato",
			"paste the secret's Value, not its Secret ID, and check that it belongs to this app",
			"incollare il Valore del segreto, non il suo ID, e verificare che sia di questa app")
	case 7000222:
		return auth("the client secret has expired", "il client secret è scaduto",
			"create a new secret in the app registration (Certificates & secrets) and enter it here; a certificate or federation spares you the next time",
			"creare un nuovo segreto nella registrazione dell'app (Certificati e segreti) e inserirlo qui; un certificato o la federazione evitano che si ripeta")
	case 7000218:
		return auth("no credential reached Entra", "a Entra non è arrivata alcuna credenziale",
			"configure a client secret, a certificate or federation in the connection", "configurare nella connessione un client secret, un certificato o la federazione")
	case 700025:
		return auth("the app is registered as a public client, which takes no secret", "l'app è registrata come client pubblico, che non accetta segreti",
			"use a confidential (web) app registration", "usare una registrazione riservata (web)")
	case 700016, 700011:
		return auth("this tenant does not know the app", "questo tenant non conosce l'app",
			"check tenant and client id; in a customer's tenant an administrator must first consent to the app",
			"controllare tenant e client id; nel tenant di un cliente un amministratore deve prima dare il consenso all'app")
	case 70001, 7000112:
		return auth("the app is disabled in this tenant", "l'app è disabilitata in questo tenant",
			"enable sign-in of the enterprise application (Properties > Enabled for users to sign-in)",
			"riabilitare l'applicazione aziendale (Proprietà > Abilitata per l'accesso degli utenti)")
	case 70002:
		return auth("Entra does not accept the app's credential", "Entra non accetta la credenziale dell'app",
			"check client id and credential of the connection", "controllare client id e credenziale della connessione")
	case 90002:
		return auth("Entra does not know the tenant", "Entra non conosce il tenant",
			"check the tenant id or domain and the cloud; the subscription may also have ended",
			"controllare l'id o il dominio del tenant e il cloud; l'abbonamento potrebbe anche essere terminato")
	case 900023:
		return auth("the tenant is neither a domain nor an id", "il tenant non è né un dominio né un id",
			"enter the Directory (tenant) ID from the app's overview page", "inserire l'ID della directory (tenant) dalla pagina di panoramica dell'app")
	case 90038, 900382, 900432:
		return auth("the app or tenant belongs to another national cloud", "l'app o il tenant appartiene a un altro cloud nazionale",
			"choose the right cloud in the connection: public, gcchigh, dod or china", "scegliere il cloud giusto nella connessione: public, gcchigh, dod o china")
	case 700027, 50012, 1000502, 7000273, 7000274, 5002730: // the last four: not in its validity, invalid or not found
		return auth("Entra does not accept the certificate's signature", "Entra non accetta la firma del certificato",
			"upload the public certificate to the app registration (Certificates & secrets) and compare the thumbprints",
			"caricare il certificato pubblico nella registrazione dell'app (Certificati e segreti) e confrontare i thumbprint")
	case 700030:
		return auth("the certificate's subject name is not authorised for the app", "il nome soggetto del certificato non è autorizzato per l'app",
			"fix the subject name and issuer in the app's configuration, or upload the certificate itself",
			"correggere nome soggetto e autorità nella configurazione dell'app, o caricare il certificato stesso")
	case 50013, 500133:
		return clock(auth("Entra finds the signed assertion invalid or outside its time", "Entra ritiene l'asserzione firmata non valida o fuori tempo",
			"check this machine's clock and the validity of the certificate or federated token",
			"controllare l'orologio di questa macchina e la validità del certificato o del token federato"))
	case 700024:
		return clock(auth("the signed assertion is outside its time range", "l'asserzione firmata è fuori dal suo intervallo di tempo",
			"check this machine's clock (NTP), and for federation that the token file is renewed",
			"controllare l'orologio di questa macchina (NTP) e, per la federazione, che il file del token venga rinnovato"))
	case 700021, 50048:
		return auth("the assertion was made for another app", "l'asserzione è stata creata per un'altra app",
			"give the federated token the issuer and subject that the app registration expects, and check the client id",
			"dare al token federato issuer e subject attesi dalla registrazione dell'app, e controllare il client id")
	case 700023:
		return auth("the assertion was made for another tenant or token address", "l'asserzione è stata creata per un altro tenant o indirizzo",
			"check tenant and cloud; a federated token needs the audience api://AzureADTokenExchange",
			"controllare tenant e cloud; un token federato richiede l'audience api://AzureADTokenExchange")
	case 70021, 700211, 700212, 700213, 7002131:
		what := text("issuer, subject or audience", "issuer, subject o audience")
		switch n {
		case 700211:
			what = text("issuer", "issuer")
		case 700212:
			what = text("audience", "audience")
		case 700213, 7002131:
			what = text("subject", "subject")
		}
		return auth("no federated credential of the app matches the token's "+what.String(), "nessuna credenziale federata dell'app corrisponde a "+what.In("it")+" del token",
			"compare issuer, subject and audience of the federated credential with the token, letter by letter",
			"confrontare lettera per lettera issuer, subject e audience della credenziale federata con il token")
	case 500011:
		return auth("this tenant does not have the service that the token is for", "questo tenant non ha il servizio per cui si chiede il token",
			"check the cloud; for SMTP check that the tenant has Exchange Online licences", "controllare il cloud; per SMTP verificare che il tenant abbia licenze Exchange Online")
	case 70011, 1002012, 700022:
		return auth("Entra does not accept the scope", "Entra non accetta lo scope",
			"check the cloud of the connection; the scope is one resource with /.default", "controllare il cloud della connessione; lo scope è una sola risorsa con /.default")
	case 900144:
		return auth("the token request lacks a parameter", "alla richiesta di token manca un parametro",
			"check tenant, client id and credential; if they are complete, report this as a fault of postino",
			"controllare tenant, client id e credenziale; se sono completi, segnalarlo come difetto di postino")
	case 65001, 650052, 650056:
		return auth("an administrator has not consented to the app's permissions", "un amministratore non ha dato il consenso ai permessi dell'app",
			"grant admin consent in the app registration (API permissions)", "concedere il consenso amministratore nella registrazione dell'app (Autorizzazioni API)")
	case 50126:
		return auth("Entra speaks of a user's password, which this program never sends", "Entra parla della password di un utente, che questo programma non invia mai",
			"check authority_url: it leads to something else than the token service", "controllare authority_url: porta a qualcosa di diverso dal servizio dei token")
	case 53003, 530035:
		return auth("Conditional Access or security defaults block the app", "l'accesso condizionale o le impostazioni di sicurezza predefinite bloccano l'app",
			"allow this app and this machine's address in the Conditional Access policies for workload identities",
			"consentire questa app e l'indirizzo di questa macchina nei criteri di accesso condizionale per le identità dei carichi di lavoro")
	case 50196:
		return row{class: adapters.Throttled, sentence: text("Entra sees a loop of token requests and blocks them for a while", "Entra vede un ciclo di richieste di token e le blocca per un po'"),
			remedy: text("none here, it waits; look for another program that uses the same app without caching its tokens",
				"qui nulla, si attende; cercare un altro programma che usa la stessa app senza conservare i token")}
	case 90055:
		return row{class: adapters.Throttled, sentence: text("Entra limits the requests of this tenant", "Entra limita le richieste di questo tenant"),
			remedy: text("none, it waits; if it goes on, look for programs that ask for tokens too often", "nessuno, si attende; se continua, cercare programmi che chiedono token troppo spesso")}
	case 50033, 90006, 90012, 90024, 90033, 90090:
		return row{class: adapters.Transient, sentence: text("Entra has a passing fault", "Entra ha un guasto temporaneo"),
			remedy: text("none; it will be tried again", "nessuno; verrà ritentato")}
	}
	return row{}
}

// managedRow tells refusals of the identity service on an Azure host.
func managedRow(a answer, status int) (string, row) {
	code := a.code
	if code == "" {
		code = strconv.Itoa(status)
	}
	if status == http.StatusBadRequest || status < 500 && strings.Contains(strings.ToLower(a.description), "identity not found") {
		return code, row{class: adapters.Auth, sentence: text("this machine does not have the managed identity", "questa macchina non ha l'identità gestita"),
			remedy: text("assign the identity to the machine in the Azure portal, and check client_id of a user-assigned one",
				"assegnare l'identità alla macchina nel portale Azure e controllare client_id se è assegnata dall'utente")}
	}
	return code, row{class: adapters.Transient, sentence: text(fmt.Sprintf("the managed identity service of this machine gave no token (%d)", status),
		fmt.Sprintf("il servizio di identità gestita di questa macchina non ha dato un token (%d)", status)),
		remedy: text("it will be tried again; if this goes on, check that the machine is an Azure host with an identity (it is asked directly, never through HTTP_PROXY)",
			"verrà ritentato; se continua, verificare che la macchina sia un host Azure con un'identità (è interrogata direttamente, mai tramite HTTP_PROXY)")}
}

func thumbprint(c *x509.Certificate) string {
	sum := sha1.Sum(c.Raw) //nolint:gosec // what the Entra page shows
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}
