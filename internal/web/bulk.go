package web

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/postino-mail/postino/internal/api"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// undoTime is how long an action on many deliveries can be undone before it begins.
const undoTime = 10 * time.Second

// A bulkScreen is an action on what a search finds, before it begins.
type bulkScreen struct {
	Title   mime.Text
	Lines   []mime.Text
	Verb    store.Verb
	Button  mime.Text
	Query   mailQuery
	Count   int
	Back    string
	Seconds int
}

// countBulk asks how many deliveries an action would reach.
func (v *visit) countBulk(q mailQuery, verb store.Verb) (*bulkScreen, error) {
	var n api.BulkAnswer
	in := q.bulk(v, verb)
	in["dry_run"] = true
	if err := v.call(http.MethodPost, "/v1/messages/actions", in, &n); err != nil {
		return nil, err
	}
	out := &bulkScreen{Verb: verb, Button: verbText(verb), Query: q, Count: n.Count, Back: q.address(""),
		Seconds: int(v.s.undoTime().Seconds()), Lines: bulkLines(verb)}
	shown := v.Number(n.Count)
	if n.More {
		shown = text("web.more_than", "more than {n}", "n", shown).In(v.lang)
	}
	out.Title = bulkTitle(verb, n.Count, shown)
	return out, nil
}

func bulkTitle(verb store.Verb, count int, n string) mime.Text {
	switch verb {
	case store.DoRetry:
		return mime.NewCount("web.bulk_retry", count, "Retry one message", "Retry {n} messages", "n", n)
	case store.DoCancel:
		return mime.NewCount("web.bulk_cancel", count, "Cancel one message", "Cancel {n} messages", "n", n)
	case store.DoHold:
		return mime.NewCount("web.bulk_hold", count, "Hold one message", "Hold {n} messages", "n", n)
	}
	return mime.NewCount("web.bulk_release", count, "Release one message", "Release {n} messages", "n", n)
}

// bulkLines say what an action does, and whether it can be undone.
func bulkLines(verb store.Verb) []mime.Text {
	switch verb {
	case store.DoRetry:
		return []mime.Text{
			text("web.retry_what", "They are sent again at once. Recipients that have the message already do not get it again."),
			text("web.retry_careful",
				"What may have been sent already is left out, unless you have chosen its state: decide that message by message."),
			text("web.retry_undo", "What has been sent cannot be taken back."),
		}
	case store.DoCancel:
		return []mime.Text{text("web.cancel_what", "They are not sent. Who sent them is not told."),
			text("web.cancel_undo", "As long as their content is kept you can send them again with Retry.")}
	case store.DoHold:
		return []mime.Text{text("web.hold_what", "They wait until you release them, for as long as that takes."),
			text("web.hold_undo", "Release undoes it.")}
	}
	return []mime.Text{text("web.release_what", "They are sent. Of what may have been sent already, the provider is asked first."),
		text("web.retry_undo", "What has been sent cannot be taken back.")}
}

// bulk is the query as the API's actions take it: one search, with its states.
func (q mailQuery) bulk(v *visit, verb store.Verb) map[string]any {
	words := q.Q
	if states := q.states(); len(states) > 0 {
		words = strings.TrimSpace(words + " state:" + strings.Join(states, ","))
	}
	return map[string]any{"action": string(verb), "tz": v.zone.String(), "q": words}
}

func (s *Server) askBulk(v *visit) error {
	f, verb, err := v.action()
	if err != nil {
		return err
	}
	out, err := v.countBulk(newMailQuery(f), verb)
	if err != nil {
		return err
	}
	return v.showForm("bulk", f, out)
}

func (s *Server) undoTime() time.Duration {
	if s.opt.UndoTime > 0 {
		return s.opt.UndoTime
	}
	return undoTime
}

// runBulk answers with a screen that grows while the action goes on: first there is
// time to undo, which leaving the screen does, then the figures. It works without
// script, and ends with its reader: what is done twice changes nothing twice.
func (s *Server) runBulk(v *visit) error {
	f, verb, err := v.action()
	if err != nil {
		return err
	}
	out, err := v.countBulk(newMailQuery(f), verb)
	if err != nil {
		return err
	}
	page, err := v.execute(http.StatusOK, "bulkrun", &frame{visit: v, Data: out, Form: f})
	if err != nil {
		return err
	}
	head, tail, _ := bytes.Cut(page, []byte(`<i id="here"></i>`))
	w := &growing{v: v, control: http.NewResponseController(v.w)}
	v.htmlHeaders()
	v.w.Header().Set("X-Accel-Buffering", "no") // nginx must pass it on as it comes
	if err := w.write(head); err != nil {
		return nil // the reader has left: undone
	}
	undo := time.NewTimer(s.undoTime())
	defer undo.Stop()
	select {
	case <-v.r.Context().Done():
		return nil
	case <-undo.C:
	}
	w.run(out)
	_ = w.write(tail) // a reader that left needs no report
	return nil
}

// A growing answer is sent piece by piece.
type growing struct {
	v       *visit
	control *http.ResponseController
}

func (w *growing) write(b []byte) error {
	if _, err := w.v.w.Write(b); err != nil {
		return err
	}
	return w.control.Flush()
}

// A bulkLine is one line of the progress.
type bulkLine struct {
	State   string // of the note; empty: it goes on
	Text    mime.Text
	Problem *problem
}

func (w *growing) line(l bulkLine) error {
	b, err := w.v.part("bulkrun", "bulk-line", map[string]any{"Lang": w.v.lang, "Line": l})
	if err != nil {
		return err
	}
	return w.write(b)
}

// run acts part by part until all were reached, the reader leaves, or the API
// refuses.
func (w *growing) run(b *bulkScreen) {
	v, changed, skipped := w.v, 0, 0
	in := b.Query.bulk(v, b.Verb)
	for {
		var part api.BulkAnswer
		if err := v.call(http.MethodPost, "/v1/messages/actions", in, &part); err != nil {
			w.refused(err)
			return
		}
		changed, skipped = changed+part.Changed, skipped+part.Skipped
		if part.Next == "" {
			break
		}
		in["after"] = part.Next
		if w.line(bulkLine{Text: text("web.bulk_progress", "{n} of {count} …", "n", v.Number(changed+skipped), "count",
			v.Number(b.Count))}) != nil ||
			v.r.Context().Err() != nil {
			return
		}
	}
	end := mime.NewCount("web.bulk_done", changed, "Done: one message.", "Done: {n} messages.", "n", v.Number(changed))
	if skipped > 0 {
		end = text("web.bulk_done_skipped",
			"Done: {n}. {skipped} stayed as they are: their state did not allow it, or they may have been sent already.",
			"n", v.Number(changed), "skipped", v.Number(skipped))
	}
	_ = w.line(bulkLine{State: "ok", Text: end}) // a reader that left needs no report
}

// refused says why it did not go on.
func (w *growing) refused(err error) {
	if w.v.r.Context().Err() != nil {
		return // the reader has left
	}
	var p *problem
	if !errors.As(err, &p) {
		w.v.s.opt.Log.Error("an action on many messages failed", "err", err)
		p = internal()
	}
	_ = w.line(bulkLine{Problem: p}) // a reader that left needs no report
}
