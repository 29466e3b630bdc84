package web

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// An actScreen asks before an action on one message.
type actScreen struct {
	Title  mime.Text
	Lines  []mime.Text
	Verb   store.Verb
	Button mime.Text
	ID     string
}

// askAct asks before what cannot simply be done again.
func (s *Server) askAct(v *visit) error {
	verb, err := verbOf(v.r.PathValue("action"))
	if err != nil {
		return err
	}
	var m api.MessageDetail
	if err := v.get(path("/v1/messages/", v.r.PathValue("id")), &m); err != nil {
		return err
	}
	out := actScreen{Verb: verb, Button: verbText(verb), ID: m.ID, Title: actTitle(verb)}
	switch verb {
	case store.DoRetry:
		out.Lines = []mime.Text{text("web.retry_one", "It is sent again at once. Recipients that have it already do not get it again.")}
		if slices.ContainsFunc(m.Deliveries, mayBeSent) {
			out.Lines = append(out.Lines, duplicateRisk())
		}
	case store.DoCancel:
		out.Lines = []mime.Text{text("web.cancel_one", "It is not sent to those who have not got it yet. Who sent it is not told."),
			text("web.cancel_one_undo", "As long as its content is kept you can send it again with Retry.")}
	case store.DoHold:
		out.Lines = []mime.Text{text("web.hold_one", "It waits until you release it."), text("web.hold_undo", "Release undoes it.")}
	case store.DoRelease:
		out.Lines = []mime.Text{text("web.release_one", "It is sent. If it may have been sent already, the provider is asked first.")}
	}
	return v.show("act", out)
}

// duplicateRisk is what a person must know before they send again what may have been sent.
func duplicateRisk() mime.Text {
	return text("web.duplicate_risk",
		"It may have been sent already: recipients may get it twice. Look into the Sent folder of the mailbox first.")
}

func actTitle(verb store.Verb) mime.Text {
	switch verb {
	case store.DoRetry:
		return text("web.act_retry", "Send it again?")
	case store.DoCancel:
		return text("web.act_cancel", "Cancel this message?")
	case store.DoHold:
		return text("web.act_hold", "Hold this message?")
	}
	return text("web.act_release", "Release this message?")
}

func (s *Server) actOnMessage(v *visit) error {
	_, verb, err := v.action()
	if err != nil {
		return err
	}
	id := v.r.PathValue("id")
	done, err := v.act(path("/v1/messages/", id)+"/"+string(verb), nil)
	if err != nil {
		return err
	}
	return v.done(doneWord(verb, done), path("/mail/", id))
}

// doneWord is the notice after an action.
func doneWord(verb store.Verb, done bool) string {
	if !done {
		return "not_in_state"
	}
	return map[store.Verb]string{store.DoRetry: "retried", store.DoCancel: "cancelled", store.DoHold: "held",
		store.DoRelease: "released"}[verb]
}

// maxChosen is how many recipients the screen lets someone choose from.
const maxChosen = 100

// A resendScreen sends a stored message once more.
type resendScreen struct {
	ID          string
	Subject     string
	Recipients  []resendRecipient
	More        int // recipients besides
	Connections []string
}

// A resendRecipient is one box.
type resendRecipient struct {
	Address string
	Checked bool
}

func (s *Server) askResend(v *visit) error {
	f := formOf()
	return s.showResend(v, f, true)
}

// showResend shows the form; all of the recipients are chosen at first.
func (s *Server) showResend(v *visit, f *form, all bool) error {
	var m api.MessageDetail
	if err := v.get(path("/v1/messages/", v.r.PathValue("id")), &m); err != nil {
		return err
	}
	out := resendScreen{ID: m.ID, Subject: m.Subject}
	chosen := map[string]bool{}
	for _, a := range f.Values["recipients"] {
		chosen[a] = true
	}
	for i, a := range m.Recipients {
		if i == maxChosen {
			out.More = len(m.Recipients) - maxChosen
			break
		}
		out.Recipients = append(out.Recipients, resendRecipient{a, all || chosen[a]})
	}
	var list struct {
		Items []struct {
			Name string `json:"name"`
		} `json:"items"`
	}
	if err := v.get("/v1/connections?active=true&limit="+strconv.Itoa(maxChosen), &list); err != nil {
		return err
	}
	for _, c := range list.Items {
		out.Connections = append(out.Connections, c.Name)
	}
	return v.showForm("resend", f, out)
}

func (s *Server) resendMessage(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	in := map[string]any{}
	if c := f.Get("connection"); c != "" {
		in["connection"] = c
	}
	switch chosen := f.Values["recipients"]; {
	case f.Checked("everyone"): // of more recipients than there are boxes
	case len(chosen) == 0:
		f.object("recipients", text("web.choose_recipients", "choose at least one recipient"), v.lang)
		return s.showResend(v, f, false)
	default:
		in["recipients"] = chosen
	}
	at := path("/v1/messages/", v.r.PathValue("id")) + "/resend"
	var out api.ResendAnswer
	if err := v.call(http.MethodPost, at, in, &out); err != nil {
		if err := f.refuse(v, unknownConnection(err)); err != nil {
			return err
		}
		return s.showResend(v, f, false)
	}
	return v.done("resent", path("/mail/", out.ID))
}
