package web

import "github.com/postino-mail/postino/mime"

// kind is what was changed.
func kind(name string) mime.Text {
	switch name {
	case "connection":
		return text("web.kind_connection", "connection")
	case "client":
		return text("web.kind_client", "client")
	case "key":
		return text("web.kind_key", "API key")
	case "person":
		return text("web.kind_person", "person")
	case "session":
		return text("web.kind_session", "session")
	case "invitation":
		return text("web.kind_invitation", "link for a person")
	case "webhook":
		return text("web.kind_webhook", "webhook")
	case "queue":
		return text("web.kind_queue", "mail")
	case "lane":
		return text("web.kind_lane", "mailbox")
	case "setting":
		return text("web.kind_setting", "setting")
	}
	return mime.Text{English: name}
}

func kinds(lang string) []option {
	out := []option{{Value: "", Label: text("web.kind_all", "everything").In(lang)}}
	for _, name := range []string{"connection", "client", "key", "person", "session", "invitation", "webhook", "queue", "lane", "setting"} {
		out = append(out, option{Value: name, Label: kind(name).In(lang)})
	}
	return out
}

// action is what was done.
func action(name string) mime.Text {
	switch name {
	case "added":
		return text("web.did_added", "added")
	case "changed":
		return text("web.did_changed", "changed")
	case "removed":
		return text("web.did_removed", "deleted")
	case "used":
		return text("web.did_used", "used")
	case "paused":
		return text("web.did_paused", "paused")
	case "resumed":
		return text("web.did_resumed", "resumed")
	case "retry":
		return text("web.did_retry", "retried")
	case "cancel":
		return text("web.did_cancel", "cancelled")
	case "hold":
		return text("web.did_hold", "held")
	case "release":
		return text("web.did_release", "released")
	case "resend":
		return text("web.did_resend", "sent again")
	case "moved":
		return text("web.did_moved", "moved")
	}
	return mime.Text{English: name}
}

func actorKind(name string) mime.Text {
	switch name {
	case "gateway":
		return text("web.actor_gateway", "postino itself")
	case "user":
		return text("web.actor_user", "a user of the machine")
	case "key":
		return text("web.kind_key", "API key")
	case "client":
		return text("web.kind_client", "client")
	case "person":
		return text("web.kind_person", "person")
	}
	return mime.Text{English: name}
}

func via(name string) mime.Text {
	switch name {
	case "page":
		return text("web.via_page", "page")
	case "api":
		return text("web.via_api", "API")
	case "command":
		return text("web.via_command", "command line")
	}
	return mime.Text{English: name}
}
