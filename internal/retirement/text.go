package retirement

import (
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"github.com/postino-mail/postino/mime"
)

// reason says what an announcement means, in a sentence.
func reason(x *Announcement) mime.Text {
	date, announced := day(x.Date), day(x.Announced)
	switch x.ID {
	case "microsoft_smtp_password": // contracts E1
		return mime.NewText("retirement.microsoft_smtp_password",
			"Microsoft switches passwords for SMTP off by default at the end of December 2026 ({date}); an administrator can switch them on "+
				"again until the final date, which Microsoft will announce in the second half of 2027 (as announced on {announced})", "date", date,
			"announced", announced)
	case "microsoft_hve_password": // contracts E1
		return mime.NewText("retirement.microsoft_hve_password",
			"High Volume Email, for recipients inside the organisation alone, keeps passwords until {date}", "date", date)
	case "microsoft_ews": // contracts L13
		return mime.NewText("retirement.microsoft_ews",
			"Exchange Web Services are off by default since 1 October 2026 and gone on {date}, whatever the credential", "date", date)
	case "microsoft_direct_send": // contracts E1
		return mime.NewText("retirement.microsoft_direct_send",
			"sending to Microsoft without a login (Direct Send, connectors) is not affected; a tenant may refuse Direct Send")
	case "outlook_consumer_password":
		return mime.NewText("retirement.outlook_consumer_password",
			"Outlook.com, Hotmail and Live take no passwords by SMTP since {date}, and no application may send for them by itself",
			"date", date)
	case "google_account_password": // contracts E2
		return mime.NewText("retirement.google_account_password", "Google takes no account passwords by SMTP since {date}", "date", date)
	case "google_app_password": // contracts E2
		return mime.NewText("retirement.google_app_password",
			"it is an app password: Google still takes those while the account has 2-step verification, unless an administrator forbids them")
	case "google_relay": // contracts E2
		return mime.NewText("retirement.google_relay", "the SMTP relay of Google Workspace by address is not affected")
	case "pec_rem": // contracts K11
		return mime.NewText("retirement.pec_rem",
			"certified mail (PEC) takes passwords; it moves to REM, for which no binding date is known. With 2-step verification the password "+
				"for programs may end every three months")
	}
	return mime.NewText("retirement.other", "announced on {announced}", "announced", announced)
}

func day(t time.Time) string { return t.Format(time.DateOnly) }

// steps says how to move one way of sending.
func steps(x *Announcement, s *Settings) []mime.Text {
	from := s.From
	if from == "" {
		from = s.Login
	}
	if x.To == "" {
		return []mime.Text{mime.NewText("retirement.step_other_provider",
			"send from a mailbox of Microsoft 365 or Google Workspace, or through another provider: 'postino connection presets'")}
	}
	var prepare mime.Text
	if x.To == "gmail" {
		prepare = mime.NewText("retirement.step_google", "make a service account and delegate gmail.send to it: docs/google-workspace.md")
	} else {
		prepare = mime.NewText("retirement.step_microsoft",
			"register an application in Entra and let it send for {from} alone: docs/microsoft-365.md", "from", orDash(from))
	}
	if s.Connection != "" {
		return []mime.Text{prepare, mime.NewText("retirement.step_migrate",
			"'postino connection migrate {name} --to {to} --file new.json' makes the new connection, tests it, and keeps the old one as fallback",
			"name", strconv.Quote(s.Name), "to", x.To)}
	}
	return []mime.Text{prepare,
		mime.NewText("retirement.step_connection", "add it as a connection: 'postino connection add --file new.json'"),
		mime.NewText("retirement.step_client", "'postino client add {name} --sender {from}' prints a login and a secret for the program", "name",
			clientName(s), "from", orDash(from)),
		mime.NewText("retirement.step_program",
			"enter in the program: the host and port of postino in place of {address}, that login and secret; nothing else changes", "address",
			s.Address())}
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// clientName is a login that a program may be given and a shell leaves alone:
// letters a to z, digits and hyphens.
func clientName(s *Settings) string {
	name := strings.Join(strings.FieldsFunc(strings.ToLower(s.Name), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}), "-")
	if name == "" {
		name = "program-" + strconv.Itoa(s.Line)
	}
	return name
}

// asciiHost is a host as DNS has it, in lower case.
func asciiHost(host string) string {
	host = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(host), "."))
	if a, err := idna.Lookup.ToASCII(host); err == nil {
		return a
	}
	return host
}
