package graph

import (
	"cmp"
	"strings"

	"github.com/postino-mail/postino/mime"
)

// fileName is a name for the attachment, without folders; Graph requires one.
func fileName(p *mime.Part) string {
	given := mime.BaseName(p.Filename)
	if p.MediaType == "message/rfc822" || p.MediaType == "message/global" {
		name := cmp.Or(given, "message")
		if !strings.HasSuffix(strings.ToLower(name), ".eml") {
			name += ".eml"
		}
		return name
	}
	if given != "" {
		return given
	}
	switch p.MediaType { // names that their readers know
	case "application/pkcs7-mime", "application/x-pkcs7-mime":
		return "smime.p7m"
	case "application/pkcs7-signature", "application/x-pkcs7-signature":
		return "smime.p7s"
	case "application/pgp-signature":
		return "signature.asc"
	case "application/ms-tnef", "application/vnd.ms-tnef":
		return "winmail.dat"
	case "text/calendar", "application/ics":
		return "invite.ics"
	}
	_, sub, _ := strings.Cut(p.MediaType, "/")
	switch sub {
	case "pdf", "png", "gif", "zip", "xml", "json", "csv", "tiff", "bmp", "webp", "html", "rtf":
	case "jpeg", "pjpeg":
		sub = "jpg"
	case "svg+xml":
		sub = "svg"
	case "plain":
		sub = "txt"
	default:
		sub = "bin"
	}
	return "attachment." + sub
}
