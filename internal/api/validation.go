package api

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postino-mail/postino/adapters"
)

// fromHuma tells what huma found wrong with a request.
func fromHuma(e *huma.ErrorModel) *failure {
	f := &failure{status: e.Status, code: "invalid_request"}
	switch e.Status {
	case http.StatusRequestEntityTooLarge:
		return bodyTooLarge(maxSmallBody)
	case http.StatusRequestTimeout:
		return fail(e.Status, "too_slow", "", "the request came too slowly", "la richiesta è arrivata troppo lentamente", "send it again", "ripeterla")
	case http.StatusUnsupportedMediaType:
		return unsupportedMedia("application/json")
	case http.StatusNotFound:
		f.code = "not_found"
	case http.StatusBadRequest:
		f.code = "bad_json"
	case http.StatusInternalServerError:
		return fail(e.Status, "internal", "", "an error in the gateway", "un errore del gateway", "the log says more", "il registro dice di più")
	}
	for _, d := range e.Errors[:min(len(e.Errors), maxFaults)] {
		field := strings.TrimPrefix(strings.TrimPrefix(d.Location, "body"), ".")
		f.faults = append(f.faults, fault{field, translate(d.Message)})
	}
	switch n := len(f.faults); n {
	case 0:
		f.message = translate(e.Detail)
	case 1:
		f.field = f.faults[0].field
		f.message = adapters.Text{EN: strings.TrimPrefix(f.field+": ", ": ") + f.faults[0].text.String(), IT: strings.TrimPrefix(f.field+": ", ": ") + f.faults[0].text.In("it")}
	default:
		f.field = f.faults[0].field
		f.message = adapters.Text{EN: fmt.Sprintf("%d fields of the request are wrong", n), IT: fmt.Sprintf("%d campi della richiesta sono errati", n)}
	}
	if f.code == "bad_json" {
		f.message = adapters.Text{EN: "the body is not JSON: " + f.message.String(), IT: "il corpo non è JSON: " + f.message.String()}
	}
	f.hint = adapters.Text{EN: "correct the request; /openapi.json describes it", IT: "correggere la richiesta; /openapi.json la descrive"}
	return f
}

// translate gives huma's sentence in both languages; what is not known stays English.
func translate(en string) adapters.Text {
	for _, t := range []struct{ en, it string }{
		{"unexpected property", "proprietà sconosciuta"},
		{"unknown query parameter", "parametro sconosciuto"},
		{"expected boolean", "deve essere true o false"},
		{"expected number", "deve essere un numero"},
		{"expected integer", "deve essere un numero intero"},
		{"expected string to be RFC 3339 date-time", "deve essere data e ora RFC 3339, come 2026-01-31T08:30:00Z"},
		{"expected string", "deve essere un testo"},
		{"expected array", "deve essere un elenco"},
		{"expected object", "deve essere un oggetto"},
		{"request body is required", "manca il corpo della richiesta"},
		{"validation failed", "la richiesta non è valida"},
		{"invalid integer", "deve essere un numero intero"},
		{"invalid boolean", "deve essere true o false"},
	} {
		if en == t.en {
			return adapters.Text{EN: en, IT: t.it}
		}
	}
	var n int
	var name string
	switch {
	case scan(en, "the JSON has more than %d values", &n):
		return adapters.Text{EN: en, IT: fmt.Sprintf("il JSON ha più di %d valori", n)}
	case scan(en, "the JSON has more than %d fields", &n):
		return adapters.Text{EN: en, IT: fmt.Sprintf("il JSON ha più di %d campi in un oggetto", n)}
	case scan(en, "the JSON is nested more than %d deep", &n):
		return adapters.Text{EN: en, IT: fmt.Sprintf("il JSON è annidato per più di %d livelli", n)}
	case scan(en, "expected array length <= %d", &n):
		return adapters.Text{EN: en, IT: fmt.Sprintf("al massimo %d elementi", n)}
	case scan(en, "expected array length >= %d", &n):
		return adapters.Text{EN: en, IT: fmt.Sprintf("almeno %d elementi", n)}
	case scan(en, "expected length <= %d", &n):
		return adapters.Text{EN: en, IT: fmt.Sprintf("al massimo %d caratteri", n)}
	case scan(en, "expected length >= %d", &n):
		return adapters.Text{EN: en, IT: fmt.Sprintf("almeno %d caratteri", n)}
	case scan(en, "expected object with at most %d properties", &n):
		return adapters.Text{EN: en, IT: fmt.Sprintf("al massimo %d voci", n)}
	case scan(en, "expected number >= %d", &n):
		return adapters.Text{EN: en, IT: fmt.Sprintf("deve essere almeno %d", n)}
	case scan(en, "expected number <= %d", &n):
		return adapters.Text{EN: en, IT: fmt.Sprintf("deve essere al massimo %d", n)}
	case scan(en, "expected required property %s to be present", &name):
		return adapters.Text{EN: en, IT: fmt.Sprintf("manca la proprietà %s", name)}
	}
	if list, ok := strings.CutPrefix(en, "expected value to be one of "); ok {
		return adapters.Text{EN: en, IT: "deve essere uno di " + list}
	}
	return adapters.Text{EN: en}
}

func scan(s, format string, v any) bool {
	n, err := fmt.Sscanf(s, format, v)
	return n == 1 && err == nil
}

func bodyTooLarge(limit int64) *failure {
	return fail(http.StatusRequestEntityTooLarge, "json_too_large", "", fmt.Sprintf("the JSON is larger than %d bytes", limit), fmt.Sprintf("il JSON supera %d byte", limit),
		"send large attachments as multipart/form-data or the whole message as message/rfc822: these may be as large as the routes allow",
		"inviare gli allegati grandi come multipart/form-data o l'intero messaggio come message/rfc822: la dimensione ammessa è quella delle vie d'uscita")
}

func unsupportedMedia(want string) *failure {
	return fail(http.StatusUnsupportedMediaType, "unsupported_media_type", "Content-Type", "this media type is not understood here", "questo tipo di contenuto qui non è compreso",
		"use "+want, "usare "+want)
}
