package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/people"
	"github.com/postino-mail/postino/internal/programs"
	"github.com/postino-mail/postino/internal/registry"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/vault"
)

// touchEvery is how often the last use of a key is written down.
const touchEvery = time.Minute

// keyFresh bounds how long a key revoked by another process still works, where the
// store does not tell of it.
const keyFresh = 100 * time.Millisecond

type knownKey struct {
	key     store.APIKey
	read    time.Time
	touched time.Time
}

// An authenticator identifies the caller of a request. Safe for concurrent use.
type authenticator struct {
	store      store.Clients
	clients    *registry.Clients
	people     *people.Service
	programs   *programs.Recorder
	proxies    trustedProxies
	hosts      []string // names of this server
	keyless    bool     // Options.Keyless
	hasher     *vault.Hasher
	limiter    *authLimiter
	accounts   *authLimiter // by the address that a person signs in with
	ceremonies *authLimiter // sign-ins by passkey that were begun, by whom
	now        func() time.Time
	log        *slog.Logger
	guard      *http.CrossOriginProtection // of what a browser does by its cookie
	secure     bool                        // browsers reach the server by TLS: cookies are for that alone

	told atomic.Bool // the store told of an edit

	mu   sync.Mutex
	keys map[string]*knownKey // by hash
}

// maxKnownKeys bounds the copies of keys.
const maxKnownKeys = 10_000

func newAuthenticator(o *Options, h *vault.Hasher) *authenticator {
	a := &authenticator{
		store: o.Store, clients: o.Clients, people: o.People, programs: o.Programs, proxies: o.TrustedProxies,
		hosts:   []string{o.Hostname, o.PublicHost},
		keyless: o.Keyless, hasher: h, limiter: newAuthLimiter(o.Now), accounts: newAccountLimiter(o.Now),
		ceremonies: newAccountLimiter(o.Now),
		now:        o.Now, log: o.Log, keys: map[string]*knownKey{},
		guard: http.NewCrossOriginProtection(), secure: strings.HasPrefix(o.PublicURL, "https://"),
	}
	if u, err := url.Parse(o.PublicURL); err == nil && u.Host != "" {
		if err := a.guard.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
			o.Log.Warn("the public URL is no origin that a browser may send from", "err", err)
		}
	}
	o.Store.OnChange(func() { a.told.Store(true) })
	return a
}

func unauthorized(message adapters.Text) *failure {
	f := fail(http.StatusUnauthorized, "unauthorized", "Authorization", message, text("api.authenticate",
		"send an API key as Bearer token ('postino key add' makes one), or a client's name and secret as Basic; "+
			"on the machine itself use the unix socket"))
	f.challenge = true
	return f
}

// who returns the principal of a request; the error is a *failure.
func (a *authenticator) who(r *http.Request) (*principal, error) {
	from, err := a.proxies.origin(r)
	if err != nil {
		return nil, err
	}
	scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch strings.ToLower(scheme) {
	case "":
		if token := a.cookie(r); token != "" {
			return a.bySession(r, token) // 256 random bits cannot be guessed, and an ended one is no attempt to
		}
		if !a.keyless { // no look into the store for what is refused anyway
			return a.ambient(r, from)
		}
		return a.twice(r.Context(), func() (*principal, error) { return a.ambient(r, from) })
	case "bearer":
		return a.counted(r.Context(), from, func() (*principal, error) {
			return a.bearer(r.Context(), from, adapters.Secret(strings.TrimSpace(rest)))
		})
	case "basic":
		// Secrets that people chose can be guessed, so an address that failed
		// too often is not even asked; a key of 256 bits cannot.
		end, err := a.limiter.begin(r.Context(), from.limitKey())
		if err != nil {
			return nil, err
		}
		failed := true
		defer func() { end(failed) }()
		if err := a.sameSite(r); err != nil { // browsers repeat Basic by themselves
			failed = false
			return nil, err
		}
		p, err := a.twice(r.Context(), func() (*principal, error) { return a.basic(r, from) })
		failed = refusedCredentials(err)
		return p, err
	}
	return nil, unauthorized(text("api.unknown_authorization", "this Authorization scheme is not supported"))
}

// twice checks again what is refused, when clients or keys have changed since
// their copy was made: only the store refuses.
func (a *authenticator) twice(ctx context.Context, check func() (*principal, error)) (*principal, error) {
	start := time.Now()
	p, err := check()
	if !refusedCredentials(err) {
		return p, err
	}
	changed, lerr := a.clients.LookAgain(ctx, start)
	switch {
	case lerr != nil:
		return nil, lerr
	case changed:
		a.forget()
		return check()
	}
	return p, err
}

// counted counts wrong credentials against whom they came from.
func (a *authenticator) counted(ctx context.Context, from origin, check func() (*principal, error)) (*principal, error) {
	p, err := a.twice(ctx, check)
	if refusedCredentials(err) {
		if wait := a.limiter.charge(from.limitKey()); wait > 0 {
			return nil, tooManyFailures(wait)
		}
	}
	return p, err
}

func refusedCredentials(err error) bool {
	var f *failure
	return errors.As(err, &f) && f.status == http.StatusUnauthorized
}

func tooManyFailures(wait time.Duration) *failure {
	f := fail(http.StatusTooManyRequests, "auth_blocked", "Authorization",
		text("api.auth_blocked", "too many wrong credentials came from this address"),
		text("api.auth_blocked_hint", "wait, then use the right ones"))
	f.retryAfter = wait
	return f
}

