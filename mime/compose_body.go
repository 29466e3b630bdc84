package mime

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"strconv"
	"strings"

	"github.com/emersion/go-message/textproto"
)

// maxAttachments keeps a composed message under the default of Limits.Parts,
// with its multiparts and texts.
const maxAttachments = 990

// maxHeader is the default of Limits.HeaderBytes: what Compose writes, Read accepts.
const maxHeader = 1 << 20

// A node is one entity of the message being written: a multipart, or a leaf
// with the function that writes its encoded body.
type node struct {
	mediaType string
	fields    [][]byte // Content-Type and those that follow it
	children  []*node
	boundary  string
	id        string // Content-ID without brackets
	eightBit  bool   // RFC 2045 section 6.4: a multipart says so too
	body      func(io.Writer) error
}

// tree plans the body: mixed > related > alternative, each only where needed.
// Inline images hang on the HTML that refers to them (RFC 2387).
func (c *composer) tree() (*node, error) {
	d := c.draft
	if len(d.Attachments) > maxAttachments {
		return nil, newError("too_many_parts", "Attachments", NewText("mime.too_many_parts",
			"The message has {number} attachments, at most {max_attachments} are possible: put them into an archive.",
			"number", len(d.Attachments), "max_attachments", maxAttachments))
	}
	c.nameInline()
	invite, err := c.invitation()
	if err != nil {
		return nil, err
	}
	root, err := c.texts(invite)
	if err != nil {
		return nil, err
	}
	var related, mixed []*node
	ids := map[string]bool{}
	for i := range d.Attachments {
		a := &d.Attachments[i]
		if invite != nil && i == invite.at {
			a = invite.file(a)
		}
		n, err := c.attachment(a, c.inlineIDs[i])
		if err != nil {
			return nil, err
		}
		if id := n.id; id != "" {
			if ids[id] {
				return nil, newError("duplicate_content_id", "Attachments", NewText("mime.duplicate_content_id",
					"Two attachments have the Content-ID {id}: give each its own.", "id", strconv.Quote(shorten(id))))
			}
			ids[id] = true
		}
		if a.Inline && n.id != "" && d.HTML != "" {
			related = append(related, n)
		} else {
			mixed = append(mixed, n)
		}
	}
	if len(related) > 0 {
		root = c.multipart("related", root.mediaType, append([]*node{root}, related...))
	}
	if len(mixed) > 0 {
		if root != nil {
			mixed = append([]*node{root}, mixed...)
		}
		root = c.multipart("mixed", "", mixed)
	}
	return root, nil
}

// texts makes the part that is read: text, HTML, an invitation, or several of
// them as alternatives, the richest last (RFC 2046 section 5.1.4); nil where
// there are attachments only.
func (c *composer) texts(invite *invitation) (*node, error) {
	d := c.draft
	for _, t := range []struct{ name, text string }{{"Text", d.Text}, {"HTML", d.HTML}} {
		if err := checkText(t.name, t.text); err != nil {
			return nil, err
		}
	}
	text := d.Text
	if text == "" && d.HTML != "" {
		text = TextFromHTML(d.HTML)
	}
	var forms []*node
	if text != "" || d.HTML == "" && (invite != nil || len(d.Attachments) == 0) {
		forms = append(forms, textNode("plain", text))
	}
	if d.HTML != "" {
		forms = append(forms, textNode("html", c.html))
	}
	if invite != nil {
		forms = append(forms, c.alternative(invite))
	}
	switch len(forms) {
	case 0:
		return nil, nil
	case 1:
		return forms[0], nil
	}
	return c.multipart("alternative", "", forms), nil
}

func textNode(subtype, s string) *node {
	s = canonicalLines(s)
	encoding, body := encodeText(s)
	n := &node{mediaType: "text/" + subtype, body: body}
	ct := newField("Content-Type")
	ct.word(" ", n.mediaType)
	ct.param("charset", "utf-8")
	cte := newField("Content-Transfer-Encoding")
	cte.word(" ", encoding)
	n.fields = [][]byte{ct.raw(), cte.raw()}
	return n
}

func (c *composer) multipart(subtype, rootType string, children []*node) *node {
	n := &node{mediaType: "multipart/" + subtype, children: children, boundary: c.newBoundary()}
	ct := newField("Content-Type")
	ct.word(" ", n.mediaType)
	if rootType != "" { // required: RFC 2387 section 3.1
		ct.param("type", rootType)
	}
	ct.param("boundary", n.boundary)
	n.fields = [][]byte{ct.raw()}
	for _, child := range children {
		n.eightBit = n.eightBit || child.eightBit
	}
	if n.eightBit {
		cte := newField("Content-Transfer-Encoding")
		cte.word(" ", "8bit")
		n.fields = append(n.fields, cte.raw())
	}
	return n
}

// newBoundary makes a boundary that no body can contain: 192 bits that no one
// knows, and "=_", which neither base64 nor quoted-printable can write (RFC
// 2045 section 6.7).
func (c *composer) newBoundary() string {
	if c.draft.Seed == "" {
		return "=_" + randomHex() + randomHex()[:16]
	}
	c.boundaries++
	sum := sha256.Sum256([]byte(c.draft.Seed + "\x00" + c.id + "\x00" + strconv.Itoa(c.boundaries)))
	return "=_" + strings.TrimRight(base64.URLEncoding.EncodeToString(sum[:24]), "=")
}

// write puts the header and the tree on the wire. go-message writes the
// structure; the fields are handed to it folded, because it would not fold
// encoded words and would break long tokens.
func (c *composer) write(w io.Writer, root *node) error {
	fields := append(c.fields, root.fields...)
	size := 0
	for _, f := range fields {
		size += len(f)
	}
	if size > maxHeader {
		return newError("header_too_large", "", NewText("mime.header_too_large",
			"The header has {size} octets, at most {max_header} are possible: shorten or split the list of recipients.",
			"size", size, "max_header", maxHeader))
	}
	if err := textproto.WriteHeader(w, rawHeader(fields)); err != nil {
		return err
	}
	return writeNode(w, root)
}

// rawHeader hands folded fields to go-message, which keeps the newest first.
func rawHeader(fields [][]byte) textproto.Header {
	var h textproto.Header
	for i := len(fields) - 1; i >= 0; i-- {
		h.AddRaw(fields[i])
	}
	return h
}

func writeNode(w io.Writer, n *node) error {
	if n.body != nil {
		return n.body(w)
	}
	mw := textproto.NewMultipartWriter(w)
	if err := mw.SetBoundary(n.boundary); err != nil {
		return err
	}
	for _, child := range n.children {
		pw, err := mw.CreatePart(rawHeader(child.fields))
		if err != nil {
			return err
		}
		if err := writeNode(pw, child); err != nil {
			return err
		}
	}
	return mw.Close()
}
