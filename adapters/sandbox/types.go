package sandbox

import (
	"github.com/postino-mail/postino/adapters/sandbox/control"
	"github.com/postino-mail/postino/adapters/sandbox/entra"
)

// A Delivery is one message that a fake provider delivered.
type Delivery = control.Delivery

// A Fault makes matching requests fail.
type Fault = control.Fault

// Switches are the behaviours of providers that are not known for certain.
type Switches = control.Switches

// A Directory says who exists and who may send as whom.
type Directory = control.Directory

// A Mailbox is one mailbox of a Directory.
type Mailbox = control.Mailbox

// A Person is an account of a Directory without a mailbox.
type Person = control.Person

// ErrNoDelivery says that there is no such delivery, or none since Reset.
var ErrNoDelivery = control.ErrNoDelivery

// What the fake directory of Entra knows. Anything else is unknown to it.
const (
	TenantID      = entra.TenantID      // the directory of the sandbox's connections
	TenantDomain  = entra.TenantDomain  // a verified domain of it, valid in place of TenantID
	OtherTenantID = entra.OtherTenantID // exists, but has none of the applications: AADSTS700016

	ClientID            = entra.ClientID            // may send (and read, see Switches)
	UnconsentedClientID = entra.UnconsentedClientID // gets tokens, may do nothing
	DisabledClientID    = entra.DisabledClientID    // AADSTS7000112

	ClientSecret  = entra.ClientSecret  // of every application
	ExpiredSecret = entra.ExpiredSecret // AADSTS7000222

	FederatedIssuer   = entra.FederatedIssuer   // an external identity provider that every application trusts
	FederatedSubject  = entra.FederatedSubject  // the one subject it is trusted for
	FederatedAudience = entra.FederatedAudience // of its tokens
	GraphResource     = entra.GraphResource     // the audience of tokens for Graph
	OutlookResource   = entra.OutlookResource   // the audience of tokens for SMTP
)
