package web

import (
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

func kinds(lang string) []option {
	out := []option{{Value: "", Label: text("web.kind_all", "everything").In(lang)}}
	for _, name := range store.AuditKinds() {
		out = append(out, option{Value: name, Label: view.KindLabel(name).In(lang)})
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
	case "exported":
		return text("web.did_export", "exported")
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
	}
	return view.KindLabel(name)
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
