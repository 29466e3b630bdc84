package engine

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/store"
)

// enter writes an entry into the audit trail.
func enter(ctx context.Context, t Tx, e store.AuditEntry) error {
	e.Actor = store.ActorOf(ctx)
	if e.At = e.Actor.At; e.At.IsZero() {
		e.At = time.Now()
	}
	e.At = store.Micro(e.At)
	doc, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = t.Exec(`INSERT INTO audit (at, actor, person, kind, object, doc) VALUES ($1, $2, $3, $4, $5, $6)`,
		Micros(e.At), e.Actor.ID, e.Actor.Person, e.Kind, e.Object, string(doc))
	return err
}

// audit enters a change of a record. One that changes by itself, such as how far
// a webhook has come, is none.
func (tb table[T]) audit(ctx context.Context, t Tx, v *T, before, after string) error {
	if tb.kind == "" {
		return nil
	}
	c := tb.closed
	byGateway := store.ActorOf(ctx).Kind == store.ActorGateway
	if byGateway {
		c.Quiet = append(append([]string(nil), c.Quiet...), tb.quiet...)
	}
	e := store.AuditEntry{Action: store.AuditChanged, Kind: tb.kind, Object: *tb.id(v), Name: tb.label(v)}
	had, has := []byte(before), []byte(after)
	switch {
	case before == "":
		e.Action = store.AuditAdded
	case after == "":
		e.Action = store.AuditRemoved
		if !json.Valid(had) { // a corrupt one can be removed
			had = nil
		}
	}
	var err error
	if e.Changes, err = store.Changes(had, has, c); err != nil {
		return err
	}
	if e.Action == store.AuditChanged && len(e.Changes) == 0 {
		return nil
	}
	return enter(ctx, t, e)
}

// auditConnection enters a change of a connection; old or next is nil.
func auditConnection(ctx context.Context, t Tx, old, next *gateway.Connection) error {
	before, secretsBefore, err := withoutSecrets(old)
	if err != nil {
		return err
	}
	after, secretsAfter, err := withoutSecrets(next)
	if err != nil {
		return err
	}
	e := store.AuditEntry{Action: store.AuditChanged, Kind: store.KindConnection}
	switch {
	case old == nil:
		e.Action, e.Object, e.Name = store.AuditAdded, next.ID, next.Name
	case next == nil:
		e.Action, e.Object, e.Name = store.AuditRemoved, old.ID, old.Name
	default:
		e.Object, e.Name = next.ID, next.Name
	}
	if e.Changes, err = store.Changes(before, after, closed(nil)); err != nil {
		return err
	}
	e.Changes = append(e.Changes, store.SecretChanges(secretsBefore, secretsAfter)...)
	if e.Action == store.AuditChanged && len(e.Changes) == 0 {
		return nil
	}
	return enter(ctx, t, e)
}

// withoutSecrets splits a connection into its JSON without secrets, and these by
// their paths.
func withoutSecrets(c *gateway.Connection) (doc []byte, secrets map[string]adapters.Secret, err error) {
	if c == nil {
		return nil, nil, nil
	}
	plain, secrets := c.Clone(), map[string]adapters.Secret{}
	for _, f := range plain.Secrets() {
		if *f.Value != "" {
			secrets[f.Path], *f.Value = *f.Value, ""
		}
	}
	doc, err = plain.Stored()
	return doc, secrets, err
}

// enterPause enters that someone paused or resumed a connection or a lane. What
// the gateway does by itself is in the ledger of the attempts.
func enterPause(ctx context.Context, w Work, kind, object string, now time.Time, until *time.Time) error {
	if until == nil || store.ActorOf(ctx).Kind == store.ActorGateway {
		return nil
	}
	e := store.AuditEntry{Action: store.AuditResumed, Kind: kind, Object: object}
	if until.After(now) {
		e.Action, e.Changes = store.AuditPaused, []store.Change{{Field: "paused_until", After: store.Micro(*until)}}
	}
	t, err := w.Records()
	if err != nil {
		return err
	}
	return enter(ctx, t, e)
}

