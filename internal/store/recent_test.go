package store_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/postino-mail/postino/internal/store"
)

func TestRecent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r store.Recent
		id := store.NewID()
		taken := func(id store.ID) bool { _, _, ok := r.Take(id); return ok }
		if taken(id) {
			t.Error("something is in an empty one")
		}
		r.Put(id, []byte("head"), []byte("body"))
		r.Put(id, []byte("Head"), []byte("Body"))
		if head, body, ok := r.Take(id); !ok || string(head)+string(body) != "HeadBody" {
			t.Errorf("got %s%s, %v", head, body, ok)
		}
		if taken(id) {
			t.Error("it is given twice")
		}
		// Old ones give way: 4 MB in all.
		ids := make([]store.ID, 9)
		for i := range ids {
			ids[i] = store.NewID()
			r.Put(ids[i], nil, make([]byte, 1<<19))
		}
		if taken(ids[0]) || !taken(ids[1]) || !taken(ids[8]) {
			t.Error("not the oldest one was forgotten")
		}
		// What was taken leaves its room to others.
		for range 1000 {
			r.Put(id, nil, make([]byte, 1<<18))
			if !taken(id) {
				t.Fatal("what was just put in is not there")
			}
		}
		r.Put(id, nil, nil)
		<-time.After(2 * time.Minute) // of the fake clock
		if taken(id) {
			t.Error("it is given when it is old")
		}
	})
}
