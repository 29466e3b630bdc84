package adapters

import (
	"errors"
	"strings"
)

// NotProcessed reports that by the peer's own word, or a proxy's, nothing of a
// request was acted upon, although all of it may have been sent: HTTP/2
// REFUSED_STREAM, GOAWAY with a lower last stream (RFC 9113 sections 6.8 and
// 8.7), a tunnel that was never opened. Such a request may be sent again.
func NotProcessed(err error) bool {
	if err == nil {
		return false
	}
	if errors.As(err, new(*proxyError)) {
		return true
	}
	// net/http does not export its HTTP/2 errors; TestNotProcessed holds these
	// texts against a server of its own.
	s := err.Error()
	return strings.Contains(s, "REFUSED_STREAM; received from peer") ||
		strings.Contains(s, "Transport received Server's graceful shutdown GOAWAY") ||
		strings.Contains(s, "http2: Transport received GOAWAY from server ErrCode:")
}
