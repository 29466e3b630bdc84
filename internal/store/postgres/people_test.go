package postgres

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

// Two nodes change people at once. Each rule about all of them holds over both:
// one invitation makes one first administrator, and one administrator is left.
func TestPeopleOnTwoNodes(t *testing.T) {
	t.Parallel()
	a := open(t, Options{})
	b := open(t, Options{URL: a.opt.URL})
	ctx, now := t.Context(), time.Now()
	both := func(f func(s *Store, i int) error) (errs [2]error) {
		var wg sync.WaitGroup
		for i, s := range []*Store{a, b} {
			wg.Go(func() { errs[i] = f(s, i) })
		}
		wg.Wait()
		return errs
	}
	admin := func(name string) store.Person {
		return store.Person{Email: name + "@contoso.it", Role: store.RoleAdmin, PasswordHash: "h"}
	}
	for round := range 10 {
		hash := func(i int) string { return fmt.Sprint("setup-", round, "-", i) }
		for i, err := range both(func(s *Store, i int) error {
			_, err := s.PutInvitation(ctx, store.Invitation{Hash: hash(i), ExpiresAt: now.Add(time.Hour)})
			return err
		}) {
			if err != nil {
				t.Fatal(i, err)
			}
		}
		open, err := a.Invitations(ctx, "")
		if err != nil || len(open) != 1 {
			t.Fatalf("round %d: %d invitations for the first administrator, %v", round, len(open), err)
		}
	}
	first := 0
	for i, err := range both(func(s *Store, i int) error {
		_, err := s.Redeem(ctx, now, fmt.Sprint("setup-9-", i), admin(fmt.Sprint("first-", i)))
		return err
	}) {
		switch {
		case err == nil:
			first++
		case !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrExists):
			t.Error(i, err)
		}
	}
	if first != 1 {
		t.Fatalf("%d first administrators", first)
	}
	for round := range 10 {
		if _, err := a.PutPerson(ctx, admin(fmt.Sprint("second-", round))); err != nil {
			t.Fatal(err)
		}
		all, err := a.People(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var active []store.Person
		for _, p := range all {
			if p.IsActiveAdmin() {
				active = append(active, p)
			}
		}
		if len(active) != 2 {
			t.Fatalf("round %d: %d active administrators", round, len(active))
		}
		disabled := 0
		for i, err := range both(func(s *Store, i int) error { // each the other
			p := active[1-i]
			p.Disabled = true
			_, err := s.PutPerson(ctx, p)
			return err
		}) {
			switch {
			case err == nil:
				disabled++
			case !errors.Is(err, store.ErrLastAdmin):
				t.Error(i, err)
			}
		}
		if disabled != 1 {
			t.Fatalf("round %d: %d of two administrators disabled", round, disabled)
		}
	}
}
