package presets

import "github.com/postino-mail/postino/mime"

// Notes returns what an administrator should know of the provider.
func (p *Preset) Notes() []mime.Text {
	out := make([]mime.Text, 0, len(p.NoteNames))
	for _, name := range p.NoteNames {
		if t, ok := note(name, p); ok {
			out = append(out, t)
		}
	}
	return out
}

// note returns the note that the data name.
func note(name string, p *Preset) (mime.Text, bool) {
	switch name {
	case "m365_application": // contracts B8
		return mime.NewText("presets.m365_application",
			"an application of the tenant sends, without a password: 'postino connection script' prints the commands that allow it"), true
	case "m365_password_ends": // contracts E1
		return mime.NewText("presets.m365_password_ends",
			"passwords for SMTP are being switched off by Microsoft: choose the application"), true
	case "m365_smtp_switch": // contracts D2.6
		return mime.NewText("presets.m365_smtp_switch",
			"SMTP AUTH must be on for the mailbox, with OAuth too (Set-CASMailbox -SmtpClientAuthenticationDisabled $false)"), true
	case "m365_connector":
		return mime.NewText("presets.m365_connector", "the host is the MX of the tenant's domain, such as "+
			"contoso-it.mail.protection.outlook.com; an inbound connector of the tenant must name this server's public address"), true
	case "port_25":
		return mime.NewText("presets.port_25", "port 25 must be open to the outside, which many lines do not allow"), true
	case "hve_internal": // contracts L12
		return mime.NewText("presets.hve_internal",
			"for recipients inside the organisation only; no copy is kept in Sent Items"), true
	case "outlook_no_password":
		return mime.NewText("presets.outlook_no_password", "personal Microsoft accounts take no password from programs, and "+
			"applications cannot send for them: postino cannot use such a mailbox"), true
	case "google_delegation": // contracts C6
		return mime.NewText("presets.google_delegation", "a service account with domain-wide delegation sends, without a password"), true
	case "google_smtp_scope": // contracts D3.2
		return mime.NewText("presets.google_smtp_scope", "the delegation must name the scope https://mail.google.com/"), true
	case "google_relay":
		return mime.NewText("presets.google_relay",
			"allow this server's public address in the Admin console: Apps, Google Workspace, Gmail, Routing, SMTP relay service"), true
	case "app_password":
		return mime.NewText("presets.app_password",
			"the password of the account is refused: make an app password (2-step verification must be on)"), true
	case "not_bulk":
		return mime.NewText("presets.not_bulk", "not for newsletters: the provider blocks mailboxes that send many"), true
	case "own_lines":
		return mime.NewText("presets.own_lines", "may refuse connections that do not come from the provider's own lines"), true
	case "italy_only":
		return mime.NewText("presets.italy_only", "refuses connections from outside Italy"), true
	case "register_daily":
		return mime.NewText("presets.register_daily", "the base plan allows 1,000 messages a day, for all mailboxes together"), true
	}
	if t, ok := pecNote(name); ok {
		return t, true
	}
	return bulkNote(name, p)
}

func pecNote(name string) (mime.Text, bool) {
	switch name {
	case "pec_no_bcc": // contracts K6
		return mime.NewText("presets.pec_no_bcc", "certified mail has no Bcc: postino refuses such a message before it is sent"), true
	case "pec_login": // contracts K12
		return mime.NewText("presets.pec_login", "repeated refused logins lock the box: postino stops at the first one"), true
	case "pec_receipts": // contracts K6
		return mime.NewText("presets.pec_receipts", "an address that is not certified returns the acceptance only, no delivery receipt"), true
	case "aruba_client_password": // contracts K10
		return mime.NewText("presets.aruba_client_password",
			"with 2-step verification on, make a password for mail programs; it is valid for 3 months"), true
	case "legalmail_user": // contracts K8
		return mime.NewText("presets.legalmail_user", "the login is the user code (M...), not the address"), true
	case "legalmail_pace":
		return mime.NewText("presets.legalmail_pace", "6 messages a minute; the contract excludes programs that send by themselves, "+
			"unless it was agreed otherwise"), true
	}
	return mime.Text{}, false
}

func bulkNote(name string, p *Preset) (mime.Text, bool) {
	switch name {
	case "sender_domain":
		return mime.NewText("presets.sender_domain", "verify the sender's domain with the service first (SPF, DKIM)"), true
	case "ses_region":
		return mime.NewText("presets.ses_region", "complete the host with the region, such as eu-south-1; login and password are "+
			"SMTP credentials made in the console, not access keys"), true
	case "fixed_login":
		return mime.NewText("presets.fixed_login", "the login is the word {login} for everyone; the password is an API key",
			"login", p.FixedLogin), true
	case "eu_host":
		return mime.NewText("presets.eu_host", "an account of the EU region has a server of its own"), true
	case "key_as_password":
		return mime.NewText("presets.key_as_password", "the password is an SMTP key, not that of the account"), true
	case "postmark_token":
		return mime.NewText("presets.postmark_token", "the server's API token is both login and password"), true
	case "mailjet_keys":
		return mime.NewText("presets.mailjet_keys", "the login is the API key, the password the secret key"), true
	case "acs_username":
		return mime.NewText("presets.acs_username", "login and password are an SMTP username of the resource and the secret of its "+
			"Entra application"), true
	}
	return mime.Text{}, false
}
