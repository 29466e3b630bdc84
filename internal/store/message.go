package store

import (
	"context"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/postino-mail/postino/internal/spool"
	"github.com/postino-mail/postino/mime"
)

// A Message is what is known of a stored message besides its bytes.
type Message struct {
	ID           ID            `json:"id"`
	MessageID    string        `json:"message_id"` // with angle brackets
	Subject      string        `json:"subject"`
	From         mime.Mailbox  `json:"from"` // address of the From header, of the stored bytes
	OriginalFrom mime.Mailbox  `json:"original_from,omitzero"`
	Names        []string      `json:"names,omitempty"` // of people in the header: the message is found by them
	Envelope     mime.Envelope `json:"envelope"`        // everybody, joined siblings included
	Size         int64         `json:"size"`            // header and body
	BodySHA256   []byte        `json:"body_sha256"`
	BodyKept     bool          `json:"body_kept"`   // false once retention removed header and body
	Client       string        `json:"client"`      // id of the client
	EntryPoint   string        `json:"entry_point"` // smtp, api, sendmail, pickup, go, postino
	Class        string        `json:"class"`       // transactional or bulk
	Tag          string        `json:"tag,omitempty"`
	Metadata     Metadata      `json:"metadata,omitempty"`     // of the client: comes back with the message and its events
	Trace        string        `json:"trace,omitempty"`        // its submission, as traceparent and tracestate (W3C); empty without tracing
	Notification bool          `json:"notification,omitempty"` // a DSN or warning of our own: never answered by another
	ReceivedAt   time.Time     `json:"received_at"`
	NotBefore    time.Time     `json:"not_before,omitzero"`   // scheduled sending
	ResentOf     ID            `json:"resent_of,omitzero"`    // the message that was sent once more as this one, under a new Message-ID
	Routed       Routed        `json:"routed,omitzero"`       // why it took its first connection
	Resubmitted  int           `json:"resubmitted,omitempty"` // how often its client sent it again because it had not heard the answer
	// Conversation is what was said at its submission (Conversation); empty: nothing was,
	// or it is not known.
	Conversation string `json:"conversation,omitempty"`
}

// maxConversation bounds what is kept of a submission, in bytes.
const maxConversation = 2 << 10

// Conversation puts what was said at a submission together, or at those of siblings that
// became one message: a line each, of visible characters, and at most 2 KB of it.
func Conversation(parts ...string) string {
	var b strings.Builder
	for _, part := range parts {
		for line := range strings.SplitSeq(part, "\n") {
			if line != "" && b.Len()+len(line) < maxConversation {
				b.WriteString(strings.ToValidUTF8(line, "?") + "\n")
			}
		}
	}
	return strings.Map(visible, b.String())
}

func visible(r rune) rune {
	if r != '\n' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) { // of Cf: those that turn the direction
		return ' '
	}
	return r
}

// Routed says which connection was chosen for a message when it came in, and by which
// rule of routing. A fallback may carry it, and an administrator may move it later: the
// attempts say that.
type Routed struct {
	Rule       string `json:"rule"`       // its name: always, named, class, address, domain, client, default
	Connection string `json:"connection"` // id
}

// Metadata are pairs of a client's own, such as an order's number.
type Metadata map[string]string

// A Label is what a client has put on a message; it goes with every event.
type Label struct {
	Tag      string   `json:"tag,omitempty"`
	Metadata Metadata `json:"metadata,omitempty" doc:"As it was submitted"`
}

// Label returns the message's.
func (m *Message) Label() Label { return Label{m.Tag, m.Metadata} }

// A NewMessage is one message to be stored with its deliveries.
type NewMessage struct {
	// Message is stored as given. A zero ID is made, Size, BodySHA256 and
	// BodyKept are filled in.
	Message

	// Head is the header block with the empty line that ends it.
	Head []byte
	// Body is what follows Head; it must stay readable until Submit returns.
	Body mime.Source
	// Buffer, when not nil, is the file or memory that Body is the end of:
	// Body's bytes are Buffer's from BodyOffset on. A Buffer with a file in
	// Store.SpoolDir is taken over without copying; the caller still closes it.
	Buffer     *spool.Buffer
	BodyOffset int64

	// Deliveries are at least one.
	Deliveries []NewDelivery

	// Join, when not nil, makes the message wait for its siblings, or join one
	// that waits: see Submitter.Submit. Only with exactly one delivery.
	Join *Join

	// Identity, when not nil, has a message that was accepted already, without
	// its client hearing of it, answered as it was then: see Submitter.Submit.
	Identity *Identity
}

