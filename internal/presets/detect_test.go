package presets

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

const tenantID = "7a1b2c3d-0000-4000-8000-00000000c0de"

const tenantDocument = `{"token_endpoint":"https://login.microsoftonline.com/` + tenantID + `/oauth2/v2.0/token",
	"tenant_region_scope":"EU","cloud_instance_name":"microsoftonline.com","issuer":"https://login.microsoftonline.com/` + tenantID + `/v2.0"}`

// A net is DNS and HTTPS servers on loopback that stand for the internet.
type fakeNet struct {
	resolver *net.Resolver
	client   *http.Client
	web      *httptest.Server
	asked    atomic.Int64 // requests by HTTPS
}

// newNet serves the records (in the form of a zone file) and the pages, by
// "host/path"; a page that begins with "https:" is a redirect.
func newNet(t *testing.T, zone string, pages map[string]string) *fakeNet {
	t.Helper()
	n := &fakeNet{}
	n.resolver = newDNS(t, zone)
	n.web = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.asked.Add(1)
		page, ok := pages[r.Host+r.URL.Path]
		switch {
		case !ok:
			http.NotFound(w, r)
		case strings.HasPrefix(page, "http"):
			http.Redirect(w, r, page, http.StatusFound)
		default:
			fmt.Fprint(w, page)
		}
	}))
	t.Cleanup(n.web.Close)
	n.client = &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // every name leads to the one server
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, n.web.Listener.Addr().String())
		}}}
	t.Cleanup(n.client.CloseIdleConnections)
	return n
}

// newDNS is a resolver that asks a DNS server with these records.
func newDNS(t *testing.T, zone string) *net.Resolver {
	t.Helper()
	records := map[string][]dns.RR{}
	names := map[string]bool{}
	parser := dns.NewZoneParser(strings.NewReader(zone), ".", "zone")
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		h := rr.Header()
		records[h.Name+dns.TypeToString[h.Rrtype]] = append(records[h.Name+dns.TypeToString[h.Rrtype]], rr)
		names[h.Name] = true
	}
	if err := parser.Err(); err != nil {
		t.Fatal(err)
	}
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan struct{})
	server := &dns.Server{PacketConn: packets, NotifyStartedFunc: func() { close(started) },
		Handler: dns.HandlerFunc(func(w dns.ResponseWriter, r *dns.Msg) {
			q := r.Question[0]
			m := new(dns.Msg).SetReply(r)
			name := strings.ToLower(q.Name)
			m.Answer = records[name+dns.TypeToString[q.Qtype]]
			switch {
			case strings.HasPrefix(name, "broken."):
				m.Rcode = dns.RcodeServerFailure
			case !names[name]:
				m.Rcode = dns.RcodeNameError
			}
			_ = w.WriteMsg(m) // a resolver that left asks again
		})}
	done := make(chan error, 1)
	go func() { done <- server.ActivateAndServe() }()
	<-started
	t.Cleanup(func() {
		if err := errors.Join(server.Shutdown(), <-done); err != nil {
			t.Error(err)
		}
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", packets.LocalAddr().String())
	}}
}

const xmlOf = `<clientConfig version="1.1"><emailProvider id="x"><outgoingServer type="smtp"><hostname>%s</hostname><port>465</port>` +
	`<socketType>SSL</socketType><username>%%EMAILLOCALPART%%</username><authentication>password-cleartext</authentication>` +
	`</outgoingServer></emailProvider></clientConfig>`