// enterAction enters what someone did with deliveries.
func enterAction(ctx context.Context, w Work, a *store.Action, rows []*DeliveryRow, res store.ActionResult) error {
	if res.Changed == 0 {
		return nil
	}
	e := store.AuditEntry{Action: string(a.Verb), Kind: store.KindQueue, Count: res.Changed, Skipped: res.Skipped,
		Changes: store.Chosen(&a.Filter)}
	for i, row := range rows { // of one message: it is named
		id := row.D.Message.String()
		if i > 0 && e.Object != id {
			e.Object = ""
			break
		}
		e.Object = id
	}
	t, err := w.Records()
	if err != nil {
		return err
	}
	return enter(ctx, t, e)
}

// enterResent enters that a message was sent once more; ctx names by whom.
func enterResent(ctx context.Context, w Work, sub *store.Submission) error {
	for i := range sub.Messages {
		m := &sub.Messages[i]
		if m.ResentOf.IsZero() {
			continue
		}
		e := store.AuditEntry{Action: store.AuditResend, Kind: store.KindQueue, Object: m.ResentOf.String(), Count: len(m.Deliveries),
			Changes: []store.Change{{Field: "message", After: m.ID.String()}}}
		t, err := w.Records()
		if err == nil {
			err = enter(ctx, t, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// enterSetting enters that someone changed a setting; the marks that the gateway
// keeps there are none.
func enterSetting(ctx context.Context, t Tx, name, before, after string) error {
	if store.ActorOf(ctx).Kind == store.ActorGateway || before == after {
		return nil
	}
	return enter(ctx, t, store.AuditEntry{Action: store.AuditChanged, Kind: store.KindSetting, Object: name, Name: name,
		Changes: []store.Change{store.ChangeOf(name, before, after)}})
}

// AppendAudit implements store.Audit.
func (p Ports) AppendAudit(ctx context.Context, e store.AuditEntry) error {
	return p.DB.Do(ctx, func(t Tx) error { return enter(ctx, t, e) })
}

// AuditEntries implements store.Audit.
func (r Ports) AuditEntries(ctx context.Context, q store.AuditRequest) (store.AuditPage, error) {
	if q.Limit <= 0 {
		q.Limit = 50
	}
	q.Limit = min(q.Limit, 1000)
	w := &where{}
	for _, c := range [...]struct{ column, v string }{{"person", q.Person}, {"actor", q.Actor}, {"kind", q.Kind}, {"object", q.Object}} {
		w.equal(c.column, c.v, func(v string) any { return anyText(v) })
	}
	if !q.Since.IsZero() {
		w.and("at >= %s", Micros(q.Since))
	}
	if !q.Before.IsZero() {
		w.and("at < %s", Micros(q.Before))
	}
	if q.After > 0 {
		w.and("seq < %s", q.After)
	}
	if q.Of != nil {
		w.either(func() {
			w.and("person = %s", anyText(q.Of.Person))
			w.among("object", append([]string{q.Of.Person}, q.Of.Objects...))
		})
	}
	var page store.AuditPage
	err := r.DB.List(ctx, `SELECT seq, doc FROM audit`+w.String()+` ORDER BY seq DESC LIMIT `+strconv.Itoa(q.Limit+1), w.args,
		func() { page = store.AuditPage{} }, func(sc Scan) error {
			var seq int64
			var doc string
			if err := sc(&seq, &doc); err != nil {
				return err
			}
			if len(page.Entries) == q.Limit {
				page.Next = page.Entries[q.Limit-1].Seq
				return nil
			}
			var e store.AuditEntry
			if err := json.Unmarshal([]byte(doc), &e); err != nil {
				return err
			}
			e.Seq = seq
			page.Entries = append(page.Entries, e)
			return nil
		})
	if err != nil {
		return store.AuditPage{}, err
	}
	return page, nil
}

// PurgeAudit implements store.Audit.
func (r Ports) PurgeAudit(ctx context.Context, before time.Time, most int) (removed int, err error) {
	err = r.DB.Do(ctx, func(t Tx) error {
		n, err := t.Exec(`DELETE FROM audit WHERE seq IN (SELECT seq FROM audit WHERE at < $1 ORDER BY at LIMIT $2)`, Micros(before), most)
		removed = int(n)
		return err
	})
	return removed, err
}
