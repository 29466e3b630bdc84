package presets

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// A Resolver looks up what a domain says of its mail. *net.Resolver is one. It
// may be called by several goroutines at once.
type Resolver interface {
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
}

// A Detection is what was found of an address.
type Detection struct {
	Address   string
	Domain    string // in ASCII
	Proposals []*Proposal
	Checks    []Check
	Offline   bool // no look-up was answered: only what postino knows itself was used
}

// A Check is one look-up and what came of it.
type Check struct {
	Source  Source
	Outcome Outcome
	Message mime.Text
}

// online reports an answer from outside. A resolver may say of every name that
// it does not exist, so that this alone proves nothing.
func (c Check) online() bool {
	switch c.Source {
	case SourceDomain:
		return false
	case SourceTenant, SourceISPDB:
		return c.Outcome == Found || c.Outcome == None
	}
	return c.Outcome == Found
}

// An Outcome is what came of a look-up.
type Outcome string

// The outcomes.
const (
	Found   Outcome = "found"
	None    Outcome = "none"   // answered: there is nothing
	Failed  Outcome = "failed" // not answered
	Skipped Outcome = "skipped"
)

// lookupTime bounds a detection as a whole.
const lookupTime = 5 * time.Second

// Detect proposes connections for an address, the best first. It asks in
// parallel and takes 5 seconds at most; what is not answered is left out, and
// reported in Checks. client should be one of NewClient. The error is that of
// something that is no address (*mime.Error, *texterr.Error), or of ctx.
func Detect(ctx context.Context, resolver Resolver, client *http.Client, address string) (*Detection, error) {
	return (&detector{resolver: resolver, client: client, limit: lookupTime}).detect(ctx, address)
}

// A detector asks.
type detector struct {
	resolver Resolver
	client   *http.Client
	limit    time.Duration
}

func (d *detector) detect(ctx context.Context, address string) (*Detection, error) {
	box, err := mime.ParseMailbox(address)
	if err != nil {
		return nil, err
	}
	domain := box.Domain()
	if !hostName(domain) { // a literal, or a name that no one else can look up
		return nil, texterr.New(mime.NewText("presets.no_domain",
			"{domain} is not a domain of the internet: enter an address like name@example.com",
			"domain", strconv.Quote(domain)))
	}
	known, err := loaded()
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, d.limit)
	defer cancel()
	q := &query{detector: d, known: known, address: box.String(), domain: domain}
	asks := []func(context.Context) found{q.presets, q.tenant, q.exchangers, q.services, q.autoconfig, q.collection}
	answers := make([]found, len(asks))
	done := make(chan struct{}, len(asks))
	for i, ask := range asks {
		go func() {
			answers[i] = ask(limited)
			done <- struct{}{}
		}()
	}
	for range asks {
		<-done
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return q.result(answers), nil
}

// A query is one detection.
type query struct {
	*detector
	known   *table
	address string
	domain  string
}

func (q *query) result(answers []found) *Detection {
	out := &Detection{Address: q.address, Domain: q.domain, Offline: true}
	var all []*Proposal
	var tenant *Proposal
	for _, a := range answers {
		all = append(all, a.proposals...)
		out.Checks = append(out.Checks, a.check)
		if a.check.online() {
			out.Offline = false
		}
		if a.check.Source == SourceTenant && len(a.proposals) > 0 {
			tenant = a.proposals[0]
		}
	}
	out.Proposals = rank(all)
	if tenant != nil { // SMTP with OAuth needs it too
		for _, p := range out.Proposals {
			if p.Preset != nil && p.Preset.OAuth == "entra" {
				p.Tenant, p.Cloud = tenant.Tenant, tenant.Cloud
			}
		}
	}
	return out
}

// presets are those of the domain itself; they need no network.
func (q *query) presets(context.Context) found {
	var out []*Proposal
	for i, p := range q.known.ofDomain(q.domain) {
		out = append(out, p.proposal(q.address, SourceDomain, 150-20*i, mime.NewText("presets.reason_domain",
			"{domain} is a domain of {provider}", "domain", q.domain, "provider", p.Title)))
	}
	return q.found(SourceDomain, out)
}

