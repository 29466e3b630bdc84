package presets

import (
	"cmp"
	"net"
	"slices"
	"strconv"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// A Source is what a proposal rests on.
type Source string

// The sources.
const (
	SourceDomain     Source = "domain"     // the domain is that of a preset
	SourceTenant     Source = "tenant"     // the domain has a Microsoft Entra tenant
	SourceMX         Source = "mx"         // the domain's mail exchangers belong to a preset
	SourceSRV        Source = "srv"        // RFC 6186, RFC 8314
	SourceAutoconfig Source = "autoconfig" // the domain's own file
	SourceISPDB      Source = "ispdb"      // Thunderbird's collection of such files
)

// A Proposal is a connection that may fit an address.
type Proposal struct {
	Rank       int // 1 is the best
	Preset     *Preset
	Title      string
	Provider   adapters.Provider
	Server     Server // of smtp
	Auth       string
	Login      string // empty where the provider gives it
	Tenant     string // of Microsoft 365, where it was found
	Cloud      string // as the setting graph.cloud; empty: public
	PEC        bool
	Limits     Limits
	Sources    []Source
	Reasons    []mime.Text // one a source
	Notes      []mime.Text
	Credential Credential

	weight int
}

// Document returns the JSON form of a connection as proposed, for a person to
// add the credential (design "Connection, as JSON"). from is the sender address.
func (p *Proposal) Document(name, from string) map[string]any {
	doc := map[string]any{"name": name, "provider": string(p.Provider), "from": from}
	limits := map[string]any{}
	for field, n := range map[string]int{"concurrency": p.Limits.Concurrency, "per_minute": p.Limits.PerMinute,
		"recipients_per_day": p.Limits.RecipientsPerDay} {
		if n > 0 {
			limits[field] = n
		}
	}
	if len(limits) > 0 && p.Provider == adapters.SMTP { // the APIs' own defaults are the same
		doc["limits"] = limits
	}
	tenant := map[string]any{}
	if p.Tenant != "" {
		tenant["tenant"] = p.Tenant
	}
	if p.Cloud != "" {
		tenant["cloud"] = p.Cloud
	}
	switch p.Provider {
	case adapters.Graph:
		doc["graph"] = tenant
	case adapters.Gmail:
		doc["gmail"] = map[string]any{}
	case adapters.SMTP:
		smtp := map[string]any{"host": p.Server.Host, "port": p.Server.Port, "encryption": string(p.Server.Encryption)}
		if p.Login != "" {
			smtp["login"] = p.Login
		}
		if p.PEC {
			smtp["pec"] = true
		}
		if p.Auth != "" && p.Auth != "auto" {
			smtp["auth"] = p.Auth
		}
		if p.Preset != nil && p.Preset.OAuth != "" {
			tenant["provider"] = p.Preset.OAuth
			smtp["oauth"] = tenant
		}
		doc["smtp"] = smtp
	}
	return doc
}

// of makes the proposal of a preset for an address.
func (p *Preset) proposal(address string, source Source, weight int, reason mime.Text) *Proposal {
	q := &Proposal{Preset: p, Title: p.Title, Provider: p.Provider, Auth: p.Auth, Login: p.loginFor(address), PEC: p.PEC(), Limits: p.Limits,
		Sources: []Source{source}, Reasons: []mime.Text{reason}, Notes: p.Notes(), Credential: p.Credential, weight: weight}
	if len(p.Servers) > 0 {
		q.Server = p.Servers[0]
	}
	if p.Unsupported {
		q.weight = 0
	}
	return q
}

// A found is what one source brought.
type found struct {
	proposals []*Proposal
	check     Check
}

// rank joins proposals that are the same connection, the best first.
func rank(all []*Proposal) []*Proposal {
	slices.SortStableFunc(all, func(a, b *Proposal) int { return cmp.Compare(b.weight, a.weight) })
	var out []*Proposal
	for _, p := range all {
		i := slices.IndexFunc(out, func(q *Proposal) bool { return q.same(p) })
		if i < 0 {
			out = append(out, p)
			continue
		}
		q := out[i]
		q.weight = min(q.weight+p.weight/4, maxWeight) // sources that agree are surer than one
		if q.Preset != nil && q.Preset.Unsupported {
			q.weight = 0
		}
		if q.Tenant == "" {
			q.Tenant, q.Cloud = p.Tenant, p.Cloud
		}
		if !slices.Contains(q.Sources, p.Sources[0]) {
			q.Sources = append(q.Sources, p.Sources...)
			q.Reasons = append(q.Reasons, p.Reasons...)
		}
	}
	slices.SortStableFunc(out, func(a, b *Proposal) int { return cmp.Compare(b.weight, a.weight) })
	for i, p := range out {
		p.Rank = i + 1
	}
	return out
}

const maxWeight = 200

// same reports proposals of one connection. Two ways to log in at one server
// are two connections.
func (p *Proposal) same(q *Proposal) bool {
	if p.Provider != q.Provider || p.Provider != adapters.SMTP {
		return p.Provider == q.Provider
	}
	oauth := func(p *Proposal) bool { return p.Credential == CredentialApplication }
	return p.Server.Host == q.Server.Host && p.Server.Port == q.Server.Port && oauth(p) == oauth(q)
}

// Address returns host and port of an SMTP server, empty for the APIs.
func (p *Proposal) Address() string {
	if p.Server.Host == "" {
		return ""
	}
	return net.JoinHostPort(p.Server.Host, strconv.Itoa(p.Server.Port))
}
