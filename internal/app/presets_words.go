package app

import (
	"github.com/postino-mail/postino/internal/presets"
	"github.com/postino-mail/postino/mime"
)

func kindText(k presets.Kind) mime.Text {
	switch k {
	case presets.KindPEC:
		return text("cli.kind_pec", "certified (PEC)")
	case presets.KindRelay:
		return text("cli.kind_relay", "relay")
	case presets.KindBulk:
		return text("cli.kind_bulk", "bulk")
	}
	return text("cli.kind_mailbox", "mailbox")
}

func credentialText(c presets.Credential) mime.Text {
	switch c {
	case presets.CredentialAppPassword:
		return text("cli.credential_app_password", "app password")
	case presets.CredentialAPIKey:
		return text("cli.credential_api_key", "API key")
	case presets.CredentialApplication:
		return text("cli.credential_application", "application, without a password")
	case presets.CredentialNetwork:
		return text("cli.credential_network", "this server's address")
	}
	return text("cli.credential_password", "password")
}

func loginText(p *presets.Preset) mime.Text {
	switch p.Login {
	case presets.LoginAddress:
		return text("cli.login_address", "the address")
	case presets.LoginGiven:
		return text("cli.login_given", "a name that the provider gives")
	case presets.LoginFixed:
		return text("cli.login_fixed", "{login}, for everyone", "login", p.FixedLogin)
	}
	return text("cli.login_none", "none")
}

func certaintyText(c presets.Certainty) mime.Text {
	switch c {
	case presets.Primary:
		return text("cli.certainty_primary", "the provider's own words")
	case presets.Secondary:
		return text("cli.certainty_secondary", "used by others")
	}
	return text("cli.certainty_unconfirmed", "not confirmed")
}

func outcomeText(o presets.Outcome) mime.Text {
	switch o {
	case presets.Found:
		return text("cli.outcome_found", "found")
	case presets.None:
		return text("cli.outcome_none", "nothing")
	case presets.Skipped:
		return text("cli.outcome_skipped", "not asked")
	}
	return text("cli.outcome_failed", "no answer")
}
