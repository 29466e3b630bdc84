package web

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/programs"
	"github.com/postino-mail/postino/internal/store"
)

func TestClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(_ *api.Options, o *Options) {
		o.Listeners = []Listener{{Address: ":587", TLS: "starttls"}, {Address: "127.0.0.1:2525", TLS: "none", NoAuth: true}}
	})
	w.connection("Ufficio", "*@contoso.it", "")
	w.signIn(w.admin)
	w.get("/clients").want(200, "No program has a name here yet", "New client")
	w.get("/clients/new").want(200, "Name", "Networks")
	w.post("/clients", "name", "my erp").want(422, "no spaces", "my erp")
	w.post("/clients", "name", "scanner", "networks", "192.168.1.0/24\nnonsense", "per_minute", "many").want(422, "whole number", "nonsense")
	w.post("/clients", "name", "scanner", "networks", "192.168.1.0/24\nnonsense").want(422, "is not a network", "nonsense", "scanner")
	a := w.post("/clients", "name", "erp", "connection", "Ufficio", "connections", "Ufficio", "senders", "*@contoso.it", "per_minute", "60").
		want(200, "This secret is shown this once", "mail.contoso.it", "587", "STARTTLS", "PHPMailer", "127.0.0.1", "curl -u")
	secret := regexp.MustCompile(`pc_[A-Za-z0-9_-]+`).FindString(a.body)
	c, err := w.store.ClientNamed(context.Background(), "erp")
	w.must(err)
	at := "/clients/" + c.ID
	if secret == "" || c.PerMinute != 60 || len(c.Connections) != 1 {
		t.Fatalf("%q %+v", secret, c)
	}
	w.get(at).want(200, "never", "Ufficio", "erp").without(secret)
	w.must(w.store.SawUses(context.Background(), []store.Use{{Kind: store.UseOfClient, Subject: c.ID, UsedAt: time.Now(),
		UsedFrom: "192.0.2.7", RefusedAt: time.Now().Add(-time.Hour), RefusedFrom: "192.0.2.8", Code: "wrong_secret",
		Reason: programs.WrongSecret()}}))
	w.get(at).want(200, "192.0.2.7", "192.0.2.8", "the secret was wrong", "wrong_secret")
	w.get("/clients").want(200, "Last used", "the secret was wrong")
	w.get("/clients", "Accept-Language", "it").want(200, "Un client", "erp", "Può inviare")
	w.post(at, "name", "erp", "senders", "nonsense", "revision", "1").want(422, "nonsense")
	w.post(at, "name", "erp2", "disabled", "on", "revision", "1").to(at)
	w.get(at).want(200, "Saved.", "erp2", "Switched off")
	w.post(at, "name", "erp3", "revision", "1").want(409, "erp3")

	w.get(at+"/rotate").want(200, "A new secret for erp2?", "stops working at once")
	a = w.post(at+"/rotate").want(200, "This secret is shown this once")
	if again := regexp.MustCompile(`pc_[A-Za-z0-9_-]+`).FindString(a.body); again == secret {
		t.Error("the secret is the old one")
	}
	w.post(at+"/keys", "key_name", "").want(422, "erp2")
	a = w.post(at+"/keys", "key_name", "<script>alert(1)</script>", "scope", "send").want(200, "This key is shown this once").
		without("<script>alert")
	key := regexp.MustCompile(`pk_[A-Za-z0-9_-]+`).FindString(a.body)
	w.get(at).want(200, "One key", "Valid", "messages:send").without(key)
	keys, err := w.store.APIKeys(context.Background(), c.ID)
	w.must(err)
	w.get(at+"/keys/"+keys[0].ID+"/revoke").want(200, "Revoke the key?")
	w.post(at + "/keys/" + keys[0].ID + "/revoke").to(at)
	w.get(at).want(200, "The key was revoked.", "Revoked")
	w.post(at + "/remove").to("/clients")
	w.get(at).want(404)
	w.get("/clients").without("erp2")
}

