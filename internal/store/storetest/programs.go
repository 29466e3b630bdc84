package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/postino-mail/postino/internal/store"
)

func testPrograms(t *testing.T, h Harness) {
	s := h.Open(t)
	ctx := t.Context()
	p := func(client, digest string, n int64, at float64) store.Program {
		return store.Program{Client: client, Digest: digest, EntryPoint: "smtp", Hello: digest, Messages: n, FirstAt: after(at),
			LastAt: after(at), From: fmt.Sprint(digest, at), Connection: "c"}
	}
	must(t, s.SawPrograms(ctx, []store.Program{p("c1", "a", 2, 10), p("c1", "b", 1, 20), p("", "a", 1, 5), p("c10", "x", 1, 1)}, 3))
	must(t, s.SawPrograms(ctx, []store.Program{p("c1", "a", 3, 30)}, 3))
	must(t, s.SawPrograms(ctx, []store.Program{p("c1", "a", 1, 15)}, 3)) // noted late, by another node
	list, err := s.Programs(ctx, "c1")
	must(t, err)
	want(t, "of one client", len(list), 2)
	want(t, "who was last", list[0].Hello, "a")
	want(t, "messages", list[0].Messages, 6)
	want(t, "first", list[0].FirstAt, after(10))
	want(t, "last", list[0].LastAt, after(30))
	want(t, "from", list[0].From, "a30")
	// Beyond the bound those go that were silent for longest; other clients keep theirs.
	must(t, s.SawPrograms(ctx, []store.Program{p("c1", "c", 1, 40), p("c1", "d", 1, 50)}, 3))
	list, err = s.Programs(ctx, "c1")
	must(t, err)
	want(t, "bounded", len(list), 3)
	want(t, "the rest", list[0].Hello+list[1].Hello+list[2].Hello, "dca")
	all, err := s.Programs(ctx, "")
	must(t, err)
	want(t, "all", len(all), 5)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for { // two who note the same new one at once
				err := s.SawPrograms(context.WithoutCancel(ctx), []store.Program{p("c2", "n", 1, 60), p("c2", fmt.Sprint(i), 1, 60)}, 64)
				if err == nil {
					return
				}
			}
		})
	}
	wg.Wait()
	list, err = s.Programs(ctx, "c2")
	must(t, err)
	want(t, "together", len(list), 5)
	for _, x := range list {
		if x.Hello == "n" {
			want(t, "counted", x.Messages, 4)
		}
	}
}
