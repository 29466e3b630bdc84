package web

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	record "github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

func (s *Server) connectionRoutes() {
	s.page("GET /connections", s.connections)
	s.page("GET /connections/addresses", s.sourceAddresses)
	s.page("GET /connections/new", s.newConnection)
	s.page("POST /connections/new", s.createConnection)
	s.page("POST /connections/new/test", s.tryConnection)
	s.page("GET /connections/{id}", s.connection)
	s.page("POST /connections/{id}", s.saveConnection)
	s.page("POST /connections/{id}/enable", s.enableConnection)
	s.page("GET /connections/{id}/disable", s.askDisable)
	s.page("POST /connections/{id}/disable", s.disableConnection)
	s.page("POST /connections/{id}/default", s.defaultConnection)
	s.page("POST /connections/{id}/resume", s.endPause)
	s.page("GET /connections/{id}/duplicate", s.askDuplicate)
	s.page("POST /connections/{id}/duplicate", s.duplicateConnection)
	s.page("GET /connections/{id}/test", s.backToConnection)
	s.page("POST /connections/{id}/test", s.testConnection)
	s.page("GET /connections/{id}/send", s.askSendTest)
	s.page("POST /connections/{id}/send", s.sendTest)
	s.page("GET /connections/{id}/delete", s.askDeleteConnection)
	s.page("POST /connections/{id}/delete", s.deleteConnection)
	s.page("POST /connections/{id}/certificate", s.makeCertificate)
	s.page("POST /connections/{id}/certificate/activate", s.activateCertificate)
}

// A connection is one as the API shows it: without its secrets, with its state.
type connection struct {
	*gateway.Connection
	State record.ConnectionState
	Lane  *record.Lane
}

// UnmarshalJSON reads what view.Connection writes.
func (c *connection) UnmarshalJSON(b []byte) (err error) {
	if c.Connection, err = gateway.DecodeShown(b); err != nil {
		return err
	}
	var more struct {
		State record.ConnectionState `json:"state"`
		Lane  *record.Lane           `json:"lane"`
	}
	err = json.Unmarshal(b, &more)
	c.State, c.Lane = more.State, more.Lane
	return err
}

// FailsSince reports that the last attempt failed.
func (c *connection) FailsSince() bool { return c.State.FailedAt.After(c.State.SentAt) }

// LastUse is when something was tried last.
func (c *connection) LastUse() time.Time {
	if c.FailsSince() {
		return c.State.FailedAt
	}
	return c.State.SentAt
}

// Way is where the connection leads: the name of the service, or the server.
func (c *connection) Way() string {
	if name := serviceName(string(c.Provider)); name != "" {
		return name
	}
	if s, ok := c.Settings.(adapters.ServerSettings); ok {
		host, _ := s.Server()
		return host
	}
	return string(c.Provider)
}

// serviceName is what people call the service of a provider; empty: it has servers of
// any name.
func serviceName(provider string) string {
	switch adapters.Provider(provider) {
	case adapters.Graph:
		return "Microsoft 365"
	case adapters.Gmail:
		return "Google Workspace"
	}
	return ""
}

// A condition is the state of a thing in words, as a badge has it.
type condition struct {
	State string // ok, waiting, attention, failed
	Text  mime.Text
	Until time.Time // zero: no end is known
}

// Condition says how the connection does: what keeps its mail back comes first.
func (c *connection) Condition() condition {
	switch {
	case !c.IsActive():
		return condition{State: "off", Text: text("web.conn_off", "Off")}
	case c.State.Closed:
		return condition{State: "failed", Text: text("web.conn_closed", "Secret cannot be opened")}
	case c.State.Paused:
		return condition{State: "failed", Text: text("web.conn_paused", "Paused"), Until: c.State.PausedUntil}
	case c.State.Breaker == "open":
		return condition{State: "attention", Text: text("web.conn_failing", "Fails, will be tried again")}
	case c.Lane != nil && c.Lane.Paused:
		return condition{State: "attention", Text: text("web.conn_lane_paused", "Mailbox paused"), Until: c.Lane.PausedUntil}
	case c.Lane != nil && !c.Lane.UsedUpUntil.IsZero():
		return condition{State: "attention", Text: text("web.day_used_up", "Day used up"), Until: c.Lane.UsedUpUntil}
	case c.Lane != nil && !c.Lane.NoRoomUntil.IsZero():
		return condition{State: "attention", Text: text("web.no_room", "Waits for room"), Until: c.Lane.NoRoomUntil}
	}
	return condition{State: "ok", Text: text("web.conn_ok", "Active")}
}

// Expiry is the state of the secret or certificate; nil: its end is not known.
func (c *connection) Expiry() *condition {
	e := c.State.Credential
	switch {
	case e == nil:
		return nil
	case e.Ended():
		return &condition{State: "failed", Text: text("web.conn_expired", "Expired"), Until: e.Ends}
	case e.Soon():
		return &condition{State: "attention", Text: mime.NewCount("web.conn_ends_in", e.DaysLeft, "Ends in one day", "Ends in {count} days"),
			Until: e.Ends}
	}
	return &condition{State: "ok", Text: text("web.conn_expires", "Valid"), Until: e.Ends}
}

// A connectionsScreen is one page of the connections.
type connectionsScreen struct {
	Items       []connection
	First, Next string
	Filtered    bool
	Route       *record.Route // for the sender that was asked for; nil: none was
}

const connectionsPage = 50

func (s *Server) connections(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	q := url.Values{"limit": {strconv.Itoa(connectionsPage)}}
	for name, field := range map[string]string{"search": "q", "state": "state", "provider": "provider", "after": "after"} {
		if value := f.Get(field); value != "" {
			q.Set(name, value)
		}
	}
	var list struct {
		Items []connection `json:"items"`
		Next  string       `json:"next"`
	}
	if err := v.get("/v1/connections?"+q.Encode(), &list); err != nil {
		return err
	}
	out := connectionsScreen{Items: list.Items, Filtered: f.Get("q") != "" || f.Get("state") != "" || f.Get("provider") != ""}
	if list.Next != "" {
		out.Next = "/connections?" + with(f.Values, "after", list.Next)
	}
	if f.Get("after") != "" {
		out.First = "/connections?" + with(f.Values, "after", "")
	}
	if sender := f.Get("sender"); sender != "" {
		out.Route = new(record.Route)
		in := map[string]string{"from": sender}
		if err := v.call(http.MethodPost, "/v1/connections/route", in, out.Route); err != nil {
			out.Route = nil
			if err := f.refuse(v, err); err != nil {
				return err
			}
			f.rename("from", "sender")
		}
	}
	return v.showForm("connections", f, out)
}

// with is a query with one value changed; empty: without it.
func with(q url.Values, name, value string) string {
	out := url.Values{}
	for n, values := range q {
		if n != name {
			out[n] = values
		}
	}
	if value != "" {
		out.Set(name, value)
	}
	return out.Encode()
}

// sourceAddresses are those that a provider or a firewall has to let pass.
func (s *Server) sourceAddresses(v *visit) error {
	var found record.Checkup
	if err := v.get("/v1/doctor", &found); err != nil {
		return err
	}
	return v.show("addresses", found.Addresses)
}
