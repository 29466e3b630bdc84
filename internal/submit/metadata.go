package submit

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// Bounds of a message's metadata; lengths are in characters.
const (
	MaxMetadata      = 10
	MaxMetadataKey   = 40
	MaxMetadataValue = 200
)

// checkMetadata refuses metadata that is over the bounds, or that is no single
// line of text: it is never cut, since what comes back must be what was given.
func checkMetadata(m store.Metadata) error {
	if len(m) > MaxMetadata {
		return badMetadata(mime.NewText("submit.metadata_pairs", "the metadata has {number} pairs, at most {limit} are taken",
			"number", len(m), "limit", MaxMetadata))
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		switch n, v := utf8.RuneCountInString(key), m[key]; {
		case n == 0 || n > MaxMetadataKey:
			return badMetadata(mime.NewText("submit.metadata_key", "a key of the metadata has {number} characters, not 1 to {limit}",
				"number", n, "limit", MaxMetadataKey))
		case !line(key):
			return badMetadata(mime.NewText("submit.metadata_key_line", "a key of the metadata has control characters"))
		case utf8.RuneCountInString(v) > MaxMetadataValue:
			return badMetadata(mime.NewText("submit.metadata_value",
				"the metadata's {key} has {number} characters, at most {limit} are taken", "key", key, "number", utf8.RuneCountInString(v),
				"limit", MaxMetadataValue))
		case !line(v):
			return badMetadata(mime.NewText("submit.metadata_value_line", "the metadata's {key} has control characters", "key", key))
		}
	}
	return nil
}

// line reports text without control characters.
func line(s string) bool { return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl) }

func badMetadata(why mime.Text) error {
	return refuse(http.StatusUnprocessableEntity, 554, "5.5.4", "invalid_request", "metadata", why,
		mime.NewText("submit.metadata_hint", "keep what is longer in the program, and give the message its key"))
}
