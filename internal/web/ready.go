package web

import (
	"net"
	"net/netip"
	"strings"

	"github.com/postino-mail/postino/mime"
)

// A Listener is one address at which programs hand over mail by SMTP.
type Listener struct {
	Address string // host:port as it is configured
	TLS     string // implicit, starttls, optional, none
	NoAuth  bool   // takes no login
}

// readySettings are what is entered in a program or a device, for one listener.
type readySettings struct {
	Host, Port string
	TLS        string // as PHPMailer has it: tls, ssl or nothing
	Encryption mime.Text
	Local      bool // reached from this machine alone
	NoAuth     bool
	Login      string
}

// ready are the settings for a client at each listener, with the real host and port.
func (s *Server) ready(login string) (out []readySettings) {
	for _, l := range s.opt.Listeners {
		host, port, err := net.SplitHostPort(l.Address)
		if err != nil {
			continue // the configuration was refused before
		}
		r := readySettings{Host: host, Port: port, NoAuth: l.NoAuth, Login: login}
		address, err := netip.ParseAddr(host)
		r.Local = err == nil && address.IsLoopback() || host == "localhost"
		if host == "" || err == nil && address.IsUnspecified() {
			r.Host = s.opt.Hostname
		}
		switch l.TLS {
		case "implicit":
			r.TLS, r.Encryption = "ssl", text("web.tls_implicit", "SSL/TLS")
		case "none":
			r.Encryption = text("web.tls_none", "none")
		default:
			r.TLS, r.Encryption = "tls", text("web.tls_starttls", "STARTTLS")
		}
		out = append(out, r)
	}
	return out
}

// PHP is the setting for PHPMailer.
func (r readySettings) PHP() string {
	var b strings.Builder
	b.WriteString("$mail->isSMTP();\n$mail->Host = " + php(r.Host) + ";\n$mail->Port = " + r.Port + ";\n")
	if r.TLS != "" {
		b.WriteString("$mail->SMTPSecure = " + php(r.TLS) + ";\n")
	} else {
		b.WriteString("$mail->SMTPAutoTLS = false;\n")
	}
	if r.NoAuth {
		b.WriteString("$mail->SMTPAuth = false;\n")
		return b.String()
	}
	b.WriteString("$mail->SMTPAuth = true;\n$mail->Username = " + php(r.Login) + ";\n$mail->Password = getenv('SMTP_PASSWORD');\n")
	return b.String()
}

// php is a string as a literal of PHP.
func php(s string) string { return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'" }

// address is the address of the API for programs.
func (s *Server) address(v *visit) string {
	if s.opt.PublicURL != "" {
		return strings.TrimSuffix(s.opt.PublicURL, "/")
	}
	return v.absolute("")
}

// Curl is a message by HTTP, as a command; curl asks for the secret.
func (c clientScreen) Curl() string {
	quoted := "'" + strings.ReplaceAll(c.Client.Name, "'", `'\''`) + "'"
	return "curl -u " + quoted + " " + c.HTTP + "/v1/messages -H 'Content-Type: application/json' \\\n" +
		`  -d '{"from":"erp@example.com","to":["anna@example.com"],"subject":"Test","text":"Test"}'`
}
