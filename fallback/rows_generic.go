package fallback

import (
	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// genericRows are what RFC 3463, 4954 and 5321 say, the most specific first.
func genericRows() []row {
	out := loginRows()
	out = append(out, permanentRows()...)
	return append(out, transientRows()...)
}

func loginRows() []row {
	conn := ofConnection
	login := conn(adapters.CodeCredentialRefused,
		adapters.Auth, mime.NewText("smtp.login_not_accepted", "the server does not accept this login"),
		mime.NewText("smtp.check_login_password_connection", "check login and password of the connection"))
	noLoginHere := conn(adapters.CodeServiceDisabled, adapters.Auth, mime.NewText("smtp.no_login_here",
		"the server takes no login on this port, or only over an encrypted connection"),
		mime.NewText("smtp.check_submission_and_tls",
			"check that host and port are those of the submission service, and choose starttls (587) or tls (465)"))
	return []row{
		// RFC 4954 section 6
		{432, "", "", atAuth, conn(adapters.CodeCredentialExpired, adapters.Auth, mime.NewText("smtp.needs_new_password",
			"the server wants a new password to be set first"),
			mime.NewText("smtp.set_password",
				"sign in to the provider once and set the password again"))},
		{454, "", "", atAuth, conn(adapters.CodeProviderFault, adapters.Transient, mime.NewText("smtp.login_check_down",
			"the server cannot check logins at the moment"), // RFC 4954, D5
			mime.NewText("smtp.retried",
				"No action needed; postino retries automatically"))},
		// RFC 3207 section 4
		{454, "", "", atTLS, conn(adapters.CodeTLSUnavailable, adapters.Transient, mime.NewText("smtp.server_cannot_encrypt_moment",
			"the server cannot encrypt at the moment"),
			mime.NewText("smtp.ask_if_it_goes_on",
				"ask the server's administrator if this goes on"))},
		{530, "", "", 0, loginWanted()}, // RFC 4954 section 6
		{534, "", "", atAuth, conn(adapters.CodeServiceDisabled, adapters.Auth, mime.NewText("smtp.other_mechanism",
			"the server wants another way of authentication"), // RFC 4954 section 6
			mime.NewText("smtp.try_other_auth",
				"try another smtp.auth, or use an app password or oauth"))},
		{538, "", "", 0, conn(adapters.CodeTLSRequired, adapters.Auth, mime.NewText("smtp.tls_before_login",
			"the server wants encryption before the login"),
			mime.NewText("smtp.choose_encryption_starttls_tls", "choose the encryption starttls or tls"))},
		// D1.2
		{500, "5.5.6", "", atAuth, conn(adapters.CodeCredentialRefused, adapters.Auth, mime.NewText("smtp.token_too_long",
			"the server cannot take a token of this length"),
			mime.NewText("smtp.ask_server_administrator", "ask the server's administrator"))},
		{502, "", "", atAuth, noLoginHere},
		{503, "", "", atAuth, noLoginHere}, // "AUTH command used when not advertised"
		{5, "", "", atAuth, login},
		{5, "", "", atTLS, conn(adapters.CodeTLSUnavailable, adapters.Auth, mime.NewText("smtp.starttls_refused",
			"the server refused to encrypt, so nothing was sent to it"),
			mime.NewText("smtp.ask_or_use_465",
				"ask the server's administrator, or use port 465 with tls"))},
		// RFC 5321 section 3.1
		{5, "", "", atGreeting | atHello, conn(adapters.CodeMachineRefused, adapters.Auth, mime.NewText("smtp.machine_refused",
			"the server does not take mail from this machine"),
			mime.NewText("smtp.check_host_or_blocked",
				"check host and port; ask the provider whether this machine's address is blocked or must be registered"))},
	}
}

func notAllowedToRelay() meaning {
	return meaning{code: adapters.CodeLoginRequired, class: adapters.Auth, scope: adapters.ScopeConnection,
		message: mime.NewText("smtp.relay_needs_login",
			"the server does not relay without a login"),
		hint: mime.NewText("smtp.log_in_or_be_allowed",
			"give login and password, or let the server's administrator allow this machine's address")}
}

// permanentRows are RFC 3463 sections 3.2 to 3.8, and what bare codes mean in RFC 5321 section 4.2.3.
func permanentRows() []row {
	p := func(code adapters.Code, message, hint adapters.Text) meaning {
		return meaning{code: code, class: adapters.Permanent, message: message, hint: hint}
	}
	full := p(adapters.CodeRecipientFull, mime.NewText("smtp.recipient_mailbox_full", "the recipient's mailbox is full"),
		mime.NewText("smtp.tell_recipient_another_way", "tell the recipient by another way"))
	unknownRecipient := p(adapters.CodeRecipientUnknown, mime.NewText("smtp.recipient_does_not_exist", "the recipient does not exist"),
		mime.NewText("smtp.correct_recipient_address", "correct the recipient's address"))
	policy := p(adapters.CodeMessageRefused, mime.NewText("smtp.message_unwanted", "the receiving side does not want the message"),
		mime.NewText("smtp.read_reply",
			"read the server's words; often the content, an attachment or the sender's reputation is to blame"))
	sender := senderRefused()
	system := p(adapters.CodeProviderFault, mime.NewText("smtp.server_cannot_take_message", "the server cannot take the message"),
		mime.NewText("smtp.ask_server_administrator", "ask the server's administrator"))
	content := p(adapters.CodeMessageRefused, mime.NewText("smtp.content_refused",
		"the server does not accept the message's content"), mime.NewText("smtp.send_content_another_form", "send the content in another form"))
	recipient := p(adapters.CodeRecipientRefused, mime.NewText("smtp.recipient_refused", "the server does not accept the recipient"),
		mime.NewText("smtp.correct_recipient_address", "correct the recipient's address"))
	mailbox := p(adapters.CodeRecipientRefused, mime.NewText("smtp.recipient_cannot_take",
		"the recipient's mailbox cannot take the message"), mime.NewText("smtp.tell_recipient_another_way", "tell the recipient by another way"))
	lines := p(adapters.CodeMessageRefused, mime.NewText("smtp.line_too_long", "a line of the message is too long for the server"),
		mime.NewText("smtp.break_lines",
			"break the lines at 998 bytes, or send the content as base64 or quoted-printable"))
	protocol := p(adapters.CodeCommandRefused, mime.NewText("smtp.command_refused",
		"the server did not understand or allow the command"), mime.NewText("smtp.ask_and_report",
		"ask the server's administrator; report it if it goes on"))
	return []row{
		{5, "", "overquota|over quota|quota exceeded|quota violation|exceeded storage|storage space|storage quota|mailbox full|mailbox is " +
			"full|mailbox size|messages on the server", atRcpt | atMessage, full},
		{5, "", "user unknown|unknown user|no such user|user not found|mailbox not found|no longer valid|doesn't have a|disabled or " +
			"discontinued", atRcpt | atMessage, unknownRecipient},
		{5, "", "mailbox unavailable", atRcpt, recipient},
		{5, "5.7.", "recipient address rejected|address locked", atRcpt, recipient},
		{5, "", "line is too long|line too long|lines too long|line length", atMessage, lines},
		{5, "", "message too big|message too large|message size|message is too long|file too big|size limit|maximum size of",
			atMail | atMessage, tooLarge()},
		{5, "", "missing a valid address|multiple addresses in|having no from|not rfc compliant", atMessage, content},
		{5, "", "spam|virus|malware|infected|mail rejected", atMessage, policy},
		{5, "5.1.2", "", 0, p(adapters.CodeRecipientUnknown, mime.NewText("smtp.no_such_domain", "the recipient's domain does not exist"),
			mime.NewText("smtp.correct_recipient_address", "correct the recipient's address"))},
		{5, "5.1.3", "", 0, p(adapters.CodeRecipientRefused, mime.NewText("smtp.recipient_malformed",
			"the recipient's address is not written correctly"), mime.NewText("smtp.correct_recipient_address", "correct the recipient's address"))},
		{5, "5.1.6", "", 0, p(adapters.CodeRecipientUnknown,
			mime.NewText("smtp.recipient_moved", "the recipient has moved"), mime.NewText("smtp.ask_new_address",
				"ask for the new address"))},
		{5, "5.1.7", "", 0, sender},
		{5, "5.1.8", "", 0, sender},
		{5, "5.1.", "", 0, unknownRecipient},
		{5, "5.2.1", "receiving mail", 0, mailbox},
		{5, "5.2.1", "", 0, p(adapters.CodeRecipientUnknown,
			mime.NewText("smtp.recipient_mailbox_switched_off", "the recipient's mailbox is switched off"),
			mime.NewText("smtp.correct_recipient_address", "correct the recipient's address"))},
		{5, "5.2.2", "", 0, full},
		{5, "5.2.3", "", 0, tooLarge()},
		{5, "5.2.", "", 0, mailbox},
		{5, "5.3.4", "", 0, tooLarge()},
		{5, "5.3.", "", 0, system},
		{5, "5.4.1", "", atRcpt, unknownRecipient},
		{5, "5.4.6", "", 0, p(adapters.CodeMessageRefused, mime.NewText("smtp.message_goes_round_circles", "the message goes round in circles"),
			mime.NewText("smtp.correct_forwarding",
				"let the recipient's administrator correct the forwarding"))},
		{5, "5.4.14", "", 0, p(adapters.CodeMessageRefused, mime.NewText("smtp.message_goes_round_circles", "the message goes round in circles"),
			mime.NewText("smtp.correct_forwarding",
				"let the recipient's administrator correct the forwarding"))},
		{5, "5.4.", "", 0, p(adapters.CodeRecipientUnknown, mime.NewText("smtp.no_path_to_recipient", "the server finds no way to the recipient"),
			mime.NewText("smtp.correct_recipient_address", "correct the recipient's address"))},
		{5, "5.5.3", "", 0, p(adapters.CodeTooManyRecipients,
			mime.NewText("smtp.message_too_many_recipients", "the message has too many recipients"),
			mime.NewText("smtp.send_fewer_once", "send to fewer at once"))},
		{5, "5.5.", "", 0, protocol},
		{5, "5.6.7", "", 0, p(adapters.CodeRecipientRefused, mime.NewText("smtp.address_not_ascii",
			"the server cannot carry an address with non-ASCII letters"), mime.NewText("smtp.use_ascii_address", "use an ASCII address"))},
		{5, "5.6.", "", 0, content},
		{5, "5.7.23", "", 0, p(adapters.CodeSenderUnproven, mime.NewText("smtp.spf_fails", "the sender's SPF record does not allow this server"),
			mime.NewText("smtp.add_to_spf",
				"add the server to the SPF record of the sender's domain"))},
		{5, "5.7.", "", atMail, sender},
		{5, "5.7.", "", 0, policy},
		{552, "", "quota", 0, full},
		{552, "", "", atMail | atMessage, tooLarge()}, // RFC 1870 section 6.1
		{552, "", "", atRcpt, full},
		{551, "", "", atRcpt, unknownRecipient},
		{5, "", "", atRcpt, recipient},
		{5, "", "", atMail, sender},
		{5, "", "", 0, policy},
	}
}

// transientRows are the same for 4yz.
func transientRows() []row {
	retry := func(code adapters.Code, scope adapters.Scope, message adapters.Text) meaning {
		return meaning{code: code, class: adapters.Transient, scope: scope, message: message, hint: mime.NewText("smtp.retried",
			"No action needed; postino retries automatically")}
	}
	return []row{
		{421, "", "", 0, retry(adapters.CodeProviderBusy, adapters.ScopeConnection, mime.NewText("smtp.server_closing",
			"the server closes the connection and asks to come back later"))},
		{4, "4.1.7", "", 0, senderLater()},
		{4, "4.1.8", "", 0, senderLater()},
		{4, "", "sender address rejected|sender verify|sender verification", atEnvelope, senderLater()},
		{4, "4.2.2", "", 0, retry(adapters.CodeRecipientFull,
			"", mime.NewText("smtp.recipient_mailbox_full_moment", "the recipient's mailbox is full at the moment"))},
		{4, "4.2.", "", 0, retry(adapters.CodeProviderBusy, "", mime.NewText("smtp.recipient_busy",
			"the recipient's mailbox cannot take mail at the moment"))},
		{452, "4.5.3", "", 0, meaning{code: adapters.CodeTooManyRecipients, class: adapters.Transient, // D5: split
			message: mime.NewText("smtp.too_many_recipients",
				"the server takes no more recipients in one transaction"),
			hint: mime.NewText("smtp.others_follow",
				"No action needed; the others follow in another transaction")}},
		{4, "4.3.4", "", 0, retry(adapters.CodeTooLarge, "", mime.NewText("smtp.too_large_now",
			"the message is too large for the server at the moment"))},
		{4, "4.3.", "", 0, retry(adapters.CodeProviderFault, adapters.ScopeConnection, mime.NewText("smtp.server_problem_own_moment",
			"the server has a problem of its own at the moment"))},
		{4, "4.4.", "", 0, retry(adapters.CodeDelayed, "", mime.NewText("smtp.cannot_reach_recipient",
			"the server cannot reach the recipient's side at the moment"))},
		{4, "4.7.", "", atRcpt | atMessage, retry(adapters.CodeDelayed, "", mime.NewText("smtp.greylisted",
			"the receiving side makes unknown senders wait, or limits the rate"))},
		{4, "", "", atLogin, retry(adapters.CodeProviderBusy, adapters.ScopeConnection, mime.NewText("smtp.server_not_ready_moment",
			"the server is not ready at the moment"))},
		{4, "", "", 0, retry(adapters.CodeProviderBusy, "", mime.NewText("smtp.server_busy",
			"the server cannot take the message at the moment"))},
	}
}
