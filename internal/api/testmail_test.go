package api

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/postino-mail/postino/adapters/all"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/internal/doctor"
	"github.com/postino-mail/postino/internal/outbox"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/internal/view"
)

// sendingWorld is a world that sends to a sandbox, with a connection that is stored there.
func sendingWorld(t *testing.T) (*world, *sandbox.Sandbox) {
	t.Helper()
	sb, err := sandbox.Start(sandbox.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	sender := all.New(all.Options{RootCAs: sb.CertPool()})
	t.Cleanup(func() {
		if err := sender.Close(); err != nil {
			t.Error(err)
		}
	})
	var used submit.Options
	w := newWorld(t, func(o *Options) {
		o.Doctor = doctor.New(doctor.Options{Sender: func() doctor.Sender { return all.New(all.Options{RootCAs: sb.CertPool()}) }})
	}, func(o *submit.Options) { o.Adapters = sender; used = *o })
	out, err := outbox.New(outbox.Options{Store: w.store, Connections: used.Connections, Adapters: sender, Node: "a"})
	w.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- out.Run(ctx) }()
	t.Cleanup(func() { cancel(); w.must(<-ended) })
	doc, err := sandbox.ConnectionJSON(sb.SMTPConnection("erp@contoso.it"))
	w.must(err)
	w.want(w.do(w.admin, "POST", "/v1/connections", string(doc)), http.StatusCreated)
	return w, sb
}

// sent tests the stored connection with a message.
func (w *world) sent(query string) (res view.ConnectionTest) {
	w.t.Helper()
	w.want(w.do(w.admin, "POST", "/v1/connections/Sandbox%20SMTP/test?to=anna@example.com"+query, nil), http.StatusOK).into(w.t, &res)
	return res
}

// tagged are the messages with the tag of tests.
func (w *world) tagged() []view.MessageEntry {
	w.t.Helper()
	var page MessagePage
	w.want(w.do(w.admin, "GET", "/v1/messages?"+url.Values{"q": {"tag:test"}}.Encode(), nil), http.StatusOK).into(w.t, &page)
	return page.Items
}

// TestSentTestIsListed: the message of a test is found with the other mail, went
// through the connection that is tested whatever the default takes, and is shown
// with its attempts. Where the connection's mail does not leave, it is sent past it.
func TestSentTestIsListed(t *testing.T) {
	t.Parallel()
	w, sb := sendingWorld(t)
	w.want(w.do(w.admin, "PATCH", "/v1/connections/Ufficio", `{"default":"always"}`), http.StatusOK)
	res := w.sent("")
	if !res.OK || res.Mail == "" || len(sb.Deliveries()) != 1 {
		t.Fatalf("%+v, %d deliveries", res, len(sb.Deliveries()))
	}
	list := w.tagged()
	if len(list) != 1 || list[0].Message.ID != res.Mail || list[0].Delivery.Connection.Name != "Sandbox SMTP" ||
		list[0].Message.From != "erp@contoso.it" || list[0].Delivery.State.String() != "sent" {
		t.Fatalf("%+v", list)
	}
	w.want(w.do(w.admin, "PATCH", "/v1/connections/Sandbox%20SMTP", `{"active":false}`), http.StatusOK)
	res = w.sent("")
	i := slices.IndexFunc(res.Stages, func(s view.Stage) bool { return s.Name == "message" })
	if !res.OK || res.Mail != "" || !strings.Contains(res.Stages[i].Hint, "not listed") || len(sb.Deliveries()) != 2 || len(w.tagged()) != 1 {
		t.Errorf("%+v, %d deliveries, %d listed", res, len(sb.Deliveries()), len(w.tagged()))
	}
}

// TestSentTestRefused: what the provider refuses is the result of the test, and is
// listed as failed.
func TestSentTestRefused(t *testing.T) {
	t.Parallel()
	w, sb := sendingWorld(t)
	sb.Inject(sandbox.Fault{Service: "smtp", Op: "data", Status: 554, Code: "5.7.1", Message: "spam"})
	res := w.sent("")
	i := slices.IndexFunc(res.Stages, func(s view.Stage) bool { return s.Status == "failed" })
	if res.OK || i < 0 || res.Stages[i].Name != "message" || res.Mail == "" {
		t.Fatalf("%+v", res)
	}
	if list := w.tagged(); len(list) != 1 || list[0].Delivery.State.String() != "failed" {
		t.Errorf("%+v", list)
	}
}
