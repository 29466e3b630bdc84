package web

import (
	"regexp"
	"strings"

	"github.com/postino-mail/postino/mime"
)

// inButtons returns a function that names, in a sentence which names a command of the
// program, the button or the screen of the page that does the same. A command that has
// none stays.
func inButtons(say func(mime.Text) string) func(string) string {
	names := map[string]mime.Text{
		"connection list":    text("web.connections", "Connections"),
		"connection edit":    text("web.connections", "Connections"),
		"connection enable":  text("web.enable", "Enable"),
		"connection resume":  text("web.conn_resume", "End the pause"),
		"connection script":  text("web.scripts", "Scripts for the administrator"),
		"connection add":     text("web.new_connection", "New connection"),
		"connection presets": text("web.new_connection", "New connection"),
		"queue lanes":        text("web.mailboxes", "Mailboxes"),
		"queue list":         text("web.mail", "Mail"),
		"queue release":      text("web.release", "Release"),
		"queue cancel":       text("web.cancel", "Cancel"),
		"client add":         text("web.new_client", "New client"),
		"client rotate":      text("web.new_secret", "New secret"),
		"key add":            text("web.new_key", "New key"),
	}
	held := text("web.held", "Held")
	// A quote before a letter is part of a name (L'Aquila), and ends nothing.
	command := regexp.MustCompile(`'(?:postino )?((?:connection|queue|client|key) [a-z]+)((?: (?:[^']|'\pL)*)?)'`)
	return func(s string) string {
		if !strings.Contains(s, "'") {
			return s
		}
		return command.ReplaceAllStringFunc(s, func(found string) string {
			m := command.FindStringSubmatch(found)
			name, ok := names[m[1]]
			switch {
			case m[1] == "queue list" && strings.Contains(m[2], "--state held"):
				name = held
			case !ok:
				return found
			}
			return "“" + say(name) + "”"
		})
	}
}
