package view

import (
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// ActionLabel is what was done to an object of the audit trail, such as "client: added".
func ActionLabel(action, kind string) mime.Text {
	what := KindLabel(kind)
	switch action {
	case store.AuditAdded:
		return text("label.action_added", "{what}: added", "what", what)
	case store.AuditChanged:
		return text("label.action_changed", "{what}: changed", "what", what)
	case store.AuditRemoved:
		return text("label.action_removed", "{what}: removed", "what", what)
	case store.AuditUsed:
		return text("label.action_used", "{what}: used", "what", what)
	case store.AuditPaused:
		return text("label.action_paused", "{what}: paused", "what", what)
	case store.AuditResumed:
		return text("label.action_resumed", "{what}: resumed", "what", what)
	case store.AuditExport:
		return text("label.action_export", "{what}: exported", "what", what)
	case store.AuditResend:
		return text("label.action_resend", "{what}: sent again as a new message", "what", what)
	case store.AuditMoved:
		return text("label.action_moved", "{what}: moved to another connection", "what", what)
	case string(store.DoRetry):
		return text("label.action_retry", "{what}: retried", "what", what)
	case string(store.DoCancel):
		return text("label.action_cancel", "{what}: cancelled", "what", what)
	case string(store.DoHold):
		return text("label.action_hold", "{what}: held", "what", what)
	case string(store.DoRelease):
		return text("label.action_release", "{what}: released", "what", what)
	}
	return text("label.action_other", "{what}: {action}", "what", what, "action", action)
}

// KindLabel is what people call the kind of an object of the audit trail.
func KindLabel(kind string) mime.Text {
	switch kind {
	case store.KindConnection:
		return text("label.kind_connection", "connection")
	case store.KindClient:
		return text("label.kind_client", "client")
	case store.KindKey:
		return text("label.kind_key", "key")
	case store.KindPerson:
		return text("label.kind_person", "person")
	case store.KindSession:
		return text("label.kind_session", "session")
	case store.KindInvitation:
		return text("label.kind_invitation", "invitation")
	case store.KindWebhook:
		return text("label.kind_webhook", "webhook")
	case store.KindQueue:
		return text("label.kind_queue", "queue")
	case store.KindLane:
		return text("label.kind_lane", "mailbox")
	case store.KindSetting:
		return text("label.kind_setting", "setting")
	case store.KindAudit:
		return text("label.kind_audit", "audit trail")
	}
	return other(kind)
}

// ActorLabel is who made a change: the name, or what people call a caller without one.
func ActorLabel(a *Actor) mime.Text {
	switch {
	case a.Name != "":
		return other(a.Name)
	case a.ID != "":
		return other(a.ID)
	case a.Kind == store.ActorGateway:
		return text("label.actor_gateway", "postino")
	}
	return other(a.Kind)
}
