package web

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"

	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

// messageRoutes are the screens of one message.
func (s *Server) messageRoutes() {
	s.page("GET /mail/{id}", s.message)
	s.page("GET /mail/{id}/html", s.messageHTML)
	s.page("GET /mail/{id}/raw", s.rawMessage)
	s.page("GET /mail/{id}/parts/{part}", s.attachment)
	s.page("GET /mail/{id}/confirm/{action}", s.askAct)
	s.page("POST /mail/{id}/act", s.actOnMessage)
	s.page("GET /mail/{id}/resend", s.askResend)
	s.page("POST /mail/{id}/resend", s.resendMessage)
}

// A messageScreen is one message.
type messageScreen struct {
	Message    api.MessageDetail
	Content    *api.MessageContent // nil: its bytes were removed, or cannot be read
	Unreadable *problem            // why not, where they are there
	Client     string              // name
	Deliveries []deliveryShown
	Can        map[string]bool // actions that some delivery allows
	Unknown    bool            // a delivery may have been sent
}

// A deliveryShown is a delivery with what happened to it.
type deliveryShown struct {
	view.Delivery
	Why      string // it takes this connection
	Attempts []attemptShown
	Asked    int // verifications
	Waits    mime.Text
}

// An attemptShown is one line of the timeline.
type attemptShown struct {
	view.Attempt
	State string // of the badge
	What  mime.Text
	By    string // name of the connection
}

func (s *Server) message(v *visit) error {
	out, err := s.readMessage(v)
	if err != nil {
		return err
	}
	return v.show("message", out)
}

// readMessage reads all that the screen of a message shows.
func (s *Server) readMessage(v *visit) (*messageScreen, error) {
	at := path("/v1/messages/", v.r.PathValue("id"))
	out := &messageScreen{Can: map[string]bool{}}
	if err := v.get(at, &out.Message); err != nil {
		return nil, err
	}
	var attempts api.AttemptList
	if err := v.get(at+"/attempts", &attempts); err != nil {
		return nil, err
	}
	if err := out.read(v, at); err != nil {
		return nil, err
	}
	names := map[string]string{}
	for i := range out.Message.Deliveries {
		names[out.Message.Deliveries[i].Connection.ID] = out.Message.Deliveries[i].Connection.Name
	}
	for i := range out.Message.Deliveries {
		d := deliveryShown{Delivery: out.Message.Deliveries[i]}
		for j := range attempts.Items {
			if a := &attempts.Items[j]; a.Delivery == d.ID {
				d.Attempts = append(d.Attempts, showAttempt(a, cmp.Or(names[a.Connection], a.Connection)))
				if a.Kind == store.Verify {
					d.Asked++
				}
			}
		}
		var err error
		if d.Waits, err = v.waits(&d.Delivery); err != nil {
			return nil, err
		}
		out.allow(&d.Delivery)
		out.Deliveries = append(out.Deliveries, d)
	}
	return out, out.name(v)
}

// waits is what keeps a delivery back besides its own time: its mailbox.
func (v *visit) waits(d *view.Delivery) (mime.Text, error) {
	if d.State != store.Queued {
		return mime.Text{}, nil
	}
	if !d.GivesWay.IsZero() {
		return text("web.waits_gives_way", "Room: it has more recipients than the last 24 hours leave. Others pass it until {time}; after that "+
			"they wait for it.", "time", v.exact(d.GivesWay)), nil
	}
	var lanes api.LaneList
	if err := v.get("/v1/lanes?"+url.Values{"key": {d.Lane}}.Encode(), &lanes); err != nil || len(lanes.Items) == 0 {
		return mime.Text{}, err
	}
	switch l := lanes.Items[0]; {
	case l.Paused && l.PausedUntil.IsZero():
		return text("web.waits_paused", "Its mailbox, which is paused: {reason}", "reason", l.Reason), nil
	case l.Paused:
		return text("web.waits_paused_until", "Its mailbox, which is paused until {time}: {reason}", "time", v.exact(l.PausedUntil), "reason",
			l.Reason), nil
	case !l.UsedUpUntil.IsZero():
		return text("web.waits_used_up", "Its mailbox, with the recipients of 24 hours used up until {time}", "time", v.exact(l.UsedUpUntil)), nil
	case !l.NoRoomUntil.IsZero():
		return text("web.waits_no_room", "A large message that is first in line of its mailbox and has room at {time}", "time",
			v.exact(l.NoRoomUntil)), nil
	}
	return mime.Text{}, nil
}

// read reads the content where it is kept.
func (m *messageScreen) read(v *visit, at string) error {
	if !m.Message.Kept {
		return nil
	}
	var content api.MessageContent
	err := v.get(at+"/content", &content)
	var p *problem
	switch {
	case err == nil:
		m.Content = &content
	case errors.As(err, &p) && p.Status != http.StatusUnauthorized:
		m.Unreadable = p
	default:
		return err
	}
	return nil
}

// TestOf is where the connection of a delivery that did not leave is tested, with the
// sender and a recipient of the message; empty: it left, or no one knows the connection.
func (m *messageScreen) TestOf(d deliveryShown) string {
	waits := d.State == store.Queued || d.State == store.Unverified
	if d.Connection.Name == "" || d.State == store.Sent || d.State == store.Sending || d.State == store.Cancelled || waits && d.Error == nil {
		return ""
	}
	q := url.Values{"from": {m.Message.From}}
	for _, r := range d.Recipients {
		if r.State != string(store.RecipientSent) {
			q.Set("to", r.Address)
			break
		}
	}
	return path("/connections/", d.Connection.ID, "/send") + "?" + q.Encode()
}

