package graph

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/postino-mail/postino/mime"
)

// A plan says how a message above the ceiling is split: what stays MIME and
// becomes the draft, and which parts are attached to it one by one. The draft
// keeps what JSON cannot express (contracts B2.5, B6): threading and other
// header fields, alternatives, invitations, signed parts, small attachments in
// their place.
type plan struct {
	skeleton mime.Source   // the message without the parts, up to MIMECeiling
	parts    []*attachment // in the order of the message
	lost     []string
}

// plan removes as few parts as possible, the largest first. A part with
// content that cannot be decoded stays where it is: its reader decides what it means.
func (a *Adapter) plan(ctx context.Context, m *mime.Message, view mime.Source) (*plan, error) {
	// Signed or encrypted content must keep its bytes. A DKIM signature does not
	// count: Exchange breaks it on every route (contracts F21).
	protected, err := m.Protected(false)
	if err != nil {
		return nil, a.local(err)
	}
	if protected {
		return nil, a.protectedTooLarge()
	}
	root, err := m.Structure()
	if err != nil {
		return nil, a.local(err)
	}
	s := splitter{view: view, shift: view.Size() - m.Size(), head: view.Size() - m.Body().Size(), drop: map[*mime.Part]*attachment{}}
	s.collect(root, nil, 0)
	slices.SortStableFunc(s.candidates, func(p, q *mime.Part) int {
		if c := cmp.Compare(invitation(p), invitation(q)); c != 0 {
			return c
		}
		return cmp.Compare(q.End-q.HeaderStart, p.End-p.HeaderStart)
	})
	rest := view.Size()
	for _, p := range s.candidates {
		t, err := measure(ctx, m, p)
		if e := (*mime.Error)(nil); errors.As(err, &e) && e.Code == "bad_encoding" {
			s.stays = append(s.stays, p)
			continue
		}
		if err != nil {
			if ctx.Err() != nil {
				return nil, a.tokenError(ctx, err)
			}
			return nil, a.local(err)
		}
		s.drop[p] = t
		if rest -= p.End - p.HeaderStart; rest > a.ceiling {
			continue
		}
		skeleton, err := s.skeleton(root)
		if err != nil {
			return nil, a.local(err)
		}
		if skeleton.Size() <= a.ceiling {
			return &plan{skeleton: skeleton, parts: s.dropped(root, nil), lost: s.losses(m, root)}, nil
		}
	}
	return nil, a.tooLarge(rest, s.stays)
}

type splitter struct {
	view       mime.Source
	shift      int64 // from offsets in the stored message to offsets in view: only the header differs
	head       int64 // octets of view's header
	candidates []*mime.Part
	stays      []*mime.Part // cannot be taken out: signed, or not to be decoded
	drop       map[*mime.Part]*attachment
}

// collect finds the leaves that can become attachments.
func (s *splitter) collect(p, parent *mime.Part, index int) {
	switch {
	case p.Sealed(): // a signed message with a list's footer, for instance
		s.stays = append(s.stays, p)
	case isMultipart(p):
		for i, c := range p.Parts {
			s.collect(c, p, i)
		}
	case !attachable(p, parent, index):
	case !p.Decodable():
		s.stays = append(s.stays, p)
	default:
		s.candidates = append(s.candidates, p)
	}
}

func isMultipart(p *mime.Part) bool { return strings.HasPrefix(p.MediaType, "multipart/") }

func isText(p *mime.Part) bool { return strings.HasPrefix(p.MediaType, "text/") }

// invitation is 1 for what a calendar acts upon (RFC 6047): Exchange makes an
// invitation of it in MIME only, as a file it is none. It is taken out last.
func invitation(p *mime.Part) int {
	if p.MediaType == "text/calendar" && p.Params["method"] != "" {
		return 1
	}
	return 0
}

// attachable: not the text itself, not the root of a related group, not one
// of several alternatives, not the machine-readable half of a report.
func attachable(p, parent *mime.Part, index int) bool {
	if p.Disposition == "attachment" {
		return true
	}
	if isText(p) && p.Filename == "" || p.MediaType == "message/delivery-status" || p.MediaType == "message/disposition-notification" {
		return false
	}
	switch {
	case parent == nil:
		return true
	case parent.MediaType == "multipart/related":
		return index > 0
	case parent.MediaType == "multipart/alternative":
		return false
	}
	return true
}

