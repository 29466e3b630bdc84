package web

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/store"
)

// Mail is found, sent once more through another connection, and retried together,
// with and without script.
func mailFlow(t *testing.T, c *chrome) {
	withAndWithoutScript(t, func(t *testing.T, script bool) {
		w := mailWorld(t)
		w.send()
		w.send(func(m map[string]any) { m["subject"] = "Fattura 12" })
		b := c.tabOf(t, w, w.admin)
		b.desk(script)
		b.open("/mail")
		b.fill("Cerca", "fattura")
		b.press("Trova")
		b.sees("Fattura 12", "Un messaggio")
		b.press("Fattura 12")
		b.sees("Che cosa è successo", "Ufficio")
		b.press("Rinvia")
		b.fill("Connessione", "Seconda")
		b.press("Rinvia")
		b.sees("Rinviato: questo è il messaggio nuovo.", "Seconda")

		b.open("/mail?q=fattura")
		b.press("Annulla")
		b.sees("Annulla 2 messaggi")
		b.press("Annulla")
		b.sees("Fatto: 2 messaggi.")
		b.hides("Ripensaci") // it is too late
		b.check("an action on many messages")
		b.shot(fmt.Sprintf("flow-bulk-done-script-%v", script))
		b.press("Torna alla ricerca")
		b.press("Annullati")
		b.press("Riprova")
		b.sees("Riprova 2 messaggi")
		b.press("Riprova")
		b.sees("Fatto: 2 messaggi.")
		b.press("Esci")
		b.sees("Sei uscito.")
	})
}

// Whoever undoes an action on many messages in time has changed nothing.
func undoFlow(t *testing.T, c *chrome) {
	withAndWithoutScript(t, func(t *testing.T, script bool) {
		w := mailWorld(t, func(_ *api.Options, o *Options) { o.UndoTime = time.Minute })
		for i := range 2 {
			w.send(func(m map[string]any) { m["subject"] = fmt.Sprintf("Fattura %d", i) })
		}
		b := c.tabOf(t, w, w.admin)
		b.desk(script)
		b.open("/mail?q=fattura")
		b.press("Annulla")
		b.sees("Annulla 2 messaggi")
		b.tap("Annulla") // its answer grows for a minute
		b.sees("Comincia tra 60 secondi")
		b.press("Ripensaci")
		b.sees("Fattura 0", "In coda")
		if b.at() != "/mail?q=fattura" {
			t.Errorf("it leads to %s", b.at())
		}
		b.open("/mail?q=fattura&state=cancelled")
		b.sees("Niente corrisponde")
	})
}

// An operator finds their own mail alone.
func operatorFlow(t *testing.T, c *chrome) {
	w := mailWorld(t)
	w.send(func(m map[string]any) { m["subject"] = "segreto" })
	w.signIn(w.operator)
	w.send(func(m map[string]any) { m["from"], m["subject"] = "io@bruno.example", "Mia posta" })
	b := c.tabOf(t, w, w.operator)
	b.desk(true)
	b.open("/mail")
	b.sees("Mia posta", "Un messaggio")
	b.press("Mia posta")
	b.sees("Che cosa è successo", "Mia")
}

// fillMail has mail in several states, a client and a webhook.
func fillMail(w *world) {
	_, err := w.people.Change(context.Background(), w.admin.ID, func(p *store.Person) error {
		p.Filters = []store.SavedFilter{
			{Name: "Fatture non partite della sede di Reggio nell'Emilia, dal primo gennaio", Query: "fattura state:failed"},
			{Name: "Offerte", Query: "offerta", Shared: true},
		}
		return nil
	})
	w.must(err)
	ctx := context.Background()
	w.connection("Ufficio", "*@contoso.it", "")
	w.signIn(w.admin)
	unknown := w.send(func(m map[string]any) { m["subject"] = "Offerta in sospeso" })
	w.mayBeSent()
	for i := range 8 {
		w.send(func(m map[string]any) { m["subject"] = fmt.Sprintf("Offerta %d", i) })
	}
	long := strings.Repeat("Lungo ", 30)
	id := w.send(func(m map[string]any) {
		m["subject"], m["html"], m["cc"] = long, "<h1>Ciao</h1><p>Testo</p>",
			[]string{"carla.verdi.dal.nome.molto.lungo@un-dominio-molto-lungo.example.com"}
		m["attachments"] = []map[string]any{{"filename": long + ".pdf", "content": "eA=="}}
	})
	list, err := w.store.List(ctx, store.ListRequest{Limit: 100})
	w.must(err)
	for i := range list.Entries {
		verb := store.DoHold
		if i%3 == 1 {
			verb = store.DoCancel
		}
		if i%3 != 2 || list.Entries[i].Message.Subject == "Offerta in sospeso" {
			_, err := w.store.Act(ctx, store.Action{Verb: verb, Deliveries: []store.ID{list.Entries[i].Delivery.ID}, Now: time.Now()})
			w.must(err)
		}
	}
	w.pages.opt.Listeners = []Listener{{Address: ":587", TLS: "starttls"}, {Address: "127.0.0.1:2525", TLS: "none"}}
	w.post("/clients", "name", "erp", "networks", "10.0.0.0/8").want(200)
	c, err := w.store.ClientNamed(ctx, "erp")
	w.must(err)
	w.post("/clients/"+c.ID+"/keys", "key_name", "negozio").want(200)
	w.post("/webhooks", "url", "https://127.0.0.1/hook").want(200)
	hooks, err := w.store.Webhooks(ctx)
	w.must(err)
	w.made = map[string]string{"message": id, "unknown": unknown, "client": c.ID, "webhook": hooks[0].ID}
}
