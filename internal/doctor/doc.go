// Package doctor tests a connection stage by stage, and the installation point
// by point. Each finding has a hint for the person who must act.
package doctor

import "github.com/postino-mail/postino/mime"

// text is a text of the catalogue.
func text(code, english string, args ...any) mime.Text { return mime.NewText(code, english, args...) }
