package differential

// known are the differences on purpose, by fragment and aspect, each with its
// reason. "invented" and "refused" are aspects too.
var known = map[string]string{
	"subject=space-before-colon: recipients": "white space before a colon is a field (RFC 5322 section 4.5.8); to the parser it ends the " +
		"header",
	"subject=space-before-colon: people":  "as above",
	"subject=space-before-colon: subject": "as above",
	"subject=space-before-colon: texts":   "as above",
	"subject=space-before-colon: files":   "as above",

	"from=invisible: people":    "invisible characters around an address are dropped; the parser takes them for part of it",
	"to=zero-width: people":     "as above",
	"to=zero-width: recipients": "as above",
	"from=none: people":         "a From that is missing is the envelope's where the listener allows it, and the user's by sendmail",
	"from=none: invented":       "sendmail makes a From of the user and the host's name",
	"to=no-domain: invented":    "sendmail adds the host's name to a local name, as every sendmail does",
	"to=no-domain: recipients":  "as above",
	"to=no-domain: people":      "as above",
	"to=no-comma-angle: people": "To is no list of addresses: the recipients of the envelope go to an API as Bcc, so that no one else " +
		"reads another list there",
	"to=half-comment: people": "as above",
	"to=half-angle: people":   "half an address is none; the envelope's recipient goes to an API as Bcc",

	"head=no-colon: people":   "the header ends at what is no field; without a From below it sendmail makes one",
	"head=no-colon: invented": "as above",

	"corpus=broken-recipient: people":         "half an address is none",
	"corpus=broken-from-no-address: people":   "sendmail adds the host's name to a local name",
	"corpus=broken-from-no-address: invented": "as above",
	"around=leading-empty: people": "what begins with an empty line has no header: the From is the envelope's where the " +
		"listener allows it",

	"corpus=long-to: recipients":          "more recipients than the route takes at once: several messages, of which the first is looked at",
	"corpus=long-to: people":              "as above",
	"corpus=long-to-one-line: recipients": "as above",
	"corpus=long-to-one-line: people":     "as above",
}

// explained reports whether a message's fragments explain a difference.
func explained(kinds []string, aspect string, used map[string]bool) bool {
	ok := false
	for _, k := range kinds {
		if _, listed := known[k+": "+aspect]; listed {
			used[k+": "+aspect], ok = true, true
		}
	}
	return ok
}
