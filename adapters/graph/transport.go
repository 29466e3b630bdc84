package graph

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"time"

	"github.com/postino-mail/postino/adapters"
)

// quietTime is how long a request may make no progress: no byte of the body
// taken, or no answer after the last one. Graph's own gateway gives up earlier.
const quietTime = 150 * time.Second

// newTransport has limits a phase and none on the whole, so that a large
// upload over a slow line is not cut.
func newTransport(roots *x509.CertPool) *http.Transport {
	proxies := adapters.NewProxies()
	return &http.Transport{
		Proxy:                  proxies.For,
		OnProxyConnectResponse: proxies.Refused,
		DialContext:            (&net.Dialer{Timeout: 20 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    20 * time.Second,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
		MaxIdleConns:           64,
		MaxIdleConnsPerHost:    16, // all lanes share one host
		// Shorter than what stands before Graph keeps idle connections, so that a
		// request rarely meets one that is just being closed.
		IdleConnTimeout: 50 * time.Second,
	}
}
