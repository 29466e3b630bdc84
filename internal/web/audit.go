package web

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/view"
)

// An auditScreen is one page of the audit trail.
type auditScreen struct {
	Items       []auditRow
	Kinds       []option
	First, Next string
	CSV         string
	Filtered    bool
}

// An auditRow is one change, in words.
type auditRow struct {
	view.AuditEntry
	What   string // connection, person, …
	Action string // added, changed, …
	Who    string
	Via    string
	Link   string // of the object, where it has a screen
	Fields []auditField
}

// An auditField is one field before and after, as text.
type auditField struct{ Name, Before, After string }

// auditQuery makes the API's query of the address: kind, person, and whole days.
func auditQuery(v *visit, f *form) (url.Values, error) {
	q := url.Values{}
	for _, name := range []string{"kind", "person", "object"} {
		if s := f.Get(name); s != "" {
			q.Set(name, s)
		}
	}
	for name, days := range map[string]int{"since": 0, "before": 1} { // to the end of that day
		s := f.Get(map[string]string{"since": "from", "before": "to"}[name])
		if s == "" {
			continue
		}
		day, err := time.ParseInLocation(time.DateOnly, s, v.zone)
		if err != nil {
			return nil, err
		}
		q.Set(name, day.AddDate(0, 0, days).UTC().Format(time.RFC3339))
	}
	return q, nil
}

func (s *Server) audit(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	out := auditScreen{Kinds: kinds(v.lang)}
	q, err := auditQuery(v, f)
	if err != nil {
		f.object("from", text("web.bad_day", "write a day as 2026-11-30"), v.lang)
		return v.showForm("audit", f, out)
	}
	out.Filtered = len(q) > 0
	if after := f.Get("after"); after != "" {
		q.Set("after", after)
	}
	var page api.AuditPage
	if err := v.get("/v1/audit?"+q.Encode(), &page); err != nil {
		if err := f.refuse(v, err); err != nil {
			return err
		}
		return v.showForm("audit", f, out)
	}
	for i := range page.Items {
		out.Items = append(out.Items, v.auditRow(&page.Items[i]))
	}
	here := url.Values{}
	for name, values := range v.r.URL.Query() {
		if name != "after" {
			here[name] = values
		}
	}
	out.CSV = "/audit.csv?" + here.Encode()
	if f.Get("after") != "" {
		out.First = "/audit?" + here.Encode()
	}
	if page.Next != 0 {
		here.Set("after", strconv.FormatInt(page.Next, 10))
		out.Next = "/audit?" + here.Encode()
	}
	return v.showForm("audit", f, out)
}

func (v *visit) auditRow(e *view.AuditEntry) auditRow {
	lang := v.lang
	r := auditRow{AuditEntry: *e, What: view.KindLabel(e.Kind).In(lang), Action: action(e.Action).In(lang), Who: e.Actor.Name,
		Via: via(e.Actor.Via).In(lang)}
	if r.Who == "" {
		r.Who = actorKind(e.Actor.Kind).In(lang)
	}
	at := map[string]string{"connection": "/connections/", "client": "/clients/", "person": "/people/"}[e.Kind]
	if at != "" && e.Object != "" && e.Action != "removed" {
		r.Link = path(at, e.Object)
	}
	for _, c := range e.Changes {
		r.Fields = append(r.Fields, auditField{c.Field, v.valueText(c.Before), v.valueText(c.After)})
	}
	return r
}

// valueText is a value of a change, a time in the form and the zone of the reader.
func (v *visit) valueText(value any) string {
	s := view.ValueText(value)
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return v.exact(t)
	}
	return s
}

// auditCSV answers with all that the filter shows, as a table.
func (s *Server) auditCSV(v *visit) error {
	f, err := newForm(v)
	if err != nil {
		return err
	}
	q, err := auditQuery(v, f)
	if err != nil {
		return &problem{Status: http.StatusUnprocessableEntity, Detail: text("web.bad_day", "write a day as 2026-11-30")}
	}
	return v.file("/v1/audit/export", q, "csv")
}
