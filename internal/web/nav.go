package web

import (
	"strings"

	"github.com/postino-mail/postino/internal/view"
	"github.com/postino-mail/postino/mime"
)

// An entry is one of the navigation.
type entry struct {
	Path, Icon, Name string
	Current          bool
}

// Lang is the language of the screen.
func (v *visit) Lang() string { return v.lang }

// Theme is light or dark; empty: as the system has it.
func (v *visit) Theme() string { return v.theme }

// Visit is for parts of a screen that are executed with something else.
func (v *visit) Visit() *visit { return v }

// Person is who has signed in; nil: no one.
func (v *visit) Person() *view.Person { return v.person }

// Admin reports an administrator.
func (v *visit) Admin() bool { return v.admin() }

// Nav returns the screens that the reader may see.
func (v *visit) Nav() []entry {
	var out []entry
	add := func(path, icon string, name mime.Text, may bool) {
		if !may {
			return
		}
		at := v.r.URL.Path
		out = append(out, entry{Path: path, Icon: icon, Name: name.In(v.lang),
			Current: at == path || path != "/" && strings.HasPrefix(at, path+"/")})
	}
	add("/", "overview", text("web.overview", "Overview"), true)
	add("/connections", "connections", text("web.connections", "Connections"), true)
	add("/mail", "mail", text("web.mail", "Mail"), true)
	add("/held", "held", text("web.held", "Held"), true)
	add("/clients", "clients", text("web.clients", "Clients"), v.admin())
	add("/webhooks", "webhooks", text("web.webhooks", "Webhooks"), true)
	add("/people", "people", text("web.people", "People"), v.admin())
	add("/audit", "audit", text("web.audit", "Audit"), true)
	add("/settings", "settings", text("web.settings", "Settings"), true)
	add("/help", "help", text("web.help", "Help"), true)
	return out
}

// Languages are those that the reader may choose.
func (v *visit) Languages() []option {
	return []option{{"it", "Italiano", v.lang == "it"}, {"en", "English", v.lang == "en"}}
}
