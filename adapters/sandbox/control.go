package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/adapters"
)

// controlHandler is the HTTP control that the package comment describes.
func (s *Sandbox) controlHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.controlIndex)
	mux.HandleFunc("GET /deliveries", s.controlDeliveries)
	mux.HandleFunc("GET /deliveries/{seq}/raw", s.controlRaw)
	mux.HandleFunc("GET /counters", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{"counters": s.Counters(), "max_in_flight": s.flights.snapshot()})
	})
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, s.faults.snapshot())
	})
	mux.HandleFunc("POST /faults", s.controlInject)
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, _ *http.Request) {
		s.ClearFaults()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /switches", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, s.switches())
	})
	mux.HandleFunc("PATCH /switches", s.controlSwitches)
	mux.HandleFunc("POST /reset", func(w http.ResponseWriter, _ *http.Request) {
		s.Reset()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /msi/token", s.entra.managedIdentity)
	mux.HandleFunc("GET /connections", s.controlConnections)
	mux.HandleFunc("GET /ca.pem", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-pem-file")
		_, _ = w.Write(s.ca.pem) // a client that is gone needs no answer
	})
	return mux
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that is gone needs no answer
}

// controlError answers with {"error": "..."}.
func controlError(w http.ResponseWriter, status int, format string, args ...any) {
	writeJSON(w, status, map[string]string{"error": fmt.Sprintf(format, args...)})
}

func (s *Sandbox) controlIndex(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, controlHelp)
}

const controlHelp = `postino sandbox: fake Entra, Microsoft Graph, Google, Gmail and SMTP servers

GET    /deliveries?service=&mailbox=&since=SEQ&limit=N   what was delivered
GET    /deliveries/SEQ/raw?view=received|shown           one message
GET    /counters                                         requests and most in flight
GET    /faults    POST /faults    DELETE /faults         failures to come
GET    /switches  PATCH /switches                        uncertain behaviours
POST   /reset                                            forget everything
GET    /connections?from=ADDRESS                         ready-made connections, with their secrets
GET    /ca.pem                                           the private CA
`

func (s *Sandbox) controlDeliveries(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	since, err1 := number(q.Get("since"))
	limit, err2 := number(q.Get("limit"))
	if err := errors.Join(err1, err2); err != nil {
		controlError(w, http.StatusBadRequest, "since and limit are numbers: %v", err)
		return
	}
	out := []Delivery{}
	for _, d := range s.store.since(since) {
		if v := q.Get("service"); v != "" && v != d.Service {
			continue
		}
		if v := q.Get("mailbox"); v != "" && !strings.EqualFold(v, d.Mailbox) {
			continue
		}
		if out = append(out, d); limit > 0 && len(out) == limit {
			break
		}
	}
	writeJSON(w, http.StatusOK, out)
}

func number(v string) (int, error) {
	if v == "" {
		return 0, nil
	}
	return strconv.Atoi(v)
}

func (s *Sandbox) controlRaw(w http.ResponseWriter, r *http.Request) {
	seq, err := strconv.Atoi(r.PathValue("seq"))
	if err != nil {
		controlError(w, http.StatusBadRequest, "%q is no sequence number", r.PathValue("seq"))
		return
	}
	open := s.Open
	switch v := r.URL.Query().Get("view"); v {
	case "", "received":
	case "shown":
		open = s.OpenShown
	default:
		controlError(w, http.StatusBadRequest, "%q is no view: received or shown", v)
		return
	}
	rc, err := open(Delivery{Seq: seq})
	switch {
	case errors.Is(err, ErrNoDelivery):
		controlError(w, http.StatusNotFound, "there is no delivery %d", seq)
		return
	case err != nil:
		controlError(w, http.StatusInternalServerError, "%v", err)
		return
	}
	defer rc.Close()
	w.Header().Set("Content-Type", "message/rfc822")
	if _, err := io.Copy(w, rc); err != nil {
		s.log.Debug("a message was not read to its end", "seq", seq, "error", err)
	}
}

func (s *Sandbox) controlInject(w http.ResponseWriter, r *http.Request) {
	var f Fault
	if !readControl(w, r, &f) {
		return
	}
	if f.Service == "" {
		controlError(w, http.StatusBadRequest, "service is missing: entra, graph, upload, google, gmail or smtp")
		return
	}
	s.Inject(f)
	writeJSON(w, http.StatusCreated, f)
}

func (s *Sandbox) controlSwitches(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		controlError(w, http.StatusBadRequest, "%v", err)
		return
	}
	s.Configure(func(sw *Switches) {
		next := *sw
		if err = decodeStrict(body, &next); err == nil {
			*sw = next
		}
	})
	if err != nil {
		controlError(w, http.StatusBadRequest, "%v", err)
		return
	}
	writeJSON(w, http.StatusOK, s.switches())
}

func readControl(w http.ResponseWriter, r *http.Request, v any) bool {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err == nil {
		err = decodeStrict(body, v)
	}
	if err != nil {
		controlError(w, http.StatusBadRequest, "%v", err)
	}
	return err == nil
}

func decodeStrict(data []byte, v any) error {
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.DisallowUnknownFields()
	return dec.Decode(v)
}

// controlConnections lists one connection of each kind, secrets included: they
// are good for nothing but this sandbox.
func (s *Sandbox) controlConnections(w http.ResponseWriter, r *http.Request) {
	from := r.URL.Query().Get("from")
	if from == "" {
		from = DefaultFrom
	}
	out := []json.RawMessage{}
	for _, c := range s.connections(from) {
		data, err := revealed(c)
		if err != nil {
			controlError(w, http.StatusInternalServerError, "%v", err)
			return
		}
		out = append(out, data)
	}
	writeJSON(w, http.StatusOK, out)
}

// revealed is the connection's JSON with its secrets.
func revealed(c *adapters.Connection) (json.RawMessage, error) {
	data, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	var doc map[string]any
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	for _, secret := range c.Secrets() {
		if *secret.Value == "" {
			continue
		}
		at, path := doc, strings.Split(secret.Path, ".")
		for _, key := range path[:len(path)-1] {
			next, ok := at[key].(map[string]any)
			if !ok {
				return nil, fmt.Errorf("sandbox: the connection's JSON has no %s", secret.Path)
			}
			at = next
		}
		at[path[len(path)-1]] = secret.Value.Reveal()
	}
	return json.MarshalIndent(doc, "", "  ")
}
