package fallback

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// A wording is how servers word one kind of refusal: the text holds one of
// any, one of also (where it is given) and none of not.
type wording struct{ any, also, not []string }

func (w *wording) in(text string) bool {
	return holds(text, w.any) && (len(w.also) == 0 || holds(text, w.also)) && !holds(text, w.not)
}

// holds reports whether a part stands in the text, from the start of a word on:
// "limit" is not in "delimiter", nor "url" in "curl".
func holds(text string, parts []string) bool {
	for _, p := range parts {
		for at := 0; at < len(text); at++ {
			i := strings.Index(text[at:], p)
			if i < 0 {
				break
			}
			if at += i; at == 0 || !inWord(text[at-1]) || !inWord(p[0]) {
				return true
			}
		}
	}
	return false
}

func inWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 0x80
}

// refusalOfUs finds what a refusal says of this side: a login or encryption
// that is wanted, the EHLO name, this machine's address, the sender, the
// account or its limits. Servers use any code for these and say them at any
// stage, often as late as RCPT (Postfix's smtpd_delay_reject): the words
// decide, and whom the reply names.
func refusalOfUs(in input, text string) (meaning, bool) {
	if in.Code/100 != 4 && in.Code/100 != 5 || in.at&(atReset|atTLS) != 0 {
		return meaning{}, false
	}
	envelope := in.at&(atMail|atRcpt|atMessage) != 0
	words := withoutAddresses(text) // limit@example.com is no limit
	switch {
	case wantsTLS.in(words) && (!in.tls || strings.Contains(words, "starttls")):
		return encryptionWanted(), true
	case envelope && domainWords.in(words):
		return domainRefused(in.Code), true
	case heloWords.in(words) || in.at == atHello && in.Code/100 == 5 && (in.Code == 501 || in.Code == 504 || refusesName(in.reply)):
		return helloRefused(in.Code), true
	case in.at == atAuth && !accountWords.in(words) && !limitWords(words) && !connectionWords.in(words) &&
		(in.Code == 535 || !addressWords.in(words)):
		return meaning{}, false
	case envelope && !in.authed && wantsLogin.in(words):
		return loginWanted(), true
	case in.at&(atLogin|atEnvelope) != 0 && connectionWords.in(words):
		return tooManyConnections(), true
	case in.at&(atGreeting|atHello|atEnvelope) != 0 && clientWords.in(words), addressWords.in(words):
		return clientRefused(in.Code), true
	case limitWords(words) && !in.namesRecipient(text):
		return sendingLimit(text), true
	case accountWords.in(words) && !in.namesRecipient(text) && (in.at != atRcpt || in.aboutOurs(text)), in.blocksOurs(text, words):
		return accountBlocked(in.Code), true
	case envelope && in.Code/100 == 5 && (senderWords.in(words) || senderCheck.in(words) || in.at == atMail && senderCode(in.Enhanced) ||
		(in.namesOurs(text) || in.namesDomain(words)) && !in.namesRecipient(text) && notAllowed.in(words)):
		return senderRefused(), true
	case envelope && in.authed && in.Code/100 == 5 && (wantsLogin.in(words) || in.Code == 530): // RFC 4954 section 6
		return loginIgnored(), true
	case envelope && relayWords.in(words):
		return relayRefused(in), true
	}
	return meaning{}, false
}

// namesRecipient: the text is about a recipient, not about this side.
func (in *input) namesRecipient(text string) bool {
	for _, r := range in.theirs {
		if r != "" && holds(text, []string{strings.ToLower(r)}) {
			return !in.namesOurs(text)
		}
	}
	return false
}

// namesOurs: the text names an address of this side. A login that is none
// ("user", "info") may stand in any text.
func (in *input) namesOurs(text string) bool {
	for _, o := range in.ours {
		if strings.Contains(o, "@") && holds(text, []string{o}) {
			return true
		}
	}
	return false
}

