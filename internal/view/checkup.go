package view

import (
	"net/netip"

	"github.com/postino-mail/postino/internal/doctor"
)

// A Finding is one thing that was looked at in an installation.
type Finding struct {
	Check        string `json:"check" doc:"Such as clock, disk, listener, certificate, store, secrets, lane, queue, server"`
	Status       string `json:"status" enum:"ok,warning,failed,skipped"`
	MS           int64  `json:"ms" doc:"Milliseconds since the finding before"`
	Code         string `json:"code" doc:"Of a failure that has one"`
	ProviderCode string `json:"provider_code,omitempty" doc:"What the provider or server calls it"`
	Message      string `json:"message"`
	Hint         string `json:"hint" doc:"What to do; empty: nothing"`
}

// SourceAddresses are the addresses that the machine sends from.
type SourceAddresses struct {
	Configured []netip.Addr `json:"configured" doc:"smtp.source_address of the connections"`
	System     []netip.Addr `json:"system" doc:"Chosen by the system for the open Internet"`
	Seen       []netip.Addr `json:"seen" doc:"As servers named them: behind NAT another one"`
}

// A Listener is where the gateway takes messages in.
type Listener struct {
	Kind       string `json:"kind" enum:"smtp,http,socket"`
	Address    string `json:"address" doc:"Host and port, or the path of a socket"`
	Configured string `json:"configured" doc:"Address as the configuration names it, such as one with port 0"`
	TLS        string `json:"tls" doc:"implicit (from the first byte), starttls, optional (STARTTLS is offered) or none"`
	Auth       bool   `json:"auth" doc:"SMTP: programs can log in"`
	Running    bool   `json:"running" doc:"The server that runs listens there"`
}

// A Checkup is all findings of an installation.
type Checkup struct {
	OK        bool            `json:"ok" doc:"Nothing failed"`
	Findings  []Finding       `json:"findings"`
	Addresses SourceAddresses `json:"addresses"`
	Listeners []Listener      `json:"listeners" doc:"That were called"`
}

// OfCheckup shows a checkup in a language.
func OfCheckup(c doctor.Checkup, lang string) Checkup {
	listed := func(a []netip.Addr) []netip.Addr { return append([]netip.Addr{}, a...) }
	out := Checkup{OK: c.OK, Findings: []Finding{}, Listeners: []Listener{}, Addresses: SourceAddresses{
		Configured: listed(c.Addresses.Configured), System: listed(c.Addresses.System), Seen: listed(c.Addresses.Seen)}}
	for _, f := range c.Findings {
		out.Findings = append(out.Findings, Finding{Check: f.Check, Status: string(f.Status), MS: f.Took.Milliseconds(), Code: f.Code,
			ProviderCode: f.ProviderCode, Message: f.Message.In(lang), Hint: f.Hint.In(lang)})
	}
	for _, l := range c.Listeners {
		out.Listeners = append(out.Listeners, Listener{Kind: l.Kind, Address: l.Address, Configured: l.Configured, TLS: l.TLS, Auth: l.Auth,
			Running: l.Running})
	}
	return out
}
