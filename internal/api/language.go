package api

import (
	"strconv"
	"strings"
)

// language is "it" or "en", whichever Accept-Language (RFC 9110 section 12.5.4)
// prefers; English when neither is named.
func language(accept string) string {
	best, weight := "en", 0.0
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
		if (main == "it" || main == "en") && q > weight {
			best, weight = main, q
		}
	}
	return best
}