// namesDomain: the text names the domain of the sender, which is not a
// recipient's as well, and not a host in it.
func (in *input) namesDomain(words string) bool {
	for _, o := range in.ours {
		_, domain, _ := strings.Cut(o, "@")
		if domain == "" || slices.ContainsFunc(in.theirs, func(r string) bool { return strings.HasSuffix(strings.ToLower(r), "@"+domain) }) {
			continue
		}
		for w := range strings.FieldsSeq(words) {
			if strings.Trim(w, "<>()[]\"'.,;:") == domain {
				return true
			}
		}
	}
	return false
}

// aboutOurs: the text names the sender or the login, or speaks of sending.
func (in *input) aboutOurs(text string) bool {
	return in.namesOurs(text) ||
		holds(text, []string{"your account", "your mailbox", "your email", "sender", "sending", "outgoing", "outbound", "mittente"})
}

// blocksOurs: the text says of this side's account that it is blocked, in whatever words.
func (in *input) blocksOurs(text, words string) bool {
	ours := in.namesOurs(text) ||
		holds(words, []string{"your account", "your mailbox", "your user", "outgoing", "outbound", "sending from", "in uscita"})
	return ours && !in.namesRecipient(text) && account.in(words)
}

// withoutAddresses leaves the e-mail addresses out: their parts say nothing.
func withoutAddresses(text string) string {
	if !strings.Contains(text, "@") {
		return text
	}
	words := strings.Fields(text)
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return strings.Contains(w, "@") }), " ")
}

// refusesName: the refusal of EHLO speaks of the name, which HELO would carry as well.
func refusesName(r reply) bool {
	text := normalised(r)
	return heloWords.in(text) && !strings.Contains(text, "not") ||
		holds(text, []string{"domain", "hostname", "host name", "fqdn", "fully-qualified", "fully qualified"})
}

// senderCode are the enhanced codes that, at MAIL, concern the sender (RFC 3463 section 3.2).
func senderCode(enhanced string) bool {
	return strings.HasPrefix(enhanced, "5.1.") && enhanced != "5.1.20" // D5: several From addresses
}

