package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/internal/doctor"
	"github.com/postino-mail/postino/internal/gateway"
	"github.com/postino-mail/postino/internal/pause"
	"github.com/postino-mail/postino/internal/spool"
	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/submit"
	"github.com/postino-mail/postino/mime"
)

// testTag is the tag of messages that test a connection.
const testTag = "test"

// How long the end of such a message is waited for, and how often it is looked at.
const (
	testMailWait = 30 * time.Second
	testMailPoll = 100 * time.Millisecond
)

// A testMail sends the message of a test as mail like any other. It implements doctor.Queue.
type testMail struct {
	submit     *submit.Submitter
	store      store.Admin
	dir        string
	who        *principal
	connection *gateway.Connection
	stored     store.ID // of the message; zero: it was not taken
}

// id is the id of the message; empty: there is none.
func (m *testMail) id() string {
	if m.stored == (store.ID{}) {
		return ""
	}
	return m.stored.String()
}

// Send implements doctor.Queue.
func (m *testMail) Send(ctx context.Context, out adapters.Outgoing) (_ adapters.Receipt, err error) {
	b := spool.New(m.dir, 0, 0)
	defer func() { err = errors.Join(err, b.Close()) }()
	if _, err := io.Copy(b, mime.NewReader(out.Message.Source())); err != nil {
		return adapters.Receipt{}, err
	}
	res, err := m.submit.Submit(ctx, submit.Request{Client: m.who.client, Owner: m.who.owner(), EntryPoint: entryPoint, Message: b,
		Envelope: out.Envelope, Connection: m.connection.ID, Through: true, Tag: testTag, Distinct: true})
	if err != nil {
		return adapters.Receipt{}, m.refused(err)
	}
	m.stored = res.ID
	return m.follow(ctx, res.MessageID)
}

// refused is a refusal to take the message, as the test shows it.
func (m *testMail) refused(err error) error {
	r := submit.AsRefusal(err)
	class := adapters.Permanent
	if r.Temporary() {
		class = adapters.Transient
	}
	return &adapters.Error{Class: class, Scope: adapters.ScopeMessage, Provider: m.connection.Provider, Code: adapters.Code(r.Code),
		Message: r.Message, Hint: r.Hint, Err: err}
}

// follow waits for the end of the message's first attempts. What is tried again later
// has failed as far as a test can tell.
func (m *testMail) follow(ctx context.Context, messageID string) (adapters.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, testMailWait)
	defer cancel()
	for {
		receipt, err := m.look(ctx)
		if !errors.Is(err, doctor.ErrWaits) {
			receipt.MessageID = messageID
			return receipt, err
		}
		if pause.For(ctx, testMailPoll) != nil {
			return adapters.Receipt{}, doctor.ErrWaits
		}
	}
}

// look reports how the message stands; ErrWaits: it is neither accepted nor refused.
func (m *testMail) look(ctx context.Context) (adapters.Receipt, error) {
	list, err := m.store.Deliveries(ctx, m.stored)
	if ctx.Err() != nil {
		return adapters.Receipt{}, doctor.ErrWaits
	}
	if err != nil {
		return adapters.Receipt{}, err
	}
	if len(list) != 1 { // it has one recipient; an operator does not see it once it left by a connection of others
		return adapters.Receipt{}, m.elsewhere()
	}
	d := &list[0]
	switch {
	case d.State == store.Sending, d.State == store.Unverified, d.State == store.Queued && d.Attempts == 0:
		return adapters.Receipt{}, doctor.ErrWaits
	}
	all, err := m.store.Attempts(ctx, d.ID)
	if err != nil {
		return adapters.Receipt{}, err
	}
	for i := len(all) - 1; i >= 0; i-- {
		a := &all[i]
		switch {
		case a.Connection != m.connection.ID:
		case a.Error != nil:
			return adapters.Receipt{}, a.Error
		case a.Receipt != nil:
			return *a.Receipt, nil
		case a.Class == adapters.Accepted:
			return adapters.Receipt{ProviderID: d.ProviderID}, nil
		}
	}
	if d.Route.Connection != m.connection.ID {
		return adapters.Receipt{}, m.elsewhere()
	}
	if d.Error != nil {
		return adapters.Receipt{}, d.Error
	}
	return adapters.Receipt{}, doctor.ErrWaits // a person holds or cancelled it
}

// elsewhere is the error of a message that another connection took over.
func (m *testMail) elsewhere() error {
	return &adapters.Error{Class: adapters.Transient, Scope: adapters.ScopeMessage, Provider: m.connection.Provider, Code: "fallback",
		Message: text("api.test_elsewhere", "another connection took the message over, as the fallbacks of this one say"),
		Hint:    text("api.test_elsewhere_hint", "open the message: its attempts say why"),
		Err:     fmt.Errorf("message %s left through another connection", m.stored)}
}
