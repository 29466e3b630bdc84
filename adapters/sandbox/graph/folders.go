package graph

import (
	"net/http"
	"slices"
	"strings"

	"github.com/postino-mail/postino/adapters/sandbox/internal/core"
)

// A folder is one of the well-known ones, or one that a client made.
type folder struct {
	name    string // well-known name; id of one that was made
	display string
}

func (f folder) id() string {
	if f.made() {
		return f.name
	}
	return "AQMkAGF-" + f.name
}

func (f folder) made() bool { return strings.HasPrefix(f.name, madeFolder) }

// madeFolder begins the id of a folder that a client made.
const madeFolder = "AQMkAGM"

// wellKnownFolders are in every mailbox.
func wellKnownFolders() []folder {
	return []folder{{"archive", "Archive"}, {"deleteditems", "Deleted Items"}, {drafts, "Drafts"}, {inbox, "Inbox"},
		{"junkemail", "Junk Email"}, {"outbox", "Outbox"}, {sentItems, "Sent Items"}}
}

// folders are those of the mailbox, the well-known ones first.
func (m *mailboxes) folders(name string) []folder {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append(wellKnownFolders(), m.box(name).folders...)
}

// folder finds a folder by well-known name or id.
func (c *call) folder(name string) (folder, *apiError) {
	for _, f := range c.g.boxes.folders(c.mailbox) {
		if strings.EqualFold(name, f.name) && !f.made() || name == f.id() {
			return f, nil
		}
	}
	return folder{}, itemNotFound()
}

func (c *call) folderDocument(f folder) map[string]any {
	now := c.g.now()
	items := c.g.boxes.find(c.mailbox, f.name, "", now, func(*item) bool { return true })
	unread := 0
	for _, it := range items {
		if it.unread {
			unread++
		}
	}
	return map[string]any{"id": f.id(), "displayName": f.display, "parentFolderId": folderID("msgfolderroot"), "childFolderCount": 0,
		"totalItemCount": len(items), "unreadItemCount": unread, "isHidden": false}
}

func (g *Server) listFolders(c *call) {
	q, e := c.query("$top", "$skip", "$count", "$select")
	if e != nil {
		c.failErr(e)
		return
	}
	all := g.boxes.folders(c.mailbox)
	from := min(q.skip, len(all))
	to := min(from+q.top, len(all))
	value := []map[string]any{}
	for _, f := range all[from:to] {
		value = append(value, c.folderDocument(f))
	}
	answer := map[string]any{"@odata.context": c.context("mailFolders"), "value": value}
	if q.count {
		answer["@odata.count"] = len(all)
	}
	if to < len(all) {
		answer["@odata.nextLink"] = c.nextLink(q)
	}
	c.accepted(func() { core.WriteJSON(c.w, http.StatusOK, answer) })
}

// childFolders answers for folders without any: the sandbox keeps one level.
func (g *Server) childFolders(c *call) {
	if _, e := c.folder(c.r.PathValue("folder")); e != nil {
		c.failErr(e)
		return
	}
	c.accepted(func() { core.WriteJSON(c.w, http.StatusOK, map[string]any{"value": []any{}}) })
}

func (g *Server) getFolder(c *call) {
	f, e := c.folder(c.r.PathValue("folder"))
	if e != nil {
		c.failErr(e)
		return
	}
	c.accepted(func() { core.WriteJSON(c.w, http.StatusOK, c.folderDocument(f)) })
}

// folderName reads {"displayName": ...} of a new or renamed folder.
func (c *call) folderName() (string, *apiError) {
	var doc struct {
		Name   string `json:"displayName"`
		Hidden bool   `json:"isHidden"`
	}
	if err := core.DecodeStrict(c.body.json, &doc); err != nil {
		return "", badRequest("The folder cannot be read: " + err.Error())
	}
	if strings.TrimSpace(doc.Name) == "" {
		return "", badRequest("The property 'displayName' is required when creating the entity.")
	}
	if slices.ContainsFunc(c.g.boxes.folders(c.mailbox), func(f folder) bool { return strings.EqualFold(f.display, doc.Name) }) {
		return "", &apiError{http.StatusConflict, "ErrorFolderExists", "A folder with the specified name already exists."}
	}
	return doc.Name, nil
}

