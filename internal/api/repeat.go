package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

// keyParam is the header parameter of operations that obey Idempotency-Key.
func keyParam() *huma.Param {
	return &huma.Param{Name: "Idempotency-Key", In: "header", Description: "For 24 hours the same request with the same key gets the " +
		"same answer, with Idempotency-Replayed: true, and does nothing again; another request is refused with 422",
		Schema: &huma.Schema{Type: "string", MinLength: ptr(1), MaxLength: ptr(255)}}
}

// replayedHeader says that an answer is the one that was given when the key came first.
const replayedHeader = "Idempotency-Replayed"

// answerPath names the sealed answers for the sealer: some hold a secret that is
// shown once.
const answerPath = "idempotency.answer"

// A keptAnswer is an answer as it is stored.
type keptAnswer struct {
	Status int             `json:"status"`
	Header http.Header     `json:"header"`
	Body   json.RawMessage `json:"body,omitempty"`
}

// replayer answers a repeated request with the answer of the first one.
type replayer struct {
	store  store.Replays
	sealer store.Sealer
	now    func() time.Time
	log    *slog.Logger
}

// repeatable makes an operation obey Idempotency-Key. Submissions do so in
// another way: their key is stored in the transaction that stores the message.
func (s *replayer) repeatable(o *huma.Operation) {
	if o.Method != http.MethodPost || o.Metadata["scope"] == nil { // keys are of a caller
		return
	}
	o.Parameters = append(o.Parameters, keyParam())
	o.Middlewares = append(o.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		if r.Header.Get("Idempotency-Key") == "" {
			next(ctx)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSmallBody))
		if err != nil {
			writeFailure(w, r, bodyError(err))
			return
		}
		digest := sha256.New()
		framed(digest, "action", r.Method, r.URL.Path, r.URL.RawQuery, string(body))
		key, err := idempotency(r.WithContext(ctx.Context()), s.now(), digest)
		if err != nil {
			writeFailure(w, r, err)
			return
		}
		known, err := s.store.Begin(r.Context(), s.now(), *key)
		if err == nil && known != nil {
			err = s.again(w, key, known)
		}
		if err != nil || known != nil {
			if err != nil {
				writeFailure(w, r, err)
			}
			return
		}
		r2 := r.Clone(ctx.Context())
		r2.Body = io.NopCloser(bytes.NewReader(body))
		kept := &answerKeeper{ResponseWriter: w}
		defer func() { s.keep(ctx, key, kept) }()
		next(huma.WithContext(humago.NewContext(ctx.Operation(), r2, kept), ctx.Context()))
	})
}

// keep stores the answer of what was done. A request that was refused did
// nothing: its key is free. Of one that failed here it is not known how far it got:
// its key stays claimed.
func (s *replayer) keep(ctx huma.Context, key *store.Idempotency, a *answerKeeper) {
	var stored []byte
	if a.status == 0 || a.status >= http.StatusInternalServerError {
		return
	}
	if a.status < http.StatusBadRequest {
		var doc bytes.Buffer
		enc := json.NewEncoder(&doc)
		enc.SetEscapeHTML(false) // the answer is given again as it was: a Message-ID has angle brackets
		err := enc.Encode(keptAnswer{Status: a.status, Header: a.Header(), Body: bytes.TrimSpace(a.body.Bytes())})
		var sealed []byte
		if err == nil {
			sealed, err = s.sealer.Seal(key.Client+" "+key.Key, answerPath, adapters.Secret(doc.String()))
		}
		if err == nil {
			stored, err = json.Marshal(sealed)
		}
		if err != nil { // the key stays claimed: what was done is not done again
			logFor(ctx.Context(), s.log).Error("the answer for an Idempotency-Key cannot be kept", "err", err)
			return
		}
	}
	if err := s.store.End(ctx.Context(), *key, stored); err != nil {
		logFor(ctx.Context(), s.log).Error("the answer for an Idempotency-Key cannot be kept", "err", err)
	}
}

// again sends a kept answer.
func (s *replayer) again(w http.ResponseWriter, key *store.Idempotency, stored []byte) error {
	var sealed []byte
	if err := json.Unmarshal(stored, &sealed); err != nil { // the key is that of a submission
		return store.ErrIdempotency
	}
	doc, err := s.sealer.Open(key.Client+" "+key.Key, answerPath, sealed)
	if err != nil {
		return err
	}
	var a keptAnswer
	if err := json.Unmarshal([]byte(doc.Reveal()), &a); err != nil {
		return err
	}
	for name, values := range a.Header {
		w.Header()[name] = values
	}
	w.Header().Set(replayedHeader, "true")
	w.WriteHeader(a.Status)
	if len(a.Body) > 0 {
		_, _ = w.Write(append(a.Body, '\n')) // a reader that left needs no report
	}
	return nil
}

// An answerKeeper passes an answer on and keeps it.
type answerKeeper struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (a *answerKeeper) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answerKeeper) WriteHeader(code int) {
	if a.status == 0 {
		a.status = code
	}
	a.ResponseWriter.WriteHeader(code)
}

func (a *answerKeeper) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	a.body.Write(p)
	return a.ResponseWriter.Write(p)
}
