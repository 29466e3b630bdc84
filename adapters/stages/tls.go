package stages

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// renewBefore is when the end of a certificate is worth a word: authorities
// that renew by themselves do so 30 days before.
const renewBefore = 14

// Certificate says what a handshake with host found: version, names, issuer and
// days left, and a hint where these are few. hide keeps the names back.
func Certificate(host string, s tls.ConnectionState, now time.Time, hide bool) (message, hint adapters.Text) {
	version := tls.VersionName(s.Version)
	if len(s.PeerCertificates) == 0 {
		return mime.NewText("test.tls_version", "{host}: {version}", "host", host, "version", version), hint
	}
	end := s.PeerCertificates[0].NotAfter
	for _, c := range s.PeerCertificates[1:] { // an intermediate may end before the server's own
		if c.NotAfter.Before(end) {
			end = c.NotAfter
		}
	}
	days := int(end.Sub(now).Hours() / 24)
	day := end.UTC().Format(time.DateOnly)
	if hide {
		message = mime.NewCount("test.tls_days", days, "{host}: {version}, the certificate ends on {day} (one day left)",
			"{host}: {version}, the certificate ends on {day} ({count} days left)", "host", host, "version", version, "day", day)
	} else {
		message = mime.NewCount("test.tls_certificate", days,
			"{host}: {version}, certificate for {names} by {issuer}, ends on {day} (one day left)",
			"{host}: {version}, certificate for {names} by {issuer}, ends on {day} ({count} days left)",
			"host", host, "version", version, "names", namesOf(s.PeerCertificates[0]), "issuer", issuerOf(s), "day", day)
	}
	if days < renewBefore {
		hint = mime.NewText("test.tls_ends_soon",
			"the certificate of {host} ends on {day}: its administrator must renew it before, or mail waits from then on",
			"host", host, "day", day)
	}
	return message, hint
}

func namesOf(c *x509.Certificate) string {
	names := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	for i := range names {
		names[i] = clean(names[i])
	}
	return short(names)
}

// issuerOf names the authority that the chain ends at.
func issuerOf(s tls.ConnectionState) string {
	last := s.PeerCertificates[len(s.PeerCertificates)-1]
	if len(s.VerifiedChains) > 0 {
		last = s.VerifiedChains[0][len(s.VerifiedChains[0])-1]
	}
	if last.Issuer.CommonName != "" {
		return clean(last.Issuer.CommonName)
	}
	return clean(strings.Join(last.Issuer.Organization, " "))
}

// clean bounds what a server chose to what can be shown.
func clean(s string) string {
	if len(s) > 100 {
		s = s[:100] + "..."
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

// clockTolerance is what Entra and Google allow at the least.
const clockTolerance = 2 * time.Minute

// clock compares this machine's clock with that of an HTTP answer, and returns
// what to do where they differ.
func clock(host string, h http.Header, now time.Time) (message, hint adapters.Text) {
	theirs, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return mime.NewText("test.answers", "{host} answers", "host", host), hint
	}
	skew := now.Sub(theirs)
	seconds := int(skew.Abs().Round(time.Second) / time.Second)
	message = mime.NewCount("test.answers_clock", seconds, "{host} answers, and its clock differs by one second",
		"{host} answers, and its clock differs by {count} seconds", "host", host)
	if skew.Abs() > clockTolerance {
		hint = mime.NewText("test.clock_hint",
			"set this machine's clock and keep it right with NTP: signed requests are refused when it is minutes wrong")
	}
	return message, hint
}
