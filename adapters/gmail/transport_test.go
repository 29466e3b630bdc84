package gmail_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/gmail"
	"github.com/postino-mail/postino/tokens/credential"
)

// Many connections share one pool of network connections, which ends with the last.
func TestConnectionsShareTheTransport(t *testing.T) {
	t.Parallel()
	var opened atomic.Int64
	closed := make(chan struct{})
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			opened.Add(1)
		case http.StateClosed:
			close(closed)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	factory := gmail.Factory(gmail.Options{Tokens: fixedTokens{}})
	var open []adapters.Adapter
	for i := range 5 {
		a, err := factory(&adapters.Connection{ID: strconv.Itoa(i), Provider: adapters.Gmail, From: "a@example.com",
			Settings: &gmail.Settings{Google: credential.Google{Subject: "a@example.com"}, GmailURL: srv.URL}})
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, a)
	}
	for _, a := range open {
		if err := a.Probe(t.Context()); err == nil {
			t.Error("404 is no success")
		}
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("%d network connections for 5 connections of a gateway", n)
	}
	for _, a := range open {
		select {
		case <-closed:
			t.Error("the network connection ended while an adapter was open")
		default:
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
	<-closed
}

type fixedTokens struct{}

func (fixedTokens) TokenSource(*adapters.Connection, adapters.Audience) (adapters.TokenSource, error) {
	return fixedToken{}, nil
}

type fixedToken struct{}

func (fixedToken) Token(context.Context) (string, error)         { return "token", nil }
func (fixedToken) Renew(context.Context, string) (string, error) { return "token", nil }
