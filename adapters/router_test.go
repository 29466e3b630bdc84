package adapters

import (
	"context"
	"errors"
	"testing"
)

type recorder struct {
	Adapter
	conn   *Connection
	closed int
}

func (r *recorder) Send(context.Context, Outgoing) (Receipt, error) {
	return Receipt{ProviderID: r.conn.Name}, nil
}
func (r *recorder) Close() error { r.closed++; return nil }

func TestRouter(t *testing.T) {
	t.Parallel()
	var made []*recorder
	r := NewRouter(map[Provider]Factory{SMTP: func(c *Connection) (Adapter, error) {
		if c.Name == "bad" {
			return nil, errors.New("cannot")
		}
		a := &recorder{conn: c}
		made = append(made, a)
		return a, nil
	}})
	c := &Connection{ID: "1", Name: "a", Provider: SMTP}
	same := *c
	edited := same
	edited.Name = "b"
	for i, conn := range []*Connection{c, c, &same, &edited} {
		got, err := r.Send(t.Context(), conn, Outgoing{})
		if err != nil || got.ProviderID != conn.Name {
			t.Errorf("%d: %+v, %v", i, got, err)
		}
	}
	if len(made) != 2 || made[0].closed != 1 || made[1].closed != 0 {
		t.Fatalf("an edit must make one new adapter and close the old one: %d made", len(made))
	}
	if _, err := r.Adapter(&Connection{Name: "x", Provider: Graph}); ClassOf(err) != Permanent {
		t.Errorf("unknown provider: %v", err)
	}
	if _, err := r.Adapter(&Connection{Name: "bad", Provider: SMTP}); err == nil {
		t.Error("a factory's error was lost")
	}
	if err := r.Forget(c); err != nil || made[1].closed != 0 {
		t.Errorf("Forget of the settings before the edit closed the new adapter: %v, closed %d", err, made[1].closed)
	}
	if err := r.Forget(&edited); err != nil || made[1].closed != 1 {
		t.Errorf("Forget: %v, closed %d", err, made[1].closed)
	}
	if _, err := r.Adapter(c); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil || made[2].closed != 1 {
		t.Errorf("Close: %v", err)
	}
}

func TestErrorIsSafeToShow(t *testing.T) {
	t.Parallel()
	e := &Error{Class: Auth, ProviderCode: "AADSTS7000222", Message: said(t, "The client secret has expired", "Il segreto è scaduto"),
		Hint: Text{English: "create a new one"}, Err: errors.New("password=hunter2")}
	if got, want := e.Error(), "The client secret has expired (AADSTS7000222): create a new one"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if e.Message.In("it-IT") != "Il segreto è scaduto" || e.Hint.In("it") != "create a new one" || e.Message.In("") != e.Message.String() {
		t.Error("wrong language")
	}
	if ClassOf(errors.New("x")) != Unknown || ClassOf(nil) != Accepted || AsError(nil) != nil {
		t.Error("classes of foreign and absent errors")
	}
}
