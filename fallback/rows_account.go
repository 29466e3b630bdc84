package fallback

import (
	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// This file holds what refusals of this side mean (refusal_words.go finds them).

func ofConnection(code adapters.Code, class adapters.Class, message, hint adapters.Text) meaning {
	return meaning{code: code, class: class, scope: adapters.ScopeConnection, message: message, hint: hint}
}

func encryptionWanted() meaning { // RFC 3207 section 4
	return ofConnection(adapters.CodeTLSRequired, adapters.Auth, mime.NewText("smtp.needs_tls",
		"the server takes mail only over an encrypted connection"),
		mime.NewText("smtp.choose_starttls_or_tls",
			"choose the encryption starttls (port 587), or tls (port 465)"))
}

func loginWanted() meaning {
	return ofConnection(adapters.CodeLoginRequired,
		adapters.Auth, mime.NewText("smtp.needs_login", "the server wants a login before it takes mail"),
		mime.NewText("smtp.log_in_with_tls",
			"give login and password, or oauth, and choose starttls or tls"))
}

// loginIgnored is a server that has taken the login and asks for one.
func loginIgnored() meaning {
	return ofConnection(adapters.CodeAccessDenied, adapters.Auth, mime.NewText("smtp.login_not_enough",
		"the server took the login and still asks for authentication"),
		mime.NewText("smtp.check_sender_of_login",
			"check that this login may send from this sender address, and that host and port are those of the "+
				"submission service (587 or 465)"))
}

// helloRefused keeps the mail: the name is a setting of this side.
func helloRefused(code int) meaning {
	class := adapters.Auth
	if code/100 == 4 {
		class = adapters.Transient
	}
	return ofConnection(adapters.CodeMachineRefused, class, mime.NewText("smtp.hello_refused",
		"the server does not accept the name by which this machine introduces itself (EHLO)"),
		mime.NewText("smtp.set_hostname",
			"set smtp.hostname to this machine's full domain name, one that DNS knows"))
}

func clientRefused(code int) meaning {
	class := adapters.Auth
	if code/100 == 4 {
		class = adapters.Transient
	}
	return ofConnection(adapters.CodeMachineRefused, class, mime.NewText("smtp.machine_address_refused",
		"the server does not take mail from this machine's address"),
		mime.NewText("smtp.ask_if_blocked",
			"ask the provider whether this machine's public address is blocked, listed or must be registered, and "+
				"check its reverse DNS name; smtp.source_address chooses another address"))
}

func accountBlocked(code int) meaning {
	class := adapters.Auth
	if code/100 == 4 {
		class = adapters.Transient
	}
	return ofConnection(adapters.CodeAccountBlocked, class, mime.NewText("smtp.account_blocked",
		"the provider has blocked or suspended sending for this account"),
		mime.NewText("smtp.release_account",
			"sign in at the provider or call its support: the account must be released there; change its password if "+
				"mail left that no one here sent"))
}

// senderRefused concerns the connection when the sender is its own, otherwise the message (refused).
func senderRefused() meaning {
	m := ofConnection(adapters.CodeSenderRefused, adapters.Auth, mime.NewText("smtp.sender_refused", "the server does not accept this sender"),
		mime.NewText("smtp.use_own_sender",
			"use a sender address that exists and that this login may use, or have the provider allow the login to "+
				"send from it"))
	m.foreign = true
	return m
}

func relayRefused(in input) meaning {
	m := notAllowedToRelay()
	if in.authed {
		m.code = adapters.CodeRelayRefused
		m.message = mime.NewText("smtp.relay_refused",
			"the server does not relay mail of this login to other domains")
		m.hint = mime.NewText("smtp.check_submission_host",
			"check that host and port are those of the submission service (587 or 465), and ask the provider whether "+
				"this login may send to other domains")
	}
	if in.relayed { // others are taken: it is this recipient's domain
		m.class, m.scope = adapters.Permanent, adapters.ScopeMessage
	}
	if in.Code/100 == 4 { // Postfix's defer_unauth_destination
		m.class = adapters.Transient
	}
	return m
}

func tooManyConnections() meaning {
	return meaning{code: adapters.CodeTooManyConnections, class: adapters.Throttled, scope: adapters.ScopeLane,
		message: mime.NewText("smtp.too_many_of_machine",
			"the server has too many connections of this machine or mailbox open at once"),
		hint: mime.NewText("smtp.retried_lower_concurrency",
			"No action needed; if it happens often, lower the connection's concurrency and look for other programs "+
				"that use the mailbox")}
}

func senderLater() meaning {
	return meaning{code: adapters.CodeDelayed, class: adapters.Transient, message: mime.NewText("smtp.sender_check_down",
		"the server cannot verify the sender at the moment"),
		hint: mime.NewText("smtp.retried_check_sender",
			"postino retries automatically; if it goes on, check the sender address and its domain in DNS")}
}

// domainRefused concerns the DNS of the sender's domain (SPF, DKIM, DMARC), so the message and not the connection.
func domainRefused(code int) meaning {
	m := meaning{code: adapters.CodeSenderUnproven, class: adapters.Permanent,
		message: mime.NewText("smtp.sender_unproven",
			"the receiving side wants the sender's domain to prove itself"),
		hint: mime.NewText("smtp.set_spf",
			"set SPF, DKIM and DMARC of the sender's domain for this server")}
	if code/100 == 4 {
		m.class = adapters.Transient
		m.hint = mime.NewText("smtp.retried_set_spf",
			"postino retries automatically; if it goes on, set SPF, DKIM and DMARC of the sender's domain for this server")
	}
	return m
}