// Settings are those of the listener, and a name breaks out of no command.
func TestReadySettings(t *testing.T) {
	t.Parallel()
	r := readySettings{Host: `a'; system('x'); '\`, Port: "25", Login: "l", TLS: "ssl"}
	if got := r.PHP(); !strings.Contains(got, `$mail->Host = 'a\'; system(\'x\'); \'\\';`) || !strings.Contains(got, "SMTPSecure = 'ssl'") {
		t.Error(got)
	}
	c := clientScreen{HTTP: "https://mail.contoso.it"}
	c.Client.Name = "x'$(id)"
	if got := c.Curl(); !strings.Contains(got, `curl -u 'x'\''$(id)' https://mail.contoso.it/v1/messages`) {
		t.Error(got)
	}
}

func TestWebhooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connection("Ufficio", "*@contoso.it", "")
	w.signIn(w.admin)
	w.get("/webhooks").want(200, "No program is told of anything yet")
	w.post("/webhooks", "url", "http://10.1.2.3/x", "types", "delivery.sent").want(422, "http://10.1.2.3/x", "delivery.sent")
	a := w.post("/webhooks", "url", "https://127.0.0.1/hook?<script>", "types", "message.accepted\ndelivery.sent").
		want(200, "This secret is shown this once", "whsec_").without("<script>\"")
	secret := regexp.MustCompile(`whsec_[A-Za-z0-9+/=]+`).FindString(a.body)
	all, err := w.store.Webhooks(context.Background())
	w.must(err)
	at := "/webhooks/" + all[0].ID
	w.send()
	w.get(at).want(200, "message.accepted", "Waits", "Active").without(secret)
	w.get("/webhooks", "Accept-Language", "it").want(200, "Un webhook", "Attivo")
	w.post(at+"/replay", "from", "x").want(422, "whole number")
	w.post(at+"/replay", "from", "1").to(at)
	w.get(at).want(200, "The events are sent again.")
	w.post(at, "url", "https://127.0.0.1/other").to(at)
	w.get(at).want(200, "Saved.", "Inactive", "https://127.0.0.1/other")
	w.post(at+"/rotate").want(200, "whsec_").without(secret)
	w.get(at+"/remove").want(200, "Delete https://127.0.0.1/other?")
	w.post(at + "/remove").to("/webhooks")
	w.get(at).want(404)
}

// Clients and webhooks are the administrators'.
func TestClientsAreForAdministrators(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signIn(w.admin)
	w.post("/clients", "name", "segreto").want(200)
	c, err := w.store.ClientNamed(context.Background(), "segreto")
	w.must(err)
	w.signIn(w.operator)
	for _, path := range []string{"/clients", "/clients/new", "/clients/" + c.ID, "/clients/" + c.ID + "/rotate"} {
		w.get(path).want(http.StatusForbidden).without("segreto")
	}
	w.post("/clients", "name", "mine").want(http.StatusForbidden)
	w.post("/clients/" + c.ID + "/rotate").want(http.StatusForbidden)
	w.post("/clients/"+c.ID+"/keys", "key_name", "mine").want(http.StatusForbidden)
	w.get("/").want(200).without(`href="/clients"`, `href="/people"`)
}

// An operator has webhooks of their own, and sees no other.
func TestWebhooksOfAnOperator(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signIn(w.admin)
	w.post("/webhooks", "url", "https://127.0.0.1/admin").want(200)
	list, err := w.store.Webhooks(context.Background())
	w.must(err)
	w.signIn(w.operator)
	w.get("/").want(200, "Webhooks", "Audit")
	w.get("/webhooks").want(200).without("127.0.0.1/admin", `name="client"`)
	w.get("/webhooks/" + list[0].ID).want(http.StatusNotFound).without("127.0.0.1/admin")
	w.post("/webhooks", "url", "https://127.0.0.1/own").want(200, "whsec_")
	w.get("/webhooks").want(200, "127.0.0.1/own").without("127.0.0.1/admin")
}