// exchangers are the presets to which the domain's mail exchangers belong.
func (q *query) exchangers(ctx context.Context) found {
	records, err := q.resolver.LookupMX(ctx, q.domain+".")
	if len(records) == 0 { // some names of an answer may be malformed: the rest is returned with the error
		return q.nothing(SourceMX, trouble(err))
	}
	var out []*Proposal
	seen := map[*Preset]bool{}
	for _, mx := range records {
		host := strings.TrimSuffix(strings.ToLower(mx.Host), ".")
		for i, p := range q.known.ofMX(host) {
			if seen[p] {
				continue
			}
			seen[p] = true
			out = append(out, p.proposal(q.address, SourceMX, 100-20*i, mime.NewText("presets.reason_mx",
				"the mail of {domain} goes to {host}, which belongs to {provider}", "domain", q.domain, "host", host, "provider", p.Title)))
		}
	}
	if len(out) == 0 {
		host := strings.TrimSuffix(strings.ToLower(records[0].Host), ".")
		return found{check: Check{SourceMX, None, mime.NewText("presets.mx_unknown",
			"the mail of {domain} goes to {host}, which belongs to no provider that postino knows", "domain", q.domain, "host", host)}}
	}
	return q.found(SourceMX, out)
}

// services are the submission servers that the domain names (RFC 6186 section
// 3.1; RFC 8314 section 5.1: implicit TLS first).
func (q *query) services(ctx context.Context) found {
	var out []*Proposal
	var failure error
	for i, s := range []struct {
		name       string
		encryption fallback.Encryption
	}{{"submissions", fallback.EncryptionTLS}, {"submission", fallback.EncryptionSTARTTLS}} {
		_, records, err := q.resolver.LookupSRV(ctx, s.name, "tcp", q.domain+".")
		failure = errors.Join(failure, trouble(err))
		if len(records) == 0 || records[0].Target == "." { // not offered: RFC 6186 section 3.4
			continue
		}
		r := records[0] // by priority, then weight
		host := strings.TrimSuffix(strings.ToLower(r.Target), ".")
		if !hostName(host) {
			continue
		}
		out = append(out, q.server(SourceSRV, 90-10*i, Server{host, int(r.Port), s.encryption}, mime.NewText("presets.reason_srv",
			"{domain} names {host} as its submission server (SRV record _{service}._tcp)", "domain", q.domain, "host", host,
			"service", s.name)))
	}
	if len(out) == 0 {
		return q.nothing(SourceSRV, failure)
	}
	return q.found(SourceSRV, out)
}

// server proposes an SMTP server, with what is known of it.
func (q *query) server(source Source, weight int, s Server, reason mime.Text) *Proposal {
	if p := q.known.ofServer(s.Host); p != nil {
		out := p.proposal(q.address, source, weight, reason)
		out.Server = s
		return out
	}
	return &Proposal{Title: s.Host, Provider: adapters.SMTP, Server: s, Auth: "auto", Login: q.address, Sources: []Source{source},
		Reasons: []mime.Text{reason}, Credential: CredentialPassword, weight: weight}
}

// found reports proposals of a source.
func (q *query) found(source Source, proposals []*Proposal) found {
	if len(proposals) == 0 {
		return q.nothing(source, nil)
	}
	return found{proposals, Check{source, Found, proposals[0].Reasons[0]}}
}

// nothing reports a source without a proposal; err is why it was not answered.
func (q *query) nothing(source Source, err error) found {
	switch {
	case err == nil:
		return found{check: Check{source, None, mime.NewText("presets.nothing", "nothing is known of {domain} there", "domain", q.domain)}}
	case errors.Is(err, errPrivate):
		return found{check: Check{source, Failed, privateText()}}
	}
	host := q.domain
	switch source {
	case SourceTenant:
		host = tenantHost
	case SourceISPDB:
		host = collectionHost
	}
	return found{check: Check{source, Failed, adapters.NetworkError(adapters.SMTP, host, err, time.Now()).Message}}
}

// trouble returns err unless it says that there is no such record.
func trouble(err error) error {
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return nil
	}
	return err
}

// hostName reports a name of the domain name system, in ASCII (RFC 1123 section 2.1).
func hostName(s string) bool {
	if len(s) == 0 || len(s) > 253 || !strings.Contains(s, ".") {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if len(label) == 0 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	last := s[strings.LastIndexByte(s, '.')+1:]
	return strings.Trim(last, "0123456789") != "" // an address is no name
}
