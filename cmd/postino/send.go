package main

import (
	"context"
	"time"

	"github.com/postino-mail/postino/internal/app"
)

type sendCommand struct {
	ConnectionFile string        `help:"JSON of the connection." required:"" placeholder:"FILE" type:"existingfile"`
	EML            string        `name:"eml" help:"A whole message to send, - for standard input." placeholder:"FILE" xor:"message"`
	Rcpt           []string      `help:"Envelope recipient, once for each; without it the headers say." placeholder:"ADDRESS" sep:"none"`
	MailFrom       string        `help:"Envelope sender; without it the header says." placeholder:"ADDRESS"`
	From           string        `help:"Sender." placeholder:"ADDRESS" xor:"message"`
	To             []string      `help:"Recipient, once for each." placeholder:"ADDRESS" sep:"none"`
	Cc             []string      `help:"Recipient of a copy." placeholder:"ADDRESS" sep:"none"`
	Bcc            []string      `help:"Hidden recipient." placeholder:"ADDRESS" sep:"none"`
	ReplyTo        []string      `help:"Where answers go." placeholder:"ADDRESS" sep:"none"`
	Subject        string        `help:"Subject."`
	Text           string        `help:"Plain text."`
	TextFile       string        `help:"Plain text from a file, - for standard input." placeholder:"FILE" name:"text-file"`
	HTML           string        `help:"HTML text." name:"html"`
	HTMLFile       string        `help:"HTML text from a file, - for standard input." placeholder:"FILE" name:"html-file"`
	Attach         []string      `help:"File to attach, once for each." placeholder:"FILE" sep:"none"`
	Inline         []string      `help:"Image that the HTML shows as cid:CID (default: the file's name)." placeholder:"[CID=]FILE" sep:"none"`
	Header         []string      `help:"Further header field." placeholder:"NAME:VALUE" sep:"none"`
	Unsubscribe    []string      `help:"List-Unsubscribe address (mailto: or https:)." placeholder:"URI" sep:"none"`
	JSON           bool          `help:"Print the result as JSON." name:"json"`
	Wait           time.Duration `help:"How long to ask the provider about an unknown outcome." default:"20s"`
	CAFile         string        `help:"PEM file of a further authority to trust." placeholder:"FILE" name:"ca-file" env:"POSTINO_CA_FILE"`
}

// Help shows examples below the flags.
func (sendCommand) Help() string {
	return `Examples:
  postino send --connection-file office.json --from erp@contoso.it --to anna@example.com \
      --subject "Fattura 42" --text "In allegato." --attach fattura.pdf
  postino send --connection-file office.json --eml message.eml --rcpt anna@example.com --json
  mutt-like-program | postino send --connection-file office.json --eml -

Exit codes (sysexits.h): 0 accepted, 64 wrong flags, 65 wrong message, 66 file unreadable,
69 refused for good, 75 try later, 76 outcome unknown (look before repeating),
77 credential or permission, 78 wrong connection.`
}

func (c *sendCommand) Run(ctx context.Context, std stdio, cli *commands) error {
	return app.Send(ctx, app.SendOptions{
		ConnectionFile: c.ConnectionFile, EML: c.EML, Recipients: c.Rcpt, EnvelopeFrom: c.MailFrom,
		Compose: app.ComposeOptions{From: c.From, To: c.To, Cc: c.Cc, Bcc: c.Bcc, ReplyTo: c.ReplyTo, Subject: c.Subject,
			Text: c.Text, TextFile: c.TextFile, HTML: c.HTML, HTMLFile: c.HTMLFile, Attach: c.Attach, Inline: c.Inline,
			Headers: c.Header, ListUnsubscribe: c.Unsubscribe},
		CAFile: c.CAFile, JSON: c.JSON, Language: cli.language(), Wait: c.Wait, Stdin: std.in, Stdout: std.out,
	})
}
