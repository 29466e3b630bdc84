package sqlite

import (
	"testing"

	"github.com/postino-mail/postino/internal/store"
	"github.com/postino-mail/postino/internal/store/storetest"
)

func open(t testing.TB, o Options) *Store {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Sealer == nil {
		o.Sealer = storetest.Sealer()
	}
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Harness{
		Open: func(t *testing.T) store.Store { return open(t, Options{Server: true}) },
		Reopen: func(t *testing.T, s store.Store) store.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, Options{Server: true, Dir: s.(*Store).dir})
		},
		Second: func(t *testing.T, s store.Store) store.Store { return open(t, Options{Dir: s.(*Store).dir}) },
	})
}
