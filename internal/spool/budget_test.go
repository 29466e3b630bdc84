package spool

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestBudget(t *testing.T) {
	t.Parallel()
	free, now := int64(100<<20), time.Unix(0, 0)
	b := NewBudget(BudgetOptions{Dir: t.TempDir(), Reserve: 10 << 20, Total: 20 << 20, PerParty: 8 << 20,
		Free: func(string) (int64, error) { return free, nil }, Now: func() time.Time { return now }})
	mib := bytes.Repeat([]byte{'x'}, 1<<20)
	fill := func(party string, n int) (*Buffer, error) {
		s := New(t.TempDir(), 0, 0).Charged(b, party)
		for range n {
			if _, err := s.Write(mib); err != nil {
				return s, err
			}
		}
		return s, nil
	}
	full := func(name, want string, err error) {
		t.Helper()
		var f *FullError
		if want == "" && err == nil {
			return
		}
		if !errors.As(err, &f) || f.Setting != want {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	var open []*Buffer
	use := func(name, party string, n int, want string) *Buffer {
		t.Helper()
		s, err := fill(party, n)
		full(name, want, err)
		open = append(open, s)
		return s
	}
	one := use("within its share", "one", 8, "")
	use("more than its share", "one", 1, "spool_per_client")
	use("another", "two", 8, "")
	use("more than all", "three", 5, "spool_total")
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	use("what was given back", "one", 4, "")
	for _, s := range open[1:] {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if b.Used() != 0 {
		t.Errorf("%d bytes are not given back", b.Used())
	}
	free, now = 12<<20, now.Add(time.Minute)
	s := use("until the reserve", "one", 2, "")
	use("into the reserve", "two", 1, "spool_reserve")
	_ = s.Close()

	// Bytes in memory are not the disk's.
	small := New(t.TempDir(), 0, 0).Charged(b, "one")
	if _, err := small.Write([]byte(strings.Repeat("x", defaultMemory))); err != nil || b.Used() != open[len(open)-1].share.have {
		t.Errorf("%v, %d bytes", err, b.Used())
	}
	// A file that is taken over is the store's.
	now = now.Add(time.Minute) // the disk is looked at again
	kept := use("a file that is kept", "one", 1, "")
	kept.Keep()
	_ = kept.Close()
	_ = open[len(open)-2].Close()
	if b.Used() != 0 {
		t.Errorf("%d bytes are not given back", b.Used())
	}
}

func TestBudgetDefaults(t *testing.T) {
	t.Parallel()
	b := NewBudget(BudgetOptions{Dir: t.TempDir(), Least: 300 << 20})
	if b.opt.Total < 1200<<20 || b.opt.PerParty < 300<<20 || b.opt.Reserve != DefaultReserve {
		t.Errorf("%+v", b.opt)
	}
	if b.failed != nil || b.free <= 0 {
		t.Errorf("free space %d: %v", b.free, b.failed)
	}
}