func (a *authenticator) bearer(ctx context.Context, from origin, key adapters.Secret) (*principal, error) {
	wrong := unauthorized(text("api.key_refused", "this API key is not known, has expired or was revoked"))
	if key == "" {
		return nil, wrong
	}
	k, err := a.key(ctx, vault.HashKey(key))
	if errors.Is(err, store.ErrNotFound) {
		return nil, wrong
	}
	if err != nil {
		return nil, err
	}
	now := a.now()
	switch {
	case !k.RevokedAt.IsZero():
		a.refused(from, nil, &k, "key_revoked", text("api.use_key_revoked", "the key is revoked"))
		return nil, wrong
	case !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt):
		a.refused(from, nil, &k, "key_expired", text("api.use_key_expired", "the key has expired"))
		return nil, wrong
	}
	if k.Person != "" {
		p, err := a.people.Active(ctx, k.Person)
		if errors.Is(err, store.ErrNotFound) {
			return nil, wrong
		}
		if err != nil {
			return nil, err
		}
		return personsKey(p, &k), nil
	}
	p := &principal{scopes: k.Scopes, name: "key " + k.Name, space: "key " + k.ID, key: &k}
	if k.Client != "" {
		p.client, err = a.clients.ByID(ctx, k.Client)
		if errors.Is(err, store.ErrNotFound) { // or made a moment ago by another process
			p.client, err = a.store.Client(ctx, k.Client)
		}
		if errors.Is(err, store.ErrNotFound) || err == nil && p.client.Disabled {
			a.refused(from, p.client, &k, "client_disabled", programs.SwitchedOff())
			return nil, wrong
		}
		if err != nil {
			return nil, err
		}
		a.programs.Used(p.client.ID, entryPoint, from.addr, now)
	}
	return p, nil
}

// entryPoint is that of all that comes by HTTP.
const entryPoint = "api"

// refused notes a refusal of a client, of a key, or of both; nil: of none.
func (a *authenticator) refused(from origin, c *store.Client, k *store.APIKey, code string, reason adapters.Text) {
	x := programs.Refusal{EntryPoint: entryPoint, Address: from.addr, Code: code, Reason: reason, At: a.now()}
	if c != nil {
		x.Client = c.ID
	}
	if k != nil {
		x.Key = k.ID
	}
	a.programs.Refused(x)
}

// key finds a key by its hash, from a copy that is at most keyFresh old, and
// notes its use.
func (a *authenticator) key(ctx context.Context, hash string) (store.APIKey, error) {
	now := a.now()
	if a.told.Swap(false) {
		a.forget()
	}
	a.mu.Lock()
	k := a.keys[hash]
	if k != nil && now.Sub(k.read) < keyFresh {
		out := k.key
		a.mu.Unlock()
		return out, nil
	}
	a.mu.Unlock()
	stored, err := a.store.APIKeyByHash(ctx, hash)
	if err != nil {
		return store.APIKey{}, err
	}
	a.mu.Lock()
	if k = a.keys[hash]; k == nil {
		if len(a.keys) >= maxKnownKeys {
			clear(a.keys)
		}
		k = &knownKey{touched: stored.LastUsedAt}
		a.keys[hash] = k
	}
	k.key, k.read = *stored, now
	touch := now.Sub(k.touched) >= touchEvery && stored.RevokedAt.IsZero()
	if touch {
		k.touched = now
	}
	a.mu.Unlock()
	if touch {
		if err := a.store.TouchAPIKey(ctx, stored.ID, now); err != nil {
			logFor(ctx, a.log).Warn("the last use of an API key was not noted", "key", stored.Name, "err", err)
		}
	}
	return *stored, nil
}

// edited makes edits of clients and keys by this process count at once.
func (a *authenticator) edited() {
	a.clients.Invalidate()
	a.forget()
}

// forget makes edits of keys by this process count at once.
func (a *authenticator) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.keys)
}

func (a *authenticator) basic(r *http.Request, from origin) (*principal, error) {
	wrong := unauthorized(text("api.client_refused", "no client has this name and secret"))
	name, secret, ok := r.BasicAuth()
	if !ok || secret == "" {
		return nil, wrong
	}
	c, err := a.clients.Named(r.Context(), name)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && c.SecretHash == "":
		if err := a.hasher.Waste(r.Context(), adapters.Secret(secret)); err != nil {
			return nil, err
		}
		return nil, wrong
	case err != nil:
		return nil, err
	}
	fits, err := a.hasher.Verify(r.Context(), c.SecretHash, adapters.Secret(secret))
	if err != nil && r.Context().Err() != nil {
		return nil, r.Context().Err()
	}
	if err != nil {
		logFor(r.Context(), a.log).Error("the secret of a client cannot be checked", "client", c.Name, "err", err)
		return nil, wrong
	}
	switch {
	case c.Disabled:
		a.refused(from, c, nil, "client_disabled", programs.SwitchedOff())
		return nil, wrong
	case !fits:
		a.refused(from, c, nil, "wrong_secret", programs.WrongSecret())
		return nil, wrong
	}
	a.programs.Used(c.ID, entryPoint, from.addr, a.now())
	return &principal{client: c, scopes: clientScopes(), name: "client " + c.Name}, nil
}
