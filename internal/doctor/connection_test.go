package doctor_test

import (
	"context"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
	"github.com/postino-mail/postino/adapters/graph"
	"github.com/postino-mail/postino/adapters/sandbox"
	"github.com/postino-mail/postino/adapters/stages"
	"github.com/postino-mail/postino/fallback"
	"github.com/postino-mail/postino/internal/doctor"
	"github.com/postino-mail/postino/internal/mailboxtest"
	"github.com/postino-mail/postino/internal/store"
)

// TestInOrder: every kind of connection passes all of its stages, sends a
// message and finds it, and sends none where none was asked for.
func TestInOrder(t *testing.T) {
	t.Parallel()
	sb := start(t)
	const (
		api  = "settings=ok dns=skipped tcp=ok tls=ok greeting=ok token=ok roles=ok mailbox=ok lookup=ok sender=ok budget=skipped"
		smtp = "settings=ok dns=skipped tcp=ok greeting=ok tls=ok offers=ok authentication=ok sender=ok budget=skipped"
		auth = "settings=ok dns=skipped tcp=ok greeting=ok tls=ok offers=ok token=ok authentication=ok sender=ok budget=skipped"
	)
	for _, c := range []struct {
		name string
		conn *adapters.Connection
		want string
		sent string
	}{
		{"graph secret", sb.GraphConnection(from), api, " message=ok sent=ok"},
		{"graph certificate", sb.GraphCertificateConnection(from), api, " message=ok sent=ok"},
		{"gmail", sb.GmailConnection(from), api, " message=ok sent=ok"},
		{"smtp", sb.SMTPConnection(from), smtp, " message=ok"},
		{"smtp with tokens of Entra", sb.SMTPOAuthConnection(from, "entra"), auth, " message=ok"},
		{"smtp with tokens of Google", sb.SMTPOAuthConnection(from, "google"), auth, " message=ok"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := len(sb.Deliveries())
			res := run(t, newDoctor(sb), doctor.Test{Connection: stored(c.conn)})
			if got := shown(res); got != c.want || !res.OK || res.Class() != adapters.Accepted {
				t.Errorf("without a message: %s, ok %v", got, res.OK)
			}
			if n := len(sb.Deliveries()); n != before {
				t.Errorf("%d messages were sent", n-before)
			}
			res = run(t, newDoctor(sb), doctor.Test{Connection: stored(c.conn), To: mailboxtest.Of("anna@example.com"), Language: "it"})
			if got := shown(res); got != c.want+c.sent || !res.OK {
				t.Errorf("with a message: %s, ok %v", got, res.OK)
			}
			sent := sb.Deliveries()
			if len(sent) != before+1 || sent[before].Recipients[0] != "anna@example.com" ||
				sent[before].Subject != "postino: prova della connessione "+c.conn.Name {
				t.Errorf("delivered: %+v", sent[before:])
			}
		})
	}
}

// TestLeastPrivilege: what Mail.Send or gmail.send alone cannot prove is
// unproven, and a message proves the sender.
func TestLeastPrivilege(t *testing.T) {
	t.Parallel()
	sb := start(t)
	sb.Configure(func(s *sandbox.Switches) { s.GraphMailRead, s.GmailReadScope, s.GraphRoles = false, false, false })
	alias := func(c *adapters.Connection) *adapters.Connection {
		c.Aliases, c.From = []string{c.From}, "alias@contoso.example"
		if set := graph.SettingsOf(c); set != nil {
			set.Mailbox = from
		}
		return c
	}
	const reach = "settings=ok dns=skipped tcp=ok tls=ok greeting=ok token=ok roles=ok "
	for _, c := range []struct {
		name string
		conn *adapters.Connection
		to   string
		want string
	}{
		{"graph", sb.GraphConnection(from), "", reach + "mailbox=ok lookup=unproven sender=ok budget=skipped"},
		{"graph alias", alias(sb.GraphConnection(from)), "", reach + "mailbox=ok lookup=unproven sender=unproven budget=skipped"},
		{"graph alias, message", alias(sb.GraphConnection(from)), "anna@example.com",
			reach + "mailbox=ok lookup=unproven budget=skipped sender=ok message=ok sent=unproven"},
		{"gmail", sb.GmailConnection(from), "", reach + "mailbox=unproven lookup=unproven sender=ok budget=skipped"},
		{"gmail alias, message", alias(sb.GmailConnection(from)), "anna@example.com",
			reach + "mailbox=unproven lookup=unproven budget=skipped sender=ok message=ok sent=unproven"},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := run(t, newDoctor(sb), doctor.Test{Connection: stored(c.conn), To: mailboxtest.Of(c.to)})
			if got := shown(res); got != c.want || !res.OK {
				t.Errorf("%s, ok %v\nwant %s", got, res.OK, c.want)
			}
		})
	}
}

