package main

import "github.com/postino-mail/postino/internal/app"

// settingFlags name the settings of a connection. What is not given stays, or is
// the provider's default.
type settingFlags struct {
	File         string   `help:"JSON with settings, - for standard input; flags overrule it." short:"f" placeholder:"FILE"`
	Provider     *string  `help:"graph, gmail or smtp: the provider." placeholder:"P"`
	From         *string  `help:"Address that it sends as, or *@domain." placeholder:"ADDRESS"`
	DisplayName  *string  `help:"Name beside the address." placeholder:"NAME"`
	Host         *string  `help:"SMTP server." placeholder:"HOST"`
	Port         *int     `help:"Its port." placeholder:"PORT"`
	Encryption   *string  `help:"starttls, tls or none." placeholder:"E"`
	Login        *string  `help:"Login at the SMTP server." placeholder:"LOGIN"`
	Auth         *string  `help:"auto, none, plain, login, cram-md5, scram-sha-1, scram-sha-256, xoauth2 or oauthbearer." placeholder:"A"`
	Tenant       *string  `help:"Microsoft 365: tenant, id or domain." placeholder:"TENANT"`
	ClientID     *string  `help:"Microsoft 365: id of the app registration." name:"client-id" placeholder:"ID"`
	Certificate  *string  `help:"Microsoft 365: file with certificate and key." type:"path" placeholder:"FILE"`
	KeyFile      *string  `help:"Google: file of the service account's key." type:"path" placeholder:"FILE"`
	Mailbox      *string  `help:"Mailbox that sends, where it is not the address." placeholder:"ADDRESS"`
	Class        *string  `help:"any, transactional or bulk." placeholder:"CLASS"`
	Fallback     []string `help:"Connection that takes over, once for each, in order." placeholder:"NAME"`
	PerMinute    *int     `help:"Messages a minute; 0: no limit." placeholder:"N"`
	PerDay       *int     `help:"Recipients a day; 0: no limit." placeholder:"N"`
	Concurrency  *int     `help:"Messages at once; 0: no limit." placeholder:"N"`
	Set          []string `help:"Any setting by its path, such as smtp.hostname=mx.example.com; null removes." sep:"none" placeholder:"PATH=V"`
	SecretFile   string   `help:"File with the password, client secret or key, - for standard input." placeholder:"FILE"`
	SecretEnv    string   `help:"Environment variable with it." placeholder:"VAR"`
	SecretPrompt bool     `help:"Ask for it on the terminal."`
	SecretPath   string   `help:"Setting that the secret is, such as graph.certificate_password." placeholder:"PATH"`
}

func (f *settingFlags) changes() app.ConnectionChanges {
	c := app.ConnectionChanges{File: f.File, Settings: map[string]any{}, Mailbox: f.Mailbox, Set: f.Set,
		Secret: app.SecretSource{File: f.SecretFile, Env: f.SecretEnv, Prompt: f.SecretPrompt, Path: f.SecretPath}}
	for path, v := range map[string]*string{"provider": f.Provider, "from": f.From, "display_name": f.DisplayName, "smtp.host": f.Host,
		"smtp.encryption": f.Encryption, "smtp.login": f.Login, "smtp.auth": f.Auth, "graph.tenant": f.Tenant, "graph.client_id": f.ClientID,
		"graph.certificate_file": f.Certificate, "gmail.service_account_file": f.KeyFile, "class": f.Class} {
		if v != nil {
			c.Settings[path] = *v
		}
	}
	for path, v := range map[string]*int{"smtp.port": f.Port, "limits.per_minute": f.PerMinute, "limits.recipients_per_day": f.PerDay,
		"limits.concurrency": f.Concurrency} {
		if v != nil {
			c.Settings[path] = *v
		}
	}
	if len(f.Fallback) > 0 {
		c.Settings["fallback"] = f.Fallback
	}
	return c
}
