package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/mime"
)

// sessionMin is the smallest attachment for an upload session; smaller ones go
// in one request (contracts B2.3). "3 MB" may be 3 MiB: when the provider
// refuses one way because of the size, the other is tried.
const sessionMin = 3_000_000

// An attachment is a part that was taken out of the message.
type attachment struct {
	msg  *mime.Message
	part *mime.Part
	name string
	size int64 // decoded
}

// open decodes the part from its start.
func (t *attachment) open() io.Reader { return t.msg.Open(t.part) }

// inline: referred to by the HTML. A Content-ID alone means nothing; some
// programs give one to every attachment.
func (t *attachment) inline() bool {
	return t.part.ContentID != "" && t.part.Disposition != "attachment"
}

// measure decodes a part once to know its size, which Graph wants first. What
// cannot be decoded is an *mime.Error.
func measure(ctx context.Context, m *mime.Message, p *mime.Part) (*attachment, error) {
	t := &attachment{msg: m, part: p, name: fileName(p)}
	n, err := io.Copy(io.Discard, contextReader{ctx, t.open()})
	t.size = n
	return t, err
}

// A contextReader ends a long read when ctx does.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// attach adds one part to the draft.
func (a *Adapter) attach(ctx context.Context, j *job, d *draft, t *attachment) error {
	first, second := a.attachOnce, a.upload
	if t.size >= a.session {
		first, second = second, first
	}
	err := first(ctx, j, d, t)
	// Far from the boundary the other way is no help.
	if err == nil || t.size > a.session+a.session/15 || t.size < a.session-a.session/1000 {
		return err
	}
	switch e := adapters.AsError(err); {
	case e.ProviderCode == "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize", e.TooLarge && e.ProviderCode != "ErrorMessageSizeExceeded":
		return second(ctx, j, d, t)
	}
	return err
}

// attachOnce posts the attachment in one streamed request.
func (a *Adapter) attachOnce(ctx context.Context, j *job, d *draft, t *attachment) error {
	head, err := json.Marshal(struct {
		Type        string `json:"@odata.type"`
		Name        string `json:"name"`
		ContentType string `json:"contentType"`
		IsInline    bool   `json:"isInline"`
		ContentID   string `json:"contentId,omitempty"`
	}{"#microsoft.graph.fileAttachment", t.name, t.part.MediaType, t.inline(), t.part.ContentID})
	if err != nil {
		return a.local(err)
	}
	head = append(bytes.TrimSuffix(head, []byte("}")), `,"contentBytes":"`...)
	const tail = `"}`
	_, err = a.step(ctx, &request{
		op: "attach", method: http.MethodPost, url: a.userURL(j.mailbox, "messages", d.ID, "attachments"),
		contentType: "application/json", header: map[string]string{"Prefer": immutable},
		size: int64(len(head)) + base64Len(t.size) + int64(len(tail)),
		open: func() (io.Reader, error) {
			return io.MultiReader(bytes.NewReader(head), newBase64(t.open(), t.size, nil), bytes.NewReader([]byte(tail))), nil
		},
		want: []int{http.StatusCreated}, id: j.out.ID, job: j,
	})
	return err
}
