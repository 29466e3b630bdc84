package view

import (
	"time"

	"github.com/postino-mail/postino/internal/retirement"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// A Retirement says whether one way of sending goes on.
type Retirement struct {
	Name         string   `json:"name" doc:"Of the connection, or of the program in a table"`
	Connection   string   `json:"connection,omitempty" doc:"Id; absent: a row of a table"`
	Line         int      `json:"line,omitempty" doc:"Of the table"`
	Provider     string   `json:"provider,omitempty"`
	Host         string   `json:"host,omitempty"`
	Port         int      `json:"port,omitempty"`
	Encryption   string   `json:"encryption,omitempty"`
	Login        string   `json:"login,omitempty"`
	From         string   `json:"from,omitempty"`
	Credential   string   `json:"credential" enum:"none,password,app_password,oauth"`
	Verdict      string   `json:"verdict" enum:"ended,ends,check,stays,silent" doc:"silent: nothing was announced"`
	Date         string   `json:"date,omitempty" doc:"On which it stops, or has stopped"`
	Reason       string   `json:"reason"`
	Steps        []string `json:"steps,omitempty" doc:"How to move it, in order"`
	Announcement string   `json:"announcement,omitempty"`
	Row          string   `json:"row,omitempty" doc:"Of docs/providers.md"`
	Source       string   `json:"source,omitempty"`

	SeenHere time.Time `json:"seen_here,omitzero" doc:"When a program submitted here as this sender last"`
}

// ofRetirement returns the view of a finding.
func ofRetirement(f *retirement.Finding, programs []store.Program, lang string) Retirement {
	v := Retirement{Name: f.Name, Connection: f.Connection, Line: f.Line, Provider: string(f.Provider), Host: f.Host, Port: f.Port,
		Encryption: f.Encryption, Login: f.Login, From: f.From, Credential: f.Credential, Verdict: string(f.Verdict), Date: onDay(f.Date),
		Reason: f.Reason.In(lang), Steps: allIn(f.Steps, lang), Announcement: f.Announcement, Row: f.Row, Source: f.Source}
	if f.Line > 0 {
		v.SeenHere = f.Moved(programs)
	}
	return v
}

// A Program is a program or device that submits, known by how it does it.
type Program struct {
	ID         string    `json:"id"`
	Client     string    `json:"client,omitempty" doc:"Name; absent: it needs none"`
	EntryPoint string    `json:"entry_point"`
	Address    string    `json:"address,omitempty"`
	Hello      string    `json:"hello,omitempty" doc:"Its name in EHLO"`
	Auth       string    `json:"auth,omitempty" doc:"SASL mechanism, or key and basic by HTTP"`
	TLS        string    `json:"tls,omitempty"`
	Agent      string    `json:"agent,omitempty" doc:"X-Mailer or User-Agent"`
	IDForm     string    `json:"message_id_form,omitempty" doc:"What does not change in its Message-IDs"`
	From       string    `json:"from" doc:"Of its last message"`
	Messages   int64     `json:"messages"`
	FirstAt    time.Time `json:"first_at"`
	LastAt     time.Time `json:"last_at"`
	Route      string    `json:"route,omitempty" doc:"Connection of its last message; absent: it was removed"`
	Verdict    string    `json:"verdict" enum:"ended,ends,check,stays,silent" doc:"Whether it will still send"`
	Date       string    `json:"date,omitempty"`
	Reason     string    `json:"reason"`
	Steps      []string  `json:"steps,omitempty"`
}

// ofProgram returns the view of a program; client is the name of its client.
func ofProgram(f *retirement.ProgramFinding, client, lang string) Program {
	return Program{ID: f.ID, Client: client, EntryPoint: f.EntryPoint, Address: f.Address, Hello: f.Hello, Auth: f.Auth, TLS: f.TLS,
		Agent: f.Agent, IDForm: f.IDForm, From: f.From, Messages: f.Messages, FirstAt: f.FirstAt, LastAt: f.LastAt, Route: f.Route,
		Verdict: string(f.Verdict), Date: onDay(f.Date), Reason: f.Reason.In(lang), Steps: allIn(f.Steps, lang)}
}

func onDay(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.DateOnly)
}

func allIn(texts []mime.Text, lang string) (out []string) {
	for _, t := range texts {
		out = append(out, t.In(lang))
	}
	return out
}

// A RetirementReport is what becomes of all ways of sending.
type RetirementReport struct {
	AsOf     string       `json:"as_of" doc:"Day on which news was looked for last"`
	Items    []Retirement `json:"items"`
	Programs []Program    `json:"programs" doc:"Which submit here"`
}

// OfRetirements puts a report together; clients are the clients' names by id.
func OfRetirements(asOf time.Time, found []retirement.Finding, programs []store.Program, clients map[string]string,
	lang string) RetirementReport {
	out := RetirementReport{AsOf: onDay(asOf), Items: []Retirement{}, Programs: []Program{}}
	for i := range found {
		out.Items = append(out.Items, ofRetirement(&found[i], programs, lang))
	}
	list := retirement.OfPrograms(programs, found)
	for i := range list {
		name := clients[list[i].Client]
		if name == "" {
			name = list[i].Client // it was removed
		}
		out.Programs = append(out.Programs, ofProgram(&list[i], name, lang))
	}
	return out
}
