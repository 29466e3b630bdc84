package webhook

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"syscall"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/store"
)

// SecretPath is the path under which a webhook's secret is sealed; its owner
// is the webhook's id.
const SecretPath = "secret"

// NewSecret makes a signing secret as Standard Webhooks writes it.
func NewSecret() adapters.Secret {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return adapters.Secret("whsec_" + base64.StdEncoding.EncodeToString(b))
}

// A Payload is the body of a webhook request.
type Payload struct {
	Type      string          `json:"type"`
	Timestamp time.Time       `json:"timestamp"`
	Seq       int64           `json:"seq"`
	Client    string          `json:"client,omitempty"`
	Message   string          `json:"message,omitempty"`
	Delivery  string          `json:"delivery,omitempty"`
	Data      json.RawMessage `json:"data"`
}

// MessageID is the webhook-id of an event: the same at every try.
func MessageID(hook string, seq int64) string {
	return "evt_" + hook + "_" + strconv.FormatInt(seq, 10)
}

// A goneError: the receiver answered 410, which means never again.
type goneError struct{}

func (*goneError) Error() string { return "the receiver answered 410 Gone: it wants no more events" }

func (w *Worker) send(ctx context.Context, h *store.Webhook, secret adapters.Secret, e *store.Event) error {
	data := e.Data
	if len(data) == 0 {
		data = json.RawMessage("{}")
	}
	body, err := json.Marshal(Payload{Type: e.Type, Timestamp: e.At, Seq: e.Seq, Client: e.Client, Message: e.Message.String(), Delivery: e.Delivery.String(), Data: data})
	if err != nil {
		return fmt.Errorf("event %d cannot be written: %w", e.Seq, err)
	}
	signer, err := standardwebhooks.NewWebhook(secret.Reveal())
	if err != nil {
		return errors.New("the webhook's secret is not one: give it a new one")
	}
	id, now := MessageID(h.ID, e.Seq), w.opt.Now()
	signature, err := signer.Sign(id, now, body)
	if err != nil {
		return fmt.Errorf("event %d cannot be signed: %w", e.Seq, err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("the webhook's URL cannot be read")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "postino-webhooks/1")
	r.Header.Set(standardwebhooks.HeaderWebhookID, id)
	r.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	r.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	res, err := w.http.Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the URL, which may hold a token
		}
		return fmt.Errorf("the receiver cannot be reached: %w", err)
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 4<<10) // so that the connection can be used again; its words do not matter
	switch {
	case res.StatusCode >= 200 && res.StatusCode < 300:
		return nil
	case res.StatusCode == http.StatusGone:
		return &goneError{}
	}
	return fmt.Errorf("the receiver answered %d", res.StatusCode)
}

// ErrPrivate is why a receiver at an address that is not public is not called.
var ErrPrivate = errors.New("the receiver's address is not public: use one that is")

// CheckURL says what is wrong with an address that could never be called; ok
// is true when nothing is.
func CheckURL(raw string, private bool) (wrong adapters.Text, ok bool) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Hostname() == "":
		return adapters.Text{EN: "the URL cannot be read: write https://host/path", IT: "l'URL non è leggibile: scrivere https://host/percorso"}, false
	case u.User != nil:
		return adapters.Text{EN: "the URL has a user name or a password: the signature proves who calls", IT: "l'URL contiene un nome utente o una password: a provare chi chiama è la firma"}, false
	case u.Scheme != "https" && (!private || u.Scheme != "http"):
		return adapters.Text{EN: "the URL must begin with https://", IT: "l'URL deve iniziare con https://"}, false
	case u.Fragment != "":
		return adapters.Text{EN: "the URL has a fragment, which is never sent", IT: "l'URL ha un frammento, che non viene mai inviato"}, false
	}
	if ip, err := netip.ParseAddr(u.Hostname()); !private && (err == nil && !public(ip) || u.Hostname() == "localhost") {
		return adapters.Text{EN: ErrPrivate.Error(), IT: "l'indirizzo del ricevente non è pubblico: usarne uno pubblico"}, false
	}
	return adapters.Text{}, true
}

// NewClient makes the client for webhooks: no proxy, no redirects, and unless
// private is set no connection to an address that is not public. The address
// is looked at when the connection is made, so that no name can change between.
func NewClient(private bool) *http.Client {
	d := &net.Dialer{Timeout: 10 * time.Second}
	if !private {
		d.Control = func(_, address string, _ syscall.RawConn) error {
			a, err := netip.ParseAddrPort(address)
			if err != nil || !public(a.Addr()) {
				return ErrPrivate
			}
			return nil
		}
	}
	return &http.Client{
		Transport: &http.Transport{DialContext: d.DialContext, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: timeout,
			MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// public reports an address of the open Internet (IANA special-purpose
// registries, RFC 6890), looking inside those that carry an IPv4 address.
func public(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsValid() || !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() {
		return false
	}
	for _, p := range special() {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

func special() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("192.0.2.0/24"),
		netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"),
		netip.MustParsePrefix("240.0.0.0/4"),
		netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("2001::/23"),
		netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("fec0::/10"),
	}
}
