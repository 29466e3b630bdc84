// Package sharedtransport ends the kept connections of a transport with the last
// adapter that uses it.
package sharedtransport

import (
	"net/http"
	"sync"
	"sync/atomic"
)

// A Transport is one that several adapters use. Safe for concurrent use.
type Transport struct {
	*http.Transport
	users atomic.Int64
}

// Use counts one user more. What it returns ends that use, the first time it is
// called, and with the last use the kept connections.
func (t *Transport) Use() (end func()) {
	t.users.Add(1)
	return sync.OnceFunc(func() {
		if t.users.Add(-1) == 0 {
			t.CloseIdleConnections()
		}
	})
}