// dropped lists the removed leaves in the order of the message.
func (s *splitter) dropped(p *mime.Part, list []*attachment) []*attachment {
	if t := s.drop[p]; t != nil {
		return append(list, t)
	}
	if isMultipart(p) {
		for _, c := range p.Parts {
			list = s.dropped(c, list)
		}
	}
	return list
}

// gone reports whether nothing of the part stays.
func (s *splitter) gone(p *mime.Part) bool {
	if !isMultipart(p) || len(p.Parts) == 0 {
		return s.drop[p] != nil
	}
	return !slices.ContainsFunc(p.Parts, func(c *mime.Part) bool { return !s.gone(c) })
}

// skeleton is view without the dropped parts.
func (s *splitter) skeleton(root *mime.Part) (mime.Source, error) {
	if s.gone(root) {
		return s.bare()
	}
	var out []mime.Source
	pos := int64(0)
	for _, c := range s.cuts(root, nil) {
		out = append(out, io.NewSectionReader(s.view, pos, c.from-pos))
		pos = c.to
	}
	return mime.Join(append(out, io.NewSectionReader(s.view, pos, s.view.Size()-pos))...), nil
}

type cut struct{ from, to int64 } // offsets in view

// cuts takes a part out with one delimiter line: the one before it, or the one
// after it when nothing precedes it.
func (s *splitter) cuts(p *mime.Part, list []cut) []cut {
	first := slices.IndexFunc(p.Parts, func(c *mime.Part) bool { return !s.gone(c) })
	if first > 0 {
		list = append(list, cut{p.Parts[0].HeaderStart + s.shift, p.Parts[first].HeaderStart + s.shift})
	}
	for i := max(first, 0); i < len(p.Parts); i++ {
		switch c := p.Parts[i]; {
		case s.gone(c):
			list = append(list, cut{p.Parts[i-1].End + s.shift, c.End + s.shift})
		case isMultipart(c):
			list = s.cuts(c, list)
		}
	}
	return list
}

// bare is the header with an empty text, for a message that is attachments alone.
func (s *splitter) bare() (mime.Source, error) {
	head := make([]byte, s.head)
	if _, err := io.ReadFull(io.NewSectionReader(s.view, 0, s.head), head); err != nil {
		return nil, err
	}
	return mime.Bytes(append(withoutContent(head),
		"Content-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\r\n"...)), nil
}

// withoutContent is a header block without Content-* fields and without the
// empty line at its end.
func withoutContent(head []byte) []byte {
	var out []byte
	keep := true
	for line := range strings.Lines(string(head)) {
		if strings.TrimRight(line, "\r\n") == "" {
			break
		}
		if line[0] != ' ' && line[0] != '\t' {
			const prefix = "content-"
			keep = len(line) < len(prefix) || !strings.EqualFold(line[:len(prefix)], prefix)
		}
		if keep {
			out = append(out, line...)
		}
	}
	return out
}

// losses says in words what the large path could not keep.
func (s *splitter) losses(m *mime.Message, root *mime.Part) []string {
	lost := []string{"Exchange builds the message again: boundaries, encodings and the order of parts change, so there is no hash of what " +
		"was sent"}
	if m.Get("DKIM-Signature") != "" { // contracts F21
		lost = append(lost, "the DKIM signature that the message came with no longer fits it")
	}
	if s.hasAlternative(root) {
		lost = append(lost, "the plain text alternative may be made again from the HTML")
	}
	for _, t := range s.dropped(root, nil) {
		lost = append(lost, "attached again after the other parts, with name, type and Content-ID only: "+t.name)
		if invitation(t.part) > 0 {
			lost = append(lost, "the invitation is a file: programs may not offer to accept it: "+t.name)
		}
	}
	return lost
}

func (s *splitter) hasAlternative(p *mime.Part) bool {
	return p.MediaType == "multipart/alternative" || slices.ContainsFunc(p.Parts, s.hasAlternative)
}
