package graph

import (
	"context"
	"net"
	"net/http"
	"time"
)

// quietTime is how long a request may make no progress: no byte of the body
// taken, or no answer after the last one. Graph's own gateway gives up earlier.
const quietTime = 150 * time.Second

// newTransport has limits a phase and none on the whole, so that a large
// upload over a slow line is not cut.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 20 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: 20 * time.Second,
		ForceAttemptHTTP2:   true,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
		MaxIdleConns:        64,
		MaxIdleConnsPerHost: 16, // all lanes share one host
		// Shorter than what stands before Graph keeps idle connections, so that a
		// request rarely meets one that is just being closed.
		IdleConnTimeout: 50 * time.Second,
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
