package view

import (
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/submit"
)

// A Route says which connection a message would take, and why.
type Route struct {
	Chosen     *ConnectionRef  `json:"chosen,omitempty" doc:"Absent when the message would be refused"`
	Rule       string          `json:"rule" enum:"none,always,named,class,address,domain,client,default" doc:"That matched; the first wins"`
	Reason     string          `json:"reason" doc:"The rule in words"`
	From       string          `json:"from,omitempty" doc:"As which the message goes out"`
	Carrier    *ConnectionRef  `json:"carrier,omitempty" doc:"Sends it first: the chosen one, or a fallback that carries the size"`
	Deliveries int             `json:"deliveries,omitempty" doc:"Into which the recipients are split"`
	Refusal    *RouteRefusal   `json:"refusal,omitempty" doc:"Why the message would be refused"`
	Fallbacks  []RouteFallback `json:"fallbacks" doc:"Chain of the chosen connection, in order"`
	Others     []RouteOther    `json:"others" doc:"Connections that are not chosen, by name"`
	More       int             `json:"more,omitempty" doc:"How many others there are besides"`
}

// A RouteRefusal is why a message would be refused.
type RouteRefusal struct {
	Code     string `json:"code"`
	SMTP     int    `json:"smtp" doc:"Reply code"`
	Enhanced string `json:"enhanced,omitempty"`
	Status   int    `json:"status" doc:"HTTP status"`
	Message  string `json:"message"`
	Hint     string `json:"hint,omitempty"`
}

// A RouteFallback is one of the chain of the chosen connection.
type RouteFallback struct {
	Name       string         `json:"name"`
	Connection *ConnectionRef `json:"connection,omitempty" doc:"Absent when none is called so"`
	Usable     bool           `json:"usable"`
	Reason     string         `json:"reason,omitempty" doc:"Why it is not usable"`
}

// A RouteOther is a connection that is not chosen, and why not.
type RouteOther struct {
	Connection ConnectionRef `json:"connection"`
	Reason     string        `json:"reason"`
}

// OfExplanation returns the view of the choice of a connection.
func OfExplanation(e *submit.Explanation, lang string) Route {
	v := Route{Chosen: refOf(e.Chosen), Rule: e.Rule.Name(), Reason: e.Rule.Text().In(lang), From: e.From.String(),
		Carrier:    refOf(e.Carrier),
		Deliveries: e.Deliveries, Fallbacks: []RouteFallback{}, Others: []RouteOther{}, More: e.More}
	if r := e.Refusal; r != nil {
		v.Refusal = &RouteRefusal{Code: r.Code, SMTP: r.SMTP, Enhanced: r.Enhanced, Status: r.HTTP, Message: r.Message.In(lang),
			Hint: r.Hint.In(lang)}
	}
	for _, f := range e.Fallbacks {
		v.Fallbacks = append(v.Fallbacks, RouteFallback{Name: f.Name, Connection: refOf(f.Connection), Usable: f.Usable,
			Reason: f.Reason.In(lang)})
	}
	for _, o := range e.Others {
		v.Others = append(v.Others, RouteOther{*refOf(o.Connection), o.Reason.In(lang)})
	}
	return v
}

// refOf names a connection; nil for nil.
func refOf(c *gateway.Connection) *ConnectionRef {
	if c == nil {
		return nil
	}
	return &ConnectionRef{ID: c.ID, Name: c.Name, Provider: string(c.Provider)}
}
