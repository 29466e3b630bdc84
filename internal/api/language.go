package api

import (
	"strconv"
	"strings"

	"github.com/postino-mail/postino/internal/locale"
)

// language is the language of the catalogue that Accept-Language (RFC 9110 section
// 12.5.4) prefers; English when none of them is named.
func language(accept string) string {
	best, weight := locale.English, 0.0
	for part := range strings.SplitSeq(accept, ",") {
		tag, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		q := 1.0
		if v, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			f, err := strconv.ParseFloat(v, 64)
			if err != nil {
				continue
			}
			q = f
		}
		main, _, _ := strings.Cut(strings.ToLower(tag), "-")
		if lang := locale.Match(tag); (lang != locale.English || main == locale.English) && q > weight {
			best, weight = lang, q
		}
	}
	return best
}
