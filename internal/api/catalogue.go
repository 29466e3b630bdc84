package api

import (
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/postino-mail/postino/adapters"
)

// A kind of problem explains itself at /problems/{code}.
type kind struct {
	title, about adapters.Text
}

func text(en, it string) adapters.Text { return adapters.Text{EN: en, IT: it} }

// kinds are all problem types. A code that is none of them is a finer word for
// "bad_message" or "not_carried".
func kinds() map[string]kind {
	return map[string]kind{
		"invalid_request": {text("The request is not valid", "La richiesta non è valida"),
			text("A field is missing, has the wrong type, or is unknown. The member errors names every one. The description of all requests is at /openapi.json.", "Un campo manca, è del tipo sbagliato o è sconosciuto. Il membro errors li nomina tutti. La descrizione di tutte le richieste è in /openapi.json.")},
		"bad_json": {text("The body is not JSON", "Il corpo non è JSON"),
			text("The body could not be read as JSON in UTF-8. Programs that write JSON by joining strings often forget to escape quotes, or use another character set.", "Il corpo non è JSON in UTF-8. I programmi che compongono il JSON unendo stringhe spesso dimenticano di proteggere le virgolette o usano un altro insieme di caratteri.")},
		"bad_base64": {text("The content is not base64", "Il contenuto non è base64"),
			text("Content of attachments, and raw, are base64 of RFC 4648 section 4 (the alphabet with + and /), padded. Large files go better as multipart/form-data, as they are.", "Il contenuto degli allegati, e raw, sono base64 di RFC 4648 sezione 4 (alfabeto con + e /), con riempimento. I file grandi si inviano meglio come multipart/form-data, così come sono.")},
		"json_too_large": {text("The JSON is too large", "Il JSON è troppo grande"),
			text("JSON is held in memory and therefore bounded. Send large attachments as multipart/form-data (field message with the JSON, then the files), or the whole message as message/rfc822: both are streamed.", "Il JSON sta in memoria e per questo è limitato. Inviare gli allegati grandi come multipart/form-data (campo message con il JSON, poi i file) o l'intero messaggio come message/rfc822: entrambi vengono trasferiti in streaming.")},
		"unsupported_media_type": {text("The media type is not supported", "Il tipo di contenuto non è supportato"),
			text("Messages are taken as application/json, multipart/form-data or message/rfc822; everything else as application/json.", "I messaggi si inviano come application/json, multipart/form-data o message/rfc822; tutto il resto come application/json.")},
		"too_slow": {text("The request came too slowly", "La richiesta è arrivata troppo lentamente"),
			text("A request must keep arriving: connections that trickle are closed so that they do not keep others out.", "Una richiesta deve continuare ad arrivare: le connessioni che gocciolano vengono chiuse perché non blocchino le altre.")},
		"interrupted": {text("The request was interrupted", "La richiesta è stata interrotta"),
			text("The connection ended before the answer was ready. With an Idempotency-Key the request can be repeated without sending twice.", "La connessione è finita prima della risposta. Con una Idempotency-Key la richiesta si può ripetere senza inviare due volte.")},
		"unauthorized": {text("Who are you?", "Chi sei?"),
			text("The request has no credentials, or wrong ones. Send Authorization: Bearer with an API key, or Basic with a client's name and secret. Keys are made with 'postino key add' or POST /v1/keys and shown once. Programs of the machine itself need none by the unix socket: curl --unix-socket DATA/http.sock http://localhost/v1/…, as root, as the server's user, or to send as a member of the group named in the settings.", "La richiesta non ha credenziali valide. Inviare Authorization: Bearer con una chiave API, o Basic con nome e segreto di un client. Le chiavi si creano con 'postino key add' o POST /v1/keys e si vedono una volta sola. I programmi della macchina stessa non ne hanno bisogno con il socket unix: curl --unix-socket DATI/http.sock http://localhost/v1/…, come root, come utente del server o, per inviare, come membri del gruppo indicato nelle impostazioni.")},
		"forbidden": {text("This key may not do that", "Questa chiave non può farlo"),
			text("The key is good but lacks the scope that the operation needs, or the setting is the administrator's alone.", "La chiave è valida ma non ha lo scope richiesto dall'operazione, oppure l'impostazione spetta al solo amministratore.")},
		"cross_site": {text("Requests from web pages of elsewhere are refused", "Le richieste da pagine web esterne sono rifiutate"),
			text("A browser sent this on behalf of another site, or under a host name that is not this server's. Without an API key such requests are refused, so that no web page can use what a browser or a machine is allowed.", "Un browser ha inviato questa richiesta per conto di un altro sito, o con un nome host che non è di questo server. Senza chiave API tali richieste sono rifiutate, perché nessuna pagina web possa usare ciò che è concesso a un browser o a una macchina.")},
		"auth_blocked": {text("Too many wrong credentials", "Troppe credenziali errate"),
			text("Too many wrong credentials came from this address. It may try again after the time in Retry-After.", "Da questo indirizzo sono arrivate troppe credenziali errate. Si può riprovare dopo il tempo indicato in Retry-After.")},
		"not_found": {text("There is no such thing", "Non esiste"),
			text("The path or the record does not exist, or belongs to another client.", "Il percorso o il record non esiste, oppure appartiene a un altro client.")},
		"method_not_allowed": {text("The method is not allowed here", "Metodo non ammesso"),
			text("The path exists, but not with this method; Allow names those that work.", "Il percorso esiste, ma non con questo metodo; Allow nomina quelli ammessi.")},
		"name_taken": {text("The name is taken", "Il nome è già in uso"),
			text("Names are unique, whatever their letter case.", "I nomi sono unici, maiuscole e minuscole a parte.")},
		"changed_meanwhile": {text("The record has changed meanwhile", "Il record è cambiato nel frattempo"),
			text("Every record has a revision that grows with each edit. The one that came is not the stored one: read the record again.", "Ogni record ha una revisione che cresce a ogni modifica. Quella ricevuta non è quella memorizzata: rileggere il record.")},
		"quota": {text("As many as one client may have", "Il massimo per un client"),
			text("Webhooks, event streams and API keys of one client are bounded. The remedy names the setting.", "Webhook, flussi di eventi e chiavi API di un client sono limitati. Il rimedio indica l'impostazione.")},
		"json_too_complex": {text("The JSON has too many parts", "Il JSON ha troppe parti"),
			text("Depth, values and fields of an object are bounded, so that one request does not take the memory of all.", "Profondità, valori e campi di un oggetto sono limitati, perché una richiesta non prenda la memoria di tutte.")},
		"no_room": {text("No room on the disk for this upload", "Sul disco non c'è spazio per questo invio"),
			text("Uploads under way have a share of the disk, each client and all together, and leave a reserve free.", "Gli invii in corso hanno una parte del disco, per client e in tutto, e lasciano libera una riserva.")},
		"under_way": {text("The first request is not answered yet", "La prima richiesta non ha ancora risposta"),
			text("A request with this Idempotency-Key has begun. While it has no answer, a repeat could do the same twice.", "Una richiesta con questa Idempotency-Key è iniziata. Finché non ha una risposta, ripeterla potrebbe fare la stessa cosa due volte.")},
		"in_use": {text("The connection is in use", "La connessione è in uso"),
			text("Messages that are not finished name this connection.", "Ci sono messaggi non conclusi che usano questa connessione.")},
		"wrong_state": {text("The state does not allow it", "Lo stato non lo consente"),
			text("What is being sent cannot be held or cancelled, what was sent cannot be retried (use resend), and so on. GET the message to see its state.", "Ciò che è in invio non si può trattenere né annullare, ciò che è stato inviato non si può ritentare (usare resend), e così via. Con GET si vede lo stato del messaggio.")},
		"bytes_gone": {text("The content is no longer kept", "Il contenuto non è più conservato"),
			text("Retention removed the bytes; the record stays longer.", "La conservazione ha rimosso il contenuto; il record resta più a lungo.")},
		"bytes_damaged": {text("The stored content is damaged", "Il contenuto conservato è danneggiato"),
			text("The stored bytes do not have the digest that was written down.", "Il contenuto non ha l'impronta annotata.")},
		"idempotency_key": {text("The Idempotency-Key was used with another request", "Idempotency-Key già usata con un'altra richiesta"),
			text("For 24 hours a key belongs to the request that it came with first: the same request gets the same answer, another one is refused. Make a new key for each new message.", "Per 24 ore una chiave appartiene alla richiesta con cui è arrivata: la stessa richiesta riceve la stessa risposta, un'altra viene rifiutata. Usare una chiave nuova per ogni messaggio nuovo.")},
		"bad_message": {text("The message cannot be sent as it is", "Il messaggio non può essere inviato così"),
			text("Something in the message is wrong: an address, a header, an attachment. The detail says what and what to do; nothing was stored.", "Qualcosa nel messaggio è errato: un indirizzo, un'intestazione, un allegato. Il dettaglio dice cosa e come rimediare; nulla è stato conservato.")},
		"not_carried": {text("The connection cannot carry this message", "La connessione non può trasportare questo messaggio"),
			text("The provider of the chosen connection would refuse the message. The detail says why.", "Il provider della connessione scelta rifiuterebbe il messaggio. Il dettaglio dice perché.")},
		"too_large": {text("The message is too large", "Il messaggio è troppo grande"),
			text("No usable connection carries a message of this size. Attachments grow by a third on their way into a message.", "Nessuna connessione utilizzabile accetta un messaggio di questa dimensione. Gli allegati crescono di un terzo dentro il messaggio.")},
		"too_many_recipients": {text("Too many recipients", "Troppi destinatari"),
			text("Split the message into several, or raise limits.max_recipients.", "Dividere il messaggio in più parti, o alzare limits.max_recipients.")},
		"no_from": {text("The message has no sender", "Il messaggio non ha mittente"),
			text("Give from: it decides the connection, too.", "Indicare from: decide anche la connessione.")},
		"no_recipients": {text("The message has no recipient", "Il messaggio non ha destinatari"),
			text("Give to, cc, bcc or recipients.", "Indicare to, cc, bcc o recipients.")},
		"no_route": {text("No connection sends for this sender", "Nessuna connessione invia per questo mittente"),
			text("A connection is chosen by the sender's address or domain, by the client, or because it is the default one. None fits: create a connection for the sender, or make one the default.", "Una connessione viene scelta per indirizzo o dominio del mittente, per il client, o perché predefinita. Nessuna è adatta: crearne una per il mittente o impostarne una predefinita.")},
		"rate": {text("Too many messages a minute", "Troppi messaggi al minuto"),
			text("The client has a limit of submissions a minute. Wait, or ask the administrator to raise it.", "Il client ha un limite di invii al minuto. Attendere, o chiedere all'amministratore di alzarlo.")},
		"sender_not_allowed": {text("The client may not use this sender", "Il client non può usare questo mittente"),
			text("The client's list of senders does not hold the From of the message.", "L'elenco dei mittenti del client non contiene il From del messaggio.")},
		"unknown_connection": {text("There is no such connection", "La connessione non esiste"),
			text("The message names a connection that does not exist.", "Il messaggio nomina una connessione che non esiste.")},
		"connection_not_allowed": {text("The client may not use this connection", "Il client non può usare questa connessione"),
			text("The client's list of connections does not hold it.", "L'elenco delle connessioni del client non la contiene.")},
		"connection_inactive": {text("The connection is switched off", "La connessione è disattivata"),
			text("Switch it on, or name another.", "Attivarla o indicarne un'altra.")},
		"invalid_connection": {text("The connection is not valid", "La connessione non è valida"),
			text("A setting of the connection is missing or wrong; errors names each.", "Un'impostazione della connessione manca o è errata; errors le nomina tutte.")},
		"store_unavailable": {text("The store cannot work at the moment", "L'archivio al momento non funziona"),
			text("Disk full, database unreachable, or the like. Nothing was taken; it works again by itself when the cause is gone.", "Disco pieno, database irraggiungibile o simili. Nulla è stato preso in carico; riprende da sé quando la causa sparisce.")},
		"too_many_streams": {text("Too many event streams", "Troppi flussi di eventi"),
			text("Close streams that are not read any more, or read GET /v1/events page by page.", "Chiudere i flussi che nessuno legge, o leggere GET /v1/events a pagine.")},
		"internal": {text("An error in the gateway", "Un errore del gateway"),
			text("It is not your request's fault; the log of the server says more.", "Non dipende dalla richiesta; il registro del server dice di più.")},
	}
}

