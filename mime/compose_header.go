package mime

import (
	"crypto/rand"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// header makes the fields of the draft in the order they are written: address
// lines first, because an API was seen to ignore those that follow MIME-Version
// (contracts C5.4, F19). Every value is checked here, before the first octet is
// written.
func (c *composer) header() error {
	d := c.draft
	if d.From.Address.IsZero() {
		return newError("no_from", "From", NewText("mime.no_from", "The message has no sender: set From."))
	}
	if n := 2 + len(d.To) + len(d.Cc) + len(d.Bcc) + len(d.ReplyTo); n > maxRecipients { // with From and Sender
		return newError("too_many_recipients", "To", NewText("mime.recipients_over_limit",
			"The message names {number} addresses, at most {max_recipients} are possible: send it in parts.",
			"number", n, "max_recipients", maxRecipients))
	}
	var sender []Address
	if d.Sender != nil {
		sender = []Address{*d.Sender}
	}
	for _, l := range []struct {
		name string
		list []Address
	}{{"From", []Address{d.From}}, {"Sender", sender}, {"Reply-To", d.ReplyTo}, {"To", d.To}, {"Cc", d.Cc}, {"Bcc", d.Bcc}} {
		if err := c.addressField(l.name, l.list); err != nil {
			return err
		}
		// Hidden recipients only: an empty group says so (RFC 5322 section
		// 3.4, appendix A.1.3; contracts F20).
		if l.name == "To" && len(d.To) == 0 && len(d.Cc) == 0 {
			f := newField("To")
			f.word(" ", "undisclosed-recipients:;")
			c.put(f)
		}
	}
	if d.Subject != "" {
		if err := c.textField("Subject", d.Subject); err != nil {
			return err
		}
	}
	for _, step := range []func() error{c.date, c.identifiers, c.listFields, c.furtherFields} {
		if err := step(); err != nil {
			return err
		}
	}
	f := newField("MIME-Version")
	f.word(" ", "1.0")
	c.put(f)
	return nil
}

func (c *composer) put(f *fieldWriter) { c.fields = append(c.fields, f.raw()) }

func (c *composer) addressField(name string, list []Address) error {
	if len(list) == 0 {
		return nil
	}
	f := newField(name)
	if err := f.addresses(name, list); err != nil {
		return err
	}
	c.put(f)
	return nil
}

// textField adds an unstructured field; white space around the value goes.
func (c *composer) textField(name, value string) error {
	if err := checkValue(name, value); err != nil {
		return err
	}
	f := newField(name)
	f.text(strings.Trim(value, " \t"))
	c.put(f)
	return nil
}

func (c *composer) date() error {
	at := c.draft.Date
	if at.IsZero() {
		at = time.Now()
	}
	if y := at.Year(); y < 1900 || y > 9999 { // RFC 5322 section 3.3
		return newError("bad_date", "Date", NewText("mime.bad_date", "The date has the year {y}: use one from 1900 to 9999.", "y", y))
	}
	f := newField("Date")
	f.add(" ", at.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	c.put(f)
	return nil
}

// identifiers adds Message-ID, In-Reply-To and References.
func (c *composer) identifiers() error {
	id := c.draft.MessageID
	if id == "" {
		id = newMessageID(c.draft.From.Address)
	}
	id, err := checkMessageID(id)
	if err != nil {
		return err
	}
	c.id = id
	if err := c.idField("Message-ID", []string{id}); err != nil {
		return err
	}
	if err := checkFolded("In-Reply-To", c.draft.InReplyTo); err != nil {
		return err
	}
	if err := c.idField("In-Reply-To", strings.Fields(c.draft.InReplyTo)); err != nil {
		return err
	}
	var refs []string
	for _, r := range c.draft.References {
		if err := checkFolded("References", r); err != nil {
			return err
		}
		refs = append(refs, strings.Fields(r)...)
	}
	return c.idField("References", refs)
}

func (c *composer) idField(name string, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	f := newField(name)
	for _, id := range ids {
		id, err := checkID(name, id)
		if err != nil {
			return err
		}
		f.word(" ", "<"+id+">")
	}
	c.put(f)
	return nil
}

// newMessageID makes a unique Message-ID in the sender's domain, with a dot in
// it even where that has none (contracts C5.5).
func newMessageID(from Mailbox) string {
	domain := from.Domain()
	if strings.HasPrefix(domain, "[") || !strings.Contains(domain, ".") {
		domain = strings.Trim(strings.NewReplacer("[", "", "]", "", ":", "-").Replace(domain), ".-") + ".localdomain"
	}
	return randomHex() + "@" + domain
}

func randomHex() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// listFields adds List-Unsubscribe (RFC 2369 section 3.2) and
// List-Unsubscribe-Post (RFC 8058 section 3.1).
func (c *composer) listFields() error {
	const name = "List-Unsubscribe"
	d, https := c.draft, false
	f := newField(name)
	for i, s := range d.ListUnsubscribe {
		u, err := url.Parse(s)
		ok := err == nil && len(s) <= maxToken && !needsEncoding(s) && !strings.ContainsAny(s, " \t<>,")
		if !ok || u.Scheme != "mailto" && u.Scheme != "http" && u.Scheme != "https" {
			return newError("bad_unsubscribe", name,
				NewText("mime.bad_unsubscribe",
					"The address {s} in List-Unsubscribe is not valid: give a mailto: or https: URI, percent-encoded.",
					"s", strconv.Quote(shorten(s))))
		}
		https = https || u.Scheme == "https"
		comma := ""
		if i < len(d.ListUnsubscribe)-1 {
			comma = ","
		}
		f.word(" ", "<"+s+">"+comma)
	}
	if len(d.ListUnsubscribe) > 0 {
		c.put(f)
	}
	if !d.OneClick {
		return nil
	}
	if !https {
		return newError("bad_unsubscribe", "OneClick", NewText("mime.one_click_needs_https",
			"One-click unsubscription needs an https: URI in List-Unsubscribe."))
	}
	f = newField(name + "-Post")
	f.word(" ", "List-Unsubscribe=One-Click")
	c.put(f)
	return nil
}

func (c *composer) furtherFields() error {
	for _, h := range c.draft.Headers {
		if err := checkFieldName(h.Name); err != nil {
			return err
		}
		if !isOtherAddressField([]byte(h.Name)) {
			if err := c.textField(h.Name, h.Value); err != nil {
				return err
			}
			continue
		}
		if err := checkValue(h.Name, h.Value); err != nil {
			return err
		}
		list, err := parseList(h.Name, h.Value)
		if err != nil {
			return err
		}
		if err := c.addressField(h.Name, list); err != nil {
			return err
		}
	}
	return nil
}