var (
	wantsTLS = wording{any: []string{"starttls command first", "issue a starttls", "issue starttls", "starttls first", "use starttls",
		"starttls is required", "starttls required", "requires starttls", "require starttls", "must use tls", "tls required",
		"tls is required", "requires tls", "require tls", "tls connection", "must be encrypted", "encryption required",
		"encryption is required", "encryption needed", "requires encryption", "encrypted connection", "ssl required", "requires ssl",
		"secure connection", "secure channel", "plaintext authentication disallowed", "plaintext authentication not allowed",
		"cleartext authentication", "unencrypted connection"}}

	// domainWords: how the domain of the sender proves itself (RFC 7208, 6376, 7489).
	domainWords = wording{any: []string{"spf", "dkim", "dmarc"}}

	heloWords = wording{any: []string{"helo", "ehlo"},
		not: []string{"helo first", "ehlo first", "send helo", "send ehlo", "helo/ehlo first", "ehlo/helo first", "say helo", "without helo",
			"expected helo", "need helo", "before mail", "command sequence", "sequence of commands", "send hello first", "need ehlo",
			"ehlo and auth", "callback", "callout"}}

	wantsLogin = wording{any: []string{"authentication required", "authentication is required", "authentication needed",
		"authentication first", "authentication is needed", "requires authentication", "require authentication",
		"requires you to authenticate", "requires smtp auth", "requires auth", "need authentication", "need to authenticate",
		"needs authentication", "must authenticate", "must be authenticated", "must first authenticate", "please authenticate",
		"authenticate first", "authenticate before", "not authenticated", "unauthenticated", "non-authenticated", "nonauthenticated",
		"not been authenticated", "without authentication", "without authenticating", "authorization required",
		"authorization is required", "auth required", "auth first", "auth is required", "auth command first", "smtp auth", "smtp-auth",
		"smtpauth", "no authentication", "not logged in", "not logged on", "log in first", "login first", "login required",
		"must login", "must log in", "please log in", "please login", "need to login", "authenticated users only", "only authenticated",
		"only for authenticated", "check mail first", "check your mail first", "pop before smtp", "pop-before-smtp", "pop3 first",
		"unless you authenticate", "credentials required", "log on first", "you log on", "must log on", "please log on",
		"anonymous access", "anonymous client", "anonymous mail", "anonymous sender", "pop first", "authorisation required",
		"authentication not provided", "must be logged in", "must be logged on", "local or authenticated", "autentic", "authentifi",
		"client host rejected: access denied"}, // Postfix's submission service says it so
		not: []string{"spf", "dkim", "dmarc", "sender authentication", "domain authentication", "sender policy", "unauthenticated email from",
			"authentication-results", "no authorization to relay", "phish", "spam"}}

	clientWords = wording{any: []string{"client host", "client address", "blocked using", "blacklist", "black list", "blocklist",
		"block list", "spamhaus", "spamcop", "barracudacentral", "dnsbl", "rbl", "your ip", "sender ip", "sending ip", "source ip",
		"ip address", "reverse dns", "reverse hostname", "reverse-dns", "rdns", "ptr record", "ptr", "poor reputation",
		"bad reputation", "ip reputation", "bad ip", "indirizzo ip", "has been temporarily blocked for", "has been blocked for",
		"sorbs", "listed at", "client not permitted", "client not allowed"},
		not: []string{"recipient's", "by recipient", "by this recipient", "by the recipient", "url", "attachment", "message content",
			"mailfrom domain", "locked or deactivated", "rate limited"}}

	// addressWords: this machine's address, said so that no stage makes it something else.
	addressWords = wording{any: []string{"client ip", "sending ip", "your ip", "ip you're using", "ip you are using", "ip address sending",
		"ip address is not allowed", "ip address not allowed", "ip address is not authorized", "ip is not authorized",
		"unauthorized ip", "unauthorised ip", "ptr record", "reverse dns"},
		not: []string{"recipient's", "url", "attachment", "locked or deactivated", "rate limited"}}

	connectionWords = wording{any: []string{"too many connections", "too many concurrent", "concurrent connections", "concurrent smtp",
		"simultaneous connections", "simultaneous smtp", "number of connections", "connection limit", "max connections",
		"maximum connections", "too many sessions", "too many smtp sessions", "too many open connections", "connection rate",
		"too frequent connect", "connection frequency", "too many simultaneous", "simultaneous sessions"}}

	accountWords = wording{any: []string{"suspended", "account disabled", "account is disabled", "account has been disabled",
		"account blocked", "account is blocked", "account has been blocked", "account locked", "account is locked",
		"account has been locked", "account is temporarily", "account deactivated", "account is not active", "account inactive",
		"account has expired", "account expired", "account is restricted", "account compromised", "account has been compromised",
		"account may be compromised", "password has been compromised", "address has been blocked", "not yet activated", "not activated",
		"activate your", "sandbox subdomain", "test purposes", "originating from your account", "outgoing blocked",
		"outgoing mail blocked", "outgoing email blocked", "outbound blocked", "sending blocked", "sending disabled",
		"sending is disabled", "sending has been", "blocked from sending", "blocked for sending", "prohibited from sending",
		"not allowed to send mail", "not allowed to send email", "not permitted to send mail", "not permitted to send email",
		"user has no permission", "smtp access disabled", "smtp service disabled", "account bloccat", "casella bloccat",
		"utenza bloccat", "utente bloccat", "account disabilitat", "account sospes", "casella sospes", "domain is blocked",
		"domain blocked", "your domain has been"},
		not: []string{"recipient address", "recipient's", "recipient account", "recipient mailbox", "that you tried to reach",
			"user you are trying", "url", "link to"}}

	// account: what is blocked, and how; who it belongs to stands beside it.
	account = wording{any: []string{"account", "mailbox", "user", "casella", "utenza", "utente", "compte", "konto", "benutzer", "cuenta"},
		also: []string{"blocked", "disabled", "suspended", "locked", "deactivated", "restricted", "not verified", "not activated",
			"has expired", "not allowed to send", "not permitted to send", "bloccat", "sospes", "disabilitat", "disattivat", "bloqu",
			"suspendu", "gesperrt"},
		not: []string{"by user", "by this user", "by the user", "by recipient", "by the recipient", "recipient address", "recipient's",
			"that you tried to reach", "you are trying", "content", "attachment", "url", "to send to", "to send as", "from this address",
			"protect", "users"}}

	// notAllowed: beside the sender's address, that it may not be used.
	notAllowed = wording{any: []string{"not authorised", "not authorized", "not allowed", "not permitted", "valid sender",
		"not registered", "not verified", "unverified", "address rejected", "does not exist"},
		not: []string{"spam", "to send to", "recipient", "to this group", "attachment", "content", "ip address"}}

	senderWords = wording{any: []string{"sender address", "sender rejected", "sender denied", "sender refused", "sender blocked",
		"sender verify", "sender verification", "sender is not", "sender not", "sender unknown", "unknown sender", "invalid sender",
		"bad sender", "sender domain", "sender's domain", "sender mismatch", "sender unauthorized", "unauthorized sender",
		"unauthorised sender", "unverified sender", "verified sender", "not local sender", "not owned by", "does not own",
		"doesn't own", "allowed to send as", "authorized to send as", "authorised to send as", "permitted to send as", "cannot send as",
		"may not send as", "send as this", "send mail as", "send email as", "send from this address", "allowed to send from",
		"authorized to send from", "permitted to send from", "send on behalf", "disallowed as", "relay as", "from address",
		"from-address", "mail from address", "mail from must", "from header", "from: header", "from must", "from field", "from domain",
		"envelope from", "envelope sender", "envelope-from", "return path", "return-path", "must match", "must be same as",
		"must be the same as", "does not match authenticated", "do not match authenticated", "does not match the authenticated",
		"email address is not verified", "address not verified", "identity is not verified", "domain is not verified",
		"domain not verified", "from/sender", "permissions to send as", "permission to send as", "sender header",
		"unconfigured sending domain", "sender's mx", "your own address", "from does not match", "sender could not", "sender cannot",
		"unverified address", "identity not verified", "mittente", "absender", "expéditeur", "expediteur", "remitente"},
		not: []string{"spf", "dkim", "dmarc", "sender authentication", "ip address", "recipient address rejected", "greylist", "graylist",
			"spam", "to sender", "by this recipient", "by the recipient", "destinatari", "destinataire", "empfänger", "malformed",
			"missing from", "header missing", "exactly one", "missing a valid", "multiple addresses", "multiple from", "having no from"}}

	// senderCheck: the server asked the sender's own mail server about the address.
	senderCheck = wording{any: []string{"callback setup failed", "sender verify", "sender verification", "mailfrom domain"}}

	relayWords = wording{any: []string{"relay access denied", "relaying denied", "relay denied", "relaying not allowed",
		"relay not allowed", "relaying not permitted", "relay not permitted", "relay is not", "unable to relay", "cannot relay",
		"can't relay", "not permitted to relay", "not allowed to relay", "not authorized to relay", "do not relay", "don't relay",
		"does not relay", "not relay", "relay disabled", "as a relay", "relaying refused", "relay refused", "unauthorized relay",
		"unauthorised relay", "authorised to relay", "relaying is", "relay is prohibited", "not a gateway", "relais interdit",
		"no relay", "relaying prohibited", "relay prohibited", "relaying disabled", "relaying disallowed", "relay disallowed",
		"relaying forbidden", "open relay", "authorization to relay", "we do not relay", "relaying mail", "relaying to",
		"relaying from", "relay for", "rcpthosts", "not a local domain", "no local delivery", "not an open"},
		not: []string{"relayed by"}}
)