// Join lets several transactions that carry one message, each with some of its
// recipients, leave as one (issue "Envelope exactness").
type Join struct {
	// Key is the same for siblings alone: a digest of client, Message-ID,
	// content and sender.
	Key string
	// Until ends the waiting; the delivery is not due before.
	Until time.Time
	// MaxRecipients keeps a joined delivery within what its route carries; 0: no limit.
	MaxRecipients int
}

// An Idempotency key makes the repeat of a submission give the first one's answer.
type Idempotency struct {
	Client    string
	Key       string
	Request   []byte    // digest of the request that the key belongs to
	ExpiresAt time.Time // Purge forgets it after this
}

// A Submission is stored as a whole or not at all.
type Submission struct {
	Now         time.Time
	Messages    []NewMessage
	Idempotency *Idempotency
	Events      []NewEvent
}

// Submitted says what became of one message of a Submission.
type Submitted struct {
	ID         ID   `json:"id"`         // of the message; of the sibling that it joined
	Deliveries []ID `json:"deliveries"` // in the order given
	Joined     bool `json:"joined,omitempty"`
	Replayed   bool `json:"-"` // the idempotency key was known: nothing was stored now

	Resubmitted bool    `json:"-"` // accepted before, unheard: nothing was stored now
	Receipt     Receipt `json:"-"` // for Heard
}

// Content is the stored bytes of a message, header and body, readable at any
// offset by many goroutines until Close.
type Content interface {
	mime.Source
	io.Closer
}

// A Submitter takes messages in.
type Submitter interface {
	// Submit stores all messages with their deliveries in one transaction. When
	// it returns nil everything is durable: spool files and their folders were
	// synced before the rows that name them. Concurrent calls share syncs.
	//
	// A message with Join looks for a delivery with the same Key that no one has
	// claimed yet and has a window that has not ended at Now; the new recipients are
	// added to that delivery and to its message's envelope (each address once), in the same transaction, and Submitted names them with
	// Joined set. Adding and claiming exclude each other: a recipient is never
	// added to a delivery that is on its way. Otherwise the message is stored
	// and its delivery waits until Join.Until.
	//
	// A known Idempotency key with the same Request returns the stored answer with
	// Replayed set, with another one ErrIdempotency. Of two concurrent calls with
	// one key, one stores and the other replays.
	//
	// A message with an Identity that was accepted in its window before, and is
	// unheard, is not stored: Submitted names the first one with Resubmitted set,
	// and the first one's record counts it. An acceptance with deliveries that have
	// all failed or were cancelled is none. Of two concurrent calls with one
	// Identity that is recorded, one stores; two messages of one Submission are
	// never taken for each other.
	//
	// ErrUnavailable: nothing was acknowledged, the client must try again.
	Submit(ctx context.Context, s Submission) ([]Submitted, error)

	// Heard notes that the clients have heard of these acceptances: the same
	// message again is another one. It returns at once; the marks go with the next
	// transaction, within HeardWithin, and a Submit of this process sees them from
	// now on. What a process that is killed had not written stays unheard.
	Heard(rs ...Receipt)

	// SpoolDir is the folder in which spool.New should make its files so that
	// Submit need not copy them. It exists while the store is open, and what is
	// left in it by a process that died is removed by the next one.
	SpoolDir() string
}

// Messages reads stored messages.
type Messages interface {
	// Message returns the record of one message.
	Message(ctx context.Context, id ID) (*Message, error)

	// Content opens the stored bytes after checking size and digest. ErrCorrupt:
	// they are not what was stored; ErrGone: retention removed them. The caller
	// closes it; a purge meanwhile does not disturb the reader.
	Content(ctx context.Context, id ID) (Content, error)
}
