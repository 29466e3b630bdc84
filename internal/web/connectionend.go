package web

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/postino-mail/postino/mime"
)

// A connectionEnd is the screen before a connection is switched off or deleted.
type connectionEnd struct {
	connection
	Others []option // that can take its mail
	More   bool     // there are others besides
}

// othersMost is how many connections are offered as successors.
const othersMost = 200

func (s *Server) connectionEnd(v *visit) (*connectionEnd, error) {
	c, err := v.connection()
	if err != nil {
		return nil, err
	}
	out := &connectionEnd{connection: *c}
	var list struct {
		Items []connection `json:"items"`
		Next  string       `json:"next"`
	}
	q := url.Values{"active": {"true"}, "limit": {strconv.Itoa(othersMost)}}
	if err := v.get("/v1/connections?"+q.Encode(), &list); err != nil {
		return nil, err
	}
	for i := range list.Items {
		if o := &list.Items[i]; o.ID != c.ID {
			out.Others = append(out.Others, option{Value: o.ID, Label: o.Name})
		}
	}
	out.More = list.Next != ""
	return out, nil
}

func (s *Server) askDisable(v *visit) error {
	c, err := v.connection()
	if err != nil {
		return err
	}
	lines := []sentence{waitingMail(c)}
	if c.IsDefault() {
		lines = append(lines, text("web.conn_off_default", "It is the default: mail that no other connection fits is refused while it is off."))
	}
	lines = append(lines, text("web.conn_off_new", "New mail for {from} takes another connection that fits, or is refused.", "from", c.From),
		text("web.conn_off_undo", "You can switch it on again at any time."))
	return v.show("confirm", confirmation{Title: text("web.conn_off_title", "Disable {name}?", "name", c.Name), Lines: lines,
		Action: path("/connections/", c.ID, "/disable"), Button: text("web.disable", "Disable"), Back: path("/connections/", c.ID)})
}

// waitingMail says what happens to the mail of a connection that is switched off.
func waitingMail(c *connection) sentence {
	switch {
	case c.Lane == nil:
		return text("web.conn_off_some", "Mail that waits on it stays and waits until you switch it on again, or give it to another.")
	case c.Lane.Queued == 0:
		return text("web.conn_off_none", "No mail waits in its mailbox now.")
	}
	return mime.NewCount("web.conn_off_waiting", c.Lane.Queued,
		"One delivery waits in its mailbox. It stays and waits until you switch it on again.",
		"{count} deliveries wait in its mailbox. They stay and wait until you switch it on again.")
}

func (s *Server) askDeleteConnection(v *visit) error {
	data, err := s.connectionEnd(v)
	if err != nil {
		return err
	}
	return v.showForm("connectionend", formOf(), data)
}

func (s *Server) deleteConnection(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	at := path("/v1/connections/", v.r.PathValue("id"))
	if to := f.Get("move_to"); to != "" {
		at += "?" + url.Values{"move_to": {to}}.Encode()
	}
	if err := v.call(http.MethodDelete, at, nil, nil); err != nil {
		if err := f.refuse(v, err); err != nil {
			return err
		}
		data, err := s.connectionEnd(v)
		if err != nil {
			return err
		}
		return v.showForm("connectionend", f, data)
	}
	return v.done("removed", "/connections")
}
