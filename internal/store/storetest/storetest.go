// Package storetest is the conformance suite of the store's ports: what the
// comments of package store promise, asked of an implementation. Every moment
// is given to the calls; only where a claim waits does real time go by, a little.
package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/mime"
)

// A Harness opens stores of the implementation under test.
type Harness struct {
	// Open returns an empty store with connections' secrets sealed by
	// Sealer(). It is closed when the test ends.
	Open func(t *testing.T) store.Store
	// Reopen closes s and opens what it kept.
	Reopen func(t *testing.T, s store.Store) store.Store
	// Second opens what s keeps once more, as another process would, while s is
	// open.
	Second func(t *testing.T, s store.Store) store.Store
	// Nodes: several servers may run on one store.
	Nodes bool
	// Corrupt makes a record of the delivery unreadable, as a disk does: its
	// "recipients", its "word", the record of its "message" or the windows of its
	// "lane"; "no recipients" leaves an empty list. "secrets" and "states" are of
	// all connections.
	Corrupt func(t *testing.T, s store.Store, what string, id store.ID)
}

// Run asks everything of the implementation; the parts run in parallel.
func Run(t *testing.T, h Harness) {
	RunTies(t, h)
	for name, part := range map[string]func(*testing.T, Harness){
		"submit": testSubmit, "content": testContent, "join": testJoin, "idempotency": testIdempotency, "begin": testBegin,
		"claim": testClaim, "claim concurrently": testClaimRace, "concurrency of a lane": testConcurrency, "pace": testPace,
		"daily budget": testBudget, "large": testLarge, "large, again": testLargeAgain, "large, in vain": testLargeInVain,
		"many large": testManyLarge, "edited limits": testEditedLimits, "waiting": testWaiting, "fairness": testFairness,
		"pause": testPause, "wait": testWait, "wait for a moment": testWaitClock, "wait ends": testWaitEnds, "wait together": testWaitTogether,
		"finish": testFinish, "leases": testLeases, "abandoned": testAbandoned, "late node": testLateNode, "release": testRelease,
		"node restarts":     testRestart,
		"settle and notify": testSettle, "fail over": testFailOver, "deadlines": testDeadlines,
		"search": testSearch, "search after changes": testSearchChanges, "history": testHistory, "late history": testLateHistory,
		"bounded search": testSearchBounded, "search of many": testSearchMany,
		"list": testList, "act": testAct, "resent": testResent, "stats": testStats, "purge": testPurge, "purge rounds": testPurgeRounds,
		"purge ahead":      testPurgeAhead,
		"connection edits": testConnectionEdits, "move": testMove, "rename": testRename, "successor": testSuccessor,
		"connections": testConnections, "connection state": testConnectionState, "clients": testClients, "events": testEvents,
		"sealed again": testReseal, "sealed again beside edits": testResealBeside, "sealed again, what does not open": testResealClosed,
		"settings": testSettings, "alerts": testAlerts, "programs": testPrograms, "uses": testUses, "succession": testSuccession,
		"edits together": testEditsTogether,
		"reopen":         testReopen, "two processes": testTwoProcesses, "closed": testClosed,
		"submitters at once": testSubmitters, "model": testModel, "corrupt": testCorrupt, "unheard": testUnheard,
		"unheard together": testUnheardTogether, "people": testPeople, "accounts": testAccounts, "sessions": testSessions,
		"invitations": testInvitations, "ceremonies": testCeremonies, "audit": testAudit, "audit of a person": testAuditOfPerson,
		"audit list":        testAuditList,
		"among connections": testAmong, "among many": testAmongMany,
		"clock set back": testClockSetBack, "taken while the clock was ahead": testTakenAhead,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			part(t, h)
		})
	}
}

// Sealer is a sealer for tests: it hides nothing, but it refuses what was
// sealed for another owner or path. The same secret is sealed in other bytes each time.
func Sealer() store.Sealer { return testSealer{} }

type testSealer struct{}

func (testSealer) Seal(owner, path string, secret adapters.Secret) ([]byte, error) {
	id := store.NewID()
	b := append([]byte(owner+"\x00"+path+"\x00"), id[:]...)
	for _, c := range []byte(secret.Reveal()) {
		b = append(b, c^0x55)
	}
	return b, nil
}

func (testSealer) Open(owner, path string, sealed []byte) (adapters.Secret, error) {
	rest, ok := bytes.CutPrefix(sealed, []byte(owner+"\x00"+path+"\x00"))
	if !ok || len(rest) < len(store.ID{}) {
		return "", errors.New("sealed for another")
	}
	var out []byte
	for _, c := range rest[len(store.ID{}):] {
		out = append(out, c^0x55)
	}
	return adapters.Secret(out), nil
}

// t0 is when the tests begin.
func t0() time.Time { return time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC) }

// after is t0 and so many seconds.
func after(s float64) time.Time { return t0().Add(time.Duration(s * float64(time.Second))) }

// A letter describes a message to be made.
type letter struct {
	lane, connection, client string
	to                       []string
	limits                   adapters.LaneLimits
	at, next, expires        time.Time
	body                     []byte
	join                     *store.Join
	held                     bool
	tag                      string
	warn                     time.Time
	notification             bool
	said                     string
}

