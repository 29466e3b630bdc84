package web

import "github.com/postino-mail/postino/mime"

// notice is what a screen says after a change, by the word that the cookie has;
// zero for a word that is none.
func notice(word string) mime.Text {
	switch word {
	case "saved":
		return text("web.notice_saved", "Saved.")
	case "filter_saved":
		return text("web.notice_filter_saved", "The search is saved: it is above the list.")
	case "removed":
		return text("web.notice_removed", "Removed.")
	case "sessions_ended":
		return text("web.notice_sessions_ended", "All sessions were ended.")
	case "password_changed":
		return text("web.notice_password_changed", "The password was changed.")
	case "passkey_added":
		return text("web.notice_passkey_added", "The passkey was added.")
	case "linked":
		return text("web.notice_linked", "The account was linked: you can sign in with it from now on.")
	case "unlinked":
		return text("web.notice_unlinked", "The account was unlinked.")
	case "session_ended":
		return text("web.notice_session_ended", "The session was ended.")
	case "resumed":
		return text("web.notice_resumed", "Sending was resumed.")
	case "retried":
		return text("web.notice_retried", "It is sent again now.")
	case "cancelled":
		return text("web.notice_cancelled", "Cancelled: it is not sent.")
	case "held":
		return text("web.notice_held", "It is held until you release it.")
	case "released":
		return text("web.notice_released", "Released.")
	case "not_in_state":
		return text("web.notice_not_in_state", "Nothing was changed: its state has changed meanwhile.")
	case "revoked":
		return text("web.notice_revoked", "The key was revoked.")
	case "replayed":
		return text("web.notice_replayed", "The events are sent again.")
	case "resent":
		return text("web.notice_resent", "Resent: this is the new message.")
	case "conn_added":
		return text("web.notice_conn_added", "The connection was created. Test it before mail depends on it.")
	case "conn_on":
		return text("web.notice_conn_on", "The connection is on. Waiting mail leaves now.")
	case "conn_off":
		return text("web.notice_conn_off", "The connection is off. Its mail waits.")
	case "conn_default":
		return text("web.notice_conn_default", "The connection is the default now.")
	case "conn_resumed":
		return text("web.notice_conn_resumed", "The pause is over. Waiting mail leaves now.")
	case "conn_copied":
		return text("web.notice_conn_copied", "The copy was created. It is off until you enable it.")
	case "conn_certificate":
		return text("web.notice_conn_certificate", "The certificate was made. Run the script below, then switch to it.")
	case "conn_by_certificate":
		return text("web.notice_conn_by_certificate",
			"The connection was created with a certificate, and is off. Run the scripts below, test it, then enable it.")
	case "conn_activated":
		return text("web.notice_conn_activated", "The certificate is in use.")
	case "signed_out":
		return text("web.notice_signed_out", "You have signed out.")
	}
	return mime.Text{}
}