// limitWords: the account has sent as much as it may for now. What is said of
// a recipient's mailbox, of the message's size or of one session is not it.
func limitWords(text string) bool {
	if holds(text, []string{"credits exceeded", "received this hour", "too many recipients from"}) { // SendGrid; Postfix's rate limits
		return true
	}
	not := []string{"mailbox full", "mailbox is full", "mailbox quota", "over quota", "recipient's", "recipient has", "recipient over",
		"inbox", "you are trying", "you tried to reach", "storage",
		"disk", "size", "recipients per message", "too many hops", "hop count", "received headers", "connections", "concurrent",
		"simultaneous", "errors",
		"unknown recipients", "invalid recipients", "bad commands", "session", "per connection", "this connection", "receiv",
		"login attempts", "authentication",
		"auth attempts", "failed login", "logins", "greylist", "line too long", "line length", "attachment", "expired", "on the server",
		"spam score", "too large"}
	alone := wording{any: []string{"sending limit", "sending quota", "sending rate", "sending too", "send quota", "send limit",
		"sendlimit", "send rate", "send too", "sent too", "too many emails",
		"too many e-mails", "too many mails", "too many messages", "too much mail", "messages per day", "messages per hour",
		"messages per minute",
		"emails per day", "emails per hour", "emails per minute", "mail limit", "message count quota", "frequency limited", "rate limit",
		"ratelimit", "rate-limit",
		"smtp limit", "user limit", "account limit", "relay limit", "relay quota", "hour limit", "hourly limit", "daily limit", "daily quota",
		"monthly quota", "monthly limit",
		"per 24 hours", "defers and failures", "sender quota", "sender rate", "quota for sender", "message quota", "message limit",
		"unusual sending", "unusual activity", "suspicious activity", "versandlimit"}, not: not}
	paired := wording{any: []string{"limit", "quota", "exceed", "too many", "maximum number of", "max number of", "volume of"},
		also: []string{"hour", "daily", "monthly", "per day", "a day", "24h", "minute", "sending", "outgoing", "outbound", "messages sent",
			"emails sent", "many messages",
			"policy rejection", "submission"}, not: not}
	foreign := wording{any: []string{"limit", "límite", "quota", "cuota", "superat", "superad", "trop", "dépass", "depass", "zu viele",
		"troppi", "troppe"},
		also: []string{"invi", "email", "mail ", "messagg", "giornalier", "orari", "envoi", "envoy", "horaire", "versend", "versand",
			"gesendet", "envío", "envio", "enviad"},
		not: append(not, "dimension", "allegat", "casella", "spazio", "taille", "größe", "tamaño", "destinatari", "empfänger", "contenut")}
	return alone.in(text) || paired.in(text) || foreign.in(text)
}

