package graph

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// Folders.
const (
	drafts    = "drafts"
	sentItems = "sentitems"
	inbox     = "inbox"
)

// mailboxes are the items of all mailboxes. One lock for all: what is done
// under it is small.
type mailboxes struct {
	mu    sync.Mutex
	boxes map[string]*mailbox
}

// A mailbox is what one address has.
type mailbox struct {
	folders []folder         // that clients made
	items   []*item          // in order of creation
	byID    map[string]*item // by each id that it has had; an old id is checked on use
	byMID   map[string][]*item
}

// An item is a message in a mailbox. Where it is depends on the time: after
// acceptance it stays in Drafts for GraphSettle (B1.8).
type item struct {
	immutable, draftID, sentID string // B3.5

	created   time.Time
	modified  time.Time // last change: content, attachments, sending
	messageID string    // internetMessageId
	submitted bool      // accepted for sending
	settles   time.Time
	sentDate  time.Time
	deleted   bool
	summary   summary
	busy      bool // being sent: no one else changes it

	where      string // folder that it was moved to or received in; empty: Drafts, then Sent Items
	seq        int    // of the delivery that it is a copy of; 0: not sent yet
	received   bool
	unread     bool
	thread     string // conversation; empty: one of its own
	categories []string
	importance string
	flag       any

	content
}

// A content is what a draft holds until it is sent.
type content struct {
	mime        *core.Message // of a MIME draft
	message     *jsonMessage  // of a JSON draft
	attachments []*attachment
}

// remove deletes the content's files, except those of the message that was
// delivered.
func (c content) remove(log *slog.Logger, delivered *core.Message) {
	if c.mime != delivered {
		if err := c.mime.Discard(); err != nil {
			log.Error("a draft stays on disk", "err", err)
		}
	}
	for _, a := range c.attachments {
		if err := a.content.Remove(); err != nil {
			log.Error("an attachment stays on disk", "err", err)
		}
	}
}

// take empties the item. Once it is in a mailbox, the lock is needed.
func (it *item) take() content {
	c := it.content
	it.content = content{}
	return c
}

// A summary is what a list shows of an item.
type summary struct {
	subject     string
	from        string
	to, cc, bcc []string
	attachments bool
}

func newItemID(prefix string) (string, error) {
	b, err := core.RandomBytes(45)
	return prefix + base64.URLEncoding.EncodeToString(b), err
}

// newItem makes an item that is in no mailbox yet.
func newItem(now time.Time) (*item, error) {
	id, err := newItemID("")
	return &item{created: now, modified: now, immutable: "AAkALg" + id, draftID: "AAMkAGD" + id, sentID: "AAMkAGS" + id}, err
}

// folder is where the item is now.
func (it *item) folder(now time.Time) string {
	if it.where != "" {
		return it.where
	}
	if it.submitted && !now.Before(it.settles) {
		return sentItems
	}
	return drafts
}

// isDraft reports whether the item was not sent yet, as a client sees it.
func (it *item) isDraft(now time.Time) bool {
	return !it.received && (!it.submitted || now.Before(it.settles))
}

// isSent reports whether the mailbox itself sent the item.
func (it *item) isSent() bool { return it.submitted && !it.received }

// id is the item's id now, in the kind that the client prefers.
func (it *item) id(now time.Time, immutable bool) string {
	switch {
	case immutable:
		return it.immutable
	case !it.isDraft(now):
		return it.sentID
	}
	return it.draftID
}

func (m *mailboxes) box(name string) *mailbox {
	if m.boxes == nil {
		m.boxes = make(map[string]*mailbox)
	}
	b := m.boxes[name]
	if b == nil {
		b = &mailbox{byID: make(map[string]*item), byMID: make(map[string][]*item)}
		m.boxes[name] = b
	}
	return b
}

func (m *mailboxes) add(name string, it *item) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.box(name)
	b.items = append(b.items, it)
	b.byID[it.immutable], b.byID[it.draftID], b.byID[it.sentID] = it, it, it
	b.byMID[it.messageID] = append(b.byMID[it.messageID], it)
}

// with calls do with the item of that id, under the lock; nil when there is
// none. do must be quick.
func (m *mailboxes) with(name, id string, now time.Time, do func(*item) *apiError) *apiError {
	m.mu.Lock()
	defer m.mu.Unlock()
	it := m.box(name).byID[id]
	if it == nil || it.deleted || id != it.immutable && id != it.id(now, false) {
		return itemNotFound()
	}
	return do(it)
}

// find returns copies of the items of a folder ("": all) that match, newest first.
func (m *mailboxes) find(name, folder, messageID string, now time.Time, match func(*item) bool) []item {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.box(name)
	from := b.items
	if messageID != "" {
		from = b.byMID[messageID]
	}
	var out []item
	for _, it := range slices.Backward(from) {
		if !it.deleted && (folder == "" || it.folder(now) == folder) && match(it) {
			out = append(out, *it)
		}
	}
	return out
}

// remove deletes the item and returns it, for its files.
func (m *mailboxes) remove(name string, it *item) {
	b := m.box(name)
	it.deleted = true
	for _, id := range []string{it.immutable, it.draftID, it.sentID} {
		delete(b.byID, id)
	}
	same := func(other *item) bool { return other == it }
	b.items = slices.DeleteFunc(b.items, same)
	if b.byMID[it.messageID] = slices.DeleteFunc(b.byMID[it.messageID], same); len(b.byMID[it.messageID]) == 0 {
		delete(b.byMID, it.messageID)
	}
}

func (m *mailboxes) reset(log *slog.Logger) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range m.boxes {
		for _, it := range b.items {
			if !it.busy { // who sends it removes it
				it.take().remove(log, nil)
			}
		}
	}
	m.boxes = nil
}

// prefersImmutable reads Prefer: IdType="ImmutableId" (B3.5).
func (c *call) prefersImmutable() bool { return c.prefers(`IdType="ImmutableId"`) }

// reidentify gives the item new ids, as moving it does; the immutable one stays. The
// caller holds the lock.
func (m *mailboxes) reidentify(name string, it, fresh *item) {
	b := m.box(name)
	delete(b.byID, it.draftID)
	delete(b.byID, it.sentID)
	it.draftID, it.sentID = fresh.draftID, fresh.sentID
	b.byID[it.draftID], b.byID[it.sentID] = it, it
}

// rename changes the Message-ID of an item; the caller holds the lock.
func (m *mailboxes) rename(name string, it *item, messageID string) {
	b := m.box(name)
	if b.byMID[it.messageID] = slices.DeleteFunc(b.byMID[it.messageID], func(o *item) bool {
		return o == it
	}); len(b.byMID[it.messageID]) == 0 {
		delete(b.byMID, it.messageID)
	}
	it.messageID = messageID
	b.byMID[messageID] = append(b.byMID[messageID], it)
}

// itemHash is a stable id of a part of an item.
func itemHash(parts ...any) string {
	sum := sha256.Sum256(fmt.Append(nil, parts...))
	return hex.EncodeToString(sum[:20])
}
