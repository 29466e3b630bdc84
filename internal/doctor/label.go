package doctor

import (
	"github.com/postino-mail/postino/adapters/stages"
	"github.com/postino-mail/postino/mime"
)

// Label is what people call a stage.
func Label(n stages.Name) mime.Text {
	switch n {
	case Settings:
		return text("test.label_settings", "settings")
	case stages.DNS:
		return text("test.label_dns", "DNS")
	case stages.TCP:
		return text("test.label_tcp", "connection")
	case stages.TLS:
		return text("test.label_tls", "TLS")
	case stages.Greeting:
		return text("test.label_greeting", "greeting")
	case stages.Offers:
		return text("test.label_offers", "extensions")
	case stages.Token:
		return text("test.label_token", "token")
	case stages.Authentication:
		return text("test.label_authentication", "login")
	case stages.Roles:
		return text("test.label_roles", "permission")
	case stages.Mailbox:
		return text("test.label_mailbox", "mailbox")
	case stages.Lookup:
		return text("test.label_lookup", "looking up")
	case stages.Sender:
		return text("test.label_sender", "sender")
	case Budget:
		return text("test.label_budget", "daily budget")
	case Message:
		return text("test.label_message", "message")
	case Sent:
		return text("test.label_sent", "sent messages")
	}
	return text("test.label_other", "{name}", "name", string(n))
}

// StatusLabel is how people call a status.
func StatusLabel(s stages.Status) mime.Text {
	switch s {
	case stages.OK:
		return text("test.status_ok", "ok")
	case stages.Failed:
		return text("test.status_failed", "FAILED")
	case stages.Skipped:
		return text("test.status_skipped", "skipped")
	default:
		return text("test.status_unproven", "unproven")
	}
}

// FindingLabel is how people call the status of a finding.
func FindingLabel(s FindingStatus) mime.Text {
	switch s {
	case Good:
		return text("doctor.status_ok", "ok")
	case Warning:
		return text("doctor.status_warning", "WARNING")
	case Bad:
		return text("doctor.status_failed", "FAILED")
	default:
		return text("doctor.status_skipped", "skipped")
	}
}

// CheckLabel is what people call a check of the installation; its name in JSON is
// that of its findings.
func CheckLabel(check string) mime.Text {
	switch check {
	case "disk":
		return text("doctor.check_disk", "disk")
	case "fsync":
		return text("doctor.check_fsync", "fsync")
	case "listener":
		return text("doctor.check_listener", "listener")
	case "certificate":
		return text("doctor.check_certificate", "certificate")
	case "dns":
		return text("doctor.check_dns", "DNS")
	case "store":
		return text("doctor.check_store", "store")
	case "clock":
		return text("doctor.check_clock", "clock")
	case "secrets":
		return text("doctor.check_secrets", "secrets")
	case "connection":
		return text("doctor.check_connection", "connection")
	case "lane":
		return text("doctor.check_lane", "mailbox")
	case "leases":
		return text("doctor.check_leases", "in work")
	case "queue":
		return text("doctor.check_queue", "queue")
	case "server":
		return text("doctor.check_server", "server")
	case "addresses":
		return text("doctor.check_addresses", "addresses")
	case "configuration":
		return text("doctor.check_configuration", "configuration")
	}
	return mime.Text{English: check}
}
