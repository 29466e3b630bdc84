package api

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"testing"

	"github.com/postino-mail/postino/internal/presets"
	"github.com/postino-mail/postino/internal/view"
)

func TestPresets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var list PresetList
	w.want(w.do(w.addKey("", ScopeConnectionsRead), "GET", "/v1/presets", nil, "Accept-Language", "it"), http.StatusOK).into(t, &list)
	for _, p := range list.Items {
		if p.Name == "legalmail" {
			if len(p.Servers) != 1 || p.Servers[0].Host != "sendm.cert.legalmail.it" || p.Limits.PerMinute != 6 || p.Date == "" ||
				len(p.Notes) == 0 || p.Notes[0] != "la posta certificata non ha Ccn: postino rifiuta un tale messaggio prima di inviarlo" {
				t.Errorf("%+v", p)
			}
			return
		}
	}
	t.Errorf("no legalmail among %d presets", len(list.Items))
}

// Servers without a public address are asked for an administrator alone.
func TestDetectConnection(t *testing.T) {
	t.Parallel()
	own := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}
	asked := make(chan []netip.Prefix, 1)
	w := newWorld(t, func(o *Options) {
		o.ConnectionNetworks = own
		o.Detect = func(ctx context.Context, allowed []netip.Prefix, address string) (*presets.Detection, error) {
			asked <- allowed
			return presets.Detect(ctx, nowhere{}, &http.Client{Transport: nowhere{}}, address)
		}
	})
	body := map[string]any{"address": "anna@libero.it"}
	for scope, networks := range map[string]int{ScopeConnectionsWrite: len(own), ScopeAdmin: len(presets.Everywhere())} {
		var d view.Detection
		w.want(w.do(w.addKey("", scope), "POST", "/v1/connections/detect", body), http.StatusOK).into(t, &d)
		if got := <-asked; len(got) != networks {
			t.Errorf("%s: %v", scope, got)
		}
		if !d.Offline || len(d.Proposals) != 1 || d.Proposals[0].Preset != "libero" || len(d.Checks) != 6 {
			t.Errorf("%+v", d)
		}
		c := d.Proposals[0].Connection
		c["smtp"].(map[string]any)["password"] = "x"
		w.want(w.do(w.addKey("", ScopeAdmin), "POST", "/v1/connections", c), http.StatusCreated)
		w.want(w.do(w.addKey("", ScopeAdmin), "DELETE", "/v1/connections/Libero", nil), http.StatusNoContent)
	}
	for _, bad := range []string{"", "anna", "anna@localhost"} {
		w.want(w.do(w.addKey("", ScopeConnectionsWrite), "POST", "/v1/connections/detect", map[string]any{"address": bad}),
			http.StatusUnprocessableEntity)
		<-asked
	}
	key := w.addKey("", ScopeConnectionsWrite)
	for range testsAtOnce {
		w.want(w.do(key, "POST", "/v1/connections/detect", body), http.StatusOK)
		<-asked
	}
	w.want(w.do(key, "POST", "/v1/connections/detect", body), http.StatusTooManyRequests) // as tests of connections are
}

// nowhere is a network that answers nothing.
type nowhere struct{}

func (nowhere) LookupMX(context.Context, string) ([]*net.MX, error) { return nil, errNowhere }

func (nowhere) LookupSRV(context.Context, string, string, string) (string, []*net.SRV, error) {
	return "", nil, errNowhere
}

func (nowhere) RoundTrip(*http.Request) (*http.Response, error) { return nil, errNowhere }

var errNowhere = errors.New("the network is unreachable")