// kindOf is the problem type that documents a code.
func kindOf(code string, status int) (string, kind) {
	all := kinds()
	if k, ok := all[code]; ok {
		return code, k
	}
	name := "bad_message"
	switch {
	case status == http.StatusRequestEntityTooLarge:
		name = "too_large"
	case status >= http.StatusInternalServerError:
		name = "internal"
	case strings.ToLower(code) != code: // codes of providers are written as they write them
		name = "not_carried"
	}
	return name, all[name]
}

// problemRoutes shows the pages that explain each kind of problem.
func problemRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /problems/{code}", problemPage)
	mux.HandleFunc("GET /problems", problemIndex)
}

// problemPage explains one kind, as a page or as JSON.
func problemPage(w http.ResponseWriter, r *http.Request) {
	code, lang := r.PathValue("code"), language(r.Header.Get("Accept-Language"))
	k, ok := kinds()[code]
	w.Header().Set("Vary", "Accept, Accept-Language")
	if !ok {
		writeFailure(w, r, pathNotFound())
		return
	}
	w.Header().Set("Content-Language", lang)
	page := struct {
		Type  string `json:"type"`
		Title string `json:"title"`
		About string `json:"about"`
		Lang  string `json:"-"`
	}{"/problems/" + code, k.title.In(lang), k.about.In(lang), lang}
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		writeJSON(w, http.StatusOK, "application/json", page)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	_ = problemTemplate().Execute(w, page) // a reader that left is nobody to tell
}

func problemTemplate() *template.Template {
	return template.Must(template.New("problem").Parse(`<!doctype html>
<html lang="{{.Lang}}"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Title}}</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}code{color:#666}</style>
<h1>{{.Title}}</h1><p>{{.About}}</p><p><code>{{.Type}}</code></p></html>
`))
}

// problemIndex lists all kinds.
func problemIndex(w http.ResponseWriter, r *http.Request) {
	lang := language(r.Header.Get("Accept-Language"))
	type line struct {
		Type  string `json:"type"`
		Title string `json:"title"`
	}
	out := []line{}
	for code, k := range kinds() {
		out = append(out, line{"/problems/" + code, k.title.In(lang)})
	}
	slices.SortFunc(out, func(a, b line) int { return strings.Compare(a.Type, b.Type) })
	writeJSON(w, http.StatusOK, "application/json", map[string]any{"problems": out})
}

func pathNotFound() *failure {
	return fail(http.StatusNotFound, "not_found", "", "there is nothing at this path", "a questo percorso non c'è nulla", "see /openapi.json", "vedere /openapi.json")
}