func (g *Server) createFolder(c *call) {
	name, e := c.folderName()
	if e != nil {
		c.failErr(e)
		return
	}
	id, err := newItemID(madeFolder)
	if err != nil {
		c.fail(http.StatusInternalServerError, "", err.Error())
		return
	}
	f := folder{id, name}
	g.boxes.mu.Lock()
	b := g.boxes.box(c.mailbox)
	b.folders = append(b.folders, f)
	g.boxes.mu.Unlock()
	c.accepted(func() { core.WriteJSON(c.w, http.StatusCreated, c.folderDocument(f)) })
}

// madeFolder is the folder of the path, if it can be changed.
func (c *call) madeFolder() (folder, bool) {
	f, e := c.folder(c.r.PathValue("folder"))
	if e == nil && !f.made() {
		e = &apiError{http.StatusBadRequest, "ErrorDeleteDistinguishedFolder", "Distinguished folders cannot be changed."}
	}
	if e != nil {
		c.failErr(e)
	}
	return f, e == nil
}

func (g *Server) renameFolder(c *call) {
	f, ok := c.madeFolder()
	if !ok {
		return
	}
	name, e := c.folderName()
	if e != nil {
		c.failErr(e)
		return
	}
	f.display = name
	g.boxes.mu.Lock()
	b := g.boxes.box(c.mailbox)
	if i := slices.IndexFunc(b.folders, func(o folder) bool { return o.name == f.name }); i >= 0 {
		b.folders[i] = f
	}
	g.boxes.mu.Unlock()
	c.accepted(func() { core.WriteJSON(c.w, http.StatusOK, c.folderDocument(f)) })
}

// deleteFolder moves what is in the folder to Deleted Items.
func (g *Server) deleteFolder(c *call) {
	f, ok := c.madeFolder()
	if !ok {
		return
	}
	g.boxes.mu.Lock()
	b := g.boxes.box(c.mailbox)
	b.folders = slices.DeleteFunc(b.folders, func(o folder) bool { return o.name == f.name })
	for _, it := range b.items {
		if it.where == f.name {
			it.where = "deleteditems"
		}
	}
	g.boxes.mu.Unlock()
	c.accepted(func() { c.w.WriteHeader(http.StatusNoContent) })
}

// moveMessage moves or, with keep, copies a message to another folder. Its id is a new
// one in either case (B3.5).
func (g *Server) moveMessage(c *call, keep bool) {
	var doc struct {
		To string `json:"destinationId"`
	}
	if err := core.DecodeStrict(c.body.json, &doc); err != nil || doc.To == "" {
		c.failErr(badRequest("The parameter 'destinationId' is required."))
		return
	}
	to, e := c.folder(doc.To)
	fresh, err := newItem(g.now())
	if e == nil && err != nil {
		e = &apiError{http.StatusInternalServerError, "", err.Error()}
	}
	if e != nil {
		c.failErr(e)
		return
	}
	var it item
	if !c.onItem(func(found *item) *apiError {
		if found.busy {
			return &apiError{http.StatusConflict, "ErrorIrresolvableConflict", "The item is being sent."}
		}
		if keep && found.seq == 0 {
			return badRequest("The sandbox copies messages that were sent or received; drafts can be moved.")
		}
		if !keep {
			g.boxes.reidentify(c.mailbox, found, fresh)
			found.where = to.name
			it = *found
			return nil
		}
		ids := *fresh
		*fresh = *found
		fresh.immutable, fresh.draftID, fresh.sentID, fresh.where = ids.immutable, ids.draftID, ids.sentID, to.name
		it = *fresh
		return nil
	}) {
		return
	}
	if keep {
		g.boxes.add(c.mailbox, fresh)
	}
	answer, e := c.document(&it, query{})
	if e != nil {
		c.failErr(e)
		return
	}
	c.accepted(func() { c.writeItem(http.StatusCreated, answer) })
}