func (l letter) message() store.NewMessage {
	or := func(s, d string) string {
		if s == "" {
			return d
		}
		return s
	}
	if l.to == nil {
		l.to = []string{"anna@example.com"}
	}
	if l.body == nil {
		l.body = []byte("Buongiorno.\r\n")
	}
	if l.at.IsZero() {
		l.at = t0()
	}
	if l.expires.IsZero() {
		l.expires = l.at.Add(72 * time.Hour)
	}
	env := mime.Envelope{From: mailboxtest.Of("erp@contoso.it"), EnvID: "QQ314159", Ret: "HDRS"}
	for _, a := range l.to {
		env.Recipients = append(env.Recipients,
			mime.Recipient{Address: mailboxtest.Of(a), Notify: []mime.Notify{mime.NotifyFailure}, ORcpt: "rfc822;" + a})
	}
	return store.NewMessage{
		Message: store.Message{ID: store.NewID(), MessageID: "<1@contoso.it>", Subject: "Fattura è pronta",
			From: mailboxtest.Of("ERP@contoso.it"), OriginalFrom: mailboxtest.Of("o@contoso.it"), Envelope: env, Client: or(l.client,
				"client-1"), EntryPoint: "smtp", Class: "transactional", Tag: l.tag, Conversation: store.Conversation(l.said), ReceivedAt: l.at,
			Notification: l.notification},
		Head: []byte("From: erp@contoso.it\r\nMessage-ID: <1@contoso.it>\r\n\r\n"),
		Body: mime.Bytes(l.body),
		Deliveries: []store.NewDelivery{{
			ID:         store.NewID(),
			Route:      store.Route{Connection: or(l.connection, "conn-1"), Lane: or(l.lane, "lane-1"), Limits: l.limits},
			Recipients: env.Recipients, NextAt: l.next, ExpiresAt: l.expires, WarnAt: l.warn, Held: l.held,
		}},
		Join: l.join,
	}
}

// submit stores one letter and returns message and delivery.
func submit(t testing.TB, s store.Store, l letter) (store.ID, store.ID) {
	t.Helper()
	if l.at.IsZero() {
		l.at = t0()
	}
	out, err := s.Submit(t.Context(), store.Submission{Now: l.at, Messages: []store.NewMessage{l.message()}})
	must(t, err)
	return out[0].ID, out[0].Deliveries[0]
}

func register(t testing.TB, s store.Store, name string, now time.Time) store.Node {
	t.Helper()
	n, _, err := s.Register(t.Context(), name, now, now.Add(15*time.Second))
	must(t, err)
	return n
}

func claim(t testing.TB, s store.Store, n store.Node, now time.Time, max int) []store.Claimed {
	t.Helper()
	cc, err := s.Claim(t.Context(), store.ClaimRequest{Node: n, Now: now, Max: max})
	must(t, err)
	return cc
}

// accept finishes a claimed delivery as sent.
func accept(t testing.TB, s store.Store, c store.Claimed, now time.Time) error {
	t.Helper()
	return s.Finish(t.Context(), accepted(c, now))
}

func accepted(c store.Claimed, now time.Time) store.Finish {
	rs := c.Delivery.Recipients
	for i := range rs {
		rs[i].State, rs[i].At = store.RecipientSent, now
	}
	return store.Finish{Lease: c.Lease,
		Outcome: store.Outcome{EndedAt: now, Class: adapters.Accepted,
			Receipt: &adapters.Receipt{Provider: adapters.Graph, ProviderID: "AAMk", Status: 202, At: now}},
		Transition: store.Transition{Now: now, State: store.Sent, Recipients: rs,
			Progress: store.Progress{Class: adapters.Accepted, ProviderID: "AAMk"}}}
}

// failed finishes a claimed delivery to be tried again at next.
func failed(c store.Claimed, class adapters.Class, now, next time.Time) store.Finish {
	e := &adapters.Error{Class: class, Code: adapters.CodeThrottled, ProviderCode: "ErrorServerBusy",
		Status: 503, RetryAfter: 30 * time.Second,
		Message: store.CorruptRecord().Message}
	return store.Finish{Lease: c.Lease, NotSent: c.Delivery.CountPending(),
		Outcome: store.Outcome{EndedAt: now, Class: class, Error: e},
		Transition: store.Transition{Now: now, State: store.Queued, NextAt: next,
			Progress: store.Progress{Class: class, Error: e, Failures: c.Delivery.Failures + 1}}}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func wantErr(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", what, got, want)
	}
}

func delivery(t testing.TB, s store.Store, id store.ID) *store.Delivery {
	t.Helper()
	d, err := s.Delivery(t.Context(), id)
	must(t, err)
	return d
}

func lane(t testing.TB, s store.Store) *store.Lane {
	t.Helper()
	l, err := s.Lane(t.Context(), "lane-1")
	must(t, err)
	return l
}

func readAll(t testing.TB, s store.Store, id store.ID) []byte {
	t.Helper()
	c, err := s.Content(t.Context(), id)
	must(t, err)
	defer func() { must(t, c.Close()) }()
	b, err := io.ReadAll(mime.NewReader(c))
	must(t, err)
	return b
}

func many(n int, format string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(format, i)
	}
	return out
}