func TestDetect(t *testing.T) {
	t.Parallel()
	n := newNet(t, `
contoso.it. 60 IN MX 0 contoso-it.mail.protection.outlook.com.
filtered.it. 60 IN MX 10 mx.filter.example.
azienda.it. 60 IN MX 1 ASPMX.L.GOOGLE.COM.
azienda.it. 60 IN MX 5 alt1.aspmx.l.google.com.
both.it. 60 IN MX 1 smtp.google.com.
hosting.it. 60 IN MX 10 mx.hosting.it.aruba.it.
pec.studio.it. 60 IN MX 10 mx.pec.aruba.it.
srv.it. 60 IN MX 10 mail.srv.it.
_submissions._tcp.srv.it. 60 IN SRV 0 1 465 mail.srv.it.
_submission._tcp.srv.it. 60 IN SRV 0 1 587 mail.srv.it.
_submissions._tcp.none.it. 60 IN SRV 0 0 0 .
none.it. 60 IN MX 0 .
auto.it. 60 IN MX 10 mx.elsewhere.example.
moved.it. 60 IN MX 10 mx.elsewhere.example.
known.it. 60 IN MX 10 mx.elsewhere.example.
agree.it. 60 IN MX 10 mail.agree.it.
_submissions._tcp.agree.it. 60 IN SRV 0 1 465 mail.agree.it.
xn--caff-8oa.it. 60 IN MX 0 x.mail.protection.outlook.com.
`, map[string]string{
		"login.microsoftonline.com/contoso.it/v2.0/.well-known/openid-configuration":  tenantDocument,
		"login.microsoftonline.com/filtered.it/v2.0/.well-known/openid-configuration": tenantDocument,
		"login.microsoftonline.com/both.it/v2.0/.well-known/openid-configuration":     tenantDocument,
		"autoconfig.auto.it/mail/config-v1.1.xml":                                     fmt.Sprintf(xmlOf, "smtp.auto.it"),
		"autoconfig.moved.it/mail/config-v1.1.xml":                                    "https://files.example.net/moved.xml",
		"files.example.net/moved.xml":                                                 fmt.Sprintf(xmlOf, "smtp.moved.it"),
		"autoconfig.thunderbird.net/v1.1/known.it":                                    fmt.Sprintf(xmlOf, "smtps.aruba.it"),
		"agree.it/.well-known/autoconfig/mail/config-v1.1.xml":                        fmt.Sprintf(xmlOf, "mail.agree.it"),
	})
	for _, c := range []struct {
		address string
		want    []string // preset or host:port, with tenant and sources, the best first
	}{
		{"erp@contoso.it", []string{"microsoft365 tenant mx,tenant", "microsoft365-smtp tenant mx"}},
		{"erp@filtered.it", []string{"microsoft365 tenant tenant"}},
		{"erp@azienda.it", []string{"google-workspace mx", "google-workspace-smtp mx"}},
		{"erp@both.it", []string{"google-workspace mx", "google-workspace-smtp mx", "microsoft365 tenant tenant"}},
		{"info@hosting.it", []string{"aruba mx"}},
		{"info@pec.studio.it", []string{"aruba-pec mx"}},
		{"info@srv.it", []string{"mail.srv.it:465 srv", "mail.srv.it:587 srv"}},
		{"info@none.it", nil},
		{"info@auto.it", []string{"smtp.auto.it:465 autoconfig"}},
		{"info@moved.it", []string{"smtp.moved.it:465 autoconfig"}},
		{"info@known.it", []string{"aruba ispdb"}},
		{"info@agree.it", []string{"mail.agree.it:465 autoconfig,srv"}},
		{"info@caffè.it", []string{"microsoft365 mx", "microsoft365-smtp mx"}},
		{"anna@libero.it", []string{"libero domain"}},
		{"anna@hotmail.it", []string{"outlook domain"}},
		{"anna@contoso.onmicrosoft.com", []string{"microsoft365 domain"}},
		{"studio@legalmail.it", []string{"legalmail domain"}},
	} {
		t.Run(c.address, func(t *testing.T) {
			t.Parallel()
			d, err := Detect(t.Context(), n.resolver, n.client, c.address)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for i, p := range d.Proposals {
				got = append(got, shown(p))
				if p.Rank != i+1 || len(p.Reasons) == 0 || len(p.Reasons) != len(p.Sources) {
					t.Errorf("proposal %d: %+v", i, p)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("proposals %q, want %q", got, c.want)
			}
			if d.Offline || len(d.Checks) != 6 {
				t.Errorf("%+v", d)
			}
		})
	}
}

func shown(p *Proposal) string {
	name := p.Address()
	if p.Preset != nil {
		name = p.Preset.Name
	}
	if p.Tenant == tenantID {
		name += " tenant"
	}
	var sources []string
	for _, s := range p.Sources {
		sources = append(sources, string(s))
	}
	return name + " " + strings.Join(sources, ",")
}

// What is proposed can be created once the credential is added.
func TestDocument(t *testing.T) {
	t.Parallel()
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		doc := p.proposal("erp@contoso.it", SourceDomain, 1, p.Notes()[0]).Document("x", "erp@contoso.it")
		if doc["provider"] != string(p.Provider) || doc[string(p.Provider)] == nil || doc["from"] != "erp@contoso.it" {
			t.Errorf("%s: %v", p.Name, doc)
		}
	}
}

// Without any network a detection is quick, and reports it.
func TestDetectOffline(t *testing.T) {
	t.Parallel()
	down := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: errors.New("network is unreachable")}
	}}
	client := &http.Client{Transport: &http.Transport{DialContext: down.Dial}}
	d, err := Detect(t.Context(), down, client, "anna@libero.it")
	if err != nil {
		t.Fatal(err)
	}
	if !d.Offline || len(d.Proposals) != 1 || d.Proposals[0].Preset.Name != "libero" {
		t.Errorf("%+v", d)
	}
	for _, c := range d.Checks {
		if c.Source != SourceDomain && c.Source != SourceTenant && (c.Outcome != Failed || c.Message.IsZero()) {
			t.Errorf("%s: %s %s", c.Source, c.Outcome, c.Message)
		}
	}
}