// TestNotYet: a denial by Graph is "not yet" while the connection is new, "out of
// scope" when it lasts, and both are explained where nothing is known.
func TestNotYet(t *testing.T) {
	t.Parallel()
	sb := start(t)
	sb.Configure(func(s *sandbox.Switches) { s.GraphRoles = false })
	conn := sb.GraphConnection("denied@contoso.example")
	now := time.Now()
	refused := func(since time.Duration) store.ConnectionState {
		return store.ConnectionState{Error: &adapters.Error{ProviderCode: "ErrorAccessDenied"}, ChangedAt: now.Add(-since)}
	}
	for _, c := range []struct {
		name             string
		state            *doctor.State
		message, it, tip string
	}{
		{"not stored", nil, "may not send through", "non può inviare", "Test-ServicePrincipalAuthorization -Identity " + sandbox.ClientID},
		{"new", &doctor.State{Created: now.Add(-time.Minute)}, "just given takes up to 2 hours", "appena concesso impiega fino a 2 ore",
			"test again until"},
		{"old, refused for long", &doctor.State{Created: now.Add(-48 * time.Hour), Status: refused(3 * time.Hour)},
			"out of the application's scope", "fuori dall'ambito", "InScope True means wait"},
		{"old, refused just now", &doctor.State{Created: now.Add(-48 * time.Hour), Status: refused(time.Minute)},
			"may not send through", "non può inviare", "InScope True means wait"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := find(run(t, newDoctor(sb), doctor.Test{Connection: stored(conn), State: c.state}), stages.Roles)
			if s.Status != stages.Failed || s.Err.Class != adapters.Auth {
				t.Fatalf("roles: %+v", s)
			}
			wantWords(t, s.Message.String(), c.message)
			wantWords(t, s.Message.In("it"), c.it)
			wantWords(t, s.Hint.String(), c.tip)
		})
	}
}

// TestState: what the store knows of a connection shows.
func TestState(t *testing.T) {
	t.Parallel()
	sb := start(t)
	limit, inactive := 2, false
	limited := stored(sb.SMTPConnection(from))
	limited.Limits.RecipientsPerDay = &limit
	off := limited.Clone()
	off.Active = &inactive
	lane := func(used int64) *store.Lane {
		l := &store.Lane{}
		l.Day.Add(store.Span{Length: 24 * time.Hour, Bucket: 15 * time.Minute}, time.Now(), time.Now(), used)
		return l
	}
	t.Run("left", func(t *testing.T) {
		s := find(run(t, newDoctor(sb), doctor.Test{Connection: limited, State: &doctor.State{}}), doctor.Budget)
		wantWords(t, s.Message.String(), "2 of 2 recipients")
		wantWords(t, s.Message.In("it"), "restano 2 dei 2 destinatari")
	})
	t.Run("used up", func(t *testing.T) {
		res := run(t, newDoctor(sb), doctor.Test{Connection: limited, To: mailboxtest.Of("anna@example.com"),
			State: &doctor.State{Lane: lane(2)}})
		s := find(res, doctor.Budget)
		if s.Status != stages.Failed || res.Class() != adapters.Throttled || find(res, doctor.Message).Status != stages.Skipped {
			t.Errorf("%s, class %s", shown(res), res.Class())
		}
	})
	t.Run("switched off", func(t *testing.T) {
		s := find(run(t, newDoctor(sb), doctor.Test{Connection: off}), doctor.Settings)
		wantWords(t, s.Hint.String(), "switch it on")
	})
	t.Run("paused", func(t *testing.T) {
		state := &doctor.State{Status: store.ConnectionState{PausedUntil: time.Now().Add(time.Hour)}}
		s := find(run(t, newDoctor(sb), doctor.Test{Connection: limited, State: state}), doctor.Settings)
		wantWords(t, s.Hint.String(), "connection resume")
	})
	t.Run("closed secret", func(t *testing.T) {
		c := limited.Clone()
		fallback.SettingsOf(&c.Connection).Password = adapters.Redacted
		res := run(t, newDoctor(sb), doctor.Test{Connection: c})
		s := find(res, doctor.Settings)
		if s.Status != stages.Failed || s.Err.Code != adapters.CodeClosedSecret {
			t.Errorf("%s: %+v", shown(res), s)
		}
	})
}

// TestCancelled: a test ends with its context, and says at which stage.
func TestCancelled(t *testing.T) {
	t.Parallel()
	sb := start(t)
	sb.Inject(sandbox.Fault{Service: "smtp", Op: "auth", Delay: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	res := newDoctor(sb).Connection(ctx, doctor.Test{Connection: stored(sb.SMTPConnection(from))}, func(s stages.Stage) {
		if s.Name == stages.Offers {
			cancel()
		}
	})
	if s := find(res, stages.Authentication); s.Status != stages.Failed || s.Err.Code != adapters.CodeCancelled {
		t.Errorf("%s: %+v", shown(res), s)
	}
}
