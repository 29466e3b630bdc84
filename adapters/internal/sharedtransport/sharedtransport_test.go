package sharedtransport

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// The kept connection outlives all users but the last; a user ends once, however often
// it says so.
func TestLastUseEndsConnections(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			close(closed)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	shared := &Transport{Transport: &http.Transport{}}
	first, second := shared.Use(), shared.Use()
	get := func() {
		resp, err := (&http.Client{Transport: shared.Transport}).Get(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
	}
	get()
	first()
	first()
	get() // over the same connection: a second one would close this channel twice
	select {
	case <-closed:
		t.Error("the connection ended while it was in use")
	default:
	}
	second()
	<-closed
}
