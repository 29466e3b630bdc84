package fallback

import (
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

const day = 24 * time.Hour

// providerRows are the replies of Microsoft 365 and Google that mean more, or
// something else, than their codes say (contracts D4, D5).
func providerRows() []row {
	return append(microsoftRows(), googleRows()...)
}

func microsoftRows() []row {
	return []row{
		// D2.6, D5
		{535, "5.7.139", "smtpclientauthentication is disabled", atAuth, meaning{code: adapters.CodeServiceDisabled,
			class: adapters.Auth, scope: adapters.ScopeConnection,
			message: mime.NewText("smtp.auth_switched_off",
				"Microsoft 365 has SMTP AUTH switched off for this tenant or mailbox"),
			hint: mime.NewText("smtp.switch_auth_on",
				"switch it on for the mailbox: Set-CASMailbox <mailbox> -SmtpClientAuthenticationDisabled $false (OAuth "+
					"needs it too), or use a graph connection")}},
		{535, "5.7.139", "basic authentication is disabled", atAuth, meaning{code: adapters.CodeServiceDisabled,
			class: adapters.Auth, scope: adapters.ScopeConnection, // D5
			message: mime.NewText("smtp.password_retired", "Microsoft 365 no longer takes a password here"),
			hint: mime.NewText("smtp.use_oauth_for_password",
				"use oauth (xoauth2) or a graph connection instead of the password")}},
		{535, "5.7.139", "security defaults", atAuth, meaning{code: adapters.CodeBlockedByPolicy,
			class: adapters.Auth, scope: adapters.ScopeConnection, // D5
			message: mime.NewText("smtp.security_defaults",
				"the tenant's security defaults block this sign-in"),
			hint: mime.NewText("smtp.use_graph_or_policy",
				"use a graph connection, or replace the security defaults by Conditional Access that allows SMTP AUTH for "+
					"this mailbox")}},
		{535, "5.7.139", "", atAuth, meaning{code: adapters.CodeCredentialRefused, class: adapters.Auth, scope: adapters.ScopeConnection, // D5
			message: mime.NewText("smtp.sign_in_refused",
				"Microsoft 365 refused the sign-in: Conditional Access, or a wrong password"),
			hint: mime.NewText("smtp.check_password_and_policies",
				"check the password and the Conditional Access policies for this mailbox; better use oauth")}},
		{535, "5.7.3", "", atAuth, meaning{code: adapters.CodeCredentialRefused,
			class: adapters.Auth, scope: adapters.ScopeConnection, // D2.2, D5
			message: mime.NewText("smtp.login_not_accepted", "the server does not accept this login"),
			hint: mime.NewText("smtp.check_password_or_principal",
				"with a password: check login and password; with oauth in Exchange: register the service principal "+
					"(New-ServicePrincipal with the enterprise application's object id), give it FullAccess to the mailbox "+
					"and the permission SMTP.SendAsApp")}},
		{530, "5.7.57", "", 0, meaning{code: adapters.CodeLoginRequired, class: adapters.Auth, scope: adapters.ScopeConnection, // D5
			message: mime.NewText("smtp.needs_login", "the server wants a login before it takes mail"),
			hint: mime.NewText("smtp.log_in_with_starttls",
				"give login and password, or oauth, and choose starttls")}},
		{550, "5.7.30", "", 0, meaning{code: adapters.CodeServiceDisabled, class: adapters.Auth, scope: adapters.ScopeConnection, // D5, E
			message: mime.NewText("smtp.passwords_retired",
				"Microsoft retired passwords for sending by SMTP"),
			hint: mime.NewText("smtp.use_oauth",
				"use oauth (xoauth2) or a graph connection")}},
		{550, "5.7.60", "", 0, sendAsDenied()},                                       // D5
		{554, "5.2.252", "", 0, sendAsDenied()},                                      // D5: the refusal, not the throttle of the same number
		{5, "", "sendasdenied", 0, sendAsDenied()},                                   // D5
		{550, "5.2.251", "", 0, continuous("5.2.251")},                               // D5
		{550, "5.2.252", "", 0, continuous("5.2.252")},                               // D5: the throttle
		{550, "5.2.253", "", 0, continuous("5.2.253")},                               // D5
		{550, "5.2.254", "", 0, continuous("5.2.254")},                               // D5
		{550, "5.2.255", "", 0, continuous("5.2.255")},                               // D5
		{5, "", "submissionquotaexceeded", 0, dailyLimit()},                          // D4
		{5, "", "outboundspamexception|bad outbound sender", 0, accountBlocked(550)}, // restricted for sending spam
		{550, "5.7.501", "", 0, accountBlocked(550)},
		{550, "5.7.502", "", 0, accountBlocked(550)},
		{550, "5.7.503", "", 0, accountBlocked(550)},
		{550, "5.7.515", "", 0, domainRefused(550)}, // D5 new
		{5, "", "resolver.rst.", 0, meaning{code: adapters.CodeRecipientRefused, class: adapters.Permanent,
			message: mime.NewText("smtp.recipient_restricted",
				"the recipient takes mail only from certain senders"),
			hint: mime.NewText("smtp.recipient_administrator_allow_sender",
				"have the recipient's administrator allow this sender")}},
		{432, "4.3.2", "", 0, meaning{code: adapters.CodeTooManyConnections,
			class: adapters.Throttled, scope: adapters.ScopeLane, concurrency: true, // D4, D5
			message: mime.NewText("smtp.too_many_connections",
				"the mailbox has too many connections open at once"),
			hint: mime.NewText("smtp.lower_concurrency_other_programs",
				"set the connection's concurrency to 3 or less, and look for other programs that use the mailbox")}},
		// D4
		{4, "", "sender thread limit exceeded|concurrent connections limit", 0, meaning{code: adapters.CodeTooManyConnections,
			class: adapters.Throttled, scope: adapters.ScopeLane,
			message: mime.NewText("smtp.too_many_connections",
				"the mailbox has too many connections open at once"),
			hint: mime.NewText("smtp.lower_concurrency",
				"set the connection's concurrency to 3 or less")}},
		{451, "4.7.500", "", 0, meaning{code: adapters.CodeThrottled, class: adapters.Throttled, scope: adapters.ScopeLane, // D5
			message: mime.NewText("smtp.server_busy_asks_pause", "the server is busy and asks for a pause"),
			hint: mime.NewText("smtp.retried",
				"No action needed; postino retries automatically")}},
		// D5
		{550, "5.7.232", "", 0, tenantDay(mime.NewText("smtp.trial_limit", "the trial tenant's daily limit is reached"))},
		{550, "5.7.233", "", 0, tenantDay(mime.NewText("smtp.external_limit",
			"the tenant's limit of external recipients a day is reached"))}, // D5, B7.12
		{550, "5.7.236", "", 0, tenantDay(mime.NewText("smtp.onmicrosoft_limit",
			"the limit of the onmicrosoft.com domain is reached"))}, // D5
		{550, "5.7.705", "", 0, tenant(adapters.CodeSendingLimit, mime.NewText("smtp.tenant_limit", "the tenant sent more than it may"))}, // D5
		{550, "5.7.708", "", 0, tenant(adapters.CodeAccountBlocked, mime.NewText("smtp.tenant_on_trial",
			"the tenant is new or on trial and may not send from here"))}, // D5
		{550, "5.7.750", "", 0, tenant(adapters.CodeSenderRefused, mime.NewText("smtp.domain_not_registered",
			"the sender's domain is not registered in the tenant"))}, // D5
		{550, "5.1.20", "", 0, meaning{code: adapters.CodeMessageRefused, class: adapters.Permanent, // D5, F7
			message: mime.NewText("smtp.several_from",
				"the message has several From addresses and no Sender"),
			hint: mime.NewText("smtp.one_from_or_sender", "use one From address, or add Sender")}},
		{550, "5.6.11", "", 0, meaning{code: adapters.CodeMessageRefused, class: adapters.Permanent, // D5, F17
			message: mime.NewText("smtp.message_bare_line_feeds", "the message has bare line feeds"),
			hint:    mime.NewText("smtp.end_every_line_crlf", "end every line with CRLF")}},
		// D4; B9 ErrorQuotaExceeded
		{554, "5.2.2", "storedrv", atMessage, meaning{code: adapters.CodeMailboxFull,
			class: adapters.Transient, scope: adapters.ScopeLane, after: time.Hour,
			message: mime.NewText("smtp.sender_own_mailbox_full", "the sender's own mailbox is full"),
			hint: mime.NewText("smtp.make_room",
				"make room in the sending mailbox (Sent Items), or give it a retention policy")}},
	}
}

func googleRows() []row {
	return []row{
		{550, "5.4.5", "", 0, dailyLimit()}, // D5: 5xx, and yet only a pause
		{534, "5.7.9", "", atAuth, meaning{code: adapters.CodeServiceDisabled, class: adapters.Auth, scope: adapters.ScopeConnection, // D5
			message: mime.NewText("smtp.google_wants_app_password", "Google wants an app password here"),
			hint: mime.NewText("smtp.create_app_password",
				"create an app password, or better use oauth or a gmail connection")}},
		{534, "5.7.14", "", atAuth, meaning{code: adapters.CodeBlockedByPolicy, class: adapters.Auth, scope: adapters.ScopeConnection, // D5
			message: mime.NewText("smtp.google_sign_in",
				"Google wants this mailbox to sign in with a browser first"),
			hint: mime.NewText("smtp.sign_in_with_browser",
				"sign in with a browser once, or use oauth or a gmail connection")}},
		{535, "5.7.8", "", atAuth, meaning{code: adapters.CodeCredentialRefused,
			class: adapters.Auth, scope: adapters.ScopeConnection, // D5, RFC 4954 section 6
			message: mime.NewText("smtp.login_not_accepted", "the server does not accept this login"),
			hint: mime.NewText("smtp.check_password_google",
				"check login and password; for Google use an app password, or oauth with the scope "+
					"https://mail.google.com/ in the domain-wide delegation")}},
		{421, "4.7.0", "too many login|try again later", atLogin, busy()},
		{421, "4.4.5", "", 0, busy()}, // D5
		{421, "4.3.0", "", 0, busy()}, // D5
		{450, "4.2.1", "user you are trying|recipient|mailbox", 0, meaning{code: adapters.CodeDelayed,
			class:   adapters.Transient, // D5: the recipient's rate
			message: mime.NewText("smtp.recipient_too_fast", "the recipient gets mail too fast at the moment"),
			hint: mime.NewText("smtp.retried",
				"No action needed; postino retries automatically")}},
		{552, "5.2.3", "", 0, tooLarge()}, // D5
		{5, "5.7.26", "", 0, domainRefused(550)},
		// the relay of Workspace
		{0, "", "mail relay denied|credentials for relay", 0, meaning{code: adapters.CodeMachineRefused,
			class: adapters.Auth, scope: adapters.ScopeConnection,
			message: mime.NewText("smtp.google_relay_unknown",
				"Google's SMTP relay knows neither this machine's address nor a login of the organization"),
			hint: mime.NewText("smtp.allow_in_google_relay",
				"in the Google Admin console (Apps, Gmail, Routing, SMTP relay service) allow this machine's public "+
					"address, or require SMTP authentication there and give a login here; the sender's domain must be one of "+
					"the organization")}},
	}
}

func sendAsDenied() meaning {
	return meaning{code: adapters.CodeSenderRefused,
		class: adapters.Permanent, scope: adapters.ScopeMessage, noRetry: true, // D5, F30: repeating throttles the mailbox
		message: mime.NewText("smtp.sender_not_allowed", "the login may not send as this sender"),
		hint: mime.NewText("smtp.grant_send_as",
			"grant Send As on that address (Add-RecipientPermission ... -AccessRights SendAs), or send from the "+
				"login's own address")}
}

// continuous is the throttling of a mailbox that kept making the same error.
// Its length is not published: an hour is this program's choice.
func continuous(code string) meaning {
	why := map[string]adapters.Text{
		"5.2.251": mime.NewText("smtp.mailbox_full", "its mailbox is full"),
		"5.2.252": mime.NewText("smtp.send_as_denied", "it sends as an address that it may not use"),
		"5.2.253": mime.NewText("smtp.licence_not_valid", "its licence is not valid"),
		"5.2.254": mime.NewText("smtp.messages_too_many_recipients", "its messages have too many recipients"),
		"5.2.255": mime.NewText("smtp.recipients_do_not_exist", "its recipients do not exist"),
	}[code]
	return meaning{code: adapters.CodeThrottled, class: adapters.Throttled, scope: adapters.ScopeLane, after: time.Hour,
		message: mime.NewText("smtp.mailbox_throttled",
			"Microsoft 365 throttles the whole mailbox for an error that it repeats: {why}", "why", why),
		hint: mime.NewText("smtp.remove_cause",
			"remove the cause; Microsoft's support cannot lift the limit")}
}

func dailyLimit() meaning {
	return meaning{code: adapters.CodeSendingLimit, class: adapters.Throttled, scope: adapters.ScopeLane, after: day, // C3.5, D4, D5
		message: mime.NewText("smtp.daily_limit", "the mailbox has sent all that it may in a day"),
		hint: mime.NewText("smtp.waits_bulk_elsewhere",
			"No action needed; sending resumes when the limit is lifted; send bulk mail through a service made for it")}
}

func tenantDay(message adapters.Text) meaning {
	return meaning{code: adapters.CodeSendingLimit, class: adapters.Throttled, scope: adapters.ScopeConnection, after: day, message: message,
		hint: mime.NewText("smtp.waits_bulk_elsewhere",
			"No action needed; sending resumes when the limit is lifted; send bulk mail through a service made for it")}
}

func tenant(code adapters.Code, message adapters.Text) meaning {
	return meaning{code: code, class: adapters.Permanent, scope: adapters.ScopeConnection, message: message,
		hint: mime.NewText("smtp.ask_microsoft",
			"ask Microsoft's support, or send through another connection")}
}

func busy() meaning {
	return meaning{code: adapters.CodeProviderBusy, class: adapters.Transient, scope: adapters.ScopeConnection,
		message: mime.NewText("smtp.server_busy_limits_rate", "the server is busy or limits the rate"),
		hint: mime.NewText("smtp.retried",
			"No action needed; postino retries automatically")}
}

func tooLarge() meaning {
	return meaning{code: adapters.CodeTooLarge, class: adapters.Permanent, tooLarge: true,
		message: mime.NewText("smtp.message_too_large_server", "the message is too large for the server"),
		hint: mime.NewText("smtp.too_large_hint",
			"send smaller attachments, or through a connection that carries more")}
}
