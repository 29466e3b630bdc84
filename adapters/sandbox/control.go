package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// controlHandler is the HTTP control that the package comment describes.
func (s *Sandbox) controlHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.controlIndex)
	mux.HandleFunc("GET /deliveries", s.controlDeliveries)
	mux.HandleFunc("GET /deliveries/{seq}/raw", s.controlRaw)
	mux.HandleFunc("GET /counters", func(w http.ResponseWriter, _ *http.Request) {
		core.WriteJSON(w, http.StatusOK, map[string]any{"counters": s.Counters(), "max_in_flight": s.core.MaxInFlights()})
	})
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) {
		core.WriteJSON(w, http.StatusOK, s.core.Faults())
	})
	mux.HandleFunc("POST /faults", s.controlInject)
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, _ *http.Request) {
		s.ClearFaults()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /switches", func(w http.ResponseWriter, _ *http.Request) {
		core.WriteJSON(w, http.StatusOK, s.core.Switches())
	})
	mux.HandleFunc("PATCH /switches", s.controlSwitches)
	mux.HandleFunc("POST /reset", func(w http.ResponseWriter, _ *http.Request) {
		s.Reset()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /msi/token", s.entra.ManagedIdentity)
	mux.HandleFunc("GET /computeMetadata/v1/instance/service-accounts/default/{what}", s.google.Metadata)
	mux.HandleFunc("GET /connections", s.controlConnections)
	mux.HandleFunc("GET /directory", s.controlDirectory)
	mux.HandleFunc("PUT /directory", s.controlSetDirectory)
	mux.HandleFunc("POST /certificates", s.controlCertificate)
	mux.HandleFunc("GET /ca.pem", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-pem-file")
		_, _ = w.Write(s.core.CAPEM()) // a client that is gone needs no answer
	})
	return mux
}

// controlError answers with {"error": "..."}.
func controlError(w http.ResponseWriter, status int, format string, args ...any) {
	core.WriteJSON(w, status, map[string]string{"error": fmt.Sprintf(format, args...)})
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
GET    /directory PUT /directory                         who exists and who may send as whom
POST   /certificates                                     register a certificate on the applications
GET    /ca.pem                                           the private CA
`

func (s *Sandbox) controlDirectory(w http.ResponseWriter, _ *http.Request) {
	d, inForce := s.core.Directory()
	if !inForce {
		controlError(w, http.StatusNotFound, "there is no directory: every address is a mailbox")
		return
	}
	core.WriteJSON(w, http.StatusOK, d)
}

func (s *Sandbox) controlSetDirectory(w http.ResponseWriter, r *http.Request) {
	var d Directory
	if !readControl(w, r, &d) {
		return
	}
	if err := s.SetDirectory(d); err != nil {
		controlError(w, http.StatusBadRequest, "%v", err)
		return
	}
	core.WriteJSON(w, http.StatusOK, d)
}

// controlCertificate registers the certificate of the body, PEM or DER.
func (s *Sandbox) controlCertificate(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err == nil {
		err = s.RegisterCertificate(body)
	}
	if err != nil {
		controlError(w, http.StatusBadRequest, "%v", err)
		return
	}
	w.WriteHeader(http.StatusCreated)
}

func (s *Sandbox) controlDeliveries(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	since, err1 := number(q.Get("since"))
	limit, err2 := number(q.Get("limit"))
	if err := errors.Join(err1, err2); err != nil {
		controlError(w, http.StatusBadRequest, "since and limit are numbers: %v", err)
		return
	}
	out := []Delivery{}
	for _, d := range s.core.DeliveriesSince(since) {
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
	core.WriteJSON(w, http.StatusOK, out)
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
		s.core.Log.Debug("a message was not read to its end", "seq", seq, "err", err)
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
	core.WriteJSON(w, http.StatusCreated, f)
}

func (s *Sandbox) controlSwitches(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		controlError(w, http.StatusBadRequest, "%v", err)
		return
	}
	s.Configure(func(sw *Switches) {
		next := *sw
		if err = core.DecodeStrict(body, &next); err == nil {
			*sw = next
		}
	})
	if err != nil {
		controlError(w, http.StatusBadRequest, "%v", err)
		return
	}
	core.WriteJSON(w, http.StatusOK, s.core.Switches())
}

func readControl(w http.ResponseWriter, r *http.Request, v any) bool {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err == nil {
		err = core.DecodeStrict(body, v)
	}
	if err != nil {
		controlError(w, http.StatusBadRequest, "%v", err)
	}
	return err == nil
}

// controlConnections lists one connection of each kind, secrets included: they
// are good for nothing but this sandbox.
func (s *Sandbox) controlConnections(w http.ResponseWriter, r *http.Request) {
	from := r.URL.Query().Get("from")
	if from == "" {
		from = DefaultFrom
	}
	out := []json.RawMessage{}
	for _, c := range s.Connections(from) {
		data, err := ConnectionJSON(c)
		if err != nil {
			controlError(w, http.StatusInternalServerError, "%v", err)
			return
		}
		out = append(out, data)
	}
	core.WriteJSON(w, http.StatusOK, out)
}
