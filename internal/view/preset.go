package view

import (
	"time"

	"github.com/postino-mail/postino/internal/presets"
	"github.com/postino-mail/postino/mime"
)

// A Preset is a provider that is known by name.
type Preset struct {
	Name        string         `json:"name" example:"aruba-pec"`
	Title       string         `json:"title"`
	Aliases     []string       `json:"aliases,omitempty"`
	Kind        string         `json:"kind" enum:"mailbox,pec,relay,bulk"`
	Provider    string         `json:"provider" enum:"graph,gmail,smtp"`
	Servers     []PresetServer `json:"servers,omitempty" doc:"The best first"`
	Auth        string         `json:"auth,omitempty" doc:"As the setting smtp.auth"`
	OAuth       string         `json:"oauth,omitempty" doc:"As the setting smtp.oauth.provider"`
	Credential  string         `json:"credential" enum:"password,app_password,api_key,application,network"`
	Login       string         `json:"login" enum:"address,given,fixed,none" doc:"given: the provider gives a name of its own"`
	FixedLogin  string         `json:"fixed_login,omitempty" doc:"The login of everyone"`
	Unsupported bool           `json:"unsupported,omitempty" doc:"postino cannot send through it; notes tell why"`
	Domains     []string       `json:"domains,omitempty" doc:"Of its addresses"`
	Limits      PresetLimits   `json:"limits,omitzero" doc:"The provider's own, as far as they are known"`
	Notes       []string       `json:"notes,omitempty"`
	Source      string         `json:"source" doc:"Where this was read"`
	Date        string         `json:"date" format:"date" doc:"When it was read"`
	Certainty   string         `json:"certainty" enum:"primary,secondary,unconfirmed"`
}

// PresetLimits are a provider's own; 0 is not known.
type PresetLimits struct {
	Concurrency          int   `json:"concurrency,omitempty"`
	PerMinute            int   `json:"per_minute,omitempty"`
	RecipientsPerDay     int   `json:"recipients_per_day,omitempty"`
	RecipientsPerMessage int   `json:"recipients_per_message,omitempty"`
	MessageBytes         int64 `json:"message_bytes,omitempty"`
}

// A PresetServer is where an SMTP connection leads.
type PresetServer struct {
	Host       string `json:"host" doc:"May have a placeholder to complete, such as {region}"`
	Port       int    `json:"port"`
	Encryption string `json:"encryption" enum:"starttls,tls,none"`
}

// OfPreset returns the view of a preset.
func OfPreset(p *presets.Preset, lang string) Preset {
	v := Preset{Name: p.Name, Title: p.Title, Aliases: p.Aliases, Kind: string(p.Kind), Provider: string(p.Provider), Auth: p.Auth,
		OAuth: p.OAuth, Credential: string(p.Credential), Login: string(p.Login), FixedLogin: p.FixedLogin, Unsupported: p.Unsupported,
		Domains: p.Domains, Limits: PresetLimits(p.Limits), Notes: inLanguage(p.Notes(), lang), Source: p.Source,
		Date: p.Date.Format(time.DateOnly), Certainty: string(p.Certainty)}
	for _, s := range p.Servers {
		v.Servers = append(v.Servers, ofServer(s))
	}
	return v
}

func ofServer(s presets.Server) PresetServer {
	return PresetServer{Host: s.Host, Port: s.Port, Encryption: string(s.Encryption)}
}

// A Detection is what was found of an address.
type Detection struct {
	Address   string           `json:"address"`
	Offline   bool             `json:"offline,omitempty" doc:"No look-up was answered: the proposals rest on what postino knows itself"`
	Proposals []Proposal       `json:"proposals" doc:"The best first"`
	Checks    []DetectionCheck `json:"checks" doc:"What was asked, and what came of it"`
}

// A Proposal is a connection that may fit an address.
type Proposal struct {
	Rank        int            `json:"rank" doc:"1 is the best"`
	Title       string         `json:"title"`
	Preset      string         `json:"preset,omitempty" doc:"Name of the preset"`
	Unsupported bool           `json:"unsupported,omitempty" doc:"postino cannot send through it; notes tell why"`
	Provider    string         `json:"provider" enum:"graph,gmail,smtp"`
	Server      *PresetServer  `json:"server,omitempty"`
	Login       string         `json:"login,omitempty"`
	Credential  string         `json:"credential" enum:"password,app_password,api_key,application,network"`
	PEC         bool           `json:"pec,omitempty" doc:"Italian certified mail"`
	Sources     []string       `json:"sources" doc:"domain, tenant, mx, srv, autoconfig, ispdb"`
	Reasons     []string       `json:"reasons"`
	Notes       []string       `json:"notes,omitempty"`
	Connection  map[string]any `json:"connection" doc:"The connection as it can be created, without the credential"`
}

// A DetectionCheck is one look-up.
type DetectionCheck struct {
	Source  string `json:"source" enum:"domain,tenant,mx,srv,autoconfig,ispdb"`
	Outcome string `json:"outcome" enum:"found,none,failed,skipped"`
	Message string `json:"message"`
}

// OfDetection returns the view of a detection.
func OfDetection(d *presets.Detection, lang string) Detection {
	v := Detection{Address: d.Address, Offline: d.Offline, Proposals: []Proposal{}, Checks: []DetectionCheck{}}
	for _, p := range d.Proposals {
		q := Proposal{Rank: p.Rank, Title: p.Title, Provider: string(p.Provider), Login: p.Login, Credential: string(p.Credential), PEC: p.PEC,
			Reasons: inLanguage(p.Reasons, lang), Notes: inLanguage(p.Notes, lang), Connection: p.Document(p.Title, d.Address)}
		if p.Preset != nil {
			q.Preset, q.Unsupported = p.Preset.Name, p.Preset.Unsupported
		}
		if p.Server.Host != "" {
			server := ofServer(p.Server)
			q.Server = &server
		}
		for _, s := range p.Sources {
			q.Sources = append(q.Sources, string(s))
		}
		v.Proposals = append(v.Proposals, q)
	}
	for _, c := range d.Checks {
		v.Checks = append(v.Checks, DetectionCheck{string(c.Source), string(c.Outcome), c.Message.In(lang)})
	}
	return v
}

func inLanguage(texts []mime.Text, lang string) []string {
	var out []string
	for _, t := range texts {
		out = append(out, t.In(lang))
	}
	return out
}
