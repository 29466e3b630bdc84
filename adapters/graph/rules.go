package graph

import (
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// ruleFor is the table of contracts B9, with B7.5-B7.8 and B8.2. Codes decide
// before statuses, because the statuses of many are not certain online.
//
// Decided here where the rows leave a choice:
//   - ErrorServerBusy, ErrorExceededConnectionCount and ErrorTooManyObjectsOpened
//     are refusals by policy before any work, so they are no unknown outcome.
//     Every other 503 is one, with or without Retry-After: B9 and F12.
//   - ErrorMimeContentConversionFailed is permanent at once. The conversion
//     depends on the message alone, and the adapter cannot count tries.
//   - ErrorItemNotFound is ambiguous on /send alone: the draft may have left.
//   - Limits over 24 hours wait as long when the provider names no time.
func ruleFor(code string) (rule, bool) {
	switch code {
	case "InvalidAuthenticationToken", "Unauthorized", "UnauthenticatedRequest":
		return tokenRule(), true
	case "Authorization_RequestDenied":
		r := accessRule()
		r.scope = adapters.ScopeConnection
		return r, true
	case "ErrorAccessDenied":
		return accessRule(), true
	case "ErrorSendAsDenied": // contracts B4.3, D5, F30
		return rule{code: adapters.CodeSenderRefused, class: adapters.Permanent, scope: adapters.ScopeMessage, enhanced: "5.7.1", noRetry: true,
			say: mime.NewText("graph.send_as_denied",
				"Microsoft 365 does not let {mailbox} send as {from}"),
			do: mime.NewText("graph.grant_send_as",
				"in the Exchange admin center grant {mailbox} the permission Send As on {from}, or send as {mailbox}; do "+
					"not repeat before: refusals in a row get the mailbox throttled")}, true
	case "ErrorInvalidRecipients": // contracts B5.3, B5.4: one bad address refuses all
		return rule{code: adapters.CodeRecipientRefused, class: adapters.Permanent, scope: adapters.ScopeMessage, enhanced: "5.1.3",
			say: mime.NewText("graph.recipient_refused",
				"Microsoft 365 cannot use at least one recipient's address and sent to no one"),
			do: mime.NewText("graph.correct_recipients_send_again", "correct the recipients and send again")}, true
	case "ErrorMimeContentInvalid", "ErrorMimeContentConversionFailed":
		return rule{code: adapters.CodeMessageRefused, class: adapters.Permanent, scope: adapters.ScopeMessage, enhanced: "5.6.0",
			say: mime.NewText("graph.message_refused", "Microsoft 365 cannot read the message"),
			do: mime.NewText("graph.check_program",
				"check the program that makes the message; another connection may carry it as it is")}, true
	case "ErrorMimeContentInvalidBase64String", "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize",
		"InvalidInternetMessageHeader", "InvalidInternetMessageHeaderCollection": // contracts B1.4, B2.3, B6
		return rule{code: adapters.CodeCommandRefused, class: adapters.Permanent, scope: adapters.ScopeMessage, enhanced: "5.6.0",
			say: mime.NewText("graph.request_refused",
				"Microsoft Graph refuses the form in which postino handed over the message"),
			do: mime.NewText("graph.report_fault",
				"report this to postino's makers with the request id")}, true
	case "ErrorInvalidParameter", "RequestBodyRead", "BadRequest":
		return badRequestRule(), true
	case "ResourceNotFound", "Request_ResourceNotFound", "ErrorInvalidUser":
		return noMailboxRule(), true
	case "MailboxNotEnabledForRESTAPI", "ErrorMailboxNotEnabledForRESTAPI":
		return rule{code: adapters.CodeMailboxUnavailable, class: adapters.Permanent, scope: adapters.ScopeLane, enhanced: "5.2.1",
			say: mime.NewText("graph.mailbox_inactive",
				"the mailbox {mailbox} is inactive, deleted, without licence or hosted on premises"),
			do: mime.NewText("graph.assign_licence",
				"assign an Exchange Online licence and wait until the mailbox is made, or choose another mailbox; then "+
					"send again")}, true
	case "ErrorAccountDisabled", "ErrorMailboxLogonFailed":
		return rule{code: adapters.CodeMailboxUnavailable, class: adapters.Permanent, scope: adapters.ScopeLane, enhanced: "5.2.1",
			say: mime.NewText("graph.account_disabled", "the account of {mailbox} is disabled"),
			do: mime.NewText("graph.enable_account",
				"enable the account in Entra, or choose another mailbox")}, true
	case "ErrorItemNotFound":
		return rule{code: adapters.CodeNoReply, ambiguous: true, scope: adapters.ScopeMessage, enhanced: "4.3.0",
			say: mime.NewText("graph.draft_no_longer_where", "the draft is no longer where it was"),
			do: mime.NewText("graph.looks_first",
				"No action needed; postino looks for the message before it does anything else")}, true
	case "ErrorMessageSizeExceeded": // contracts B2.4
		return rule{code: adapters.CodeTooLarge, class: adapters.Permanent, scope: adapters.ScopeMessage, enhanced: "5.2.3", tooLarge: true,
			say: mime.NewText("graph.over_mailbox_limit",
				"the message is larger than the mailbox {mailbox} may send"),
			do: mime.NewText("graph.raise_limit",
				"raise the mailbox's limit in the Exchange admin center (up to 150 MB, 35 MB by default), or send a link "+
					"to the file")}, true
	case "RequestEntityTooLarge", "ErrorAttachmentSizeLimitExceeded", "ErrorRequestStreamTooBig":
		return tooLargeRule(), true
	case "ErrorQuotaExceeded": // contracts F24: Sent Items fill the mailbox
		return rule{code: adapters.CodeMailboxFull, class: adapters.Transient, scope: adapters.ScopeLane, enhanced: "4.2.2", wait: time.Hour,
			say: mime.NewText("graph.mailbox_full", "the mailbox {mailbox} is full"),
			do: mime.NewText("graph.empty_mailbox",
				"empty Sent Items and the deleted items of {mailbox}, and set a retention policy there; then it goes on "+
					"by itself")}, true
	case "ErrorExceededMessageLimit", "ErrorMessageSubmissionBlocked", "ErrorExceededMaxRecipientLimitBlock",
		"ErrorSubmissionQuotaExceeded": // contracts B7.9
		r := throttledRule()
		r.code, r.wait = adapters.CodeSendingLimit, 24*time.Hour
		r.say = mime.NewText("graph.daily_limit",
			"the mailbox {mailbox} has reached its daily sending limit")
		r.do = mime.NewText("graph.wait_until_tomorrow",
			"wait until tomorrow, or give the connection a fallback; bulk mail belongs on a service made for it")
		return r, true
	case "ApplicationThrottled": // contracts B7.5: more than four requests at once
		r := throttledRule()
		r.code, r.concurrency = adapters.CodeTooManyConnections, true
		return r, true
	case "TooManyRequests", "ErrorServerBusy": // contracts B7.5
		return throttledRule(), true
	case "Locked", "ErrorMailboxMoveInProgress":
		return movingRule(), true
	case "ErrorExceededConnectionCount", "ErrorTooManyObjectsOpened":
		r := throttledRule()
		r.code, r.class = adapters.CodeTooManyConnections, adapters.Transient
		return r, true
	case "ErrorTimeoutExpired", "ErrorInternalServerError", "ErrorMailboxStoreUnavailable", "ServiceUnavailable",
		"GatewayTimeout":
		return ambiguousRule(), true
	}
	return rule{}, false
}

func tokenRule() rule {
	return rule{code: adapters.CodeTokenRefused, class: adapters.Auth, scope: adapters.ScopeConnection, enhanced: "4.7.0",
		say: mime.NewText("graph.token_refused",
			"Microsoft Graph refuses the access token, also a new one"),
		do: mime.NewText("graph.check_cloud",
			"check tenant, client id and cloud of the connection: a token is good in one cloud only; then test the "+
				"connection")}
}

// accessRule: right after an administrator's change it can be 2 hours old
// (contracts B8.7, F28), so the mail stays.
func accessRule() rule {
	return rule{code: adapters.CodeAccessDenied, class: adapters.Auth, scope: adapters.ScopeLane, enhanced: "4.7.1",
		say: mime.NewText("graph.access_denied",
			"the application may not send through the mailbox {mailbox}"),
		do: mime.NewText("graph.grant_send",
			"in Entra give the app registration the application permission Mail.Send (Microsoft Graph) with admin "+
				"consent, or bring {mailbox} into the scope of its role Application Mail.Send in Exchange; a change takes "+
				"up to 2 hours, the mail stays queued")}
}

// accessPolicyRule is contracts B8.2 and B8.3.
func accessPolicyRule() rule {
	r := accessRule()
	r.code = adapters.CodeBlockedByPolicy
	r.say = mime.NewText("graph.access_policy",
		"an application access policy of the tenant blocks the mailbox {mailbox}")
	r.do = mime.NewText("graph.add_to_policy_group",
		"an Exchange administrator: add {mailbox} to the group of the application access policy (check with "+
			"Test-ApplicationAccessPolicy); a change can take more than an hour, the mail stays queued")
	return r
}

func noMailboxRule() rule {
	return rule{code: adapters.CodeMailboxUnknown, class: adapters.Permanent, scope: adapters.ScopeLane, enhanced: "5.1.8",
		say: mime.NewText("graph.no_mailbox_tenant", "there is no mailbox {mailbox} in this tenant"),
		do: mime.NewText("graph.check_mailbox",
			"check the connection's mailbox and tenant; a shared mailbox is named by its own address")}
}

func tooLargeRule() rule {
	return rule{code: adapters.CodeTooLarge, class: adapters.Permanent, scope: adapters.ScopeMessage, enhanced: "5.3.4", tooLarge: true,
		say: mime.NewText("graph.message_too_large_route", "the message is too large for this route"),
		do: mime.NewText("graph.name_fallback_or_link",
			"name a fallback connection by SMTP for large mail, or send a link to the file")}
}

func badRequestRule() rule {
	return rule{code: adapters.CodeMessageRefused, class: adapters.Permanent, scope: adapters.ScopeMessage, enhanced: "5.6.0",
		say: mime.NewText("graph.microsoft_graph_refuses_message", "Microsoft Graph refuses the message"),
		do: mime.NewText("graph.look_at_code",
			"look at the code and the request id; another connection may carry the message")}
}

// throttledRule is contracts B7: the mailbox waits, not only this message.
func throttledRule() rule {
	return rule{code: adapters.CodeThrottled, class: adapters.Throttled, scope: adapters.ScopeLane, enhanced: "4.7.0",
		say: mime.NewText("graph.slow_down",
			"Microsoft 365 asks to slow down for the mailbox {mailbox}"),
		do: mime.NewText("graph.sending_resumes",
			"No action needed; sending resumes by itself; if it stays so, lower the connection's concurrency or messages a minute")}
}

func movingRule() rule {
	return rule{code: adapters.CodeMailboxUnavailable, class: adapters.Transient, scope: adapters.ScopeLane, enhanced: "4.2.1",
		say: mime.NewText("graph.mailbox_locked_being_moved", "the mailbox {mailbox} is locked or being moved"),
		do: mime.NewText("graph.retried",
			"No action needed; postino retries automatically")}
}

func ambiguousRule() rule {
	return rule{code: adapters.CodeProviderFault, ambiguous: true, scope: adapters.ScopeMessage, enhanced: "4.3.0",
		say: mime.NewText("graph.failed_unknown",
			"Microsoft Graph failed without saying whether it took the message"),
		do: mime.NewText("graph.looks_where_it_may",
			"No action needed; postino looks for the message where it may, before it sends again")}
}

func lostAnswerRule() rule {
	r := ambiguousRule()
	r.code = adapters.CodeNoReply
	r.say = mime.NewText("graph.answer_lost",
		"the message was handed over and Microsoft Graph's answer never came")
	return r
}

func cancelledRule() rule {
	return rule{code: adapters.CodeCancelled, class: adapters.Transient, scope: adapters.ScopeMessage, enhanced: "4.3.0",
		say: mime.NewText("graph.interrupted",
			"sending was interrupted before the message was handed over"),
		do: mime.NewText("graph.retried",
			"No action needed; postino retries automatically")}
}

// strangerRule is an answer that Graph did not give. The mail stays queued.
func strangerRule() rule {
	return rule{code: adapters.CodeGarbage, class: adapters.Auth, scope: adapters.ScopeConnection, enhanced: "4.4.1",
		say: mime.NewText("graph.not_from_graph", "the answer does not come from Microsoft Graph"),
		do: mime.NewText("graph.check_proxy",
			"check the proxy or firewall between this server and Microsoft 365, and graph_url if it is set")}
}