// sessionFull: what the text blames is the session, which another one mends.
func sessionFull(text string) bool {
	return holds(text, []string{"session", "per connection", "this connection", "same connection", "one connection", "single connection",
		"too many messages", "too many mails", "maximum number of messages", "transactions"})
}

// waitNamed is the time that the text names for the next try, 0 when none.
func waitNamed(text string) time.Duration {
	units := [...]struct {
		prefix string
		unit   time.Duration
	}{{"sec", time.Second}, {"min", time.Minute}, {"hour", time.Hour}, {"hr", time.Hour}, {"day", day}}
	for _, mark := range []string{"reset in ", "again in ", "retry in ", "again after ", "retry after ", "wait "} {
		i := strings.Index(text, mark)
		if i < 0 {
			continue
		}
		words := strings.Fields(text[i+len(mark):])
		if len(words) < 2 {
			continue
		}
		n, err := strconv.ParseFloat(words[0], 64)
		if err != nil || n <= 0 || n > 10_000 {
			continue
		}
		for _, u := range units {
			if strings.HasPrefix(words[1], u.prefix) {
				return min(time.Duration(n*float64(u.unit)), 2*day)
			}
		}
	}
	return 0
}

func sendingLimit(text string) meaning {
	m := meaning{code: adapters.CodeSendingLimit, class: adapters.Throttled, scope: adapters.ScopeLane, after: waitNamed(text),
		message: mime.NewText("smtp.sending_limit",
			"the mailbox has sent as much as its provider allows for now"),
		hint: mime.NewText("smtp.waits_for_limit",
			"No action needed; sending continues when the limit is lifted. If this happens often, set messages a "+
				"minute or recipients a day in the connection's limits, or send bulk mail through a service made for it")}
	if m.after == 0 && holds(text, []string{"hour", "day", "daily", "24h", "orario", "giornaliero", "horaire"}) {
		m.after = time.Hour // asked again each hour: few say when the window ends
	}
	return m
}
