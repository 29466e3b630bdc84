package fallback

import (
	"encoding/base64"
	"strings"
)

// maxShown bounds what of a server's text is shown.
const maxShown = 240

// A censor cleans a server's text before a person sees it: printable ASCII,
// bounded, and nothing that was secret on this connection (contracts F32).
type censor struct{ secrets []string }

// hide adds a secret and the forms in which a server may echo it.
func (c *censor) hide(secret string) {
	if secret == "" {
		return
	}
	c.secrets = append(c.secrets, secret,
		strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(secret)), "="),
		strings.TrimRight(base64.URLEncoding.EncodeToString([]byte(secret)), "="))
}

// show returns the text that may be shown, empty when it held a secret. A text
// with a part of a token (or anything as long as one) is left out too.
func (c *censor) show(text string) string {
	for _, s := range c.secrets {
		if strings.Contains(text, s) {
			return ""
		}
	}
	var b strings.Builder
	run := 0 // length of the current run of base64 characters
	space := true
	for _, r := range text {
		switch {
		case r <= ' ' || r == 0x7f:
			if !space {
				b.WriteByte(' ')
			}
			space, run = true, 0
			continue
		case r > 0x7e:
			b.WriteByte('?')
			run = 0
		case r == '"':
			b.WriteByte('\'')
			run = 0
		default:
			b.WriteRune(r)
			run++
			if !isBase64(r) {
				run = 0
			}
		}
		space = false
		if run >= 64 {
			return ""
		}
	}
	out := strings.TrimSpace(b.String())
	if len(out) > maxShown {
		out = strings.TrimSpace(out[:maxShown]) + "..."
	}
	return out
}

func isBase64(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("+/=_-", r)
}
