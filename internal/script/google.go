package script

import (
	"net/url"
	"strings"

	"github.com/postino-mail/postino/internal/texterr"
	"github.com/postino-mail/postino/mime"
)

// Scopes returns those that the domain-wide delegation of a connection must
// name (contracts C1.3, D3.2).
func (c Connection) Scopes() []string {
	if c.SMTP {
		return []string{"https://mail.google.com/"}
	}
	return []string{"https://www.googleapis.com/auth/gmail.send"}
}

// lookUpScope lets postino find out about an unknown outcome.
const lookUpScope = "https://www.googleapis.com/auth/gmail.readonly"

// delegationLink is the page of the Admin console that adds a delegation, with
// its values filled in (contracts L15).
func delegationLink(accountID string, scopes []string) string {
	return "https://admin.google.com/ac/owl/domainwidedelegation?overwriteClientId=true&clientIdToAdd=" + url.QueryEscape(accountID) +
		"&clientScopeToAdd=" + url.QueryEscape(strings.Join(scopes, ","))
}

// google makes the service account and prints the link to its delegation.
func (w *writer) google(c Connection) error {
	if err := c.check(Google); err != nil {
		return err
	}
	if c.Account != "" && !validAccount(c.Account) {
		return texterr.New(mime.NewText("script.google_account", "{account} is not the address of a service account", "account",
			plain(c.Account)))
	}
	w.line("#!/bin/bash")
	w.comment(mime.NewText("script.google_title", "postino: the service account of the connection {name} and its delegation.", "name", c.Name))
	w.comment(mime.NewText("script.google_where", "Where: Google Cloud Shell (shell.cloud.google.com), or bash with gcloud."))
	w.comment(mime.NewText("script.google_role", "Role: in the project, Service Account Admin and Service Usage Admin; for the page at the "+
		"end, super administrator of the Workspace domain."))
	w.comment(mime.NewText("script.google_time", "The delegation takes effect within minutes as a rule, at most 24 hours."))
	w.comment(mime.NewText("script.again", "Can be run again: what is there already stays."))
	w.line("set -euo pipefail")
	project, account := c.Project, c.Account
	if project == "" {
		w.line("project=$(gcloud config get-value project 2>/dev/null)")
	} else {
		w.line("project=%s", bash(project))
	}
	if account == "" {
		w.line("account=\"postino@$project.iam.gserviceaccount.com\"")
	} else {
		w.line("account=%s", bash(account))
	}
	w.line("[ -n \"$project\" ] || { echo %s >&2; exit 1; }", bash(mime.NewText("script.google_no_project",
		"Choose a project first: gcloud config set project NAME").In(w.lang)))
	w.blank()
	w.comment(mime.NewText("script.google_api", "1. The Gmail API and the account. It gets no role in the project."))
	services := "gmail.googleapis.com"
	if c.Keyless {
		services += " iamcredentials.googleapis.com"
	}
	w.line("gcloud services enable %s --project \"$project\"", services)
	w.line("if ! gcloud iam service-accounts describe \"$account\" --project \"$project\" >/dev/null 2>&1; then")
	w.line("  gcloud iam service-accounts create \"${account%%%%@*}\" --project \"$project\" --display-name %s",
		bash(short("postino "+c.Name, 100)))
	w.line("fi")
	w.line("id=$(gcloud iam service-accounts describe \"$account\" --project \"$project\" --format='value(uniqueId)')")
	w.blank()
	w.googleCredential(c)
	w.blank()
	w.comment(mime.NewText("script.google_delegation",
		"3. The delegation: open this page as super administrator and confirm. It names the account's numeric id and these scopes only."))
	w.comment(mime.NewText("script.google_readonly",
		"Add {scope} after a comma to let postino look up an unknown outcome; it lets postino read mail.", "scope", lookUpScope))
	w.line("scopes=%s", bash(strings.Join(c.Scopes(), ",")))
	w.line("link='https://admin.google.com/ac/owl/domainwidedelegation?overwriteClientId=true'")
	w.line("encoded=$(printf '%%s' \"$scopes\" | sed -e 's/:/%%3A/g' -e 's,/,%%2F,g' -e 's/,/%%2C/g')")
	w.line("echo \"$link&clientIdToAdd=$id&clientScopeToAdd=$encoded\"")
	if c.AccountID != "" {
		w.comment(mime.NewText("script.google_link", "With the account of this connection it is: {link}", "link",
			delegationLink(c.AccountID, c.Scopes())))
	}
	w.line("echo %s", bash(mime.NewText("script.google_next", "Next: postino connection test {name}", "name", word(c.Name)).In(w.lang)))
	return nil
}

func (w *writer) googleCredential(c Connection) {
	if c.Keyless {
		w.comment(mime.NewText("script.google_keyless",
			"2. No key: the identity that postino runs as may sign as this account (IAM signJwt). Set runner to it."))
		w.line("runner=${runner:-\"serviceAccount:$account\"}")
		w.line("gcloud iam service-accounts add-iam-policy-binding \"$account\" --project \"$project\" \\")
		w.line("  --member \"$runner\" --role roles/iam.serviceAccountTokenCreator --condition=None >/dev/null")
		return
	}
	w.comment(mime.NewText("script.google_key", "2. A key, if this folder has none yet. Move the file to postino's machine, readable for "+
		"postino alone, and delete it here."))
	w.line("if [ ! -e postino-key.json ]; then")
	w.line("  (umask 077 && gcloud iam service-accounts keys create postino-key.json --iam-account \"$account\" --project \"$project\")")
	w.line("fi")
}

// validAccount reports the address of a service account.
func validAccount(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	return ok && asciiID.MatchString(local) && asciiID.MatchString(domain) && strings.HasSuffix(domain, ".gserviceaccount.com")
}
