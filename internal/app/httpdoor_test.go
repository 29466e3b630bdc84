package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// ask makes a request of the API and wants the status.
func ask(t *testing.T, client *http.Client, want int, method, url, body string) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != want {
		t.Fatalf("%s %s: %d %s, want %d", method, url, res.StatusCode, answer, want)
	}
	return answer
}

// [webhooks] networks: a receiver on this machine is refused unless named.
func TestWebhookNetworks(t *testing.T) {
	t.Parallel()
	got := make(chan string, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got <- string(b)
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(receiver.Close)
	client := new(http.Client)
	t.Cleanup(client.CloseIdleConnections)
	const doors = "smtp = []\n[http]\naddress = '127.0.0.1:0'\n"
	hook := fmt.Sprintf(`{"url": %q, "types": ["message.accepted"]}`, receiver.URL+"/hook")

	at, _ := startServer(t, doors)
	ask(t, client, http.StatusUnprocessableEntity, "POST", "http://"+at.HTTP+"/v1/webhooks", hook)

	at, _ = startServer(t, doors+"[webhooks]\nnetworks = ['127.0.0.1']\n")
	api := "http://" + at.HTTP
	ask(t, client, http.StatusCreated, "POST", api+"/v1/webhooks", hook)
	ask(t, client, http.StatusCreated, "POST", api+"/v1/connections", `{"name": "x", "provider": "smtp", "from": "erp@contoso.it", "smtp": {"host": "127.0.0.1", "port": 1, "encryption": "none"}}`)
	var sent struct{ ID string }
	if err := json.Unmarshal(ask(t, client, http.StatusAccepted, "POST", api+"/v1/messages",
		fmt.Sprintf(`{"from": "erp@contoso.it", "to": ["a@example.com"], "text": "x", "send_at": %q}`, time.Now().Add(time.Hour).Format(time.RFC3339))), &sent); err != nil {
		t.Fatal(err)
	}
	select {
	case body := <-got:
		var p struct{ Type, Message string }
		if err := json.Unmarshal([]byte(body), &p); err != nil || p.Type != "message.accepted" || p.Message != sent.ID {
			t.Errorf("%v: %s", err, body)
		}
	case <-time.After(20 * time.Second):
		t.Error("the receiver heard nothing")
	}
}
