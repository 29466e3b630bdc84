package presets

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/url"
	"strings"

	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/mime"
)

// autoconfig reads the file that the domain itself offers to mail programs
// (Thunderbird's format, draft-ietf-mailmaint-autoconfig).
func (q *query) autoconfig(ctx context.Context) found {
	first := "https://autoconfig." + q.domain + "/mail/config-v1.1.xml?emailaddress=" + url.QueryEscape(q.address)
	second := "https://" + q.domain + "/.well-known/autoconfig/mail/config-v1.1.xml"
	type answer struct {
		servers []autoconfigServer
		err     error
	}
	answers := []chan answer{make(chan answer, 1), make(chan answer, 1)}
	for i, address := range []string{first, second} {
		go func() {
			servers, err := q.file(ctx, address)
			answers[i] <- answer{servers, err}
		}()
	}
	var failure error
	for i, host := range []string{"autoconfig." + q.domain, q.domain} {
		a := <-answers[i]
		if len(a.servers) > 0 {
			return q.found(SourceAutoconfig, q.fromFile(SourceAutoconfig, 95, a.servers, mime.NewText("presets.reason_autoconfig",
				"{host} publishes these settings for mail programs", "host", host)))
		}
		failure = errors.Join(failure, trouble(absent(a.err))) // many domains have neither host
	}
	return q.nothing(SourceAutoconfig, failure)
}

// collectionHost has Thunderbird's collection of such files.
const collectionHost = "autoconfig.thunderbird.net"

// collection asks Thunderbird's collection, which learns the domain only.
func (q *query) collection(ctx context.Context) found {
	servers, err := q.file(ctx, "https://"+collectionHost+"/v1.1/"+url.PathEscape(q.domain))
	if len(servers) == 0 {
		return q.nothing(SourceISPDB, absent(err))
	}
	return q.found(SourceISPDB, q.fromFile(SourceISPDB, 70, servers, mime.NewText("presets.reason_ispdb",
		"Thunderbird's collection of providers has these settings for {domain}", "domain", q.domain)))
}

func (q *query) fromFile(source Source, weight int, servers []autoconfigServer, reason mime.Text) []*Proposal {
	var out []*Proposal
	for i, s := range servers {
		p := q.server(source, weight-10*min(i, 3), s.Server, reason)
		if s.login != "" {
			p.Login = s.login
		}
		if s.open {
			p.Auth, p.Login, p.Credential = "none", "", CredentialNetwork
		}
		out = append(out, p)
	}
	return out
}

func (q *query) file(ctx context.Context, address string) ([]autoconfigServer, error) {
	body, err := q.get(ctx, address)
	if err != nil {
		return nil, err
	}
	return parseAutoconfig(body, q.address)
}

// An autoconfigServer is an outgoing server of such a file.
type autoconfigServer struct {
	Server
	login string
	open  bool // the address that connects is the proof
}

// maxServers bounds what is taken from one file.
const maxServers = 8

// parseAutoconfig reads the outgoing servers that protect a password. Those
// without TLS are left out, as are servers that want Kerberos, NTLM or a user's
// own OAuth consent alone, which postino does not speak.
func parseAutoconfig(body []byte, address string) ([]autoconfigServer, error) {
	var doc struct {
		XMLName  xml.Name `xml:"clientConfig"`
		Provider struct {
			Outgoing []struct {
				Type           string   `xml:"type,attr"`
				Host           string   `xml:"hostname"`
				Port           int      `xml:"port"`
				Socket         string   `xml:"socketType"`
				Login          string   `xml:"username"`
				Authentication []string `xml:"authentication"`
			} `xml:"outgoingServer"`
		} `xml:"emailProvider"`
	}
	dec := xml.NewDecoder(bytes.NewReader(body))                                         // which expands no entities of a DTD
	dec.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // what counts here is ASCII
	if err := dec.Decode(&doc); err != nil {
		return nil, err
	}
	var out []autoconfigServer
	for _, s := range doc.Provider.Outgoing {
		server := Server{Host: strings.ToLower(fill(s.Host, address)), Port: s.Port}
		switch strings.TrimSpace(s.Socket) {
		case "SSL":
			server.Encryption = fallback.EncryptionTLS
		case "STARTTLS":
			server.Encryption = fallback.EncryptionSTARTTLS
		}
		password, open := methods(s.Authentication)
		if s.Type != "smtp" || server.Encryption == "" || !hostName(server.Host) || s.Port < 1 || s.Port > 65535 || !password && !open {
			continue
		}
		login := fill(s.Login, address)
		if strings.ContainsFunc(login, func(r rune) bool { return r < ' ' || r == 0x7f }) || len(login) > 320 {
			login = ""
		}
		if out = append(out, autoconfigServer{server, login, !password}); len(out) == maxServers {
			break
		}
	}
	return out, nil
}

// methods reports ways to log in with a password, and without any.
func methods(names []string) (password, open bool) {
	for _, name := range names {
		switch strings.TrimSpace(name) {
		case "password-cleartext", "plain", "password-encrypted", "secure":
			password = true
		case "none", "client-IP-address":
			open = true
		}
	}
	return password || len(names) == 0, open
}

// fill replaces the placeholders of the format.
func fill(s, address string) string {
	at := strings.LastIndexByte(address, '@')
	return strings.NewReplacer("%EMAILADDRESS%", address, "%EMAILLOCALPART%", address[:at], "%EMAILDOMAIN%", address[at+1:]).
		Replace(strings.TrimSpace(s))
}