// allow notes what can be done with a delivery.
func (m *messageScreen) allow(d *view.Delivery) {
	switch d.State {
	case store.Queued, store.Unverified:
		m.Can["retry"], m.Can["cancel"], m.Can["hold"] = m.Message.Kept, true, true
	case store.Held:
		m.Can["retry"], m.Can["cancel"], m.Can["release"] = m.Message.Kept, true, true
	case store.Failed, store.Expired, store.Cancelled:
		m.Can["retry"] = m.Message.Kept
	}
	m.Unknown = m.Unknown || mayBeSent(*d)
}

// mayBeSent reports a delivery of which it is not known whether it was sent.
func mayBeSent(d view.Delivery) bool {
	final := slices.Contains([]store.State{store.Sent, store.Failed, store.Expired, store.Cancelled}, d.State)
	return !final && !d.UnknownSince.IsZero()
}

// name finds the name of the client, which administrators alone may see, and says why
// the deliveries took their connections.
func (m *messageScreen) name(v *visit) error {
	if m.Message.Client != "" {
		m.Client = m.Message.Client
		if v.admin() {
			var c view.Client
			err := v.get(path("/v1/clients/", m.Message.Client), &c)
			var p *problem
			if err != nil && !errors.As(err, &p) { // one that was removed keeps its id
				return err
			}
			m.Client = cmp.Or(c.Name, m.Client)
		}
	}
	if r := m.Message.Routed; r != nil {
		for i := range m.Deliveries { // one that left another way says so in its attempts
			if d := &m.Deliveries[i]; d.Connection.ID == r.Connection {
				d.Why = r.Reason
			}
		}
	}
	return nil
}

func showAttempt(a *view.Attempt, by string) attemptShown {
	out := attemptShown{Attempt: *a, By: by, State: "waiting", What: text("web.attempt_runs", "Being sent")}
	if a.Kind == store.Moved {
		out.What = text("web.attempt_moved", "An administrator gave it another connection")
		return out
	}
	if a.Kind == store.Verify {
		out.What = verdictText(a.Verdict)
		if a.Verdict == "sent" {
			out.State = "ok"
		}
		return out
	}
	switch a.Outcome {
	case "accepted":
		out.State, out.What = "ok", text("web.attempt_accepted", "The provider has taken it")
	case "permanent":
		out.State, out.What = "failed", text("web.attempt_permanent", "Refused for good")
	case "transient":
		out.State, out.What = "attention", text("web.attempt_transient", "Did not work; it is tried again")
	case "throttled":
		out.State, out.What = "waiting", text("web.attempt_throttled", "The provider asks to wait")
	case "auth":
		out.State, out.What = "failed", text("web.attempt_auth", "The provider refused the sign-in")
	case "unknown":
		out.State, out.What = "attention", text("web.attempt_unknown", "It is not known whether it was sent")
	}
	return out
}

func verdictText(verdict string) mime.Text {
	switch verdict {
	case "sent":
		return text("web.verdict_sent", "Asked the provider: it was sent")
	case "not_sent":
		return text("web.verdict_not_sent", "Asked the provider: it is not there")
	case "in_progress":
		return text("web.verdict_in_progress", "Asked the provider: it still works on it")
	case "cannot_tell":
		return text("web.verdict_cannot_tell", "Asked the provider: it cannot say")
	}
	return text("web.verdict_open", "Asks the provider whether it was sent")
}

// EntryPoint is where a message came in, in words.
func (v *visit) EntryPoint(name string) string {
	switch name {
	case "smtp":
		return "SMTP"
	case "api":
		return "API"
	case "pickup":
		return text("web.entry_pickup", "pickup folder").In(v.lang)
	}
	return name
}

// sandboxPolicy is that of foreign HTML: nothing is loaded and nothing runs.
const sandboxPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; form-action 'none'; " +
	"base-uri 'none'; frame-ancestors 'self'; sandbox"

// messageHTML is the HTML of a message, for the empty sandbox on its screen.
func (s *Server) messageHTML(v *visit) error {
	var content api.MessageContent
	if err := v.get(path("/v1/messages/", v.r.PathValue("id"))+"/content", &content); err != nil {
		return err
	}
	if content.HTML == "" {
		return noScreen(v.r)
	}
	h := v.w.Header()
	h.Set("Content-Security-Policy", sandboxPolicy)
	h.Set("X-Frame-Options", "SAMEORIGIN")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(v.w, content.HTML) // a reader that left needs no report
	return nil
}

// saved are the headers of what is saved as a file and never shown.
func saved() []string {
	return []string{"Content-Security-Policy", "default-src 'none'; sandbox", "X-Content-Type-Options", "nosniff"}
}

func (s *Server) rawMessage(v *visit) error {
	return v.pass(path("/v1/messages/", v.r.PathValue("id"))+"/raw", saved()...)
}

func (s *Server) attachment(v *visit) error {
	return v.pass(path("/v1/messages/", v.r.PathValue("id"), "/parts/", v.r.PathValue("part")), saved()...)
}
