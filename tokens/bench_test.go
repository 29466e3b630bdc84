package tokens

import (
	"context"
	"testing"
	"time"

	"github.com/postino-mail/postino/adapters"
)

func BenchmarkHit(b *testing.B) {
	f := newFakeIssuer(b)
	c, _ := newTestCache(b, f, Options{Now: time.Now})
	s := sourceOf(b, c, f.graph(), adapters.AudienceGraph)
	mustToken(b, s)
	ctx := context.Background()
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		if _, err := s.Token(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHitParallel(b *testing.B) {
	f := newFakeIssuer(b)
	c, _ := newTestCache(b, f, Options{Now: time.Now})
	s := sourceOf(b, c, f.graph(), adapters.AudienceGraph)
	mustToken(b, s)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Token(context.Background()); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