// A server that never answers costs no more than the limit.
func TestDetectIsBounded(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	n := newNet(t, "slow.it. 60 IN MX 0 slow-it.mail.protection.outlook.com.\n", nil)
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, silent.Addr().String())
	}}}
	d, err := (&detector{resolver: n.resolver, client: client, limit: 300 * time.Millisecond}).detect(t.Context(), "a@slow.it")
	if err != nil || len(d.Proposals) != 2 || d.Offline {
		t.Errorf("%+v, %v", d, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Detect(ctx, n.resolver, client, "a@slow.it"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestDetectRefuses(t *testing.T) {
	t.Parallel()
	n := newNet(t, "", nil)
	for _, address := range []string{"", "contoso.it", "a@", "a@localhost", "a@[127.0.0.1]", "a@10.0.0.1",
		"a b@contoso.it", "a@contoso.it/x"} {
		if d, err := Detect(t.Context(), n.resolver, n.client, address); err == nil {
			t.Errorf("%q: %+v", address, d)
		}
	}
	if n.asked.Load() != 0 {
		t.Error("a server was asked")
	}
}

// Answers that are too long, redirected to something else than https, or for
// ever, are not used, and each is reported.
func TestDetectUntrustedAnswers(t *testing.T) {
	t.Parallel()
	pages := map[string]string{
		"autoconfig.plain.it/mail/config-v1.1.xml": "http://files.example.net/x.xml",
		"autoconfig.user.it/mail/config-v1.1.xml":  "https://user:secret@files.example.net/x.xml",
		"files.example.net/x.xml":                  fmt.Sprintf(xmlOf, "smtp.evil.example"),
		"autoconfig.loop.it/mail/config-v1.1.xml":  "https://autoconfig.loop.it/mail/config-v1.1.xml",
		"autoconfig.long.it/mail/config-v1.1.xml":  fmt.Sprintf(xmlOf, "smtp.long.it") + strings.Repeat(" ", maxFile),
		"autoconfig.html.it/mail/config-v1.1.xml":  "<html>welcome</html>",
	}
	n := newNet(t, "", pages)
	for _, domain := range []string{"plain.it", "user.it", "loop.it", "long.it", "html.it"} {
		d, err := Detect(t.Context(), n.resolver, n.client, "a@"+domain)
		if err != nil || len(d.Proposals) > 0 {
			t.Errorf("%s: %+v, %v", domain, d, err)
		}
		for _, c := range d.Checks {
			if c.Source == SourceAutoconfig && (c.Outcome != Failed || strings.Contains(c.Message.String(), "secret")) {
				t.Errorf("%s: %+v", domain, c)
			}
		}
	}
}

// A DNS server that fails is not one that knows of nothing.
func TestDetectBrokenDNS(t *testing.T) {
	t.Parallel()
	n := newNet(t, "", nil)
	d, err := Detect(t.Context(), n.resolver, n.client, "a@broken.it")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range d.Checks {
		if c.Source == SourceMX && c.Outcome != Failed {
			t.Errorf("%+v", c)
		}
	}
}

// No one but an administrator reaches an address that is not public, and no one
// by a redirect.
func TestClientAddresses(t *testing.T) {
	t.Parallel()
	inner := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "inside") }))
	t.Cleanup(inner.Close)
	outer := httptest.NewTLSServer(http.RedirectHandler(inner.URL+"/x", http.StatusFound))
	t.Cleanup(outer.Close)
	trusting := func(c *http.Client) *detector {
		c.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true} // certificates are not what is tested
		return &detector{client: c}
	}
	admin, operator := trusting(NewClient(Everywhere())), trusting(NewClient(nil))
	if body, err := admin.get(t.Context(), inner.URL); err != nil || string(body) != "inside" {
		t.Errorf("an administrator: %q, %v", body, err)
	}
	if _, err := admin.get(t.Context(), outer.URL); !errors.Is(err, errPrivate) {
		t.Errorf("an administrator, redirected: %v", err)
	}
	if _, err := operator.get(t.Context(), inner.URL); !errors.Is(err, errAbsent) {
		t.Errorf("someone else: %v", err)
	}
}

func TestParseTenant(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][2]string{
		tenantDocument: {tenantID, ""},
		strings.Replace(tenantDocument, `"EU"`, `"USGov","tenant_region_sub_scope":"DODCON"`, 1):      {tenantID, "gcchigh"},
		strings.Replace(tenantDocument, `"EU"`, `"USGov","tenant_region_sub_scope":"DOD"`, 1):         {tenantID, "dod"},
		strings.Replace(tenantDocument, "microsoftonline.com\",", "partner.microsoftonline.cn\",", 1): {tenantID, "china"},
		strings.ReplaceAll(tenantDocument, tenantID, personalTenant):                                  {},
		`{"token_endpoint":"https://login.microsoftonline.com/common/oauth2/v2.0/token"}`:             {},
		`{"error":"invalid_tenant"}`: {},
		`<html>`:                     {},
	} {
		if id, cloud := parseTenant([]byte(body)); id != want[0] || cloud != want[1] {
			t.Errorf("%s: %q %q", body, id, cloud)
		}
	}
}

var _ Resolver = (*net.Resolver)(nil)
